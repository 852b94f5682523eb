local core = require "green.core"
local green = require "green"
local options = require "green.options"
local testing = require "green.testing"
local thread = require "green.thread"

local it = testing.busted()

local function nothing() end

--- The error of a call that must fail.
local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

--- A thread that waits for ever, and a list of what its cleanup did.
local function sleeper()
  local notes = {}
  local t = green.spawn(function()
    local ok, err = pcall(green.sleep, math.huge)
    notes[#notes + 1] = { ok, err }
    error(err, 0)
  end)
  testing.settle()
  return t, notes
end

--- Errors that nobody waits for, while fn runs.
local function reports_of(fn)
  local reports = {}
  local old = green.on_error(function(err, t, trace)
    reports[#reports + 1] = { err = err, thread = t, trace = trace }
  end)
  fn()
  testing.settle()
  green.on_error(old)
  return reports
end

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
      assert.matches("function expected", raised(green.spawn, 1))
      assert.matches("function expected", raised(green.spawn_n))
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

  describe("kill", function()
    it("runs the target's cleanup, then the killer, then the others [b19]", function()
      local order = {}
      local t = green.spawn(function()
        pcall(green.sleep, 10)
        order[#order + 1] = "cleanup"
      end)
      testing.settle()
      green.spawn(function()
        order[#order + 1] = "other"
      end)
      t:kill()
      order[#order + 1] = "killer"
      testing.settle()
      assert.are.same({ "cleanup", "killer", "other" }, order)
    end)

    it("returns as soon as the target waits again", function()
      local steps = {}
      local t = green.spawn(function()
        pcall(green.sleep, 10)
        steps[#steps + 1] = "swallowed"
        green.shield(1, green.sleep, 0.5)
        steps[#steps + 1] = "cleaned"
      end)
      testing.settle()
      t:kill()
      assert.are.same({ "swallowed" }, steps)
      assert.are.equal("parked", t:status())
      t:wait()
      assert.are.same({ "swallowed", "cleaned" }, steps)
    end)

    it("of a thread that has not started keeps it from running [b18] [S20]", function()
      local ran, linked = false, nil
      local t = green.spawn(function()
        ran = true
      end)
      local waiter = green.spawn(function()
        return raised(t.wait, t)
      end)
      t:link(function(ended)
        linked = ended
      end)
      t:kill()
      testing.settle()
      assert.is_false(ran)
      assert.are.equal(t, linked)
      assert.are.equal("killed", t:status())
      assert.is_true(green.is_error(waiter:wait(), "ECANCELED"))
      assert.is_true(green.is_error(raised(t.wait, t), "ECANCELED"))
    end)

    it("of one that spawn_after will start takes its timer back [b18]", function()
      local timers = green.stats().timers
      local t = green.spawn_after(10, nothing)
      t:kill()
      assert.are.equal(timers, green.stats().timers)
      assert.is_true(t:dead())
    end)

    it("of the dead does nothing [b21] [S20]", function()
      local t = green.spawn(function()
        return "kept"
      end)
      testing.settle()
      t:kill()
      t:kill_soon()
      t:throw("late")
      assert.are.equal("kept", t:wait())
      assert.are.equal("returned", t:status())
    end)

    it("twice is once [S20]", function()
      local t, notes = sleeper()
      t:kill_soon()
      t:kill_soon()
      t:kill()
      t:kill()
      assert.are.equal(1, #notes)
    end)

    it("of oneself does not return [b22] [S20]", function()
      local after = false
      local t = green.spawn(function()
        green.getcurrent():kill()
        after = true
      end)
      assert.is_true(green.is_error(raised(t.wait, t), "ECANCELED"))
      assert.is_false(after)
      assert.are.equal("killed", t:status())
    end)

    it("of one that is about to wake lets it have what it waited for [S20]", function()
      local queue, got = core.waitq(), nil
      local t = green.spawn(function()
        got = { thread.stand(queue) }
        green.sleep(0)
        got = "not reached"
      end)
      testing.settle()
      core.wake(queue, "value")
      t:kill()
      assert.are.same({ 0, "value" }, got)
      assert.are.equal("killed", t:status())
    end)

    it("raises the same object again and again while it is swallowed", function()
      local seen = {}
      local t = green.spawn(function()
        for i = 1, 5 do
          seen[i] = select(2, pcall(green.sleep, 1))
        end
        return "survived"
      end)
      testing.settle()
      local t0 = green.now()
      t:kill()
      assert.are.equal("survived", t:wait()) -- [b20]
      for i = 2, 5 do
        assert.are.equal(seen[1], seen[i])
      end
      assert.are.equal(t0, green.now())
    end)

    it("lets a thread that swallows it finish with its value [b20]", function()
      local t = green.spawn(function()
        pcall(green.sleep, 10)
        return "mine"
      end)
      testing.settle()
      t:kill()
      assert.are.equal("mine", t:wait())
      assert.are.equal("returned", t:status())
    end)

    it("raises another error when asked to, always that one", function()
      local err = { "stop" }
      local t, notes = sleeper()
      t:kill { error = err }
      t:kill { error = "another" }
      assert.are.equal(err, notes[1][2])
      assert.are.equal(err, raised(t.wait, t))
      assert.are.equal("killed", t:status())
    end)

    it("of a thread that two kill at once hands over to both", function()
      local t, notes = sleeper()
      local killers = {}
      for i = 1, 2 do
        killers[i] = green.spawn(t.kill, t)
      end
      testing.settle()
      assert.are.equal(1, #notes)
      assert.is_true(killers[1]:dead() and killers[2]:dead())
    end)

    it("of each other ends both", function()
      local a, b
      a = green.spawn(function()
        green.sleep(1)
        b:kill()
      end)
      b = green.spawn(function()
        local ok, err = pcall(green.sleep, 10)
        a:kill()
        assert.is_false(ok)
        error(err, 0)
      end)
      green.sleep(2)
      assert.are.equal("returned", a:status())
      assert.are.equal("killed", b:status())
    end)

    it("by a killer that is killed meanwhile has happened all the same", function()
      local victim, killer
      local after
      victim = green.spawn(function()
        pcall(green.sleep, 10)
        killer:kill_soon()
      end)
      killer = green.spawn(function()
        green.sleep(1)
        victim:kill()
        after = pcall(green.sleep, 0)
      end)
      green.sleep(2)
      assert.are.equal("returned", victim:status())
      assert.is_false(after)
    end)

    it("by a killer that is cancelled already raises and has no effect", function()
      local running, notes = sleeper()
      local fresh = green.spawn_after(10, nothing)
      local dead = green.spawn(nothing)
      testing.settle()
      for _, target in ipairs { running, fresh, dead } do
        local before = target:status()
        local killer = green.spawn(function()
          green.getcurrent():kill_soon()
          target:kill()
          return "not reached"
        end)
        assert.is_true(green.is_error(raised(killer.wait, killer), "ECANCELED"))
        assert.are.equal(before, target:status())
      end
      assert.are.equal(0, #notes)
      running:kill()
      fresh:kill()
    end)

    it("waits for the end of a shield", function()
      local t = green.spawn(function()
        green.shield(5, green.sleep, 2)
        green.sleep(10)
      end)
      testing.settle()
      local t0 = green.now()
      t:kill()
      assert.are.equal("parked", t:status())
      assert.is_false((pcall(t.wait, t)))
      assert.is_near(2, green.now() - t0, 1e-6)
    end)

    it("refuses unknown options, naming the nearest", function()
      local t = sleeper()
      local err = raised(t.kill, t, { force_afer = 1 })
      assert.matches("unknown option 'force_afer'; did you mean 'force_after'", err)
      t:kill()
    end)

    it("leaves nothing in the thread that it ended", function()
      local before = green.stats()
      for _ = 1, 100 do
        local t = sleeper()
        t:kill()
      end
      local after = green.stats()
      for _, what in ipairs { "threads", "timers", "waits", "fds" } do
        assert.are.equal(before[what], after[what])
      end
    end)
  end)

  describe("kill_soon", function()
    it("never parks, never raises, and works on everybody", function()
      local t, notes = sleeper()
      local fresh = green.spawn(nothing)
      t:kill_soon()
      fresh:kill_soon()
      assert.are.equal(0, #notes)
      assert.are.equal("killed", fresh:status())
      testing.settle()
      assert.are.equal(1, #notes)
      green.kill_soon(t)
    end)

    it("of oneself takes effect at the next wait", function()
      local reached = {}
      local t = green.spawn(function()
        green.getcurrent():kill_soon()
        reached[1] = true
        green.sleep(0)
        reached[2] = true
      end)
      pcall(t.wait, t)
      assert.are.same({ true }, reached)
    end)
  end)

  describe("cancel", function()
    it("ends what has not started, and nothing else [b23]", function()
      local ran = false
      local fresh = green.spawn(function()
        ran = true
      end)
      fresh:cancel()
      local t, notes = sleeper()
      t:cancel()
      testing.settle()
      assert.is_false(ran)
      assert.are.equal("killed", fresh:status())
      assert.are.equal(0, #notes)
      assert.are.equal("parked", t:status())
      t:kill()
    end)
  end)

  describe("force_after", function()
    --- Swallows every raise and goes on waiting.
    local function stubborn()
      while true do
        pcall(green.sleep, 1)
      end
    end

    it("abandons a thread that goes on: its waiters get the kill error", function()
      local reports = reports_of(function()
        local t = green.spawn(stubborn)
        local waiter = green.spawn(function()
          return raised(t.wait, t)
        end)
        testing.settle()
        t:kill { force_after = 3 }
        assert.is_false(t:dead())
        local t0 = green.now()
        local err = waiter:wait()
        assert.is_near(3, green.now() - t0, 1e-6)
        assert.is_true(green.is_error(err, "ECANCELED"))
        assert.are.equal("killed", t:status())
      end)
      assert.are.equal(1, #reports) -- that it kept running
    end)

    it("leaves no timer behind when the thread ends by itself", function()
      local before = green.stats()
      local t = sleeper()
      t:kill { force_after = 3600 }
      assert.are.equal(before.timers, green.stats().timers)
      assert.are.equal(before.threads, green.stats().threads)
    end)

    it("closes what the thread waits on", function()
      local socket = require "green.socket"
      local a, b = socket.pair()
      local t = green.spawn(green.shield, 3600, a.read_some, a)
      testing.settle()
      t:kill { force_after = 3 }
      assert.is_false(t:dead())
      testing.advance(3)
      assert.is_true(t:dead())
      assert.is_nil((b:read_some()))
      b:close()
      a:close()
    end)
  end)

  describe("a cancel that is swallowed", function()
    it("is raised after a trip each, reported once at 100, then every 10 ms", function()
      local times, others, turns = {}, 0, {}
      local stop = false
      local other = green.spawn(function()
        while not stop do
          others = others + 1
          green.sleep(0)
        end
      end)
      local reports = reports_of(function()
        local t = green.spawn(function()
          for i = 1, 104 do
            pcall(green.sleep, 60)
            times[i], turns[i] = green.now(), others
          end
          stop = true
        end)
        green.sleep(0)
        green.sleep(0)
        t:kill()
        t:wait()
      end)
      other:wait()
      assert.are.equal(1, #reports)
      assert.is_true(green.is_error(reports[1].err, "ECANCELED"))
      assert.matches("keeps running", reports[1].trace)
      for i = 2, 100 do
        assert.is_true(turns[i] > turns[i - 1], "raise " .. i .. " came without a trip")
      end
      assert.are.equal(times[1], times[100])
      for i = 102, 104 do
        assert.is_near(0.01, times[i] - times[i - 1], 1e-6)
      end
    end)

    it("does not let a thread spin that cleans up again and again", function()
      local stop, others = false, 0
      local other = green.spawn(function()
        for _ = 1, 20 do
          others = others + 1
          green.sleep(0)
        end
        stop = true
      end)
      local t = green.spawn(function()
        for i = 1, 100000 do
          pcall(green.finally, function()
            green.sleep(60)
          end, nothing)
          if stop then
            return i
          end
        end
        return "starved the others"
      end)
      green.sleep(0)
      reports_of(function()
        t:kill_soon()
        other:wait()
        assert.is_true(t:wait() ~= "starved the others")
      end)
      assert.are.equal(20, others)
    end)
  end)

  describe("throw", function()
    it("raises once, where the thread waits", function()
      local seen = {}
      local t = green.spawn(function()
        for i = 1, 2 do
          seen[i] = { pcall(green.sleep, 1) }
        end
      end)
      testing.settle()
      t:throw("boo")
      assert.are.same({}, seen)
      t:wait()
      assert.are.same({ { false, "boo" }, { true } }, seen)
    end)

    it("raises through a shield", function()
      local t = green.spawn(function()
        return green.shield(5, pcall, green.sleep, 1)
      end)
      testing.settle()
      t:throw("boo")
      local ok, err = t:wait()
      assert.is_false(ok)
      assert.are.equal("boo", err)
    end)

    it("ends a thread that has not started", function()
      local ran = false
      local t = green.spawn(function()
        ran = true
      end)
      t:throw("boo")
      assert.are.equal("boo", raised(t.wait, t))
      assert.is_false(ran)
    end)

    it("at oneself raises at the next checkpoint", function()
      local t = green.spawn(function()
        green.getcurrent():throw("boo")
        local ok, err = pcall(green.sleep, 1)
        green.sleep(0)
        return ok, err
      end)
      assert.are.same({ false, "boo" }, { t:wait() })
    end)

    it("is reported like any error when nobody waits", function()
      local t = sleeper()
      local reports = reports_of(function()
        t:throw("boo")
      end)
      assert.are.equal(1, #reports)
      assert.are.equal("boo", reports[1].err)
      assert.are.equal("raised", t:status())
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
      local t = sleeper():name("pete")
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
    assert.is_function(options.check)
  end)
end)
