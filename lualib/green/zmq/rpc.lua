--- Calls over ZeroMQ: a broker that knows which workers live and have room, workers with handlers,
-- clients that call them. The wire is the Majordomo Protocol's, 0.1 and 0.2.
-- @module green.zmq.rpc

local brokers = require "green.zmq.rpc.broker"
local clients = require "green.zmq.rpc.client"
local workers = require "green.zmq.rpc.worker"

local M = {}

--- A broker. It does nothing before its `start`. Does not park.
-- @tparam table opts
--
-- - `bind`: an endpoint or a list of them, "tcp://127.0.0.1:*" too
-- - `heartbeat` (2.5 seconds), `liveness` (3): a worker that has said nothing for `liveness`
-- heartbeats is lost
-- - `patience` (2 seconds): so long calls wait for a worker of a service that has none
-- - `max_message` (1 MiB): bytes of a request, and of an answer
-- - `max_queue` (10,000): calls that wait for one service
-- - `max_bytes` (256 MiB): of all calls, waiting or under way, and 1,024 more for each, 32 for each
-- frame
-- - `max_pending` (4,096): calls of one client, waiting or under way
-- - `max_services` (1,000), `max_workers` (1,000), `max_concurrency` (1,000): calls that one worker
-- may have, whatever it asks for
-- - `rate` (none): calls a second that one worker is given
-- - `message_rate` (1,000): messages a second that a worker may send unasked; it is lost then
-- - `tries` (3): workers that a call is given to that may be repeated
-- - `repeat_plain` (false): may requests of plain MDP be repeated?
-- - `socket`: options of the socket, for CURVE for instance; `context`: another than the process's
-- @return a broker
function M.broker(opts)
  return brokers.new(opts)
end

--- A worker. It does nothing before its `start`. Does not park.
-- @tparam table opts
--
-- - `broker`: its endpoint; `service`: the name of what this worker does
-- - `handlers`: method name -> function(...): its results are the call's. nil and an error object,
-- and what it raises, is the call's error. Each call runs in a green thread of its own
-- - `handler`: function(frames) for requests of plain MDP: returns a string, or a list of strings
-- - `concurrency` (100): calls at a time
-- - `rate` (none): calls a second; `max_message` (1 MiB): bytes of a request, and of an answer
-- - `timeout` (none): seconds that a handler may take; then it fails with ETIMEDOUT
-- - `codec` (JSON): a table with `encode(value)`, `decode(text)` and, if it has one, `null`
-- - `heartbeat` (2.5 seconds), `liveness` (3): the broker is away after so many without a word
-- - `backoff` (0.1), `max_backoff` (10): seconds before it comes back, doubled each time, a random
-- part taken off
-- - `ending` (5): seconds that stop gives handlers
-- - `on_error`: function(err, method) for errors of handlers that are no error objects (default:
-- they are reported)
-- - `protocol` ("0.2"): of MDP; "0.1" for brokers of others that have no other
-- - `socket`, `context`: as of a broker
-- @return a worker
function M.worker(opts)
  return workers.new(opts)
end

--- A client. It connects when it is first used. Does not park.
-- @tparam string broker its endpoint
-- @tparam[opt] table opts
--
-- - `timeout` (10): seconds for each try of a call; math.huge: none
-- - `idempotent` (false): do calls no harm when they are done twice?
-- - `retries` (2): further tries of those that are, and of all whose queue was full
-- - `backoff` (0.05), `max_backoff` (2): seconds before one, doubled each time, a random part off
-- - `max_pending` (4,096): calls at a time; `max_message` (1 MiB): bytes of arguments
-- - `codec`, `protocol`, `socket`, `context`: as of a worker
-- @return a client
function M.client(broker, opts)
  return clients.new(broker, opts)
end

return M
