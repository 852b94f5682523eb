--- The option maxmsgsize, for sockets over which messages of a known size come: a little more than
-- that, so that what is too large can be refused in words, for a socket that gets a part larger
-- than its maxmsgsize drops the connection. Private to green.zmq and green.pubsub.
-- @module green.zmq.longest

-- Scripts may put their own in their places.
local max = math.max

local M = {}

local LEAST = 2 ^ 26 -- bytes: what sockets of green.zmq begin with
local BESIDE = 2 ^ 20 -- of what is no message: heads, keys, lists

--- Bytes of a part that has a message of so many at most.
function M.of(max_message)
  return max(LEAST, max_message + BESIDE)
end

return M
