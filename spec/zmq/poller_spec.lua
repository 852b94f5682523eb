-- socket:poll and zmq.Poller.

local green = require "green"
local kit = require "spec.support.zmq_poll_kit"
local socket = require "green.socket"
local testing = require "green.testing"
local zmq = require "green.zmq"

local it, each_hub = kit.busted()
local fails, started, killed = kit.fails, kit.started, kit.killed

--- { what = events } of what a poll has given.
local function by_thing(list)
  local found = {}
  for _, one in ipairs(list) do
    found[one[1]] = one[2]
  end
  return found
end

--- A PUSH that takes no more, and its PULL.
local function full_push()
  local push, pull = kit.pair("PUSH", "PULL", { sndhwm = 1 }, { rcvhwm = 1 })
  local n = 0
  while push:send("x", { timeout = 0 }) do
    n = n + 1
  end
  return push, pull, n
end

describe("socket:poll", function()
  it("tells at once of a message, and of room, and takes nothing", function()
    local a, b = kit.pair("PAIR", "PAIR")
    assert.equal("out", a:poll("inout"))
    fails("ETIMEDOUT", a:poll("in", 0))
    assert.is_true(b:send "x")
    assert.equal("in", a:poll())
    assert.equal("inout", a:poll "inout")
    assert.equal("x", a:recv { timeout = 0 })
    fails("ETIMEDOUT", a:poll("in", 0))
  end)

  each_hub("waits for a message that comes later", function()
    local a, b = kit.pair("PAIR", "PAIR")
    local thread = started(a.poll, a, "in", 20)
    b:send "x"
    assert.equal("in", thread:wait())
    assert.equal("x", a:recv())
  end)

  each_hub("waits for a message from another process's side, over tcp", function()
    local a, b = kit.socket "PAIR", kit.socket "PAIR"
    assert(a:bind "tcp://127.0.0.1:*")
    assert(b:connect(a.last_endpoint))
    local thread = started(a.poll, a, "in", 20)
    b:send "x"
    assert.equal("in", thread:wait())
  end)

  each_hub("waits for room", function()
    local push, pull, n = full_push()
    fails("ETIMEDOUT", push:poll("out", 0))
    local thread = started(push.poll, push, "out", 20)
    for _ = 1, n do
      pull:recv()
    end
    assert.equal("out", thread:wait())
    assert.is_true(push:send("x", { timeout = 0 }))
  end)

  it("tells any number of green threads, beside one that reads", function()
    local a, b = kit.pair("PAIR", "PAIR")
    local one, reader = started(a.poll, a, "in", 20), started(a.recv, a)
    local two = started(a.poll, a, "in", 20)
    b:send "1"
    b:send "2"
    assert.equal("1", reader:wait())
    assert.equal("in", one:wait())
    assert.equal("in", two:wait())
  end)

  each_hub("is told of a message the news of which another call takes away", function()
    local a, b = kit.pair("PAIR", "PAIR")
    local p = zmq.Poller()
    p:register(a)
    for _ = 1, 10 do
      local waits = { started(a.poll, a, "in", 20), started(p.poll, p, 20),
        started(green.wait, { a }, 20) }
      kit.let_libzmq_look()
      b:send "news"
      a:send "takes it away"
      assert.equal("in", waits[1]:wait())
      assert.equal(1, #waits[2]:wait())
      assert.same({ a }, waits[3]:wait())
      a:recv()
    end
  end)

  it("gives up when the time is up, and can be called again", function()
    local a, b = kit.pair("PAIR", "PAIR")
    fails("ETIMEDOUT", a:poll("in", 0.005))
    b:send "x"
    assert.equal("in", a:poll("in", 20))
  end)

  it("raises in a thread that is killed before, or meanwhile, and leaves nothing", function()
    local a, b = kit.pair("PAIR", "PAIR")
    local thread = started(a.poll, a)
    thread:kill()
    killed(thread)
    b:send "x"
    local raised = green.spawn(function()
      green.getcurrent():kill_soon()
      return select(2, pcall(a.poll, a))
    end)
    assert.is_true(green.is_error(raised:wait(), "ECANCELED"))
    assert.equal("x", a:recv { timeout = 0 })
  end)

  it("lets an expired scope raise", function()
    local a = kit.pair("PAIR", "PAIR")
    local value, err = green.timeout(0.005, a.poll, a)
    fails("ETIMEDOUT", value, err)
  end)

  it("is told that the socket is closed", function()
    local a = kit.pair("PAIR", "PAIR")
    local thread = started(a.poll, a)
    a:close()
    fails("ECLOSED", thread:wait())
    fails("ECLOSED", a:poll("in", 0))
  end)

  it("refuses other events, and to wait inside string.gsub", function()
    local a = kit.pair("PAIR", "PAIR")
    assert.matches("unknown events 'inn'", select(2, pcall(a.poll, a, "inn")))
    assert.matches("timeout must be", select(2, pcall(a.poll, a, "in", -1)))
    assert.matches("cannot wait inside", tostring(select(2, pcall(string.gsub, "x", "x", function()
      a:poll "in"
    end))))
  end)
end)

describe("zmq.Poller", function()
  it("tells at once of what is ready, in the order of registering", function()
    local a, b = kit.pair("PAIR", "PAIR")
    local c, d = kit.pair("PAIR", "PAIR")
    local p = zmq.Poller()
    p:register(c, "inout")
    p:register(a)
    assert.same({ { c, "out" } }, p:poll())
    b:send "1"
    d:send "2"
    local list = p:poll()
    assert.equal(c, list[1][1])
    assert.equal("inout", list[1][2])
    assert.equal(a, list[2][1])
    assert.equal("in", list[2][2])
    assert.equal("1", a:recv { timeout = 0 })
    assert.equal("2", c:recv { timeout = 0 })
  end)

  each_hub("waits for each kind of thing", function()
    local a, b = kit.pair("PAIR", "PAIR")
    local here, there = socket.pair()
    local raw, raw_peer = socket.pair()
    local queue, event, fd = green.Queue(), green.Event(), raw:fileno()
    local worker = green.spawn(function()
      event:wait()
    end)
    local p = zmq.Poller()
    for _, what in ipairs { a, here, fd, queue, event, worker } do
      p:register(what)
    end
    local acts = {
      { a, function() b:send "x" end, function() a:recv() end },
      { here, function() there:write "x" end, function() here:read_some() end },
      { fd, function() raw_peer:write "x" end, function() raw:read_some() end },
      { queue, function() queue:put "x" end, function() queue:get() end },
    }
    for _, act in ipairs(acts) do
      fails("ETIMEDOUT", nil, select(2, p:poll(0)))
      local thread = started(p.poll, p, 20)
      act[2]()
      local list = thread:wait()
      assert.equal(1, #list)
      assert.equal(act[1], list[1][1])
      assert.equal("in", list[1][2])
      assert.equal(act[1], p:poll(0)[1][1])
      act[3]()
    end
    event:send()
    assert.equal(event, p:poll(20)[1][1])
    worker:wait()
    assert.same({ [event] = "in", [worker] = "in" }, by_thing(p:poll(0)))
    for _, one in ipairs { here, there, raw, raw_peer } do
      one:close()
    end
  end)

  each_hub("waits for room in each kind that may have some", function()
    local push, pull, n = full_push()
    local here, there = socket.pair()
    local p = zmq.Poller()
    p:register(push, "out")
    p:register(here, "inout")
    p:register(there:fileno(), "out")
    assert.same({ [here] = "out", [there:fileno()] = "out" }, by_thing(p:poll(20)))
    assert.is_true(p:unregister(here))
    assert.is_true(p:unregister(there:fileno()))
    local thread = started(p.poll, p, 20)
    for _ = 1, n do
      pull:recv()
    end
    assert.same({ [push] = "out" }, by_thing(thread:wait()))
    here:close()
    there:close()
  end)

  it("tells of a socket of the loop's though a ZeroMQ socket is always ready", function()
    local a, b = kit.pair("PAIR", "PAIR")
    local here, there = socket.pair()
    local p = zmq.Poller()
    p:register(a, "in")
    p:register(here, "in")
    b:send "x"
    assert.same({ [a] = "in" }, by_thing(p:poll()))
    there:write "x"
    testing.settle_io()
    assert.same({ [a] = "in", [here] = "in" }, by_thing(p:poll()))
    here:close()
    there:close()
  end)

  it("gives an empty list and ETIMEDOUT when the time is up", function()
    local a = kit.pair("PAIR", "PAIR")
    local p = zmq.Poller()
    p:register(a)
    for _, seconds in ipairs { 0, 0.005 } do
      local list, err = p:poll(seconds)
      assert.same({}, list)
      assert.is_true(green.is_error(err, "ETIMEDOUT"))
    end
    assert.is_true(green.is_error(select(2, zmq.Poller():poll(0.005)), "ETIMEDOUT"))
  end)

  it("raises in a thread that is killed before, or meanwhile, and leaves nothing", function()
    local a, b = kit.pair("PAIR", "PAIR")
    local here, there = socket.pair()
    local p = zmq.Poller()
    for _, what in ipairs { a, here, green.Queue() } do
      p:register(what)
    end
    local thread = started(p.poll, p)
    thread:kill()
    killed(thread)
    b:send "x"
    local raised = green.spawn(function()
      green.getcurrent():kill_soon()
      return select(2, pcall(p.poll, p))
    end)
    assert.is_true(green.is_error(raised:wait(), "ECANCELED"))
    assert.equal(a, p:poll(20)[1][1])
    here:close()
    there:close()
  end)

  it("lets an expired scope raise, and can be called again", function()
    local a, b = kit.pair("PAIR", "PAIR")
    local p = zmq.Poller()
    p:register(a)
    local value, err = green.timeout(0.005, p.poll, p)
    fails("ETIMEDOUT", value, err)
    b:send "x"
    assert.equal(a, p:poll(20)[1][1])
  end)

  it("is told of what is closed meanwhile", function()
    local a = kit.pair("PAIR", "PAIR")
    local here, there = socket.pair()
    local p = zmq.Poller()
    p:register(a)
    local thread = started(p.poll, p)
    a:close()
    assert.equal(a, thread:wait()[1][1])
    p:unregister(a)
    p:register(here)
    thread = started(p.poll, p)
    here:close()
    assert.equal(here, thread:wait()[1][1])
    there:close()
  end)

  it("changes events, forgets, and goes on with the list that a poll has begun with", function()
    local a, b = kit.pair("PAIR", "PAIR")
    local c = kit.pair("PAIR", "PAIR")
    local p = zmq.Poller()
    p:register(a, "in")
    local thread = started(p.poll, p, 20)
    p:register(c, "out")
    p:modify(a, "out")
    assert.same({ { a, "out" }, { c, "out" } }, p:poll(0))
    p:register(a, "in")
    assert.same({ { c, "out" } }, p:poll(0))
    assert.is_true(p:unregister(c))
    assert.is_false(p:unregister(c))
    b:send "x"
    assert.same({ { a, "in" } }, thread:wait())
    assert.matches("1 registered", tostring(p))
  end)

  it("may be polled by several green threads", function()
    local a, b = kit.pair("PAIR", "PAIR")
    local p = zmq.Poller()
    p:register(a)
    local one, two = started(p.poll, p, 20), started(p.poll, p, 20)
    b:send "x"
    assert.equal(a, one:wait()[1][1])
    assert.equal(a, two:wait()[1][1])
  end)

  it("refuses what cannot be waited for", function()
    local a = kit.pair("PAIR", "PAIR")
    local p = zmq.Poller()
    for _, bad in ipairs { {}, "x", -1, 1.5, true } do
      assert.matches("register: what must be", select(2, pcall(p.register, p, bad)))
    end
    assert.matches("register: what must be", select(2, pcall(p.register, p, nil)))
    assert.matches('with "in" alone', select(2, pcall(p.register, p, green.Queue(), "out")))
    assert.matches("unknown events", select(2, pcall(p.register, p, a, "outt")))
    assert.matches("what must be registered", select(2, pcall(p.modify, p, a, "out")))
    assert.matches("timeout must be", select(2, pcall(p.poll, p, "soon")))
    p:register(a)
    assert.matches("cannot wait inside", tostring(select(2, pcall(string.gsub, "x", "x", function()
      p:poll()
    end))))
  end)

  it("says that a number which is not open is ready", function()
    local p = zmq.Poller()
    p:register(9999)
    assert.same({ { 9999, "in" } }, p:poll(20))
  end)
end)
