local core = require "green.core"
local green = require "green"
local testing = require "green.testing"
local thread = require "green.thread"

local it = testing.busted()

--- The error of a call that must fail.
local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

local function is_timeout(value, err)
  assert.is_nil(value)
  assert.is_true(green.is_error(err, "ETIMEDOUT"))
  assert.is_true(green.is_timeout(err)) -- [b68]
  return err
end

describe("green.timeout", function()
  describe("timeout", function()
    it("gives what the function returned, nils among it", function()
      assert.are.equal(3, select("#", green.timeout(5, function(...)
        green.sleep(1)
        return ...
      end, nil, "b", nil)))
      assert.are.equal("b", (select(2, green.timeout(5, function(...)
        return ...
      end, nil, "b", nil))))
    end)

    it("gives nil and its error after exactly that long", function()
      local t0 = green.now()
      is_timeout(green.timeout(30, green.sleep, 60))
      assert.is_near(30, green.now() - t0, 1e-6)
    end)

    it("does not limit anything without seconds", function()
      assert.are.equal("x", green.timeout(nil, function()
        green.sleep(1e6)
        return "x"
      end))
    end)

    it("passes on errors of the function", function()
      local err = { "mine" }
      assert.are.equal(err, raised(green.timeout, 5, error, err))
    end)

    it("gives the values of a function that returns after the expiry", function()
      assert.are.equal("late", green.timeout(1, function()
        pcall(green.sleep, 5)
        return "late"
      end))
    end)

    it("passes on another error that its expiry led to", function()
      assert.are.equal("cleanup failed", raised(green.timeout, 1, function()
        pcall(green.sleep, 5)
        error("cleanup failed", 0)
      end))
    end)

    it("is not swallowed by a pcall: the same object at each checkpoint inside [b67]", function()
      local seen = {}
      green.timeout(1, function()
        for i = 1, 3 do
          seen[i] = raised(green.sleep, 5)
        end
      end)
      assert.are.equal(seen[1], seen[2])
      assert.are.equal(seen[1], seen[3])
      green.sleep(5)
    end)

    it("catches its own expiry only, not another's [b65]", function()
      local inner
      is_timeout(green.timeout(1, function()
        inner = { pcall(green.timeout, 60, green.sleep, 30) }
        error(inner[2], 0)
      end))
      assert.is_false(inner[1])
      local own = green.is_error(inner[2])
      assert.is_true(own)
    end)

    it("unwinds through an inner one when the outer fires [b61] [b62]", function()
      local order = {}
      is_timeout(green.timeout(1, function()
        green.timeout(60, function()
          green.finally(function()
            green.sleep(30)
          end, function()
            order[#order + 1] = "inner cleanup"
          end)
        end)
        order[#order + 1] = "not reached"
      end))
      assert.are.same({ "inner cleanup" }, order)
    end)

    it("leaves the outer one pending when the inner fires [b62]", function()
      local t0 = green.now()
      is_timeout(green.timeout(3, function()
        is_timeout(green.timeout(1, green.sleep, 60))
        assert.is_near(1, green.now() - t0, 1e-6)
        green.sleep(60)
      end))
      assert.is_near(3, green.now() - t0, 1e-6)
    end)

    it("raises the outer one when both have fired", function()
      local first
      local _, outer = green.timeout(1, function()
        green.timeout(1, function()
          pcall(green.sleep, 5)
          first = raised(green.sleep, 5)
          error(first, 0)
        end)
        error("not reached")
      end)
      assert.are.equal(outer, first)
    end)

    it("raises a kill before any timeout", function()
      local seen
      local t = green.spawn(function()
        green.timeout(1, function()
          pcall(green.sleep, 5)
          green.getcurrent():kill_soon()
          seen = raised(green.sleep, 5)
          error(seen, 0)
        end)
      end)
      assert.are.equal(raised(t.wait, t), seen)
      assert.is_true(seen:is("ECANCELED"))
    end)

    it("fires for 0 seconds at the first wait that is not over at once", function()
      local t0 = green.now()
      is_timeout(green.timeout(0, green.sleep, 1))
      assert.are.equal(t0, green.now())
      assert.are.equal("x", green.timeout(0, function()
        return "x"
      end))
    end)

    it("keeps what a wait was given already: first decided wins", function()
      local queue = core.waitq()
      local got, after
      green.spawn_after(0.5, function()
        core.wake(queue, "value")
        core.advance(5) -- the scope fires before the woken thread runs
      end)
      green.timeout(1, function()
        got = { thread.stand(queue) }
        after = raised(green.sleep, 1)
      end)
      assert.are.same({ 0, "value" }, got)
      assert.is_true(after:is("ETIMEDOUT"))
    end)

    it("refuses what is no time", function()
      assert.matches("timeout: seconds must be a number", raised(green.timeout, "x", print))
      assert.matches("at least 0", raised(green.timeout, -1, print))
      assert.matches("at least 0", raised(green.timeout, 0 / 0, print))
    end)

    it("leaves nothing, however it ends [b63]", function()
      local before = green.stats()
      for _ = 1, 500 do
        green.timeout(60, function() end)
        pcall(green.timeout, 60, error, "x")
        green.timeout(0, green.sleep, 1)
      end
      assert.are.equal(before.timers, green.stats().timers)
    end)
  end)

  describe("with_timeout", function()
    it("gives the function's results", function()
      assert.are.same({ 1, nil, 3 }, { green.with_timeout(1, function(...)
        return ...
      end, 1, nil, 3) })
    end)

    it("raises when the time is up, and not another's timeout [b65]", function()
      local err = raised(green.with_timeout, 1, green.sleep, 5)
      assert.is_true(green.is_timeout(err) and err:is("ETIMEDOUT"))
      local _, outer = green.timeout(1, function()
        err = raised(green.with_timeout, 60, green.sleep, 30)
        error(err, 0)
      end)
      assert.are.equal(err, outer)
      assert.are.equal("x", raised(green.with_timeout, 1, error, "x", 0))
    end)

    it("is over when the function is [b63]", function()
      green.with_timeout(1, function() end)
      green.sleep(5)
    end)
  end)

  describe("Timeout", function()
    it("raises itself when the time is up, until it is cancelled", function()
      local timeout = green.Timeout(1)
      assert.is_true(timeout:pending())
      assert.are.equal(timeout, raised(green.sleep, 5))
      assert.is_true(timeout:fired())
      assert.is_false(timeout:pending())
      assert.are.equal(timeout, raised(green.sleep, 5))
      timeout:cancel()
      green.sleep(5)
      assert.is_false(timeout:fired())
      assert.is_true(green.is_timeout(timeout)) -- [b68]
      assert.is_true(timeout:is("ETIMEDOUT"))
      assert.are.equal("timed out after 1 second (ETIMEDOUT)", tostring(timeout))
    end)

    it("raises itself for true as for nothing [S48]", function()
      for _, err in ipairs { { n = 0 }, { true }, { false } } do
        local timeout = green.Timeout(1, unpack(err))
        assert.are.equal(timeout, raised(green.sleep, 5))
        timeout:cancel()
      end
    end)

    it("raises what it was given instead", function()
      local mine = { "mine" }
      for _, err in ipairs { mine, "text" } do
        local timeout = green.Timeout(1, err)
        assert.are.equal(err, raised(green.sleep, 5))
        timeout:cancel()
      end
    end)

    it("does nothing after cancel, inside the block or after it [b63]", function()
      local timeout = green.Timeout(1)
      timeout:cancel()
      timeout:cancel()
      assert.is_false(timeout:pending())
      green.sleep(5)
    end)

    it("of nil never fires, and can be raised by hand [b64]", function()
      local timeout = green.Timeout(nil)
      assert.is_true(timeout:pending())
      green.sleep(1e6)
      assert.are.equal(timeout, raised(error, timeout))
      assert.are.equal("timed out (ETIMEDOUT)", tostring(timeout))
      timeout:cancel()
    end)

    it("can be cancelled in any order", function()
      for _, order in ipairs { { 1, 2, 3 }, { 3, 2, 1 }, { 2, 1, 3 }, { 2, 3, 1 } } do
        local list = {}
        for i = 1, 3 do
          list[i] = green.Timeout(i)
        end
        assert.are.equal(list[1], raised(green.sleep, 10))
        for _, i in ipairs(order) do
          list[i]:cancel()
        end
        green.sleep(10)
      end
    end)

    it("raises the outermost of those that have fired", function()
      local outer, inner = green.Timeout(3), green.Timeout(1)
      assert.are.equal(inner, raised(green.sleep, 10))
      green.shield(10, green.sleep, 5)
      assert.are.equal(outer, raised(green.sleep, 10))
      outer:cancel()
      assert.are.equal(inner, raised(green.sleep, 10))
      inner:cancel()
    end)

    it("can be cancelled by another thread", function()
      local timeout = green.Timeout(2)
      green.spawn_after(1, function()
        timeout:cancel()
      end)
      green.sleep(5)
      assert.is_false(timeout:pending())
    end)

    it("that is cancelled between expiry and raise raises itself all the same", function()
      local timeout
      green.spawn_after(1, function() -- due with it, set before it
        assert.is_true(timeout:fired())
        timeout:cancel()
      end)
      timeout = green.Timeout(1)
      assert.are.equal(timeout, raised(green.sleep, 5))
      green.sleep(5)
    end)

    it("raises itself once more where it is cancelled on the way to that", function()
      local timeout = green.Timeout(1)
      assert.are.equal(timeout, raised(green.sleep, 5))
      green.spawn_n(function()
        timeout:cancel()
      end)
      assert.are.equal(timeout, raised(green.sleep, 0)) -- after a turn of the others
      green.sleep(5)
    end)

    it("that is cancelled raises nothing in a wait that something else has ended", function()
      local queue, timeout, fired = green.Queue(), nil, nil
      local t = green.spawn(function()
        timeout = green.Timeout(0)
        local item = queue:get()
        green.sleep(5)
        return item
      end)
      green.spawn_n(function()
        green.spawn_n(function() -- runs when the limit is over, before the thread does
          fired = timeout:fired()
          timeout:cancel()
        end)
        queue:put("item")
      end)
      assert.are.equal("item", t:wait())
      assert.is_true(fired)
    end)

    it("ends with its thread", function()
      local timers = green.stats().timers
      local timeout
      green.spawn(function()
        timeout = green.Timeout(60)
      end):wait()
      assert.is_false(timeout:pending())
      assert.are.equal(timers, green.stats().timers)
      timeout:cancel()
    end)

    it("is kept by nobody but who made it once it has ended", function()
      local kept = setmetatable({}, { __mode = "k" })
      local function arm(seconds)
        local timeout = green.Timeout(seconds, { "its error" })
        kept[timeout], kept[timeout:raises()] = "Timeout", "error"
        return timeout
      end
      local function swallow(timeout)
        pcall(green.sleep, 5)
        return timeout
      end
      arm(60):cancel()
      swallow(arm(1)):cancel()
      local t = green.spawn(function() -- one that another thread cancels, after the raise
        local mine = { swallow(arm(1)) }
        green.spawn_n(mine[1].cancel, mine[1])
        green.shield(60, green.sleep, 0) -- it is cancelled meanwhile
        mine[1] = nil
        green.sleep(100)
      end)
      green.spawn(function() -- ends with both armed
        arm(60)
        swallow(arm(1))
      end):wait()
      green.sleep(2)
      testing.settle()
      collectgarbage()
      collectgarbage()
      assert.are.same({}, kept)
      t:kill()
    end)

    it("can start again after it was cancelled or has fired, not while pending", function()
      local timeout = green.Timeout(1)
      assert.matches("pending", raised(timeout.start, timeout))
      timeout:cancel()
      timeout:start()
      assert.are.equal(timeout, raised(green.sleep, 5))
      timeout:start()
      green.sleep(0.5)
      assert.are.equal(timeout, raised(green.sleep, 5))
      timeout:cancel()
      green.sleep(5)
    end)

    it("is raised in its thread only", function()
      local timeout = green.Timeout(1)
      green.spawn(green.sleep, 5):wait(0.5)
      assert.are.equal("fine", green.spawn(function()
        green.shield(5, green.sleep, 0)
        return "fine"
      end):wait())
      timeout:cancel()
      green.sleep(5)
    end)

    it("does not keep the error it was given once it has gone [b66]", function()
      local weak = setmetatable({}, { __mode = "v" })
      local function use()
        local err = { "mine" }
        weak[1] = err
        local timeout = green.Timeout(1, err)
        assert.are.equal(err, raised(green.sleep, 5))
        timeout:cancel()
      end
      use()
      collectgarbage()
      collectgarbage()
      assert.is_nil(weak[1])
    end)

    it("leaves nothing after thousands", function()
      local before = green.stats().timers
      for _ = 1, 2000 do
        green.Timeout(3600):cancel()
      end
      assert.are.equal(before, green.stats().timers)
    end)
  end)

  describe("is_timeout", function()
    it("knows timeouts whoever made them [b68]", function()
      local errors = require "green.error"
      assert.is_true(green.is_timeout(errors.new("ETIMEDOUT")))
      assert.is_true(green.is_timeout(errors.wrap_is_timeout({ "mine" })))
      assert.is_false(green.is_timeout(errors.new("ECANCELED")))
      assert.is_false(green.is_timeout("ETIMEDOUT"))
      assert.is_false(green.is_timeout(nil))
    end)
  end)
end)
