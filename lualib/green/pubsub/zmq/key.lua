--- What a SUB socket is subscribed to for a channel. Private to green.pubsub.zmq.
-- @module green.pubsub.zmq.key

local glob = require "green.pubsub.glob"
local wire = require "green.zmq.broker.wire"

local M = {}

--- What the messages of a channel have for a key, or, of a pattern's, begin it with.
function M.of(prefix, channel)
  if channel.tokens then
    return prefix .. glob.prefix(channel.tokens)
  end
  return wire.key(prefix .. channel.name)
end

return M
