--- Jobs of native threads at the end of the program. Private to green.tpool.
--
-- A native thread in the middle of something may meet a library that has ended already. So
-- what runs is told to stop, and has a moment for it.
-- @module green.tpool.ends

local core = require "green.core"
local ending = require "green.ending"
local job = require "green.tpool.job"
local thread = require "green.thread"

local pairs, pcall, setmetatable = pairs, pcall, setmetatable -- scripts may put their own there

local M = {}

local SECONDS, STEP = 0.5, 0.01

local roots = setmetatable({}, { __mode = "k" }) -- pool -> what lets it work in place
local is_watched

--- Their callers wait on: the program ends around them. How many run.
local function stop_all()
  local n = 0
  for root in pairs(roots) do
    for call in job.active(root) do
      n = n + (core.call_stop(call, true) and 1 or 0)
    end
  end
  return n
end

--- The same where nobody can wait: the end of a plain luajit's state. This thread stands still
-- meanwhile.
local function end_in_place()
  for _ = 1, SECONDS / STEP do
    if stop_all() == 0 then
      return
    end
    for root, stand_still in pairs(roots) do
      if job.active(root)() then
        stand_still(root, STEP)
      end
    end
  end
end

local function end_all()
  if not pcall(core.waiter) then
    end_in_place()
    return
  end
  local due = core.now() + SECONDS
  while core.now() < due and stop_all() > 0 do
    thread.sleep(STEP)
  end
end

--- Look after a pool's jobs, until it is collected. Does not park.
-- @tparam function stand_still stand_still(root, seconds) lets them go on in place
function M.watch(root, stand_still)
  roots[root] = stand_still
  if not is_watched then
    is_watched = ending.at_exit(end_all)
  end
end

return M
