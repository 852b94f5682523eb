local green = require "green"
local parks = require "spec.support.parks"
local testing = require "green.testing"

local it = testing.busted()

local function sleeper(seconds, ...)
  green.sleep(seconds)
  return ...
end

local function collect(iterator)
  local list = {}
  for i, value in iterator do
    list[#list + 1] = { i, value }
  end
  return list
end

--- Run fn with errors that nobody waits for counted instead of failing the test.
local function counting_reports(fn)
  local n = 0
  local old = green.on_error(function()
    n = n + 1
  end)
  fn()
  testing.settle()
  green.on_error(old)
  return n
end

-- For iterators over calls: two green threads cannot both have the one result,
-- and wake lets the call go on, which then wakes who waits for its result.
local without = {
  ["raises in a thread that is killed meanwhile, and leaves nothing"] = true,
  ["keeps what it was given when the kill comes later"] = true,
}

describe("GreenPool", function()
  parks.check(it, "spawn on a full pool", {
    make = function()
      local pool = green.GreenPool(1)
      pool.blocker = pool:spawn(green.sleep, 1000)
      return pool
    end,
    call = function(pool)
      return pool:spawn(sleeper, 0, "v"):wait()
    end,
    ready = function(pool)
      green.kill(pool.blocker)
    end,
    good = function(...)
      assert.are.same({ "v" }, { ... })
    end,
    cleanup = function(pool)
      pool.blocker:kill()
    end,
    without = {
      -- The results come from a green thread, not from the call.
      ["returns at once when it can"] = true,
      ["keeps what it was given when the kill comes later"] = true,
    },
  })

  parks.check(it, "waitall", {
    make = function()
      local pool = green.GreenPool(2)
      pool.blocker = pool:spawn(green.sleep, 1000)
      return pool
    end,
    call = function(pool, timeout)
      return pool:waitall(timeout)
    end,
    ready = function(pool)
      pool.blocker:kill()
    end,
    good = function(...)
      assert.are.same({ true }, { ... })
    end,
    timeout = true,
    cleanup = function(pool)
      pool.blocker:kill()
    end,
  })

  it("gives the results of its members", function()
    local pool = green.GreenPool(2)
    local t = pool:spawn(sleeper, 1, 1, nil, 3, nil)
    assert.are.equal(4, select("#", t:wait()))
    assert.are.same({ 1, nil, 3 }, { t:wait() })
    assert.matches("greenpool_spec.lua", t:spawn_site())
  end)

  it("never runs more than its size", function()
    local pool, now, most = green.GreenPool(3), 0, 0
    for _ = 1, 20 do
      pool:spawn_n(function()
        now = now + 1
        most = math.max(most, now)
        green.sleep(math.random())
        now = now - 1
      end)
    end
    pool:waitall()
    assert.are.same({ 3, 0 }, { most, now })
    assert.are.same({ 0, 3, 0 }, { pool:running(), pool:free(), pool:waiting() })
  end)

  it("serves who waits to spawn in order of arrival", function()
    local pool, order = green.GreenPool(1), {}
    for i = 1, 5 do
      green.spawn(function()
        pool:spawn(function()
          order[#order + 1] = i
          green.sleep(1)
        end)
      end)
    end
    testing.settle()
    assert.are.equal(4, pool:waiting())
    green.sleep(10)
    assert.are.same({ 1, 2, 3, 4, 5 }, order)
  end)

  it("calls in place when a member of a full pool spawns [b29]", function()
    local pool = green.GreenPool(1)
    local outer = pool:spawn(function()
      local me, inner = green.getcurrent(), nil
      local t = pool:spawn(function(...)
        inner = green.getcurrent()
        return ...
      end, 1, nil, 3)
      assert.are.equal(me, inner)
      pool:spawn_n(function()
        inner = "again"
      end)
      assert.are.equal("again", inner)
      return t:wait()
    end)
    assert.are.same({ 1, nil, 3 }, { outer:wait() })
    assert.are.equal(0, pool:running())
  end)

  it("keeps an error of a call in place for its handle [b29]", function()
    local pool = green.GreenPool(1)
    local err = {}
    local outer = pool:spawn(function()
      local t = pool:spawn(error, err)
      return pcall(t.wait, t)
    end)
    assert.are.same({ false, err }, { outer:wait() })
    assert.are.equal(1, counting_reports(function()
      pool:spawn(function()
        pool:spawn_n(error, "unheard")
      end)
    end))
  end)

  it("lets a kill through a call in place", function()
    local pool, after = green.GreenPool(1), false
    local outer = pool:spawn(function()
      pool:spawn(green.sleep, 1000)
      after = true
    end)
    testing.settle()
    outer:kill()
    assert.is_true(green.is_error(select(2, pcall(outer.wait, outer)), "ECANCELED"))
    assert.is_false(after)
    assert.are.equal(1, pool:free())
  end)

  it("refuses waitall in a member [b30]", function()
    local pool = green.GreenPool(2)
    local t = pool:spawn(function()
      return pcall(pool.waitall, pool)
    end)
    assert.is_false((t:wait()))
  end)

  it("returns from waitall at once when it was never used [b31]", function()
    assert.is_true(green.GreenPool(2):waitall(0))
  end)

  it("waits in waitall for members without raising their errors", function()
    local pool = green.GreenPool(5)
    local reports = counting_reports(function()
      pool:spawn(sleeper, 1)
      pool:spawn_n(error, "one")
      pool:spawn(error, "two")
      assert.is_true(pool:waitall())
    end)
    assert.are.equal(2, reports)
  end)

  it("frees the slot of a member that fails or is killed [b32]", function()
    local pool = green.GreenPool(1)
    assert.are.equal(1, counting_reports(function()
      pool:spawn_n(error, "x")
      pool:waitall()
    end))
    assert.are.equal(1, pool:free())
    local t = pool:spawn(green.sleep, 100)
    testing.settle()
    t:kill()
    assert.are.equal(1, pool:free())
  end)

  it("frees the slot of a member that was killed before it started [b32]", function()
    local pool = green.GreenPool(1)
    pool:spawn(green.sleep, 100):kill()
    assert.are.equal(1, pool:free())
    pool:spawn(green.sleep, 100):kill()
    assert.is_true(pool:spawn(sleeper, 0, true):wait())
    -- also when somebody waits for the slot already
    local unstarted
    local spawner = green.spawn(function()
      return pool:spawn(sleeper, 0, "got it"):wait()
    end)
    green.spawn(function()
      unstarted:kill()
    end)
    unstarted = pool:spawn(green.sleep, 100)
    assert.are.equal("got it", spawner:wait())
    -- or for all to end
    local waiter = green.spawn(pool.waitall, pool)
    green.spawn(function()
      unstarted:kill_soon()
    end)
    unstarted = pool:spawn(green.sleep, 100)
    assert.is_true(waiter:wait())
  end)

  it("passes a slot on when its new owner is killed before it starts", function()
    local pool = green.GreenPool(1)
    local first = pool:spawn(sleeper, 1)
    local second
    green.spawn(function()
      second = pool:spawn(sleeper, 100)
    end)
    local third = green.spawn(function()
      return pool:spawn(sleeper, 0, "third"):wait()
    end)
    testing.settle()
    first:link(function()
      while not second do
        green.sleep(0)
      end
      second:kill_soon()
    end)
    assert.are.equal("third", third:wait())
    assert.are.equal(1, pool:free())
  end)

  it("takes no slot for a spawn that timed out [b33]", function()
    local pool = green.GreenPool(1)
    local t = pool:spawn(sleeper, 10)
    local value, err = green.timeout(1, pool.spawn, pool, error, "never")
    assert.is_nil(value)
    assert.is_true(err:is("ETIMEDOUT"))
    assert.are.equal(0, pool:waiting())
    t:wait()
    assert.are.equal(1, pool:free())
    local pile = green.GreenPile(1)
    pile:spawn(sleeper, 10, "a")
    assert.is_nil((green.timeout(1, pile.spawn, pile, error, "never")))
    pile:spawn(sleeper, 1, "b")
    assert.are.same({ { 1, "a" }, { 2, "b" } }, collect(pile))
  end)

  it("can have less than no slots free after shrinking [b34]", function()
    local pool = green.GreenPool(4)
    for i = 1, 4 do
      pool:spawn(sleeper, i)
    end
    pool:resize(2)
    assert.are.same({ -2, 4, 2 }, { pool:free(), pool:running(), pool:size() })
    local t0 = green.now()
    pool:spawn(sleeper, 0)
    assert.is_near(3, green.now() - t0, 1e-6)
    pool:waitall()
    assert.are.equal(2, pool:free())
  end)

  it("wakes who waits to spawn when it grows", function()
    local pool = green.GreenPool(1)
    pool:resize(0)
    local t = green.spawn(pool.spawn, pool, sleeper, 0, "v")
    testing.settle()
    assert.are.equal(1, pool:waiting())
    pool:resize(1)
    assert.are.equal("v", t:wait():wait())
  end)

  it("checks its size and its arguments [b41]", function()
    assert.are.equal(1000, green.GreenPool():size())
    assert.are.equal(1000, green.GreenPool(1e3):size())
    for _, bad in ipairs({ "foo", -1, 0, 1.5 }) do
      assert.is_false(pcall(green.GreenPool, bad))
      assert.is_false(pcall(green.GreenPile, bad))
    end
    assert.is_false(pcall(green.GreenPool().spawn, green.GreenPool(), "no function"))
  end)

  it("ends all members with a killed pool owner's group", function()
    local pool, threads = green.GreenPool(10), {}
    for i = 1, 10 do
      threads[i] = pool:spawn(green.sleep, 1000)
    end
    assert.is_true(green.killall(threads))
    assert.are.equal(10, pool:free())
    assert.is_true(pool:waitall(0))
  end)
end)

for _, name in ipairs({ "imap", "imap_unordered" }) do
  describe(name, function()
    parks.check(it, "next result", {
      make = function()
        local gate = green.Event()
        local step = green.GreenPool(2)[name](green.GreenPool(2), function()
          return gate:wait()
        end, { "x" })
        return { gate = gate, step = step }
      end,
      call = function(obj)
        return obj.step()
      end,
      ready = function(obj)
        obj.gate:send("done")
        testing.settle()
      end,
      wake = function(obj)
        obj.gate:send("done")
      end,
      good = function(...)
        assert.are.same({ 1, "done" }, { ... })
      end,
      without = without,
    })

    it("runs at most as many calls at once as the pool's size, and all of them", function()
      local now, most, sum = 0, 0, 0
      local pool = green.GreenPool(3)
      for _, x in pool[name](pool, function(x)
        now = now + 1
        most = math.max(most, now)
        green.sleep(math.random())
        now = now - 1
        return x
      end, { 1, 2, 3, 4, 5, 6, 7, 8, 9 }) do
        sum = sum + x
      end
      assert.are.same({ 3, 45 }, { most, sum })
    end)

    it("takes no more inputs ahead than its size: memory does not grow", function()
      local taken, pool = 0, green.GreenPool(3)
      local step = pool[name](pool, function(x)
        return x
      end, function()
        taken = taken + 1
        return taken <= 1000 and taken or nil
      end)
      for i = 1, 20 do
        step()
        testing.settle()
        assert.are.equal(i + 3, taken)
      end
    end)

    it("ends at once without inputs, and stays ended", function()
      local pool = green.GreenPool(3)
      local step = pool[name](pool, print, {})
      assert.is_nil(step())
      assert.is_nil(step())
    end)

    it("goes on after a result that is nil or false", function()
      local pool = green.GreenPool(2)
      local n = 0
      for i, value, err in pool[name](pool, function(x)
        if x == 2 then
          return nil, "failed"
        end
        return false
      end, { 1, 2, 3 }) do
        n = n + 1
        assert.are.equal(i == 2 and "failed" or nil, err)
        assert.is_true(not value)
      end
      assert.are.equal(3, n)
    end)

    it("raises an error of the input after the results before it", function()
      local pool, i = green.GreenPool(2), 0
      local step = pool[name](pool, nil, function()
        i = i + 1
        if i == 3 then
          error("bad input", 0)
        end
        return i
      end)
      assert.are.same({ 1, 1 }, { step() })
      assert.are.same({ 2, 2 }, { step() })
      assert.are.same({ false, "bad input" }, { pcall(step) })
      assert.is_nil(step())
    end)

    it("leaves nothing behind when the loop is left", function()
      local pool = green.GreenPool(2)
      local step = pool[name](pool, sleeper, { 1, 1, 1, 1, 1, 1, 1, 1 })
      assert.are.equal(1, (step()))
      green.sleep(5)
    end)

    it("works on when its calls feed its input", function()
      local todo, seen = green.Queue(), 0
      local pool, open = green.GreenPool(2), 1
      todo:put(4)
      for _, n in pool[name](pool, function(n)
        green.sleep(1)
        return n
      end, todo:items()) do
        seen = seen + 1
        open = open - 1 + n
        for _ = 1, n do
          todo:put(n - 1)
        end
        if open == 0 then
          todo:shutdown()
        end
      end
      assert.are.equal(1 + 4 + 12 + 24 + 24, seen)
    end)

    it("counts in waitall, and takes no slots", function()
      local pool = green.GreenPool(1)
      local step = pool[name](pool, sleeper, { 5 })
      testing.settle()
      assert.are.same({ 0, 1 }, { pool:running(), pool:free() })
      local t0 = green.now()
      pool:waitall()
      assert.is_near(5, green.now() - t0, 1e-6)
      assert.are.equal(1, (step()))
    end)

    it("gives a call that was killed as an error, and goes on", function()
      local pool, victims = green.GreenPool(3), {}
      local step = pool[name](pool, function(x)
        victims[x] = green.getcurrent()
        green.sleep(x)
        return x
      end, { 1, 2, 3 })
      testing.settle()
      victims[1]:kill()
      local ok, err = pcall(step)
      assert.is_false(ok)
      assert.is_true(green.is_error(err, "ECANCELED"))
      assert.are.same({ 2, 2 }, { step() })
      assert.are.same({ 3, 3 }, { step() })
      assert.is_nil(step())
    end)

    it("checks its inputs", function()
      local pool = green.GreenPool(3)
      assert.is_false(pcall(pool[name], pool, print))
      assert.is_false(pcall(pool[name], pool, print, 7))
    end)
  end)
end

describe("imap", function()
  it("keeps the order of the inputs, whatever ends first [b35]", function()
    local pool = green.GreenPool(4)
    local got = collect(pool:imap(function(x)
      green.sleep(10 - x)
      return x * x
    end, { 1, 2, 3, 4, 5, 6 }))
    assert.are.same({ { 1, 1 }, { 2, 4 }, { 3, 9 }, { 4, 16 }, { 5, 25 }, { 6, 36 } }, got)
  end)

  it("does not end before its input does, which another thread produces [b36]", function()
    local q, pool = green.Queue(0), green.GreenPool(2)
    green.spawn(function()
      for i = 1, 3 do
        green.sleep(5)
        q:put(i)
      end
      green.sleep(5)
      q:shutdown()
    end)
    assert.are.same({ { 1, 1 }, { 2, 2 }, { 3, 3 } }, collect(pool:imap(nil, q:items())))
  end)

  it("raises the error of item k in its place, and delivers the others [b37]", function()
    local pool = green.GreenPool(2)
    local step = pool:imap(function(x)
      if x == 2 then
        error("bad item", 0)
      end
      return x
    end, { 1, 2, 3 })
    assert.are.same({ 1, 1 }, { step() })
    assert.are.same({ false, "bad item" }, { pcall(step) })
    assert.are.same({ 3, 3 }, { step() })
    assert.is_nil(step())
  end)

  it("without a function yields the elements; the shortest input ends it [b38]", function()
    local pool = green.GreenPool(2)
    local got = {}
    for i, a, b in pool:imap(nil, { "a", "b", "c" }, { 1, 2 }) do
      got[i] = { a, b }
    end
    assert.are.same({ { "a", 1 }, { "b", 2 } }, got)
  end)

  it("gives all values of a single iterator to the function", function()
    local pool = green.GreenPool(2)
    local got = {}
    for _, text in pool:imap(function(k, v)
      return k .. "->" .. v
    end, ("a=1 b=2"):gmatch("(%w+)=(%w+)")) do
      got[#got + 1] = text
    end
    assert.are.same({ "a->1", "b->2" }, got)
  end)

  it("may be nested in the members of a pool that is full", function()
    local pool = green.GreenPool(2)
    local sums = {}
    for i = 1, 4 do
      pool:spawn(function()
        local sum = 0
        for _, x in pool:imap(function(x)
          green.sleep(1)
          return x
        end, { i, i, i }) do
          sum = sum + x
        end
        sums[i] = sum
      end)
    end
    pool:waitall()
    assert.are.same({ 3, 6, 9, 12 }, sums)
  end)

  it("may spawn from its calls, which are members", function()
    local pool = green.GreenPool(1)
    local got = collect(pool:imap(function(x)
      return pool:spawn(sleeper, 1, x):wait()
    end, { 1, 2, 3 }))
    assert.are.same({ { 1, 1 }, { 2, 2 }, { 3, 3 } }, got)
  end)
end)

describe("imap_unordered", function()
  it("yields in the order in which the calls end", function()
    local pool = green.GreenPool(4)
    assert.are.same({ { 3, "c" }, { 2, "b" }, { 1, "a" } },
      collect(pool:imap_unordered(sleeper, { 3, 2, 1 }, { "a", "b", "c" })))
  end)
end)

describe("starmap", function()
  it("calls with each element's items as arguments", function()
    local pool = green.GreenPool(2)
    assert.are.same({ { 1, 8 }, { 2, 9 } }, collect(pool:starmap(math.pow, { { 2, 3 }, { 3, 2 } })))
    local step = pool:starmap(nil, { { nil, 2, nil, n = 3 } })
    assert.are.equal(4, select("#", step()))
    assert.is_nil(step())
  end)
end)

describe("GreenPile", function()
  parks.check(it, "next result", {
    make = function()
      local pile, gate = green.GreenPile(2), green.Event()
      pile:spawn(gate.wait, gate)
      return { pile = pile, gate = gate }
    end,
    call = function(obj)
      return obj.pile:next()
    end,
    ready = function(obj)
      obj.gate:send("done")
      testing.settle()
    end,
    wake = function(obj)
      obj.gate:send("done")
    end,
    good = function(...)
      assert.are.same({ 1, "done" }, { ... })
    end,
    without = without,
  })

  it("gives results in the order of spawning", function()
    local pile = green.GreenPile(3)
    for i = 1, 5 do
      pile:spawn(sleeper, 10 - i, i)
    end
    assert.are.same({ { 1, 1 }, { 2, 2 }, { 3, 3 }, { 4, 4 }, { 5, 5 } }, collect(pile))
    pile:spawn(sleeper, 1, "again")
    assert.are.same({ 6, "again" }, { pile:next() })
  end)

  it("shares a pool's limit with other piles, but not their results [b39]", function()
    local pool = green.GreenPool(2)
    local a, b = green.GreenPile(pool), green.GreenPile(pool)
    local t0 = green.now()
    for i = 1, 2 do
      a:spawn(sleeper, 1, "a" .. i)
      b:spawn(sleeper, 1, "b" .. i)
    end
    assert.are.same({ { 1, "a1" }, { 2, "a2" } }, collect(a))
    assert.are.same({ { 1, "b1" }, { 2, "b2" } }, collect(b))
    assert.is_near(2, green.now() - t0, 1e-6)
    assert.are.equal(pool, a.pool)
  end)

  it("ends at once when it is empty [b40]", function()
    assert.are.same({}, collect(green.GreenPile(2)))
  end)

  it("raises an error in its place, also of a call killed before it started", function()
    local pile, victim = green.GreenPile(10), nil
    pile:spawn(function()
      victim = green.getcurrent()
      green.sleep(100)
    end)
    pile:spawn(error, "second")
    testing.settle()
    pile:spawn(sleeper, 1, "third")
    victim:kill()
    assert.is_true(green.is_error(select(2, pcall(pile.next, pile)), "ECANCELED"))
    assert.are.same({ false, "second" }, { pcall(pile.next, pile) })
    local before = {}
    for _, t in ipairs(green.threads()) do
      before[t] = true
    end
    pile:spawn(sleeper, 1, "fourth")
    for _, t in ipairs(green.threads()) do
      if not before[t] then
        t:kill()
      end
    end
    assert.are.same({ 3, "third" }, { pile:next() })
    assert.is_true(green.is_error(select(2, pcall(pile.next, pile)), "ECANCELED"))
    assert.is_nil(pile:next())
  end)

  it("calls in place for a member of a full pool", function()
    local pool = green.GreenPool(1)
    local pile = green.GreenPile(pool)
    local t = pool:spawn(function()
      pile:spawn(sleeper, 1, "in place", nil)
      pile:spawn(error, "bad")
    end)
    t:wait()
    assert.are.equal(3, select("#", pile:next()))
    assert.are.same({ false, "bad" }, { pcall(pile.next, pile) })
  end)
end)
