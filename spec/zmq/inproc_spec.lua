-- inproc between the runtimes of one process: workers, and jobs of a native pool.

local green = require "green"
local kit = require "spec.support.zmq_poll_kit"
local tpool = require "green.tpool"
local zmq = require "green.zmq"

local it, each_hub = kit.busted(true)

local ECHO = "spec.support.zmq_echo"

--- Two that answer at an endpoint, and are connected: what is sent goes to both in turn.
local function start_workers(at)
  local ready, ready_at = kit.socket "PULL", kit.endpoint()
  assert(ready:bind(ready_at))
  local workers = assert(green.workers(2, ECHO, { args = { endpoint = at, ready = ready_at } }))
  for _ = 1, 2 do
    assert(ready:recv { timeout = 20 })
  end
  return workers
end

describe("inproc", function()
  each_hub("reaches the runtimes of other threads, both ways", function()
    local socket, at = kit.socket "DEALER", kit.endpoint()
    assert(socket:bind(at))
    local workers = start_workers(at)
    local N = 500
    for i = 1, N do
      socket:send_multipart { "", tostring(i), "more" }
    end
    local seen = {}
    for _ = 1, N do
      local parts = assert(socket:recv_multipart { timeout = 20 })
      assert.same({ "", "worker", parts[3], "more" }, parts)
      seen[tonumber(parts[3])] = true
    end
    assert.equal(N, #seen)
    for _ = 1, 2 do
      socket:send_multipart { "", "end" }
    end
    assert.is_true(workers:wait(20))
  end)

  it("carries what a proxy forwards to them", function()
    local front, client = kit.pair("ROUTER", "REQ")
    local back, at = kit.socket "DEALER", kit.endpoint()
    assert(back:bind(at))
    local workers = start_workers(at)
    local proxy = kit.started(zmq.proxy, front, back)
    for i = 1, 50 do
      client:send(tostring(i))
      assert.same({ "worker", tostring(i) }, client:recv_multipart { timeout = 20 })
    end
    local other = kit.socket "REQ"
    other:connect(front.last_endpoint)
    for _, socket in ipairs { client, other } do
      socket:send "end"
      assert.same({ "worker", "end" }, socket:recv_multipart { timeout = 20 })
    end
    assert.is_true(workers:wait(20))
    proxy:kill()
  end)

  it("reaches a job of a native pool", function()
    local socket, at = kit.socket "PULL", kit.endpoint()
    assert(socket:bind(at))
    local job = green.spawn(tpool.execute, function(endpoint)
      local push = require("green.zmq").socket "PUSH"
      assert(push:connect(endpoint))
      for i = 1, 100 do
        push:send(tostring(i))
      end
      push:close()
      return "done"
    end, at)
    for i = 1, 100 do
      assert.equal(tostring(i), socket:recv { timeout = 20 })
    end
    assert.equal("done", job:wait())
  end)

  it("is there before the other runtime is: who connects first waits", function()
    local socket, at = kit.socket "REQ", kit.endpoint()
    assert(socket:connect(at))
    socket:send "early"
    local job = green.spawn(tpool.execute, function(endpoint)
      local rep = require("green.zmq").socket "REP"
      assert(rep:bind(endpoint))
      local text = rep:recv()
      rep:send("got " .. text)
      rep:poll("in", 0)
      rep:close()
    end, at)
    assert.equal("got early", socket:recv { timeout = 20 })
    job:wait()
  end)

  it("wakes a poller of another thread", function()
    local socket, at = kit.socket "PAIR", kit.endpoint()
    assert(socket:bind(at))
    local job = green.spawn(tpool.execute, function(endpoint)
      local zmq_there = require "green.zmq"
      local there = zmq_there.socket "PAIR"
      assert(there:connect(endpoint))
      local p = zmq_there.Poller()
      p:register(there)
      local n = 0
      while n < 200 do
        p:poll()
        while there:recv { timeout = 0 } do
          n = n + 1
          there:send(tostring(n))
        end
      end
      there:close()
      return n
    end, at)
    for i = 1, 200 do
      socket:send "x"
      assert.equal(tostring(i), socket:recv { timeout = 20 })
    end
    assert.equal(200, job:wait())
  end)

  it("does not let a socket cross to another runtime", function()
    local a = kit.pair("PAIR", "PAIR")
    local ok, err = pcall(tpool.execute, function(s)
      s:send "x"
    end, a)
    assert.is_false(ok)
    assert.matches("which no other thread can be given", tostring(err))
    assert.is_false((pcall(green.workers, 1, ECHO, { args = { socket = a } })))
  end)
end)
