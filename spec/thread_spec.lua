local green = require "green"
local testing = require "green.testing"
local thread = require "green.thread"

local it = testing.busted()

local threads = require "spec.support.threads"
local nothing, raised = threads.nothing, threads.raised
local sleeper, reports_of = threads.sleeper, threads.reports_of

describe("green.thread", function()
  describe("spawn", function()
    it("never runs the function inside, but in order afterwards [b1]", function()
      local order = {}
      local function note(name)
        order[#order + 1] = name
        if name == "a" then
          green.spawn(note, "child of a")
        end
      end
      green.spawn(note, "a")
      green.spawn(note, "b")
      assert.are.same({}, order)
      green.sleep(0)
      assert.are.same({ "a", "b" }, order)
      green.sleep(0)
      assert.are.same({ "a", "b", "child of a" }, order)
    end)

    it("passes any arguments and results, nils among them [S28]", function()
      local t = green.spawn(function(...)
        assert.are.equal(4, select("#", ...))
        return ...
      end, nil, 2, nil, nil)
      assert.are.equal(4, select("#", t:wait()))
      assert.are.same({ nil, 2, nil, nil }, { t:wait() })
      assert.are.equal(0, select("#", green.spawn(nothing):wait()))
    end)

    it("passes hundreds of arguments", function()
      local args = {}
      for i = 1, 500 do
        args[i] = i
      end
      local t = green.spawn(function(...)
        return select("#", ...), (select(500, ...))
      end, unpack(args))
      assert.are.same({ 500, 500 }, { t:wait() })
    end)

    it("takes functions written in C", function()
      assert.are.equal(3, green.spawn(math.max, 1, 3, 2):wait())
    end)

    it("refuses what is no function", function()
      assert.matches("spawn: fn must be a function, not 1$", raised(green.spawn, 1))
      assert.matches("spawn_n: fn must be a function, not nil$", raised(green.spawn_n))
    end)

    it("knows where it was called", function()
      local line = debug.getinfo(1, "l").currentline + 1
      local t = green.spawn(nothing)
      assert.matches("thread_spec%.lua:" .. line .. "$", t:spawn_site())
      t = green.spawn_after(0, nothing)
      assert.matches("thread_spec%.lua:" .. line + 2 .. "$", t:spawn_site())
      testing.settle()
    end)
  end)

  describe("spawn_n", function()
    it("runs the function, returns nothing", function()
      local got
      assert.are.equal(0, select("#", green.spawn_n(function(...)
        got = { n = select("#", ...), ... }
      end, 1, nil)))
      testing.settle()
      assert.are.same({ n = 2, 1 }, got)
    end)

    it("reports its errors", function()
      local reports = reports_of(function()
        green.spawn_n(error, "lost", 0)
      end)
      assert.are.equal(1, #reports)
      assert.are.equal("lost", reports[1].err)
    end)
  end)

  describe("spawn_after", function()
    it("starts at its time", function()
      local t0, at = green.now(), nil
      local t = green.spawn_after(3, function(x)
        at = green.now()
        return x
      end, "x")
      assert.are.equal("new", t:status())
      assert.are.equal("x", t:wait())
      assert.is_near(3, at - t0, 1e-6)
    end)

    it("starts equal ones in the order of the calls [b2]", function()
      local order = {}
      for i = 1, 50 do
        green.spawn_after(1, function()
          order[#order + 1] = i
        end)
      end
      green.sleep(2)
      for i = 1, 50 do
        assert.are.equal(i, order[i])
      end
    end)

    it("runs though its spawner has ended, spawn_after_local does not [b5] [b28]", function()
      local ran, kept, dropped = {}, nil, nil
      green.spawn(function()
        kept = green.spawn_after(1, function()
          ran[#ran + 1] = "after"
        end)
        dropped = green.spawn_after_local(1, function()
          ran[#ran + 1] = "local"
        end)
      end)
      green.sleep(2)
      assert.are.same({ "after" }, ran)
      assert.are.equal("returned", kept:status())
      assert.are.equal("killed", dropped:status())
      assert.is_true(green.is_error(raised(dropped.wait, dropped), "ECANCELED"))
    end)

    it("runs spawn_after_local while the spawner lives", function()
      assert.are.equal(7, green.spawn_after_local(1, function()
        return 7
      end):wait())
    end)

    it("survives an error, and later ones take the right time [b6]", function()
      local t0 = green.now()
      local reports = reports_of(function()
        green.spawn_after(1, error, "oops")
        green.sleep(2)
      end)
      assert.are.equal(1, #reports)
      assert.is_near(2, green.now() - t0, 1e-6)
      green.sleep(3)
      assert.is_near(5, green.now() - t0, 1e-6)
    end)

    it("leaves nothing after 2,000 that were cancelled [b4]", function()
      local timers = green.stats().timers
      for _ = 1, 2000 do
        green.spawn_after(3600, nothing):cancel()
      end
      assert.are.equal(timers, green.stats().timers)
    end)
  end)

  describe("sleep", function()
    it("of 0 gives each of the others one turn: a spinner starves nobody [b3]", function()
      local spins, stop = 0, false
      local spinner = green.spawn(function()
        while not stop do
          spins = spins + 1
          green.sleep(0)
        end
      end)
      local t = green.spawn_after(0, function()
        for _ = 1, 5 do
          green.sleep(0)
        end
        return spins
      end)
      assert.is_true(t:wait() <= 10)
      stop = true
      spinner:wait()
    end)

    it("counts what is no time as 0", function()
      local t0 = green.now()
      for _, s in ipairs { 0, -1, -math.huge, 0 / 0 } do
        green.sleep(s)
      end
      green.sleep()
      assert.are.equal(t0, green.now())
    end)

    it("wakes in the order of the deadlines, ties in the order of the calls [b2]", function()
      local order = {}
      for i, s in ipairs { 3, 1, 2, 1, 3, 2 } do
        green.spawn(function()
          green.sleep(s)
          order[#order + 1] = i
        end)
      end
      green.sleep(4)
      assert.are.same({ 2, 4, 3, 6, 1, 5 }, order)
    end)

    it("refuses what is no number", function()
      assert.matches("number", raised(green.sleep, "soon"))
      assert.matches("number", raised(green.sleep, {}))
    end)
  end)

  describe("wait", function()
    it("gives results to any number of waiters, any number of times [b27]", function()
      local t = green.spawn(function()
        green.sleep(1)
        return "a", nil, "c"
      end)
      local got = {}
      for i = 1, 3 do
        green.spawn(function()
          got[i] = { t:wait() }
        end)
      end
      green.sleep(2)
      for i = 1, 3 do
        assert.are.same({ "a", nil, "c" }, got[i])
      end
      assert.are.equal(3, select("#", t:wait()))
    end)

    it("raises the very error each time, to each waiter [b27]", function()
      local err = { "mine" }
      local t = green.spawn(function()
        green.sleep(1)
        error(err)
      end)
      local other = green.spawn(function()
        return raised(t.wait, t)
      end)
      assert.are.equal(err, raised(t.wait, t))
      assert.are.equal(err, raised(t.wait, t))
      assert.are.equal(err, other:wait())
      assert.are.equal("raised", t:status())
    end)

    it("raises errors that are false or nil", function()
      for _, value in ipairs { { false }, { nil } } do
        local t = green.spawn(function()
          green.sleep(1)
          error(value[1])
        end)
        local ok, err = pcall(t.wait, t)
        assert.is_false(ok)
        assert.are.equal(value[1], err)
        assert.are.equal("raised", t:status())
      end
    end)

    it("gives nil, ETIMEDOUT when it takes too long, and the thread goes on", function()
      local t = green.spawn(function()
        green.sleep(5)
        return "late"
      end)
      local t0 = green.now()
      local value, err = t:wait(2)
      assert.is_nil(value)
      assert.is_true(err:is("ETIMEDOUT"))
      assert.is_near(2, green.now() - t0, 1e-6)
      assert.are.equal("late", t:wait(4))
      value, err = green.spawn(green.sleep, 1):wait(0)
      assert.is_nil(value)
      assert.is_true(err:is("ETIMEDOUT"))
      green.sleep(1)
    end)

    it("refuses to wait for itself", function()
      local t = green.spawn(function()
        return raised(green.getcurrent().wait, green.getcurrent())
      end)
      assert.matches("cannot wait for itself", t:wait())
    end)

    it("raises before any effect in a killed thread, though it could return", function()
      local done = green.spawn(nothing)
      testing.settle()
      local t = green.spawn(function()
        green.getcurrent():kill_soon()
        done:wait()
        return "not reached"
      end)
      assert.is_true(green.is_error(raised(t.wait, t), "ECANCELED"))
    end)

    it("leaves the queue of waiters when it is killed", function()
      local t = green.spawn(green.sleep, 3)
      local waiter = green.spawn(t.wait, t)
      testing.settle()
      waiter:kill()
      assert.are.equal("killed", waiter:status())
      assert.are.equal("parked", t:status())
      t:wait()
    end)
  end)

  describe("checkpoints", function()
    it("give others a turn after 64 calls that need not wait", function()
      local done = green.spawn(nothing)
      testing.settle()
      local turns = 0
      local stop = false
      green.spawn(function()
        while not stop do
          turns = turns + 1
          green.sleep(0)
        end
      end)
      for _ = 1, 64 * 10 do
        done:wait()
      end
      stop = true
      testing.settle()
      assert.is_true(turns >= 9 and turns <= 12, turns .. " turns")
    end)

    it("do so though each call is in a timeout of its own", function()
      local done = green.spawn(nothing)
      testing.settle()
      local turns, stop = 0, false
      green.spawn(function()
        while not stop do
          turns = turns + 1
          green.sleep(0)
        end
      end)
      for _ = 1, 64 * 10 do
        green.timeout(1, done.wait, done)
      end
      stop = true
      testing.settle()
      assert.is_true(turns >= 9 and turns <= 12, turns .. " turns")
    end)

    it("let timeouts fire in a thread whose calls never wait", function()
      local done = green.spawn(nothing)
      testing.settle()
      local n = 0
      local _, err = green.timeout(0, function()
        for _ = 1, 100000 do
          done:wait()
          n = n + 1
        end
      end)
      assert.is_true(green.is_error(err, "ETIMEDOUT"))
      assert.is_true(n <= 130, n .. " calls")
    end)
  end)

  describe("link", function()
    it("calls back in a thread of its own, with the arguments [b26]", function()
      local t, got = green.spawn(green.sleep, 1), nil
      t:link(function(...)
        got = { n = select("#", ...), ... }
        assert.are_not.equal(t, green.getcurrent())
        green.sleep(1) -- a link may wait [b11]
        got.later = true
      end, "x", nil)
      green.sleep(3)
      assert.are.same({ n = 3, t, "x", later = true }, got)
    end)

    it("calls at once when the thread has ended [b24]", function()
      local t, got = green.spawn(nothing), nil
      testing.settle()
      t:link(function(ended)
        got = ended
      end)
      testing.settle()
      assert.are.equal(t, got)
    end)

    it("does not recurse into or lose a link that a link makes [b25]", function()
      local t, calls = green.spawn(green.sleep, 1), 0
      local function again(ended)
        calls = calls + 1
        if calls < 5 then
          ended:link(again)
        end
      end
      t:link(again)
      green.sleep(2)
      assert.are.equal(5, calls)
    end)

    it("keeps links apart: an error in one stops no other [b26]", function()
      local calls = 0
      local reports = reports_of(function()
        local t = green.spawn(green.sleep, 1)
        t:link(error, "in a link")
        t:link(function()
          calls = calls + 1
        end)
        green.sleep(2)
      end)
      assert.are.equal(1, calls)
      assert.are.equal(1, #reports)
    end)

    it("keeps the error of its thread from being reported", function()
      local seen
      local reports = reports_of(function()
        green.spawn(error, "x"):link(function(ended)
          seen = ended:status()
        end)
      end)
      assert.are.equal("raised", seen)
      assert.are.equal(0, #reports)
    end)

    it("is taken back by unlink with the same arguments", function()
      local t, calls = green.spawn(green.sleep, 1), {}
      local function note(_, name)
        calls[#calls + 1] = name
      end
      t:link(note, "a")
      t:link(note, "b")
      t:link(note)
      assert.is_true(t:unlink(note, "a"))
      assert.is_false(t:unlink(note, "a"))
      assert.is_false(t:unlink(nothing))
      assert.is_true(t:unlink(note))
      green.sleep(2)
      assert.are.same({ "b" }, calls)
    end)
  end)

  describe("an error that nobody waits for", function()
    it("is reported once, with the spawn site, and the program goes on", function()
      local err, line = { "mine" }, nil
      local reports = reports_of(function()
        line = debug.getinfo(1, "l").currentline + 1
        green.spawn(function()
          error(err)
        end):name("worker")
      end)
      assert.are.equal(1, #reports)
      assert.are.equal(err, reports[1].err)
      assert.are.equal("worker", reports[1].thread:name())
      assert.matches("thread_spec%.lua:" .. line, reports[1].thread:spawn_site())
      assert.matches("thread_spec%.lua:" .. line + 1, reports[1].trace)
    end)

    it("is not reported when somebody waits, nor when it was killed", function()
      assert.are.equal(0, #reports_of(function()
        local t = green.spawn(function()
          green.sleep(1)
          error("x")
        end)
        green.spawn(pcall, t.wait, t)
        local k = sleeper()
        k:kill()
        green.sleep(2)
      end))
    end)

    it("is not reported when it is waited for at once, at whichever checkpoint", function()
      assert.are.equal(0, #reports_of(function()
        for _ = 1, 200 do
          local t = green.spawn(error, "x", 0)
          assert.are.equal("x", raised(t.wait, t))
        end
        local done = green.spawn(nothing)
        testing.settle()
        for n = 60, 70 do
          for _ = 1, n do
            done:wait()
          end
          local t = green.spawn(error, "x", 0)
          assert.are.equal("x", raised(t.wait, t))
        end
      end))
    end)

    it("is reported though it was asked for too late", function()
      local reports = reports_of(function()
        local t = green.spawn(error, "x", 0)
        testing.settle()
        assert.are.equal("x", raised(t.wait, t))
      end)
      assert.are.equal(1, #reports)
    end)

    it("of another's kill is an error as any other", function()
      local victim = sleeper()
      local reports = reports_of(function()
        green.spawn(function()
          victim:wait()
        end)
        testing.settle()
        victim:kill()
      end)
      assert.are.equal(1, #reports)
      assert.is_true(green.is_error(reports[1].err, "ECANCELED"))
      assert.are.equal("raised", reports[1].thread:status())
    end)

    it("may be handled by a function that waits [b11], and whose own error is told", function()
      local seen
      local old = green.on_error(function(err)
        green.sleep(1)
        seen = err
      end)
      green.spawn(error, "x", 0)
      green.sleep(2)
      assert.are.equal(old, green.on_error(old) and old)
      assert.are.equal("x", seen)
    end)

    it("tells through which threads it went", function()
      local reports = reports_of(function()
        local inner = green.spawn(function()
          green.sleep(1)
          error("deep", 0)
        end):name("inner")
        green.spawn(function()
          inner:wait()
        end):name("outer")
        green.sleep(2)
      end)
      assert.are.equal("outer", reports[1].thread:name())
      assert.matches("raised in green thread inner", reports[1].trace)
    end)
  end)

  describe("a thread", function()
    it("tells its state", function()
      local states = {}
      local t = green.spawn(function()
        states[#states + 1] = green.getcurrent():status()
        green.sleep(1)
      end)
      states[#states + 1] = t:status()
      testing.settle()
      states[#states + 1] = t:status()
      t:wait()
      states[#states + 1] = t:status()
      assert.are.same({ "new", "running", "parked", "returned" }, states)
      assert.is_true(t:dead())
    end)

    it("has a name, a text and a traceback", function()
      local t = green.spawn(function()
        green.sleep(math.huge)
      end):name("pete")
      testing.settle()
      assert.are.equal("pete", t:name())
      assert.matches("^green%.thread{pete %(parked, spawned at .*thread_spec", tostring(t))
      assert.matches("thread_spec%.lua", t:traceback())
      t:kill()
      assert.is_nil(green.spawn(nothing):name())
      testing.settle()
      assert.is_true(thread.is_thread(t))
      assert.is_false(thread.is_thread(io.stdout))
      assert.is_false(thread.is_thread({}))
    end)

    it("is listed while it lives", function()
      local t = sleeper()
      local found = false
      for _, other in ipairs(green.threads()) do
        found = found or other == t
      end
      assert.is_true(found)
      t:kill()
      for _, other in ipairs(green.threads()) do
        assert.are_not.equal(t, other)
      end
    end)

    it("does not see another's errors [b14]", function()
      local seen = {}
      local a = green.spawn(function()
        local ok, err = pcall(error, "of a", 0)
        green.sleep(1)
        seen.a = { ok, err }
      end)
      local b = green.spawn(function()
        local ok, err = pcall(function()
          green.sleep(0)
          error("of b", 0)
        end)
        green.sleep(1)
        seen.b = { ok, err }
      end)
      a:wait()
      b:wait()
      assert.are.same({ a = { false, "of a" }, b = { false, "of b" } }, seen)
    end)

    it("keeps the traceback of its own error [b14]", function()
      local reports = reports_of(function()
        local function first_culprit()
          green.sleep(0)
          error("one")
        end
        local function second_culprit()
          green.sleep(0)
          error("two")
        end
        green.spawn(function()
          first_culprit()
          return 1
        end)
        green.spawn(function()
          second_culprit()
          return 1
        end)
      end)
      assert.matches("first_culprit", reports[1].trace)
      assert.is_nil(reports[1].trace:find("second_culprit"))
      assert.matches("second_culprit", reports[2].trace)
      assert.is_nil(reports[2].trace:find("first_culprit"))
    end)
  end)

  it("gives its handle back to the collector", function()
    local weak = setmetatable({}, { __mode = "v" })
    for i = 1, 10 do
      weak[i] = green.spawn(nothing)
    end
    testing.settle()
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)
end)
