-- LuaJIT's compiled code keeps the functions that it was made of, and all that these refer to:
-- the first two that a `function ... end` makes, for later ones it is made of what they share.
-- The leak checks took for a leak what only the compiled code of a test still had.

local socket = require "green.socket"
local testing = require "green.testing"

--- Have code compiled that has this function in it.
local function run_hot(fn)
  local n = 0
  for _ = 1, 1000 do n = n + (fn() and 1 or 0) end
  return n
end

describe("compiled code", function()
  it("is no leak for what it keeps", function()
    testing.assert_no_leaks(function()
      local a, b = socket.pair()
      run_hot(function() return a ~= b end)
    end)
  end)

  it("hides no leak", function()
    local kept
    local ok, err = pcall(testing.assert_no_leaks, function()
      local a, b = socket.pair()
      kept = function() return a ~= b end
      run_hot(kept)
    end)
    assert.is_false(ok)
    assert.matches("left behind:%s+2 more registered descriptors", err)
    kept = nil -- luacheck: ignore
  end)
end)
