local green = require "green"
local parks = require "spec.support.parks"
local testing = require "green.testing"

local it = testing.busted()

local function is_true(...)
  assert.are.equal(1, select("#", ...))
  assert.is_true((...))
end

local function acquire(sem, timeout)
  return sem:acquire(timeout)
end

local function release(sem)
  sem:release()
end

local makers = {
  Semaphore = function()
    return green.Semaphore(0)
  end,
  BoundedSemaphore = function()
    local sem = green.BoundedSemaphore(1)
    sem:acquire()
    return sem
  end,
  CappedSemaphore = function()
    return green.CappedSemaphore(0, 3)
  end,
}

for kind, make in pairs(makers) do
  describe(kind, function()
    parks.check(it, "acquire", {
      make = make,
      call = acquire,
      ready = release,
      good = is_true,
      timeout = true,
    })

    it("serves who waits in order of arrival", function()
      local sem, order = make(), {}
      for i = 1, 4 do
        green.spawn(function()
          sem:acquire()
          order[#order + 1] = i
          sem:release()
        end)
      end
      testing.settle()
      sem:release()
      testing.settle()
      assert.are.same({ 1, 2, 3, 4 }, order)
    end)

    it("lets nobody snatch a permit that was handed over", function()
      local sem = make()
      local t = green.spawn(sem.acquire, sem)
      testing.settle()
      sem:release()
      assert.is_false(sem:try_acquire())
      assert.is_true(t:wait())
    end)

    it("takes a permit without waiting, or says false", function()
      local sem = make()
      assert.is_false(sem:try_acquire())
      sem:release()
      assert.is_true(sem:try_acquire())
      assert.is_false(sem:try_acquire())
    end)

    it("gives with's permit back whatever happens", function()
      local sem = make()
      sem:release()
      assert.are.same({ 1, nil, 3 }, { sem:with(function(...)
        assert.is_true(sem:locked())
        return ...
      end, 1, nil, 3) })
      local err = {}
      assert.are.equal(err, select(2, pcall(sem.with, sem, error, err)))
      local t = green.spawn(sem.with, sem, green.sleep, 100)
      testing.settle()
      t:kill()
      assert.is_false(pcall(t.wait, t))
      testing.settle()
      assert.are.equal(1, sem:balance())
    end)

    it("takes whole numbers only", function()
      for _, bad in ipairs({ -1, 1.5, "many" }) do
        assert.error_matches(function()
          green[kind](bad, 10)
        end, kind .. ": %l+ must be a .*number")
      end
    end)
  end)
end

describe("Semaphore", function()
  it("has one permit unless told otherwise", function()
    local sem = green.Semaphore()
    assert.is_true(sem:try_acquire())
    assert.is_false(sem:try_acquire())
  end)

  it("alternates between two contenders [b57]", function()
    local sem, counts, done = green.Semaphore(1), { 0, 0 }, false
    for i = 1, 2 do
      green.spawn(function()
        while not done do
          sem:acquire()
          counts[i] = counts[i] + 1
          green.sleep(0.001)
          sem:release()
        end
      end)
    end
    green.sleep(1)
    done = true
    testing.settle()
    green.sleep(1)
    assert.is_true(counts[1] > 400)
    assert.is_true(math.abs(counts[1] - counts[2]) <= counts[1] / 10)
  end)

  it("times out after at least that long [b58]", function()
    local sem = green.Semaphore(0)
    local t0 = green.now()
    local ok, err = sem:acquire(0.5)
    assert.is_nil(ok)
    assert.is_true(err:is("ETIMEDOUT"))
    assert.is_true(green.now() - t0 >= 0.5)
  end)

  it("may be released more often than acquired [b60]", function()
    local sem = green.Semaphore(0)
    sem:release()
    sem:release()
    assert.are.equal(2, sem:balance())
    assert.is_false(sem:bounded())
  end)

  it("counts who waits in its balance", function()
    local sem = green.Semaphore(2)
    local threads = {}
    for i = 1, 5 do
      threads[i] = green.spawn(sem.acquire, sem)
    end
    testing.settle()
    assert.are.equal(-3, sem:balance())
    assert.is_true(sem:locked())
    green.killall(threads)
    assert.are.equal(0, sem:balance())
  end)

  it("can be released where nothing may wait", function()
    local sem = green.Semaphore(0)
    local t = green.spawn(sem.acquire, sem)
    testing.settle()
    string.gsub("x", "x", function()
      sem:release()
    end)
    assert.is_true(t:wait())
  end)

  it("gives others a turn though a permit is always free", function()
    local sem, ran = green.Semaphore(1), false
    green.spawn(function()
      ran = true
    end)
    for _ = 1, 100 do
      sem:acquire()
      sem:release()
    end
    assert.is_true(ran)
  end)
end)

describe("BoundedSemaphore", function()
  it("raises when it is released more often than acquired [b60]", function()
    local sem = green.BoundedSemaphore(1)
    assert.has_error(function()
      sem:release()
    end)
    sem:acquire()
    sem:release()
    assert.has_error(function()
      sem:release()
    end)
    assert.are.equal(1, sem:balance())
  end)
end)

describe("CappedSemaphore", function()
  parks.check(it, "release", {
    make = function()
      return green.CappedSemaphore(2, 2)
    end,
    call = function(sem, timeout)
      return sem:release(timeout)
    end,
    ready = function(sem)
      assert.is_true(sem:try_acquire())
    end,
    good = is_true,
    timeout = true,
  })

  it("meets at limit 0 [b59]", function()
    local sem = green.CappedSemaphore(0, 0)
    local t = green.spawn(sem.acquire, sem)
    assert.is_true(sem:release())
    assert.is_true(t:wait())
    local r = green.spawn(sem.release, sem)
    testing.settle()
    assert.is_false(r:dead())
    assert.is_true(sem:acquire())
    assert.is_true(r:wait())
    assert.are.equal(0, sem:balance())
  end)

  it("balances from -3 to +3 [b59]", function()
    local sem = green.CappedSemaphore(0, 0)
    local function three(method)
      local threads = {}
      for i = 1, 3 do
        threads[i] = green.spawn(method, sem)
      end
      testing.settle()
      return threads
    end
    local takers = three(sem.acquire)
    assert.are.equal(-3, sem:balance())
    assert.is_true(sem:locked())
    green.killall(takers)
    local givers = three(sem.release)
    assert.are.equal(3, sem:balance())
    assert.is_false(sem:locked())
    assert.is_true(sem:bounded())
    green.killall(givers)
    assert.are.equal(0, sem:balance())
  end)

  it("lets a waiting release in when a permit is taken", function()
    local sem = green.CappedSemaphore(1, 1)
    local t = green.spawn(sem.release, sem)
    testing.settle()
    assert.is_true(sem:acquire())
    assert.is_true(t:wait())
    assert.are.equal(1, sem:balance())
  end)

  it("checks its numbers", function()
    assert.error_matches(function()
      green.CappedSemaphore(2, 1)
    end, "CappedSemaphore: count must be at most limit %(1%), not 2")
    assert.error_matches(function()
      green.CappedSemaphore(0)
    end, "CappedSemaphore: limit must be a whole number")
  end)

  it("a killed thread waits 5 s for the release of its with, which comes all the same", function()
    local sem = green.CappedSemaphore(1, 1)
    local t = green.spawn(sem.with, sem, green.sleep, 60)
    testing.settle()
    sem:release()
    local t0 = green.now()
    t:kill_soon()
    pcall(t.wait, t)
    assert.is_near(5, green.now() - t0, 1e-6)
    assert.is_true(sem:acquire(1))
    testing.settle()
    assert.is_true(sem:acquire(1))
    assert.equal(0, sem:balance())
  end)
end)

describe("RLock", function()
  local function held_by_another()
    local lock = green.RLock()
    local let_go = green.Event()
    green.spawn(function()
      lock:acquire()
      let_go:wait()
      lock:release()
    end)
    testing.settle()
    return { lock = lock, let_go = let_go }
  end

  -- An RLock's owner counts, so the object under test is one that another holds.
  it("waits for the owner, with a timeout", function()
    local case = held_by_another()
    local ok, err = case.lock:acquire(1)
    assert.is_nil(ok)
    assert.is_true(err:is("ETIMEDOUT"))
    green.spawn_after(1, case.let_go.send, case.let_go)
    assert.is_true(case.lock:acquire(2))
    assert.are.equal(green.getcurrent(), case.lock:owner())
    case.lock:release()
  end)

  it("raises in a thread that is killed before or meanwhile", function()
    local case = held_by_another()
    local t = green.spawn(case.lock.acquire, case.lock)
    testing.settle()
    t:kill()
    assert.is_true(green.is_error(select(2, pcall(t.wait, t)), "ECANCELED"))
    local before = green.spawn(function()
      green.getcurrent():kill_soon()
      case.lock:acquire()
    end)
    assert.is_true(green.is_error(select(2, pcall(before.wait, before)), "ECANCELED"))
    case.let_go:send()
    assert.is_true(case.lock:acquire(1))
    case.lock:release()
    assert.is_false(case.lock:locked())
  end)

  it("can be taken again by its owner, and must be released as often", function()
    local lock = green.RLock()
    lock:acquire()
    lock:acquire()
    assert.is_true(lock:try_acquire())
    local t = green.spawn(lock.try_acquire, lock)
    assert.is_false(t:wait())
    lock:release()
    lock:release()
    assert.is_true(lock:locked())
    lock:release()
    assert.is_false(lock:locked())
    assert.is_nil(lock:owner())
  end)

  it("raises when another one releases it, naming both", function()
    local lock = green.RLock()
    lock:acquire()
    local t = green.spawn(function()
      green.getcurrent():name("thief")
      lock:release()
    end)
    local ok, err = pcall(t.wait, t)
    assert.is_false(ok)
    assert.matches("thief", err)
    lock:release()
    assert.has_error(function()
      lock:release()
    end)
  end)

  it("is handed over: nobody gets in between", function()
    local lock, order = green.RLock(), {}
    lock:acquire()
    local waiter = green.spawn(function()
      lock:acquire()
      order[#order + 1] = "waiter"
      lock:release()
    end)
    testing.settle()
    lock:release()
    assert.is_nil(lock:owner())
    assert.is_true(lock:locked())
    assert.is_false(lock:try_acquire())
    lock:acquire()
    order[#order + 1] = "first"
    lock:release()
    waiter:wait()
    assert.are.same({ "waiter", "first" }, order)
  end)

  it("is released by with, whatever happens", function()
    local lock = green.RLock()
    assert.are.equal("v", lock:with(function()
      return lock:with(function()
        return "v"
      end)
    end))
    assert.has_error(function()
      lock:with(error, "x")
    end)
    assert.is_false(lock:locked())
  end)
end)

describe("metaphore", function()
  parks.check(it, "wait", {
    make = function()
      local meta = green.metaphore()
      meta:inc(2)
      return meta
    end,
    call = function(meta, timeout)
      return meta:wait(timeout)
    end,
    ready = function(meta)
      meta:dec()
      meta:dec()
    end,
    good = is_true,
    timeout = true,
  })

  it("returns at once while nothing is under way", function()
    assert.is_true(green.metaphore():wait(0))
  end)

  it("wakes all who wait when the count comes to 0, and can be used again", function()
    local meta = green.metaphore()
    for _ = 1, 2 do
      meta:inc(3)
      local threads = { green.spawn(meta.wait, meta), green.spawn(meta.wait, meta) }
      green.spawn_after(1, meta.dec, meta, 2)
      green.spawn_after(2, meta.dec, meta)
      local t0 = green.now()
      assert.is_true(threads[1]:wait() and threads[2]:wait())
      assert.is_near(2, green.now() - t0, 1e-6)
      assert.are.equal(0, meta:count())
    end
  end)

  it("raises when more is done than was under way", function()
    local meta = green.metaphore()
    meta:inc()
    assert.has_error(function()
      meta:dec(2)
    end)
    meta:dec()
    assert.has_error(function()
      meta:dec()
    end)
  end)
end)
