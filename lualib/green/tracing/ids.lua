--- Ids of traces and spans: random, of the kernel.
-- @module green.tracing.ids

local core = require "green.core"
local digest = require "green.digest"

-- Scripts may put their own in their places.
local error, tonumber, tostring = error, tonumber, tostring
local find, sub = string.find, string.sub

local POOL = 2048 -- bytes that are fetched at once

local M = {}

local pool, at, pid = "", 1, 0

--- So many hexadecimal digits. A child of a fork has others than its parent.
local function digits(n)
  local me = core.getpid()
  if at + n > #pool + 1 or pid ~= me then
    local bytes, err = digest.random(POOL)
    if not bytes then
      error("tracing: " .. tostring(err), 0)
    end
    pool, at, pid = digest.hex(bytes), 1, me
  end
  at = at + n
  return sub(pool, at - n, at - 1)
end

local function some(n)
  local id
  repeat
    id = digits(n)
  until find(id, "[^0]")
  return id
end

function M.trace() return some(32) end

function M.span() return some(16) end

--- true for that part of all calls (0 to 1).
function M.chance(part)
  return part >= 1 or part > 0 and tonumber(digits(8), 16) < part * 2 ^ 32
end

return M
