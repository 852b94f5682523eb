--- Topics and patterns: where the hub has them, by which commands they are heard, and what
-- they are called in Redis.
-- @module green.pubsub.redis.kinds

local glob = require "green.pubsub.glob"
local wire = require "green.pubsub.redis.wire"

return {
  topics = { all = "_topics", on = "subscribe", off = "unsubscribe", name = wire.channel },
  patterns = { all = "_patterns", on = "psubscribe", off = "punsubscribe",
    name = function(prefix, pattern)
      return glob.literal(prefix) .. pattern
    end },
}
