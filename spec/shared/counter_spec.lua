local kit = require "spec.support.shared_kit"
local shared = require "green.shared"
local testing = require "green.testing"

local _, it = testing.busted()

local function new(start)
  return assert(shared.counter(kit.name(), start))
end

local function raises(text, fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  assert.truthy(tostring(err):find(text, 1, true), tostring(err))
end

describe("green.shared.counter", function()
  it("begins with what the first says", function()
    local name = kit.name()
    assert.equal(0, new():get())
    assert.equal(-5, shared.counter(name, -5):get())
    assert.equal(-5, shared.counter(name, 7):get())
  end)

  it("adds, and gives the sum", function()
    local counter = new()
    assert.equal(1, counter:add())
    assert.equal(11, counter:add(10))
    assert.equal(-1, counter:add(-12))
    counter:set(100)
    assert.equal(100, counter:get())
  end)

  it("changes only what is as it was expected", function()
    local counter = new(5)
    assert.same({ false, 5 }, { counter:compare_and_set(4, 6) })
    assert.same({ true }, { counter:compare_and_set(5, 6) })
    assert.equal(6, counter:get())
  end)

  it("is exact beyond what a number can say", function()
    local counter = new(2 ^ 53)
    assert.equal(2 ^ 53, counter:add(1))
    assert.is_true(counter:get64() == 9007199254740993LL)
    assert.equal(2 ^ 53 + 2, counter:add(1))
    for _ = 1, 1023 do
      counter:add(2 ^ 53)
    end
    assert.is_true(counter:get64() < 0) -- it wraps
  end)

  it("takes whole numbers alone", function()
    local counter = new()
    raises("add: by must be a whole number", counter.add, counter, 0.5)
    raises("add: by must be a whole number", counter.add, counter, "1")
    raises("set: value must be a whole number", counter.set, counter)
    raises("set: value must be a whole number, at most 2^53 from 0, not", counter.set, counter,
      0 / 0)
    raises("compare_and_set: value must be", counter.compare_and_set, counter, 0, 2 ^ 54)
    assert.equal(0, counter:get())
  end)
end)
