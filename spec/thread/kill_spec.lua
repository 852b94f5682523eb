local core = require "green.core"
local green = require "green"
local testing = require "green.testing"
local thread = require "green.thread"

local it = testing.busted()

local threads = require "spec.support.threads"
local nothing, raised = threads.nothing, threads.raised
local sleeper, reports_of = threads.sleeper, threads.reports_of

describe("green.thread ends threads by", function()
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

  describe("what never checks", function()
    it("works in a thread that is cancelled", function()
      local event, queue, lock = green.Event(), green.Queue(), green.Semaphore(0)
      local socket = require "green.socket"
      local a, b = socket.pair()
      local other = sleeper()
      local ran = false
      local t = green.spawn(function()
        green.getcurrent():kill_soon()
        event:send("sent")
        queue:put_nowait("put")
        lock:release()
        a:close()
        other:kill_soon()
        green.spawn(function()
          ran = true
        end)
        green.Timeout(1):cancel()
        return "through"
      end)
      assert.are.equal("through", t:wait())
      testing.settle()
      assert.is_true(ran)
      assert.is_true(other:dead())
      assert.are.equal("sent", event:wait())
      assert.are.equal("put", queue:get())
      assert.is_true(lock:acquire(0))
      b:close()
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

  describe("a cancel that is swallowed, which", function()
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
            stop = i >= 100 -- virtual time stands while somebody spins
          end
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
end)
