-- Calls over ZeroMQ: a broker, a worker and a client, from their start to their end.

local kit = require "spec.oom.kit"
local rpc = require "green.zmq.rpc"

local PATIENCE, WAIT = 0.2, 20 -- seconds for a call: that may have been lost, that must come back

-- A codec in Lua. Not with tostring: LuaJIT does not bear a failure in it at a tail call.
local codec = { encode = function(list) return "" .. list[1] end,
  decode = function(text) return { n = 1, tonumber(text) } end }

local broker = rpc.broker { bind = "tcp://127.0.0.1:*" }
local worker, client -- of the broker's endpoint, which differs from start to start

local function make()
  worker = rpc.worker { broker = broker.endpoint, service = "s", codec = codec, handlers = {
    same = function(n) return n end } }
  client = rpc.client(broker.endpoint, { codec = codec, timeout = PATIENCE })
end

local function stop()
  if client then client:close() end
  if worker then worker:stop(0) end
  broker:stop()
  worker, client = nil, nil
end


local function start()
  assert(broker:start())
  make()
  assert(worker:start())
end

--- What has failed to start or to call does both, once there is memory.
local function works()
  stop()
  start()
  assert(client:with({ timeout = WAIT }):call("s", "same", 3) == 3)
  stop()
end

kit.run("rpc: a start, a call and an end", function()
  start()
  client:call("s", "same", 1) -- its loss may be all that tells of a failure elsewhere
  stop()
end, works, stop)

kit.run("rpc: starts that are tried again", function()
  start()
  stop()
end, function()
  if worker then
    worker:stop(0)
    assert(worker:start())
  end
  works()
end)

kit.finish()
