-- green.zmq at the end of the program: what is still to be sent is sent, or reported; nobody is
-- woken, and nothing hangs.

local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

local function run(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write("local green, zmq = require 'green', require 'green.zmq'\n", text)
  file:close()
  local pipe = io.popen(("timeout 60 '%s' %s 2>&1; echo status $?"):format(program.greenlua, path))
  local out = pipe:read "*a"
  pipe:close()
  os.remove(path)
  return out
end

describe("the end of a program with ZeroMQ", function()
  it("sends what was left to be sent", function()
    assert.equal("1000\nstatus 0\n", run [[
      local path = "ipc:///tmp/green-zmq-end-" .. require("green.core").getpid()
      local pid = require("green.process").fork(function()
        local s = zmq.socket("PUSH", { sndhwm = 0 })
        s:connect(path)
        for i = 1, 1000 do s:send(("x"):rep(1000)) end
      end)
      local s = zmq.socket "PULL"
      s:bind(path)
      local n = 0
      while n < 1000 and s:recv(10) do n = n + 1 end
      print(n)
      require("green.process").wait(pid)
    ]])
  end)

  it("says what could not be sent in time, and ends", function()
    local out = run [[
      local ctx = zmq.Context { ending = 0.05 }
      local s = ctx:socket "PUSH"
      s:connect "ipc:///tmp/green-zmq-nobody"
      s:send "x"
    ]]
    assert.matches("ZeroMQ messages of 1 context were not sent within 0.05 s", out, 1, true)
    assert.matches("status 0", out)
  end)

  it("waits for one second, unless it is told otherwise", function()
    local out = run [[
      local s = zmq.socket "PUSH"
      s:connect "ipc:///tmp/green-zmq-nobody"
      s:send "x"
    ]]
    assert.matches("ZeroMQ messages of 1 context were not sent within 1 s", out, 1, true)
    assert.matches("status 0", out)
  end)

  it("waits for nothing that may be dropped", function()
    assert.equal("status 0\n", run [[
      local s = zmq.socket("PUSH", { linger = 0 })
      s:connect "ipc:///tmp/green-zmq-nobody"
      s:send "x"
    ]])
  end)

  it("wakes nobody who waits", function()
    assert.equal("end\nstatus 0\n", run [[
      local s = zmq.socket "PULL"
      s:bind "inproc://x"
      green.spawn(function() print(s:recv()) end)
      green.sleep(0)
      print "end"
    ]])
  end)

  it("closes sockets that were collected, and their context", function()
    assert.equal("true\nstatus 0\n", run [[
      local path = "ipc:///tmp/green-zmq-gc-" .. require("green.core").getpid()
      do
        local s = zmq.socket "PULL"
        s:bind(path)
      end
      collectgarbage() collectgarbage()
      green.sleep(0.05)
      local ok
      for _ = 1, 100 do
        ok = zmq.socket("PULL"):bind(path)
        if ok then break end
        green.sleep(0.01)
      end
      print(ok)
    ]])
  end)
end)

describe("a socket that anybody may talk to", function()
  it("is told of once", function()
    local out = run [[
      for _, endpoint in ipairs { "tcp://127.0.0.1:*", "tcp://0.0.0.0:*", "tcp://0.0.0.0:*" } do
        assert(zmq.socket("PULL"):bind(endpoint))
      end
    ]]
    local _, n = out:gsub("takes whoever can reach it", "")
    assert.equal(1, n, out)
    assert.matches("PULL at tcp://0.0.0.0:", out, 1, true)
  end)

  it("is not told of with CURVE, or a domain of ZAP", function()
    assert.equal("status 0\n", run [[
      local ctx = zmq.Context {}
      local s = ctx:socket("PULL", { zap_domain = "here" })
      s:bind "tcp://0.0.0.0:*"
      ctx:socket("PULL", { plain_server = true }):bind "tcp://0.0.0.0:*"
      local _, secret = zmq.curve_keypair()
      ctx:socket("PULL", { curve_server = true, curve_secretkey = secret }):bind "tcp://0.0.0.0:*"
    ]])
  end)
end)
