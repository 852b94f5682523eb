-- rpc_worker.lua ENDPOINT SERVICE HEARTBEAT: a worker in a process of its own. Prints the name of
-- each call as it begins.

local green = require "green"
local rpc = require "green.zmq.rpc"

local function begin(name)
  io.write(name, "\n")
  io.flush()
end

assert(rpc.worker {
  broker = arg[1], service = arg[2], heartbeat = tonumber(arg[3]),
  handlers = {
    pid = function()
      return require("green.process").getpid()
    end,
    sleep = function(seconds)
      begin "sleep"
      green.sleep(seconds)
      return "slept"
    end,
    block = function(seconds) -- the whole process stands still: no heartbeats
      begin "block"
      local stop = green.now() + seconds
      while green.now() < stop do end
      return "blocked"
    end,
  },
}:start())
green.wait()
