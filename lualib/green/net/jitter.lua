--- Random parts of a wait. LuaJIT's math.random gives every program the same numbers, and
-- those who failed together would come back together.
-- @module green.net.jitter

local digest = require "green.digest"

-- Scripts may put their own in their places.
local byte, random = string.byte, math.random

local M = {}

--- A number of at least 0 and below 1. Does not park.
-- @treturn number
function M.fraction()
  local bytes = digest.random(4)
  if not bytes then
    return random()
  end
  local a, b, c, d = byte(bytes, 1, 4)
  return (((a * 256 + b) * 256 + c) * 256 + d) / 2 ^ 32
end

return M
