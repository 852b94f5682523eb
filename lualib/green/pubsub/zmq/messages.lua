--- Reading a socket of ZeroMQ's to its end. Private to green.pubsub.zmq.
-- @module green.pubsub.zmq.messages

local M = {}

--- Call take(self, frames) for each message, but those of too many parts: whoever sends one ends
-- nothing. What ended the socket, as an error. Parks.
function M.each(socket, take, self)
  while true do
    local frames, err = socket:recv_multipart()
    if frames then
      take(self, frames)
    elseif not err:is "EMSGSIZE" then
      return err
    end
  end
end

return M
