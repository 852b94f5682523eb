local green = require "green"
local parks = require "spec.support.parks"
local testing = require "green.testing"

local it = testing.busted()

--- A call that takes its inputs and joins them: "c(a,b)".
local function join(key, inputs)
  local parts = {}
  for k, value in inputs do
    parts[#parts + 1] = value or k
  end
  table.sort(parts)
  return #parts > 0 and ("%s(%s)"):format(key, table.concat(parts, ",")) or key
end

local function later(key, inputs, seconds)
  for _ in inputs do -- luacheck: ignore 542 (only waits)
  end
  green.sleep(seconds or 1)
  return key
end

local function fail(_, _, err)
  error(err, 0)
end

local function pairs_of(iterator)
  local list = {}
  for key, value in iterator do
    list[#list + 1] = { key, value }
  end
  return list
end

local function sorted(list)
  table.sort(list)
  return list
end

describe("DAGPool", function()
  parks.check(it, "wait", {
    make = green.DAGPool,
    call = function(pool, timeout)
      return pool:wait({ "a" }, timeout)
    end,
    ready = function(pool)
      pool:post("a", 1)
    end,
    good = function(...)
      assert.are.same({ { a = 1 } }, { ... })
    end,
    timeout = true,
  })

  parks.check(it, "wait_for", {
    make = green.DAGPool,
    call = function(pool, timeout)
      return pool:wait_for("a", timeout)
    end,
    ready = function(pool)
      pool:post("a", 1)
    end,
    good = function(...)
      assert.are.same({ 1 }, { ... })
    end,
    timeout = true,
  })

  parks.check(it, "wait_each", {
    make = green.DAGPool,
    call = function(pool)
      return pool:wait_each({ "a" })()
    end,
    ready = function(pool)
      pool:post("a", 1)
    end,
    good = function(...)
      assert.are.same({ "a", 1 }, { ... })
    end,
  })

  it("runs a graph of calls, each with the results of others", function()
    local pool = green.DAGPool()
    pool:spawn("d", { "b", "c" }, join)
    pool:spawn("b", { "a" }, join)
    pool:spawn("c", { "a" }, join)
    pool:spawn("a", nil, join)
    assert.are.equal("d(b(a),c(a))", pool:wait().d)
    assert.are.equal(0, pool:running())
  end)

  it("passes arguments, and keeps all values of a result", function()
    local pool = green.DAGPool()
    pool:spawn("a", {}, function(_, _, ...)
      return ...
    end, 1, nil, 3)
    assert.are.same({ 1, nil, 3 }, { pool:wait_for("a") })
    assert.are.same({ "a", 1, nil, 3 }, { pool:wait_each({ "a" })() })
    assert.are.same({ 1, nil, 3 }, { pool:get("a") })
    assert.are.same({ a = 1 }, pool:wait())
  end)

  it("counts preloaded keys as done, and waits for them with all [b169]", function()
    local pool = green.DAGPool({ a = 1 })
    pool:spawn("b", { "a" }, function(_, inputs)
      local _, value = inputs()
      return value + 1
    end)
    assert.are.same({ a = 1, b = 2 }, pool:waitall())
    assert.are.same({ "a", "b" }, pool:keys())
  end)

  it("delivers in order of arrival [b169]", function()
    local pool = green.DAGPool({ zero = 0 })
    pool:spawn("slow", nil, later, 3)
    pool:spawn("fast", nil, later, 1)
    pool:spawn("middle", nil, later, 2)
    assert.are.same({
      { "zero", 0 }, { "fast", "fast" }, { "middle", "middle" }, { "slow", "slow" },
    }, pairs_of(pool:wait_each()))
  end)

  it("waits for keys that nobody has spawned yet", function()
    local pool = green.DAGPool()
    pool:spawn("b", { "a" }, join)
    green.spawn_after(1, pool.post, pool, "a", "posted")
    assert.are.same({ b = "b(posted)" }, pool:wait({ "b" }))
  end)

  it("raises EEXIST for a key that is taken [b169]", function()
    local pool = green.DAGPool({ p = 1 })
    pool:spawn("a", nil, later)
    for _, try in ipairs({
      function()
        pool:spawn("a", nil, later)
      end,
      function()
        pool:spawn("p", nil, later)
      end,
      function()
        pool:post("a", 1)
      end,
      function()
        pool:post("p", 2)
      end,
    }) do
      local ok, err = pcall(try)
      assert.is_false(ok)
      assert.is_true(green.is_error(err, "EEXIST"))
    end
    pool:post("p", 2, true)
    assert.are.equal(2, pool:get("p"))
    pool:wait()
  end)

  it("lets a call post its own result, which goes before what it returns [b169]", function()
    local pool = green.DAGPool()
    pool:spawn("a", nil, function(key)
      pool:post(key, "early")
      green.sleep(1)
      return "late"
    end)
    assert.are.same({ a = "early" }, pool:wait())
    green.sleep(2)
    assert.are.equal("early", pool:get("a"))
  end)

  it("lets an error travel down as nested PropagateErrors [b169]", function()
    local pool = green.DAGPool()
    pool:spawn("a", nil, fail, "root cause")
    pool:spawn("b", { "a" }, join)
    pool:spawn("c", { "b" }, join)
    local ok, err = pcall(pool.wait, pool)
    assert.is_false(ok)
    assert.is_true(green.is_error(err, "EPROPAGATED"))
    ok, err = pcall(pool.get, pool, "c")
    assert.is_false(ok)
    assert.are.same({ "c", "b", "a", "root cause" },
      { err.key, err.cause.key, err.cause.cause.key, err.cause.cause.cause })
    assert.matches("root cause", tostring(err))
  end)

  it("sorts successes from failures [b169]", function()
    local pool = green.DAGPool({ ok = 1 })
    pool:spawn("bad", nil, fail, "x")
    pool:spawn("good", nil, later)
    assert.are.same({ { "ok", 1 }, { "good", "good" } }, pairs_of(pool:wait_each_success()))
    local failed = pairs_of(pool:wait_each_exception())
    assert.are.equal(1, #failed)
    assert.are.same({ "bad", "x" }, { failed[1][1], failed[1][2].cause })
    assert.are.same({ { "good", "good" } }, pairs_of(pool:wait_each_success({ "good", "bad" })))
    assert.are.same({}, pairs_of(pool:wait_each_exception({ "good" })))
    assert.is_false(pcall(pool.items, pool))
    local step = pool:wait_each({ "bad", "good" })
    assert.is_false(pcall(step))
    assert.are.same({ "good", "good" }, { step() })
  end)

  it("spawns many at once", function()
    local pool = green.DAGPool()
    pool:spawn_many({ a = {}, b = { "a" }, c = { "a", "b" } }, join)
    assert.are.same({ a = "a", b = "b(a)", c = "c(a,b(a))" }, pool:wait())
    assert.are.same({ a = "a", b = "b(a)", c = "c(a,b(a))" }, pool:items())
  end)

  it("frees the key of a call that is killed; others go on waiting [b169]", function()
    local pool = green.DAGPool()
    pool:spawn("a", nil, later, 100)
    pool:spawn("b", { "a" }, join)
    testing.settle()
    pool:kill("a")
    assert.are.same({ "b" }, pool:running_keys())
    assert.is_false(pcall(pool.kill, pool, "a"))
    pool:post("a", "instead")
    assert.are.equal("b(instead)", pool:wait_for("b"))
    pool:spawn("c", nil, later, 100)
    pool:kill("c") -- before it started
    pool:spawn("c", nil, join)
    assert.are.equal("c", pool:wait_for("c"))
  end)

  it("takes a call that somebody else kills for failed", function()
    local pool, threads = green.DAGPool(), {}
    pool:spawn("a", nil, function()
      threads[1] = green.getcurrent()
      green.sleep(100)
    end)
    testing.settle()
    threads[1]:kill()
    local ok, err = pcall(pool.wait, pool)
    assert.is_false(ok)
    assert.is_true(green.is_error(err.cause, "ECANCELED"))
    local before = {}
    for _, t in ipairs(green.threads()) do
      before[t] = true
    end
    pool:spawn("b", nil, later)
    for _, t in ipairs(green.threads()) do
      if not before[t] then
        t:kill()
      end
    end
    assert.is_false(pcall(pool.wait_for, pool, "b"))
  end)

  it("shows what runs and what it waits for; a circle among it", function()
    local pool = green.DAGPool({ p = 1 })
    pool:spawn("a", { "b", "p" }, join)
    pool:spawn("b", { "a" }, join)
    pool:spawn("c", nil, later)
    testing.settle()
    assert.are.same({ 3, 2 }, { pool:running(), pool:waiting() })
    assert.are.same({ "a", "b", "c" }, sorted(pool:running_keys()))
    assert.are.same({ a = { "b" }, b = { "a" } }, pool:waiting_for())
    assert.are.same({ "b" }, pool:waiting_for("a"))
    assert.are.same({}, pool:waiting_for("c"))
    assert.are.same({}, pool:waiting_for("unknown"))
    assert.is_nil(pool:get("c"))
    assert.are.equal("none", pool:get("c", "none"))
    pool:kill("a")
    pool:kill("b")
    pool:wait()
  end)

  it("checks its arguments", function()
    local pool = green.DAGPool()
    assert.is_false(pcall(pool.spawn, pool, "a", {}, "no function"))
    assert.is_false(pcall(pool.spawn, pool, nil, {}, print))
    assert.is_false(pcall(pool.wait, pool, "a"))
  end)
end)
