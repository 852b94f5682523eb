--- Publish and subscribe: a message to a topic reaches all who are subscribed to it, in
-- this process or, over Redis or ZeroMQ, in many.
-- @module green.pubsub

local args = require "green.args"
local glob = require "green.pubsub.glob"
local hubs = require "green.pubsub.hub"

local M = {}

--- A hub: it knows its topics, and who is subscribed to them. Does not park.
-- @tparam[opt] table opts
--
-- - `history` (0): so many messages of each topic are kept, for who comes back
-- - `history_seconds` (nil): and not longer than that
-- - `slow` ("drop"): what becomes of a receiver that is behind: "drop" ends its
-- subscription (ENOBUFS) and closes a websocket with 1013, "skip" leaves messages out,
-- "coalesce" keeps the newest of each key until it has drained
-- - `max_queued` (1000): messages that may wait for it
-- - `max_buffered` (512 KiB): bytes that may; of a websocket: its `buffered`
-- - `max_topics` (100,000), `max_topic` (256 bytes), `max_message` (1 MiB)
-- - `presence`: function(what, topic, member, info), what being "join" or "leave": the text
-- that it returns is published to the topic. It must not park
-- - `frame` (green.websocket's): function(text, binary, topic, id), what receivers with
-- `send_frame` are given: made once for each message
-- - `redis` (nil): a URL, or a client of green.redis
-- - `zmq` (nil): where a broker (green.zmq.broker) is asked; or a table with `ask`, `pub`,
-- `timeout` (5), `options` (of sockets); or, without one, `bind`, `peers`, `wait` (5), `options`,
-- `bind_options` (of the socket that is bound, instead of `options`)
-- - `prefix` ("green:"): what its keys and channels in Redis, and its topics over ZeroMQ, begin
-- with
-- - `presence_ttl` (30): seconds after which members of a hub that is gone are, too
-- - `on_gap`: function(topic): messages were lost on the way from Redis or a broker, and
-- history has not all of them
-- @return a hub; or nil, err: an endpoint or URL is none, or taken
function M.new(opts)
  return hubs.new(opts)
end

--- Does a pattern, as of psubscribe, match a topic? Does not park.
-- @tparam string pattern
-- @tparam string topic
-- @treturn boolean
function M.matches(pattern, topic)
  args.type(pattern, "string", "matches", "pattern")
  args.type(topic, "string", "matches", "topic")
  return glob.matches(glob.compile(pattern), topic)
end

return M
