local green = require "green"
local parks = require "spec.support.parks"
local testing = require "green.testing"

local it = testing.busted()

local function got_hello(...)
  assert.are.equal(1, select("#", ...))
  assert.are.equal("hello", (...))
end

describe("green.event", function()
  parks.check(it, "wait", {
    make = green.Event,
    call = function(event, timeout)
      return event:wait(timeout)
    end,
    ready = function(event)
      event:send("hello")
    end,
    good = got_hello,
    timeout = true,
  })

  it("gives what was sent to all who wait, exactly once each [S06]", function()
    local event, got = green.Event(), {}
    local threads = {}
    for i = 1, 5 do
      threads[i] = green.spawn(function()
        local value = event:wait()
        got[#got + 1] = value
      end)
    end
    testing.settle()
    threads[2]:kill()
    local late = green.spawn(function()
      return event:wait(1)
    end)
    green.sleep(1.5)
    assert.is_nil(late:wait())
    event:send("x")
    threads[4]:kill_soon() -- decided already: it still gets it
    testing.settle()
    assert.are.same({ "x", "x", "x", "x" }, got)
  end)

  it("keeps values, nils among them", function()
    local event = green.Event()
    event:send(nil, 2, nil)
    assert.are.equal(3, select("#", event:wait()))
    assert.are.same({ nil, 2, nil }, { event:wait() })
    local empty = green.Event()
    empty:send()
    assert.are.equal(0, select("#", empty:wait()))
  end)

  it("tells a timeout from a nil that was sent [b56]", function()
    local event = green.Event()
    local value, err = event:wait(1)
    assert.is_nil(value)
    assert.is_true(err:is("ETIMEDOUT"))
    event:send(nil)
    value, err = event:wait(1)
    assert.is_nil(value)
    assert.is_nil(err)
  end)

  it("does not run who waits inside of send [b51]", function()
    local event, ran = green.Event(), false
    green.spawn(function()
      event:wait()
      ran = true
    end)
    testing.settle()
    event:send(1)
    assert.is_false(ran)
    green.sleep(0)
    assert.is_true(ran)
  end)

  it("can be sent where nothing may wait", function()
    local event = green.Event()
    local t = green.spawn(event.wait, event)
    testing.settle()
    string.gsub("x", "x", function()
      event:send("from gsub")
    end)
    assert.are.equal("from gsub", t:wait())
  end)

  it("raises an expired scope again when pcall has swallowed it [b67]", function()
    local event, swallowed = green.Event(), 0
    local value, err = green.timeout(1, function()
      for _ = 1, 3 do
        swallowed = swallowed + (pcall(event.wait, event) and 0 or 1)
      end
      event:wait()
    end)
    assert.is_nil(value)
    assert.is_true(err:is("ETIMEDOUT"))
    assert.are.equal(3, swallowed)
  end)

  it("is sent once only, until it is reset [b52]", function()
    local event = green.Event()
    assert.has_error(function()
      event:reset()
    end)
    event:send(1)
    assert.has_error(function()
      event:send(2)
    end)
    assert.has_error(function()
      event:send_exception("no")
    end)
    event:reset()
    event:send(3)
    assert.are.equal(3, event:wait())
  end)

  it("forgets an old error at reset [b52]", function()
    local event = green.Event()
    event:send_exception("old", "trace")
    event:reset()
    assert.is_false(event:ready())
    event:send("new")
    assert.are.equal("new", event:wait())
  end)

  it("gives each waiter what was sent to it, though reset and sent again [S06]", function()
    local event = green.Event()
    local first = green.spawn(event.wait, event)
    testing.settle()
    event:send("one")
    event:reset()
    local second = green.spawn(event.wait, event)
    testing.settle()
    event:send("two")
    assert.are.equal("one", first:wait())
    assert.are.equal("two", second:wait())
  end)

  it("goes on when a waiter is killed between send and delivery [b53]", function()
    local event, got = green.Event(), {}
    local threads = {}
    for i = 1, 3 do
      threads[i] = green.spawn(function()
        got[i] = event:wait()
      end)
    end
    testing.settle()
    event:send("v")
    threads[1]:kill()
    testing.settle()
    assert.are.equal("v", got[2])
    assert.are.equal("v", got[3])
  end)

  it("raises an error that was sent in every waiter, now and later [b54]", function()
    local event, err = green.Event(), { "an error" }
    local threads = {}
    for i = 1, 3 do
      threads[i] = green.spawn(function()
        local ok, seen = pcall(event.wait, event)
        return ok, seen
      end)
    end
    testing.settle()
    event:send_exception(err)
    for i = 1, 3 do
      local ok, seen = threads[i]:wait()
      assert.is_false(ok)
      assert.are.equal(err, seen)
    end
    assert.are.equal(err, select(2, pcall(event.wait, event)))
    assert.are.equal(err, select(2, pcall(event.wait, event, 1)))
  end)

  it("serves the other waiters when one of them fails [b55]", function()
    local event, got = green.Event(), {}
    local bad = green.spawn(function()
      event:wait()
      error("my own")
    end)
    for i = 1, 2 do
      green.spawn(function()
        got[i] = event:wait()
      end)
    end
    testing.settle()
    event:send("v")
    assert.has_error(function()
      bad:wait()
    end)
    testing.settle()
    assert.are.same({ "v", "v" }, got)
  end)

  it("shows the original traceback of an error sent with one [S38]", function()
    local event = green.Event()
    local _, trace = xpcall(function()
      string.rep()
    end, debug.traceback)
    event:send_exception("broken", trace)
    local report
    local old = green.on_error(function(_, _, text)
      report = text
    end)
    green.spawn(function()
      event:wait()
    end)
    testing.settle()
    green.on_error(old)
    assert.matches("in function 'rep'", report)
    assert.matches("sent to an Event", report)
  end)

  it("tells its state without waiting", function()
    local event = green.Event()
    assert.are.same({ false, false, false },
      { event:ready(), event:has_result(), event:has_exception() })
    assert.are.equal("no", event:poll("no"))
    assert.are.equal("no", event:poll_result("no"))
    assert.are.equal("no", event:poll_exception("no"))
    event:send("v")
    assert.are.same({ true, true, false },
      { event:ready(), event:has_result(), event:has_exception() })
    assert.are.equal("v", event:poll("no"))
    assert.are.equal("v", event:poll_result("no"))
    assert.are.equal("no", event:poll_exception("no"))
    event:reset()
    event:send_exception("e", "t")
    assert.are.same({ true, false, true },
      { event:ready(), event:has_result(), event:has_exception() })
    assert.are.equal("e", select(2, pcall(event.poll, event)))
    assert.are.equal("no", event:poll_result("no"))
    assert.are.same({ "e", "t" }, { event:poll_exception() })
  end)

  it("shows what it is", function()
    local event = green.Event()
    assert.are.equal("green.Event{not sent, 0 waiting}", tostring(event))
    event:send()
    assert.are.equal("green.Event{value, 0 waiting}", tostring(event))
  end)
end)
