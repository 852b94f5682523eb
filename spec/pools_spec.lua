local green = require "green"
local parks = require "spec.support.parks"
local testing = require "green.testing"

local it = testing.busted()

local function counter()
  local n = 0
  return function()
    n = n + 1
    return n
  end, function()
    return n
  end
end

describe("Pool", function()
  parks.check(it, "get", {
    make = function()
      local pool = green.Pool({ create = counter(), max_size = 1 })
      pool:get()
      return pool
    end,
    call = function(pool, timeout)
      return pool:get(timeout)
    end,
    ready = function(pool)
      pool:put("item")
    end,
    good = function(...)
      assert.are.same({ "item" }, { ... })
    end,
    timeout = true,
  })

  parks.check(it, "get after a broken item", {
    make = function()
      local pool = green.Pool({ create = counter(), max_size = 1 })
      pool:get()
      return pool
    end,
    call = function(pool, timeout)
      return pool:get(timeout)
    end,
    ready = function(pool)
      pool:put(nil)
    end,
    good = function(...)
      assert.are.same({ 2 }, { ... })
    end,
    timeout = true,
  })

  it("makes its items with a function that is given, no subclass needed [S62]", function()
    local create, made = counter()
    local pool = green.Pool({ create = create, min_size = 2, max_size = 3 })
    assert.are.same({ 2, 2, 3 }, { made(), pool:size(), pool:free() })
    assert.are.same({ 1, 2, 3 }, { pool:get(), pool:get(), pool:get() })
    assert.are.same({ 0, 0 }, { pool:free(), pool:waiting() })
    pool:put(2)
    pool:put(1)
    assert.are.same({ 2, 1 }, { pool:get(), pool:get() })
  end)

  it("gives the last one first with order_as_stack [S62]", function()
    local pool = green.Pool({ create = counter(), order_as_stack = true })
    local items = { pool:get(), pool:get(), pool:get() }
    for _, item in ipairs(items) do
      pool:put(item)
    end
    assert.are.same({ 3, 2, 1 }, { pool:get(), pool:get(), pool:get() })
  end)

  it("has room for four unless told otherwise, and checks its options", function()
    assert.are.equal(4, green.Pool({ create = counter() }):free())
    for _, bad in ipairs({
      {},
      { create = 1 },
      { create = print, max_size = -1 },
      { create = print, min_size = 5 },
      { create = print, max_sise = 1 },
    }) do
      assert.is_false(pcall(green.Pool, bad))
    end
  end)

  it("makes no more than max_size items though create waits [b159]", function()
    local made = 0
    local pool = green.Pool({
      max_size = 4,
      create = function()
        green.sleep(1)
        made = made + 1
        return made
      end,
    })
    local threads = {}
    for i = 1, 100 do
      threads[i] = green.spawn(function()
        local item = pool:get()
        green.sleep(1)
        pool:put(item)
      end)
    end
    green.joinall(threads)
    assert.are.same({ 4, 4 }, { made, pool:free() })
  end)

  it("takes an item back at once when all who waited have timed out [b160]", function()
    local pool = green.Pool({ create = counter(), max_size = 1 })
    local item = pool:get()
    for _ = 1, 3 do
      green.spawn(pool.get, pool, 1)
    end
    green.sleep(2)
    pool:put(item)
    assert.are.equal(1, pool:free())
    assert.are.equal(item, pool:get(0))
  end)

  it("gives the place of a failed create free, and wakes who waits [b161]", function()
    local calls = 0
    local pool = green.Pool({
      max_size = 1,
      create = function()
        calls = calls + 1
        green.sleep(1)
        if calls == 1 then
          error("cannot", 0)
        elseif calls == 2 then
          return nil, "refused"
        end
        return calls
      end,
    })
    local threads = {}
    for i = 1, 3 do
      threads[i] = green.spawn(function()
        return pcall(pool.get, pool)
      end)
    end
    assert.are.same({ false, "cannot" }, { threads[1]:wait() })
    assert.are.same({ true, nil, "refused" }, { threads[2]:wait() })
    assert.are.same({ true, 3 }, { threads[3]:wait() })
    assert.are.equal(1, pool:size())
  end)

  it("gives the place free when the maker is killed in create", function()
    local slow = true
    local pool = green.Pool({
      max_size = 1,
      create = function()
        if slow then
          green.sleep(100)
        end
        return "made"
      end,
    })
    local first = green.spawn(pool.get, pool)
    local second = green.spawn(pool.get, pool)
    testing.settle()
    slow = false
    first:kill()
    assert.are.equal("made", second:wait())
  end)

  it("lets one who waits make a new item for a dead one [b162]", function()
    local create, made = counter()
    local pool = green.Pool({ create = create, max_size = 1 })
    pool:get()
    local threads = { green.spawn(pool.get, pool), green.spawn(pool.get, pool) }
    testing.settle()
    pool:put(nil)
    assert.are.equal(2, threads[1]:wait())
    assert.are.same({ 2, 1 }, { made(), pool:waiting() })
    pool:put(nil)
    assert.are.equal(3, threads[2]:wait())
    pool:put(nil)
    assert.are.same({ 0, 1 }, { pool:size(), pool:free() })
  end)

  it("serves who waits in order of arrival", function()
    local pool, order = green.Pool({ create = counter(), max_size = 1 }), {}
    local item = pool:get()
    for i = 1, 4 do
      green.spawn(function()
        local mine = pool:get()
        order[#order + 1] = i
        pool:put(mine)
      end)
    end
    testing.settle()
    pool:put(item)
    testing.settle()
    assert.are.same({ 1, 2, 3, 4 }, order)
  end)

  it("puts with's item back whatever happens", function()
    local pool = green.Pool({ create = counter(), max_size = 1 })
    assert.are.same({ 1, nil, "x" }, { pool:with(function(item, ...)
      return item, ...
    end, nil, "x") })
    local err = {}
    assert.are.same({ false, err }, { pcall(pool.item, pool, function()
      error(err)
    end) })
    local t = green.spawn(pool.with, pool, function()
      green.sleep(100)
    end)
    testing.settle()
    assert.are.equal(0, pool:free())
    t:kill()
    assert.is_false(pcall(t.wait, t))
    assert.are.equal(1, pool:free())
    local none = green.Pool({
      create = function()
        return nil, "no"
      end,
    })
    assert.are.same({ nil, "no" }, { none:with(print) })
  end)

  it("drops what is too many after shrinking, and grows for who waits", function()
    local pool = green.Pool({ create = counter(), max_size = 3 })
    local a, b, c = pool:get(), pool:get(), pool:get()
    pool:put(a)
    pool:resize(1)
    assert.are.same({ 2, -1 }, { pool:size(), pool:free() })
    pool:put(b)
    pool:put(c)
    assert.are.same({ 1, 1 }, { pool:size(), pool:free() })
    assert.are.equal(c, pool:get())
    local t = green.spawn(pool.get, pool)
    testing.settle()
    pool:resize(2)
    assert.are.equal(4, t:wait())
  end)
end)

describe("TokenPool", function()
  it("gives so many tokens and no more", function()
    local pool = green.TokenPool({ max_size = 2 })
    local a, b = pool:get(), pool:get()
    assert.are_not.equal(a, b)
    local none, err = pool:get(1)
    assert.is_nil(none)
    assert.is_true(err:is("ETIMEDOUT"))
    pool:put(a)
    assert.are.equal(a, pool:get())
    assert.are.equal(4, green.TokenPool():free())
    assert.is_false(pcall(green.TokenPool, { create = print }))
  end)
end)
