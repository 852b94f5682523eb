-- Errors are objects of the script's, and their __tostring may raise. One that ended a
-- DAGPool's call left it without a result: who depended on it waited for ever. One that
-- ended a green thread which nobody waited for went past testing.virtual.

local green = require "green"
local testing = require "green.testing"

local it = it -- busted's own: testing.virtual is what is tested

local hostile = setmetatable({}, { __tostring = function() error("no text") end })

describe("an error that has no text", function()
  it("is the result of the DAGPool's call that it ended", function()
    local pool = green.DAGPool()
    pool:spawn("a", nil, function() error(hostile) end)
    pool:spawn("b", { "a" }, function(_, inputs)
      return inputs()
    end)
    for _, key in ipairs { "a", "b" } do
      local ok, err = pcall(pool.wait_for, pool, key, 1)
      assert.is_false(ok)
      assert.is_true(green.is_error(err, "EPROPAGATED"))
    end
    local _, err = pcall(pool.wait_for, pool, "a")
    assert.matches('"a" failed: %(error object is not a string%)', tostring(err))
    assert.equals(hostile, err.cause)
  end)

  it("is told by testing.virtual when nobody waits for its green thread", function()
    local ok, err = pcall(testing.virtual, function()
      green.spawn(function() error(hostile) end)
      green.sleep(1)
    end)
    assert.is_false(ok)
    assert.matches("errors that nobody waited for:\n[^\n]*%(error object is not a string%)", err)
  end)
end)
