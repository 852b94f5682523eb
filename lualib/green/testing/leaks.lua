--- What a piece of code left behind: green threads, deadlines, descriptors.
-- Private to green.testing.
-- @module green.testing.leaks

local core = require "green.core"
local settle = require "green.testing.settle"
local stdio = require "green.stdio"
local thread = require "green.thread"

local flush_traces = jit.flush -- scripts may put their own there

local M = {}

-- Twice: what a finalizer lets go is free after the second.
local function collect()
  collectgarbage()
  collectgarbage()
end

--- What there is now; what stdio has opened for itself is nobody's leak.
local function count()
  collect()
  local now = core.stats()
  local fds, waits = stdio.held()
  now.fds = now.fds - fds
  now.waits = now.waits - waits
  now.open = #settle.descriptors() - fds
  return now
end

--- What there is now, to compare with later.
function M.snapshot()
  local now = count()
  now.alive = {}
  for _, t in ipairs(core.threads()) do
    now.alive[t] = true
  end
  return now
end

local function new_threads(before)
  local found = {}
  for _, t in ipairs(core.threads()) do
    if not before.alive[t] then
      found[#found + 1] = t
    end
  end
  return found
end

local counted = {
  { "timers", "deadline" },
  { "waits", "wait for a descriptor" },
  { "fds", "registered descriptor" },
  { "open", "open descriptor" },
}

--- One line for each kind of leak.
local function leaks_since(before)
  local found = {}
  for _, t in ipairs(new_threads(before)) do
    found[#found + 1] = "green thread " .. thread.label(t)
  end
  local now = count()
  for _, kind in ipairs(counted) do
    local more = now[kind[1]] - before[kind[1]]
    if more > 0 then
      found[#found + 1] = ("%d more %s%s"):format(more, kind[2], more == 1 and "" or "s")
    end
  end
  return found
end

--- End what a body left behind, so that the next one starts clean.
local function end_new_threads(before)
  local left = new_threads(before)
  for _, t in ipairs(left) do
    t:kill_soon()
  end
  if #left > 0 then
    pcall(settle.settle)
  end
  for _, t in ipairs(left) do
    core.drop(t)
  end
end

--- A list of what there is more than at a snapshot, when all has come to rest. Parks.
local function look(before)
  local settled, why = pcall(settle.settle)
  collect()
  if settled then
    settled, why = pcall(settle.settle) -- what finalizers have set going
  end
  local found = leaks_since(before)
  if not settled then
    table.insert(found, 1, tostring(why))
  end
  return found
end

--- nil, or the text of what was left behind since a snapshot; green threads among
-- it are ended. Parks.
function M.report(before)
  local found = look(before)
  if #found > 0 then
    -- Compiled code keeps the functions that it was made of, and all that they refer to: who
    -- has dropped a connection has left nothing behind, though one of these still has it.
    pcall(flush_traces) -- not in a finalizer
    found = look(before)
  end
  end_new_threads(before)
  if #found > 0 then
    return "left behind:\n  " .. table.concat(found, "\n  ")
  end
end

return M
