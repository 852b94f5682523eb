local green = require "green"
local parks = require "spec.support.parks"
local socket = require "green.socket"
local testing = require "green.testing"

local it, real_it = testing.busted()

local function sleeper(seconds, value)
  green.sleep(seconds)
  return value
end

describe("wait for objects", function()
  local kinds = {
    event = {
      make = green.Event,
      fire = function(event)
        event:send(1)
      end,
    },
    queue = {
      make = green.Queue,
      fire = function(q)
        q:put_nowait(1)
      end,
    },
    semaphore = {
      make = function()
        return green.Semaphore(0)
      end,
      fire = function(sem)
        sem:release()
      end,
    },
    metaphore = {
      make = function()
        local meta = green.metaphore()
        meta:inc()
        return meta
      end,
      fire = function(meta)
        meta:dec()
      end,
    },
    pool = {
      make = function()
        local pool = green.TokenPool({ max_size = 1 })
        pool:get()
        return pool
      end,
      fire = function(pool)
        pool:put("token")
      end,
    },
  }

  for name, kind in pairs(kinds) do
    parks.check(it, "of kind " .. name, {
      make = kind.make,
      call = function(obj, timeout)
        local ready, err = green.wait({ obj }, timeout)
        if err then
          assert.are.same({}, ready)
          return nil, err
        end
        return #ready, rawequal(ready[1], obj)
      end,
      ready = kind.fire,
      good = function(...)
        assert.are.same({ 1, true }, { ... })
      end,
      timeout = true,
    })
  end

  it("takes nothing from what it reports", function()
    local q, sem, event = green.Queue(), green.Semaphore(0), green.Event()
    green.spawn_after(1, function()
      q:put("item")
      sem:release()
      event:send("v")
    end)
    assert.are.equal(3, #green.wait({ q, sem, event }))
    assert.are.equal("item", q:get_nowait())
    assert.is_true(sem:try_acquire())
    assert.are.equal("v", event:wait(0))
  end)

  it("reports in the order of becoming ready, over mixed things", function()
    local t, event, q = green.spawn(sleeper, 3), green.Event(), green.Queue(0)
    green.spawn_after(1, q.put, q, "x", 100)
    green.spawn_after(2, event.send, event)
    local done = green.Event()
    done:send()
    local ready = green.wait({ t, event, q, done })
    for i, obj in ipairs({ done, q, event, t }) do
      assert.are.equal(obj, ready[i])
    end
    q:get()
  end)

  it("returns after count, and with what is ready when the time is up", function()
    local threads = { green.spawn(sleeper, 3), green.spawn(sleeper, 1), green.spawn(sleeper, 2) }
    local t0 = green.now()
    local ready, err = green.wait(threads, nil, 2)
    assert.is_nil(err)
    assert.are.same({ true, true, nil },
      { ready[1] == threads[2], ready[2] == threads[3], ready[3] })
    assert.is_near(2, green.now() - t0, 1e-6)
    ready, err = green.wait({ threads[1], threads[2] }, 0.5)
    assert.are.same({ 1, "ETIMEDOUT" }, { #ready, err.code })
    threads[1]:wait()
    assert.are.same({}, (green.wait({})))
    assert.are.same({}, (green.wait(threads, 1, 0)))
  end)

  it("sees a thread that dies, and leaves its error to who waits for it", function()
    local t = green.spawn(function()
      green.sleep(1)
      error("mine", 0)
    end)
    assert.are.equal(t, green.wait({ t })[1])
    assert.are.same({ false, "mine" }, { pcall(t.wait, t) })
  end)

  it("sees a queue that is shut down", function()
    local q = green.Queue()
    green.spawn_after(1, q.shutdown, q)
    assert.are.equal(1, #green.wait({ q }))
  end)

  it("sees a lock and a capped semaphore", function()
    local lock, capped = green.RLock(), green.CappedSemaphore(0, 0)
    local t = green.spawn(function()
      lock:acquire()
      green.sleep(1)
      lock:release()
    end)
    local giver = green.spawn_after(2, capped.release, capped)
    testing.settle()
    assert.are.equal(2, #green.wait({ capped, lock }))
    capped:acquire()
    green.joinall({ t, giver })
  end)

  it("sees a stream that can be read", function()
    local a, b = testing.stream_pair()
    green.spawn_after(1, a.write, a, "x")
    assert.are.equal(b, green.wait({ b }, 5)[1])
    assert.are.equal("x", b:read_some())
    assert.are.equal("ETIMEDOUT", select(2, green.wait({ b }, 5)).code)
    a:close()
    assert.are.equal(b, green.wait({ b }, 5)[1])
    b:close()
  end)

  real_it("sees a socket that can be read, and leaves no wait behind", function()
    local a, b = socket.pair()
    green.spawn_after(0.005, a.write, a, "x")
    assert.are.equal(b, green.wait({ b, green.Event() }, 5, 1)[1])
    assert.are.equal("x", b:read_some())
    assert.are.equal("ETIMEDOUT", select(2, green.wait({ b }, 0.005)).code)
    a:close()
    b:close()
  end)

  it("refuses what cannot be waited for", function()
    for _, bad in ipairs({ { {} }, { "x" }, { 1 }, { green.getcurrent() } }) do
      assert.is_false(pcall(green.wait, bad))
      assert.is_false(pcall(green.iwait, bad))
    end
    for _, bad in ipairs { 5LL, newproxy(), newproxy(true) } do
      assert.matches("wait: ", select(2, pcall(green.wait, { bad })))
    end
    assert.is_false(pcall(green.wait, "x"))
    assert.is_false(pcall(green.wait, {}, "soon"))
    assert.is_false(pcall(green.wait, {}, 1, -1))
  end)
end)

describe("iwait", function()
  parks.check(it, "step", {
    make = green.Event,
    call = function(event, timeout)
      return green.iwait({ event }, timeout)()
    end,
    ready = function(event)
      event:send()
    end,
    good = function(obj)
      assert.are.equal("value", tostring(obj):match("{(%w+),"))
    end,
    timeout = true,
  })

  it("yields things as they become ready, each once, then ends", function()
    local threads, order = {}, {}
    for i, seconds in ipairs({ 3, 1, 2 }) do
      threads[i] = green.spawn(sleeper, seconds, seconds)
    end
    for t in green.iwait(threads) do
      order[#order + 1] = t:wait()
    end
    assert.are.same({ 1, 2, 3 }, order)
  end)

  it("ends after count, and at the timeout of the whole loop", function()
    local threads = { green.spawn(sleeper, 1), green.spawn(sleeper, 2), green.spawn(sleeper, 9) }
    local n = 0
    for _ in green.iwait(threads, nil, 1) do
      n = n + 1
    end
    assert.are.equal(1, n)
    local step = green.iwait(threads, 2)
    assert.are.equal(threads[1], step())
    assert.are.equal(threads[2], step())
    local none, err = step()
    assert.is_nil(none)
    assert.is_true(err:is("ETIMEDOUT"))
    threads[3]:wait()
  end)

  it("stops watching when the loop was left and its iterator collected", function()
    local event = green.Event()
    do
      local step = green.iwait({ event, green.Event() }, 1)
      step()
      step = nil -- luacheck: ignore 311
    end
    for _ = 1, 3 do
      collectgarbage()
    end
    testing.settle() -- a finalizer only sets it going
    assert.is_nil(event._watchers)
  end)
end)

describe("wait for all", function()
  it("waits until all other green threads have ended, later ones too", function()
    local ended = {}
    green.spawn(function()
      green.sleep(1)
      green.spawn(function()
        green.sleep(1)
        ended[#ended + 1] = "grandchild"
      end)
      ended[#ended + 1] = "child"
    end)
    assert.is_true(green.wait())
    assert.are.same({ "child", "grandchild" }, ended)
    assert.is_true(green.wait())
  end)

  it("gives up at its timeout", function()
    local t = green.spawn(sleeper, 5)
    local ok, err = green.wait(nil, 1)
    assert.is_nil(ok)
    assert.is_true(err:is("ETIMEDOUT"))
    t:kill()
  end)

  it("does not wait for others that wait for all", function()
    local a = green.spawn(green.wait)
    local b = green.spawn(sleeper, 1)
    assert.is_true(green.wait())
    assert.is_true(a:wait())
    assert.is_true(b:dead())
  end)

  it("reports errors of threads that nobody else listens to", function()
    local reports, linked = {}, nil
    local old = green.on_error(function(err)
      reports[#reports + 1] = err
    end)
    green.spawn(error, "unheard")
    green.spawn(error, "linked"):link(function()
      linked = true
    end)
    green.wait()
    testing.settle()
    green.on_error(old)
    assert.are.same({ "unheard" }, reports)
    assert.is_true(linked)
  end)

  it("raises in a killed thread", function()
    local other = green.spawn(sleeper, 100)
    local t = green.spawn(green.wait)
    testing.settle()
    t:kill()
    assert.is_true(green.is_error(select(2, pcall(t.wait, t)), "ECANCELED"))
    other:kill()
  end)
end)

describe("joinall", function()
  parks.check(it, "call", {
    make = function()
      local event = green.Event()
      return { event = event, thread = green.spawn(event.wait, event) }
    end,
    call = function(obj, timeout)
      local ended, err = green.joinall({ obj.thread }, timeout)
      if err then
        return nil, err
      end
      return ended[1] == obj.thread
    end,
    ready = function(obj)
      obj.event:send()
      testing.settle()
    end,
    wake = function(obj)
      obj.event:send()
    end,
    good = function(...)
      assert.are.same({ true }, { ... })
    end,
    cleanup = function(obj)
      obj.thread:kill()
    end,
    timeout = true,
    -- The thread's end is decided later than by the wake.
    without = { ["keeps what it was given when the kill comes later"] = true },
  })

  it("returns those that have ended, in the order of the list", function()
    local threads = { green.spawn(sleeper, 3), green.spawn(sleeper, 1), green.spawn(sleeper, 2) }
    local ended, err = green.joinall(threads, 2.5)
    assert.are.same({ true, true, nil },
      { ended[1] == threads[2], ended[2] == threads[3], ended[3] })
    assert.is_true(err:is("ETIMEDOUT"))
    assert.are.equal(2, #green.joinall(threads, nil, false, 1))
    assert.are.equal(3, #green.joinall(threads))
    assert.are.same({}, (green.joinall({})))
  end)

  it("raises the first error at once if told so, else never", function()
    local slow = green.spawn(sleeper, 10)
    local bad = green.spawn(function()
      green.sleep(1)
      error("bad", 0)
    end)
    local t0 = green.now()
    assert.are.same({ false, "bad" }, { pcall(green.joinall, { slow, bad }, nil, true) })
    assert.is_near(1, green.now() - t0, 1e-6)
    assert.are.equal(2, #green.joinall({ slow, bad }))
  end)

  it("takes green threads only", function()
    assert.is_false(pcall(green.joinall, { green.Event() }))
    assert.is_false(pcall(green.killall, { "x" }))
  end)
end)

describe("killall", function()
  it("ends all, and returns when they have ended", function()
    local cleaned, threads = 0, {}
    for i = 1, 5 do
      threads[i] = green.spawn(function()
        green.finally(function()
          green.sleep(100)
        end, function()
          green.sleep(1)
          cleaned = cleaned + 1
        end)
      end)
    end
    testing.settle()
    threads[6] = green.spawn(error, "never runs")
    assert.is_true(green.killall(threads))
    assert.are.equal(5, cleaned)
    assert.is_true(green.killall(threads))
  end)

  it("does not wait with block = false, and gives up at its timeout", function()
    local function stubborn()
      green.shield(10, green.sleep, 5)
    end
    local t = green.spawn(stubborn)
    testing.settle()
    assert.is_true(green.killall({ t }, { block = false }))
    assert.is_false(t:dead())
    local ok, err = green.killall({ t }, { timeout = 1 })
    assert.is_nil(ok)
    assert.is_true(err:is("ETIMEDOUT"))
    green.joinall({ t })
  end)

  it("raises the error it is told to, and abandons what goes on", function()
    local t = green.spawn(function()
      while true do
        pcall(green.sleep, 100)
      end
    end)
    local other, err = green.spawn(green.sleep, 100), {}
    testing.settle()
    green.killall({ other }, { error = err })
    assert.are.equal(err, select(2, pcall(other.wait, other)))
    local old = green.on_error(function() end)
    assert.is_true(green.killall({ t }, { force_after = 1 }))
    testing.settle()
    green.on_error(old)
    assert.is_true(t:dead())
  end)

  it("kills the running thread last", function()
    local other = green.spawn(green.sleep, 100)
    local t = green.spawn(function()
      green.killall({ green.getcurrent(), other })
      return other:dead()
    end)
    assert.is_true(t:wait())
    local t2 = green.spawn(function()
      green.killall({ green.getcurrent() })
      green.sleep(0)
    end)
    assert.is_true(green.is_error(select(2, pcall(t2.wait, t2)), "ECANCELED"))
  end)
end)
