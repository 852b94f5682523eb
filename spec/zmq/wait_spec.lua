-- green.wait and green.iwait over ZeroMQ sockets.

local green = require "green"
local kit = require "spec.support.zmq_poll_kit"
local socket = require "green.socket"
local testing = require "green.testing"

local it, each_hub = kit.busted()
local started, killed = kit.started, kit.killed

describe("green.wait with ZeroMQ sockets", function()
  it("returns at once when there is a message, and takes nothing", function()
    local a, b = kit.pair("PAIR", "PAIR")
    b:send "x"
    assert.same({ a }, (green.wait { a }))
    assert.equal("x", a:recv { timeout = 0 })
  end)

  each_hub("waits for a message that comes later", function()
    local a, b = kit.pair("PULL", "PUSH")
    local thread = started(green.wait, { a }, 20)
    b:send "x"
    assert.same({ a }, thread:wait())
    assert.equal("x", a:recv { timeout = 0 })
  end)

  each_hub("waits beside a socket, a queue, an event, a thread and a timer", function()
    local a, b = kit.pair("PAIR", "PAIR")
    local here, there = socket.pair()
    local queue, event = green.Queue(), green.Event()
    local timer = green.spawn_after(0.005, function() end)
    local list = { a, here, queue, event, timer }
    assert.equal(timer, green.wait(list, 20, 1)[1])
    list[5] = nil
    local acts = {
      [a] = function() b:send "x" end,
      [here] = function() there:write "x" end,
      [queue] = function() queue:put "x" end,
      [event] = function() event:send() end,
    }
    for i = 1, 4 do
      local thread = started(green.wait, list, 20, i)
      acts[list[i]]()
      assert.equal(list[i], thread:wait()[i])
    end
    here:close()
    there:close()
  end)

  it("lets any number wait, beside one that reads", function()
    local a, b = kit.pair("PAIR", "PAIR")
    local reader = started(a.recv, a)
    local one, two = started(green.wait, { a }), started(green.wait, { a })
    b:send "1"
    b:send "2"
    assert.equal("1", reader:wait())
    assert.same({ a }, one:wait())
    assert.same({ a }, two:wait())
    assert.equal("2", a:recv { timeout = 0 })
  end)

  it("gives up when the time is up, at 0 as well, and can be called again", function()
    local a, b = kit.pair("PAIR", "PAIR")
    for _, seconds in ipairs { 0, 0.005 } do
      local list, err = green.wait({ a }, seconds)
      assert.same({}, list)
      assert.is_true(green.is_error(err, "ETIMEDOUT"))
    end
    b:send "x"
    assert.same({ a }, (green.wait({ a }, 20)))
  end)

  it("raises in a thread that is killed before, or meanwhile, and leaves nothing", function()
    local a, b = kit.pair("PAIR", "PAIR")
    local thread = started(green.wait, { a })
    thread:kill()
    killed(thread)
    b:send "x"
    local raised = green.spawn(function()
      green.getcurrent():kill_soon()
      return select(2, pcall(green.wait, { a }))
    end)
    assert.is_true(green.is_error(raised:wait(), "ECANCELED"))
    assert.equal("x", a:recv { timeout = 0 })
  end)

  it("is told that a socket is closed", function()
    local a = kit.pair("PAIR", "PAIR")
    local thread = started(green.wait, { a })
    a:close()
    assert.same({ a }, thread:wait())
    assert.same({ a }, (green.wait({ a }, 0)))
  end)

  it("lets a loop over iwait see each once, and stop early", function()
    local a, b = kit.pair("PAIR", "PAIR")
    local c, d = kit.pair("PAIR", "PAIR")
    b:send "x"
    local seen = {}
    for what in green.iwait({ a, c }, 20) do
      seen[#seen + 1] = what
      d:send "y"
    end
    assert.same({ a, c }, seen)
    a:recv()
    local step = green.iwait({ a, c }, 20)
    assert.equal(c, step())
    step = nil -- luacheck: ignore 311
    for _ = 1, 3 do
      collectgarbage()
    end
    testing.settle() -- a finalizer only sets it going
  end)

  it("asks libzmq for its events twice a socket and wait, at most", function()
    local looks = require("green.ffi.zmq").looks
    local a, b = kit.pair("PAIR", "PAIR")
    local thread = started(green.wait, { a }, 20)
    local before = looks()
    testing.settle_io() -- nothing moves: nobody asks
    assert.equal(before, looks())
    b:send "x"
    thread:wait()
    assert.is_true(looks() - before <= 2, looks() - before)
  end)
end)
