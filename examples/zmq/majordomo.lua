-- Services by name: a broker knows which workers live and have room, and gives them the calls.
--
--     greenlua examples/zmq/majordomo.lua                              all in one process
--     greenlua examples/zmq/majordomo.lua broker tcp://127.0.0.1:5555
--     greenlua examples/zmq/majordomo.lua worker tcp://127.0.0.1:5555 ann
--     greenlua examples/zmq/majordomo.lua client tcp://127.0.0.1:5555 100
--
-- green.zmq.rpc does what is hard about it: signs of life, retries, who has room. A worker may die
-- in the middle of a call: as these calls do no harm when they are done twice, another one does it.

local green = require "green"
local rpc = require "green.zmq.rpc"

local BEAT = 0.2 -- seconds between signs of life; after three without one somebody is gone

local function broker(endpoint)
  local b = assert(rpc.broker { bind = endpoint, heartbeat = BEAT }:start())
  print("serving on " .. b.endpoint)
  return b
end

local function worker(endpoint, name)
  return assert(rpc.worker {
    broker = endpoint, service = "words", heartbeat = BEAT,
    handlers = {
      shout = function(text)
        green.sleep(0.02) -- this is the work
        return text:upper(), name
      end,
      count = function(text)
        return select(2, text:gsub("%S+", ""))
      end,
    },
  }:start())
end

local function client(endpoint, count)
  local c = rpc.client(endpoint, { idempotent = true, timeout = 5 })
  for n = 1, tonumber(count or 8) do
    local loud, by = assert(c:call("words", "shout", "task " .. n))
    print(("%s, by %s"):format(loud, by))
  end
  print("words: " .. assert(c:call("words", "count", "as many as there are")))
  local _, err = c:call("words", "sing")
  print(err)
  c:close()
end

local roles = { broker = broker, worker = worker, client = client }
if arg[1] then
  roles[arg[1]](unpack(arg, 2))
  green.wait() -- broker and worker run in green threads of their own
  return
end
local b = broker "tcp://127.0.0.1:*"
local ann, bob = worker(b.endpoint, "ann"), worker(b.endpoint, "bob")
green.spawn_after(0.05, ann.stop, ann) -- calls that ann has not begun go to bob
client(b.endpoint)
bob:stop()
b:stop()
