-- Threads that are abandoned in the middle of something: what the specs about them
-- share.

local core = require "green.core"
local green = require "green"
local testing = require "green.testing"

local M = {}

function M.nothing() end

--- Goes on whatever is raised in it.
function M.stubborn()
  while true do
    pcall(green.sleep, 1)
  end
end

--- Two ways to be abandoned.
M.ways = {
  ["force_after"] = function(t)
    t:kill { force_after = 0.001 }
    green.sleep(0.005)
  end,
  ["core.drop"] = function(t)
    core.drop(t)
    testing.settle()
  end,
}

--- The errors of abandoned threads are no matter here.
function M.quietly(fn)
  local old = green.on_error(M.nothing)
  local ok, err = pcall(fn)
  green.on_error(old)
  if not ok then
    error(err, 0)
  end
end

return M
