-- The pool of green.http: who gets a connection, and when one is let go.

local core = require "green.core"
local green = require "green"
local pool = require "green.http.pool"
local testing = require "green.testing"

local it_virtual = testing.busted()
local pools = {} -- of the spec that runs

local function it(title, fn)
  it_virtual(title, function()
    pools = {}
    local ok, err = pcall(fn)
    for _, p in ipairs(pools) do
      pool.close(p)
    end
    if not ok then
      error(err, 0)
    end
  end)
end

local LIMITS = { per_origin = 2, total = 3, waiting = 3, idle_timeout = 60, max_age = 600 }

local class = { __index = { is_quiet = function(conn) return not conn.is_broken end } }

local function new(changes)
  local limits = {}
  for name, value in pairs(LIMITS) do
    limits[name] = changes and changes[name] or value
  end
  pools[#pools + 1] = pool.new(limits, class)
  return pools[#pools]
end

local function take(p, key, seconds)
  local now = green.now()
  local conn, err = pool.take(p, key or "a", now, seconds and now + seconds)
  if conn and not conn.stream then
    conn.stream = { close = function(self) self.closed = true end }
  end
  return conn, err
end

local function numbers(p)
  return { p.count, p.idle, p.waiting }
end

describe("green.http.pool", function()
  it("closes what was kept for too long, though nobody asks for anything", function()
    local p = new { idle_timeout = 20 }
    local one, two = take(p, "a"), take(p, "b")
    pool.put(one)
    green.sleep(10)
    pool.put(two)
    green.sleep(12)
    assert.is_true(one.stream.closed)
    assert.is_nil(two.stream.closed)
    assert.same({ 1, 1, 0 }, numbers(p))
    local now = green.now()
    assert.is_true(green.wait()) -- which does not wait for that
    assert.equal(now, green.now())
    two.is_broken = true -- its server has ended it
    green.sleep(5)
    assert.is_true(two.stream.closed)
    assert.same({ 0, 0, 0 }, numbers(p))
    assert.is_false(p.keeper)
    local three = take(p)
    pool.put(three)
    assert.equal(three, take(p))
    green.sleep(5)
    assert.is_false(p.keeper) -- none is kept
    pool.put(three)
    green.sleep(30)
    assert.is_true(three.stream.closed)
  end)

  it("is not kept alive by what looks after it", function()
    local p = new()
    pool.put(take(p))
    local weak = setmetatable({ p }, { __mode = "v" })
    local threads = #core.threads()
    p, pools = nil, {} -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
    green.sleep(5)
    assert.equal(threads - 1, #core.threads())
  end)

  it("gives the connection that was used last", function()
    local p = new()
    local first, second = take(p), take(p)
    pool.put(first)
    pool.put(second)
    assert.same({ 2, 2, 0 }, numbers(p))
    assert.equal(second, take(p))
    assert.equal(first, take(p))
    assert.same({ 2, 0, 0 }, numbers(p))
  end)

  it("keeps apart what has another origin", function()
    local p = new()
    local a = take(p, "a")
    pool.put(a)
    assert.not_equal(a, take(p, "b"))
    assert.same({ 2, 1, 0 }, numbers(p))
  end)

  it("lets those wait who are too many, and serves them in their order", function()
    local p = new()
    local one, two = take(p), take(p)
    local order = {}
    for i = 1, 3 do
      green.spawn(function()
        local conn = take(p)
        order[#order + 1] = i
        green.sleep(1)
        pool.put(conn)
      end)
    end
    testing.settle()
    assert.same({ 2, 0, 3 }, numbers(p))
    pool.put(one)
    testing.settle()
    assert.same({ 1 }, order)
    pool.drop(two)
    testing.settle()
    assert.same({ 1, 2 }, order)
    green.sleep(3)
    assert.same({ 1, 2, 3 }, order)
    assert.same({ 2, 2, 0 }, numbers(p))
  end)

  it("refuses who would be one too many to wait", function()
    local p = new { per_origin = 1, waiting = 1 }
    local conn = take(p)
    local waiter = green.spawn(take, p)
    testing.settle()
    local none, err = take(p)
    assert.is_nil(none)
    assert.equal("EBUSY", err.code)
    pool.put(conn)
    assert.equal(conn, waiter:wait())
  end)

  it("forgets a waiter whose time is up, or who is killed", function()
    local p = new { per_origin = 1 }
    local conn = take(p)
    local _, err = take(p, "a", 5)
    assert.equal("ETIMEDOUT", err.code)
    local t = green.spawn(take, p)
    testing.settle()
    assert.same({ 1, 0, 1 }, numbers(p))
    t:kill()
    assert.is_false((pcall(t.wait, t)))
    assert.same({ 1, 0, 0 }, numbers(p))
    pool.put(conn)
    assert.same({ 1, 1, 0 }, numbers(p))
  end)

  it("hands on what was given to a waiter that ended without running", function()
    local p = new { per_origin = 1 }
    local conn = take(p)
    local first, second = green.spawn(take, p), green.spawn(take, p)
    testing.settle()
    pool.put(conn)
    core.drop(first)
    assert.equal(conn, second:wait())
    pool.put(conn)
    assert.same({ 1, 1, 0 }, numbers(p))
  end)

  it("hands on the right to open one", function()
    local p = new { per_origin = 1 }
    local conn = take(p)
    local waiter = green.spawn(take, p)
    testing.settle()
    pool.drop(conn)
    assert.is_true(conn.stream.closed)
    local other = waiter:wait()
    assert.not_equal(conn, other)
    assert.same({ 1, 0, 0 }, numbers(p))
    pool.drop(other)
    assert.same({ 0, 0, 0 }, numbers(p))
    assert.is_nil(next(p.origins))
  end)

  it("closes what was unused for longest when all places are taken", function()
    local p = new()
    local old = take(p, "a")
    pool.put(old)
    green.sleep(1)
    pool.put(take(p, "b"))
    take(p, "c")
    assert.same({ 3, 2, 0 }, numbers(p))
    assert.truthy(take(p, "d"))
    assert.is_true(old.stream.closed)
    assert.same({ 3, 1, 0 }, numbers(p))
  end)

  it("lets an origin have the place that another one frees", function()
    local p = new { total = 1 }
    local a = take(p, "a")
    local waiter = green.spawn(take, p, "b")
    testing.settle()
    assert.same({ 1, 0, 1 }, numbers(p))
    pool.put(a)
    assert.is_true(a.stream.closed)
    assert.equal("b", waiter:wait().origin.key)
    assert.same({ 1, 0, 0 }, numbers(p))
  end)

  it("keeps connections again when those who waited for the total have theirs", function()
    local p = new { total = 1 }
    local a = take(p, "a")
    local waiters = { green.spawn(take, p, "a"), green.spawn(take, p, "a") }
    testing.settle()
    pool.put(a)
    assert.equal(a, waiters[1]:wait())
    pool.put(a)
    assert.equal(a, waiters[2]:wait())
    pool.put(a)
    assert.is_nil(a.stream.closed)
    assert.same({ 1, 1, 0 }, numbers(p))
    assert.same({}, p.hungry)
  end)

  it("serves all who wait for the total, one origin after the other", function()
    local p = new { total = 1 }
    local conn, order = take(p, "a"), {}
    for _, key in ipairs { "b", "b", "c" } do
      green.spawn(function()
        local own = take(p, key)
        order[#order + 1] = key
        pool.drop(own)
      end)
    end
    testing.settle()
    pool.drop(conn)
    testing.settle()
    assert.same({ "b", "b", "c" }, order)
    assert.same({ 0, 0, 0 }, numbers(p))
    assert.same({}, p.hungry)
  end)

  it("uses none that was kept for too long, or is too old", function()
    local p = new()
    local conn = take(p)
    pool.put(conn)
    green.sleep(61)
    local old = take(p)
    assert.not_equal(conn, old)
    assert.is_true(conn.stream.closed)
    for _ = 1, 11 do
      green.sleep(50)
      pool.put(old)
      assert.equal(old, take(p))
    end
    green.sleep(51)
    pool.put(old)
    assert.not_equal(old, take(p))
    assert.is_true(old.stream.closed)
  end)

  it("closes those of other origins, too, that were kept for too long", function()
    local p = new()
    local conn = take(p, "a")
    pool.put(conn)
    green.sleep(61)
    take(p, "b")
    assert.is_true(conn.stream.closed)
    assert.same({ 1, 0, 0 }, numbers(p))
  end)

  it("uses none of which something came while it was kept", function()
    local p = new()
    local conn = take(p)
    pool.put(conn)
    conn.is_broken = true
    assert.not_equal(conn, take(p))
    assert.is_true(conn.stream.closed)
  end)

  it("has the place again of one that is collected", function()
    local p = new { per_origin = 1 }
    assert.truthy(take(p))
    local waiter = green.spawn(take, p)
    testing.settle()
    collectgarbage()
    collectgarbage()
    assert.truthy(waiter:wait())
    assert.same({ 1, 0, 0 }, numbers(p))
  end)

  it("keeps connections again when nobody waits for a place of the total any more", function()
    local p = new { total = 1 }
    local conn = take(p)
    for _ = 1, 3 do
      local waiter = green.spawn(take, p)
      testing.settle()
      pool.put(conn)
      assert.equal(conn, waiter:wait())
      assert.same({}, p.hungry)
    end
    pool.put(conn)
    assert.is_nil(conn.stream.closed)
    assert.same({ 1, 1, 0 }, numbers(p))
  end)

  it("keeps connections again when those who waited have ended without a word", function()
    local p = new { total = 1 }
    local conn = take(p)
    for _, key in ipairs { "a", "b", "b" } do
      local waiter = green.spawn(take, p, key)
      testing.settle()
      core.drop(waiter)
    end
    pool.put(conn) -- for somebody who is not there
    conn = take(p)
    pool.put(conn)
    assert.is_nil(conn.stream.closed)
    assert.same({ 1, 1, 0 }, numbers(p))
    assert.same({}, p.hungry)
  end)

  it("gives those who wait none of which something came, nor one that is too old", function()
    for name, spoil in pairs {
      broken = function(conn) conn.is_broken = true end,
      old = function() green.sleep(LIMITS.max_age + 1) end,
    } do
      local p = new { per_origin = 1 }
      local conn = take(p)
      local waiter = green.spawn(take, p)
      testing.settle()
      spoil(conn)
      pool.put(conn)
      assert.not_equal(conn, waiter:wait(), name)
      assert.is_true(conn.stream.closed)
      assert.same({ 1, 0, 0 }, numbers(p))
    end
  end)

  it("asks the collector before somebody waits, the more seldom the less it finds", function()
    local p = new { per_origin = 1 }
    collectgarbage "stop"
    local ok, err = pcall(function()
      for _ = 1, 3 do
        assert.truthy(take(p, "a", 0)) -- and nobody refers to it
      end
    end)
    collectgarbage "restart"
    assert(ok, err)
    collectgarbage()
    local conn = take(p)
    for _, expected in ipairs { 1, 2, 2, 4 } do
      assert.equal("ETIMEDOUT", select(2, take(p, "a", 1)).code)
      assert.equal(expected, p.sweep_every)
    end
    pool.put(conn)
  end)

  it("says ECLOSED to those who wait when it is closed", function()
    local p = new { per_origin = 1 }
    local conn = take(p)
    local waiter = green.spawn(take, p)
    testing.settle()
    pool.close(p)
    local none, err = waiter:wait()
    assert.is_nil(none)
    assert.equal("ECLOSED", err.code)
    pool.put(conn)
    assert.is_true(conn.stream.closed)
    assert.equal("ECLOSED", select(2, take(p)).code)
    assert.same({ 0, 0, 0 }, numbers(p))
  end)
end)
