local kit = require "spec.support.shared_kit"
local shared = require "green.shared"
local testing = require "green.testing"

local _, it = testing.busted()

local function new(size)
  return assert(shared.dict(kit.name(), size or 1000000))
end

describe("green.shared.whole", function()
  it("lets all expire at once", function()
    local dict = new()
    dict:set("a", 1)
    dict:set("b", 2, 1000)
    dict:rpush("c", 3)
    assert.is_true(dict:flush_all())
    assert.same({}, dict:get_keys())
    assert.is_nil((dict:get("a")))
    assert.same({ 2, nil, true }, { dict:get_stale("b") })
    assert.equal(0, dict:llen("c"))
    assert.is_true((dict:add("a", 4)))
    assert.equal(4, (dict:get("a")))
  end)

  it("frees what has expired", function()
    local dict = new()
    local free = dict:free_space()
    for i = 1, 100 do
      dict:set(i, ("x"):rep(1000))
    end
    assert.equal(0, dict:flush_expired())
    dict:flush_all()
    assert.equal(30, dict:flush_expired(30))
    assert.equal(70, dict:flush_expired())
    assert.equal(free, dict:free_space())
    assert.equal(0, dict:flush_expired(0))
  end)

  it("lists keys", function()
    local dict = new()
    assert.same({}, dict:get_keys())
    for i = 1, 2000 do
      dict:set("key " .. i, i)
    end
    dict:set("gone", 1, 1e-9)
    assert.equal(1024, #dict:get_keys())
    assert.equal(3, #dict:get_keys(3))
    local keys = dict:get_keys(0)
    assert.equal(2000, #keys)
    local seen = {}
    for _, key in ipairs(keys) do
      assert.is_nil(seen[key])
      seen[key] = true
    end
    for i = 1, 2000 do
      assert.is_true(seen["key " .. i])
    end
  end)

  it("lists keys that are long", function()
    local dict = new(2 ^ 21)
    local want = {}
    for i = 1, 10 do
      want[i] = ("k"):rep(65535 - i)
      dict:set(want[i], i)
    end
    local keys = dict:get_keys(0)
    table.sort(keys)
    table.sort(want)
    assert.is_true(#want == #keys)
    for i = 1, 10 do
      assert.is_true(keys[i] == want[i])
    end
  end)

  it("knows how large it is, and what of it is free", function()
    local dict = new(65536)
    assert.equal(65536, dict:capacity())
    local free = dict:free_space()
    assert.is_true(free > 55000 and free < 65536)
    dict:set("key", ("x"):rep(10000))
    assert.is_true(dict:free_space() <= free - 10000)
    dict:delete("key")
    assert.equal(free, dict:free_space())
  end)
end)
