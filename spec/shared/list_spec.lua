local kit = require "spec.support.shared_kit"
local shared = require "green.shared"
local testing = require "green.testing"

local fails = dofile("spec/support/sockets.lua").fails
local _, it = testing.busted()

local function new(size)
  return assert(shared.dict(kit.name(), size or 1000000))
end

describe("green.shared.list", function()
  it("is a queue from either end", function()
    local dict = new()
    assert.equal(0, dict:llen("list"))
    assert.equal(1, dict:rpush("list", "b"))
    assert.equal(2, dict:rpush("list", "c"))
    assert.equal(3, dict:lpush("list", "a"))
    assert.equal(3, dict:llen("list"))
    assert.equal("a", dict:lpop("list"))
    assert.equal("c", dict:rpop("list"))
    assert.equal("b", dict:rpop("list"))
    assert.same({}, { dict:rpop("list") })
    assert.same({}, { dict:lpop("list") })
    assert.equal(0, dict:llen("list"))
  end)

  it("keeps strings, numbers and booleans as they are", function()
    local dict = new()
    local values = { "", "a\0b", ("x"):rep(10000), 0, -1.5, true, false }
    for _, value in ipairs(values) do
      dict:rpush("list", value)
    end
    for _, value in ipairs(values) do
      assert.equal(value, dict:lpop("list"))
    end
  end)

  it("goes with its last element, and all of it is free again", function()
    local dict = new()
    local free = dict:free_space()
    for i = 1, 100 do
      dict:lpush("list", ("x"):rep(i))
    end
    assert.is_true(dict:free_space() < free)
    for i = 1, 100 do
      assert.equal(i, #dict:rpop("list"))
    end
    assert.equal(free, dict:free_space())
    assert.same({}, dict:get_keys())
  end)

  it("is no other value, and no other value is one", function()
    local dict = new()
    dict:set("key", "value")
    assert.equal("value not a list", fails("EINVAL", dict:lpush("key", 1)).message)
    fails("EINVAL", dict:rpush("key", 1))
    fails("EINVAL", dict:lpop("key"))
    fails("EINVAL", dict:rpop("key"))
    fails("EINVAL", dict:llen("key"))
    assert.equal("value", (dict:get("key")))
  end)

  it("expires, and begins anew", function()
    local dict = new()
    dict:rpush("list", 1)
    assert.is_true(dict:expire("list", 1000))
    dict:rpush("list", 2)
    assert.is_true(dict:ttl("list") > 900)
    dict:expire("list", 1e-9)
    assert.equal(0, dict:llen("list"))
    assert.same({}, { dict:lpop("list") })
    assert.equal(1, dict:rpush("list", 3))
    assert.equal(0, dict:ttl("list"))
  end)

  it("makes nobody go", function()
    local dict = new(8192)
    local n = 0
    while dict:safe_set("key " .. n, "value") do
      n = n + 1
    end
    fails("ENOMEM", dict:lpush("list", "some text that needs room"))
    assert.equal(0, dict:llen("list"))
    for i = 0, n - 1 do
      assert.equal("value", (dict:get("key " .. i)))
    end
  end)
end)
