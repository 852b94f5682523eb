--- What a piece of code left behind: green threads, deadlines, descriptors.
-- Private to green.testing.
-- @module green.testing.leaks

local core = require "green.core"
local check = require "green.check"
local ffi = require "ffi"
local thread = require "green.thread"

local SETTLE_TURNS = 10000

local M = {}

--- Let every other green thread run until it waits for something. Time stands
-- still on a virtual clock. Raises when they do not come to rest. Parks.
function M.settle()
  local quiet = 0
  for _ = 1, SETTLE_TURNS do
    thread.sleep(0)
    quiet = core.stats().ready == 0 and quiet + 1 or 0
    if quiet == 2 then
      return
    end
  end
  check.misuse("settle: green threads still run after %d turns", SETTLE_TURNS)
end

ffi.cdef [[
void *green_testing_opendir(const char *) __asm__("opendir");
void *green_testing_readdir(void *) __asm__("readdir");
int green_testing_closedir(void *) __asm__("closedir");
]]
local C = ffi.C

--- How many descriptors the process has open.
local function open_fds()
  local dir = C.green_testing_opendir("/proc/self/fd")
  if dir == nil then
    return 0
  end
  local n = -3 -- ".", ".." and the folder's own
  while C.green_testing_readdir(dir) ~= nil do
    n = n + 1
  end
  C.green_testing_closedir(dir)
  return n
end

-- Twice: what a finalizer lets go is free after the second.
local function collect()
  collectgarbage()
  collectgarbage()
end

--- What there is now, to compare with later.
function M.snapshot()
  collect()
  local now = core.stats()
  now.alive = {}
  for _, t in ipairs(core.threads()) do
    now.alive[t] = true
  end
  now.open = open_fds()
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
  collect()
  local now = core.stats()
  now.open = open_fds()
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
    pcall(M.settle)
  end
  for _, t in ipairs(left) do
    core.drop(t)
  end
end

--- nil, or the text of what was left behind since a snapshot; green threads among
-- it are ended. Parks.
function M.report(before)
  local settled, why = pcall(M.settle)
  collect()
  if settled then
    settled, why = pcall(M.settle) -- what finalizers have set going
  end
  local found = leaks_since(before)
  if not settled then
    table.insert(found, 1, tostring(why))
  end
  end_new_threads(before)
  if #found > 0 then
    return "left behind:\n  " .. table.concat(found, "\n  ")
  end
end

M.open_fds = open_fds

return M
