--- testing.settle and its like: let the other green threads run until nothing happens any
-- more. Private to green.testing.
-- @module green.testing.settle

local core = require "green.core"
local args = require "green.args"
local clock = require "green.ffi.clock"
local ffi = require "ffi"
local files = require "green.ffi.file"
local thread = require "green.thread"

local SETTLE_TURNS = 10000
local QUIET_TURNS = 3 -- in a row, until nothing moves any more

local M = {}

-- Seconds of the real clock, for settle_io; only a failing spec waits so long.
M.patience = 20

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
  args.misuse("settle: green threads still run after %d turns", SETTLE_TURNS)
end

-- -- The system ---------------------------------------------------------------

local MOST = 65536 -- descriptors looked at

--- The numbers of all open descriptors.
function M.descriptors()
  local list, found = ffi.new("int[?]", MOST), {}
  for i = 1, math.min(files.descriptors(list, MOST), MOST) do
    found[i] = list[i - 1]
  end
  return found
end

local function is_under_way()
  for _, fd in ipairs(M.descriptors()) do
    if files.is_sending(fd) then
      return true
    end
  end
  return false
end

--- Seconds of a clock that nobody sets and no spec replaces.
function M.seconds()
  return tonumber(clock.now()) / 1e9
end

-- -- Settling with the system -------------------------------------------------

--- Take a turn. Returns whether anything moved. Where nothing did, the processor
-- is left to others for a moment: to the system, native threads, children.
local function turn()
  thread.sleep(0)
  if core.stats().ready > 0 then
    return true
  end
  clock.rest(1000000)
  return is_under_way()
end

local function rest()
  local due, quiet = M.seconds() + M.patience, 0
  while quiet < QUIET_TURNS do
    quiet = turn() and 0 or quiet + 1
    if M.seconds() > due then
      args.misuse("settle_io: no rest in %d s", M.patience)
    end
  end
end

local function wait_for(is_done)
  local due = M.seconds() + M.patience
  local value = is_done()
  while not value do
    turn()
    value = is_done()
    if not value and M.seconds() > due then
      args.misuse("settle_io: what was waited for did not happen in %d s", M.patience)
    end
  end
  return value
end

--- Let other green threads run, and what they have sent arrive, until all wait
-- and nothing is under way between sockets of this process; or, for what native
-- threads, other processes and deadlines do, until is_done() gives something.
-- Turns and readiness decide, not time: a busy machine takes longer, and the
-- outcome is the same. Raises when it takes more than 20 s. Parks.
-- @tparam[opt] function is_done called between turns; must not park
-- @return what is_done gave
function M.settle_io(is_done)
  if is_done == nil then
    return rest()
  end
  args.callable(is_done, "settle_io", "is_done")
  return wait_for(is_done)
end

return M
