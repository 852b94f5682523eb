-- tpool.share: read-only data, packed once.

local green = require "green"
local channels = require "green.tpool.channel"
local shares = require "green.tpool.share"
local testing = require "green.testing"

local _, it = testing.busted()

describe("tpool.share", function()
  it("is read as a table is, and cannot be written", function()
    local data = shares.share { name = "x", [1] = "one", list = { 1, 2 }, yes = false }
    assert.equal("x", data.name)
    assert.equal("one", data[1])
    assert.is_false(data.yes)
    assert.is_nil(data.other)
    assert.same({ 1, 2 }, data.list)
    assert.equal(data.list, data.list) -- the same one each time
    local ok, err = pcall(function() data.name = 1 end)
    assert.is_false(ok)
    assert.matches('share_spec.lua:%d+: share: the data is read%-only, and "name" cannot', err)
    assert.matches("4 entries", tostring(data))
  end)

  it("is a copy: what the maker's table becomes later is not seen", function()
    local values = { list = { 1 } }
    local data = shares.share(values)
    values.list[1] = 2
    values.more = true
    assert.equal(1, data.list[1])
    assert.is_nil(data.more)
  end)

  it("gives all of it: each, unshare", function()
    local values = { a = 1, b = { 2 }, [3] = "three" }
    local data = shares.share(values)
    local copy = {}
    for key, value in shares.each(data) do
      copy[key] = value
    end
    assert.same(values, copy)
    assert.same(values, shares.unshare(data))
    assert.same({}, shares.unshare(shares.share {}))
  end)

  it("is one in all native threads", function()
    local data = shares.share {
      rows = { { n = 1 }, { n = 2 } },
      add = function(a) return a + 1 end,
    }
    local results = channels.channel(4)
    local workers = assert(green.workers(2, function(worker)
      local row = data.rows[worker.index]
      results:put(data.add(row.n))
      results:put(data) -- and back
    end))
    local sum = 0
    for _ = 1, 4 do
      local value = assert(results:get(20))
      sum = sum + (type(value) == "number" and value or value.rows[2].n)
    end
    assert.equal(2 + 3 + 2 + 2, sum)
    assert.is_true(workers:wait(20))
  end)

  it("says what cannot be shared", function()
    local co = coroutine.create(print)
    for text, fn in pairs {
      ["share: values must be a table, not 5"] = function() shares.share(5) end,
      ["share: values must be a table without a metatable"] =
        function() shares.share(setmetatable({}, {})) end,
      ["share: values.conn.x is a coroutine"] = function() shares.share { conn = { x = co } } end,
      ["share: values[1] is a coroutine"] = function() shares.share { co } end,
      ["share: values[\"a b\"] is a coroutine"] = function() shares.share { ["a b"] = co } end,
      ["share: keys"] = function() shares.share { [co] = 1 } end,
      ["each: data must be what tpool.share gives, not a table"] = function() shares.each {} end,
      ["unshare: data must be what tpool.share gives, not nil"] = function() shares.unshare() end,
    } do
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.matches(text, err, 1, true)
    end
  end)
end)
