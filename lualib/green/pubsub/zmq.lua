--- The backends of hubs that share their topics over ZeroMQ: with a broker, or without.
-- @module green.pubsub.zmq

local M = {}

--- @return the backend; or nil, err: the endpoint to bind is none, or taken
function M.new(hub)
  local kind = hub._options.zmq.bind and "peers" or "brokered"
  return require("green.pubsub.zmq." .. kind).new(hub)
end

return M
