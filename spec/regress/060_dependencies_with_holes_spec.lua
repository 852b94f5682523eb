-- A list of keys with a hole in it was read up to the hole: a call of a DAGPool ran
-- without the inputs that stood behind, and what it made of that was its result. A NaN
-- among them was an error in the library's own line.

local green = require "green"

local _, it = require("green.testing").busted()

local function message(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  assert.matches("^[^:]*060[^:]*:%d+: ", err)
  return err
end

describe("a list of a DAGPool's keys", function()
  local pool
  local nothing = function() end

  before_each(function()
    pool = green.DAGPool { a = 1 }
  end)

  it("has no holes", function()
    local holes = "without holes, but it has nil at 1"
    assert.matches("DAGPool:spawn: depends must be a list " .. holes, message(function()
      pool:spawn("b", { nil, "a" }, nothing)
    end))
    assert.matches(holes, message(function()
      pool:spawn_many({ b = { "a" }, c = { nil, "a" } }, nothing)
    end))
    for _, method in ipairs { "wait", "wait_each", "wait_each_success", "wait_each_exception" } do
      assert.matches("^[^ ]+ " .. method .. ": keys must be a list " .. holes, message(function()
        pool[method](pool, { nil, "a" })
      end))
    end
    assert.equals(0, pool:running())
  end)

  it("is a list, and not a set", function()
    assert.matches('it has the key "a"', message(function()
      pool:spawn("b", { a = true }, nothing)
    end))
  end)

  it("has no NaN", function()
    assert.matches("DAGPool:spawn: key must not be nan", message(function()
      pool:spawn("b", { 0 / 0 }, nothing)
    end))
    assert.matches("wait: key must not be nan", message(function()
      pool:wait { 0 / 0 }
    end))
  end)
end)
