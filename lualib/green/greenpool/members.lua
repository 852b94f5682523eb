--- The members of a GreenPool: who has a slot, who waits for one. Private to
-- green.greenpool.
--
-- A member leaves at its end, however it ends.
-- @module green.greenpool.members

local core = require "green.core"
local exits = require "green.thread.exits"
local thread = require "green.thread"

local M = {}

--- The fields of a pool; finish_init makes its queues.
function M.init(size)
  return {
    _size = size,
    _running = 0, -- slots taken, or handed to a spawner that was woken
    _mapping = 0, -- members without a slot: those of imap
    _entries = {}, -- green thread -> its entry
    _slots = false, -- spawners
    _idle = core.waitq(), -- in waitall
  }
end

--- With its metatable, a pool can be given back what was handed over in vain.
function M.finish_init(pool)
  pool._slots = core.waitq(pool)
  return pool
end

local function free_slot(pool)
  if pool._running > pool._size or not core.wake(pool._slots) then
    pool._running = pool._running - 1
  end
end

local function tell_idle(pool)
  if pool._running == 0 and pool._mapping == 0 then
    core.wake_all(pool._idle)
  end
end

--- A slot that was handed to a spawner who has ended: the next one gets it.
function M.lost(pool)
  free_slot(pool)
  tell_idle(pool)
end

--- A member has ended. A call whose result nobody has kept failed.
local function leave(entry, t)
  local pool = entry.pool
  pool._entries[t] = nil
  if entry.abandoned then
    entry:abandoned(t)
  end
  if entry.has_slot then
    free_slot(pool)
  else
    pool._mapping = pool._mapping - 1
  end
  tell_idle(pool)
end

--- Give back a slot that was entered in vain, and raise why.
function M.refuse(pool, has_slot, err)
  if has_slot then
    M.lost(pool)
  end
  error(err, 0)
end

local function new_slot(pool)
  return { _exit = leave, pool = pool, has_slot = true, abandoned = nil }
end

--- An entry for a member with a slot, which is entered already; cells (results.lua)
-- are entries, too.
function M.slot(pool)
  local ok, entry = pcall(new_slot, pool)
  if not ok then
    M.refuse(pool, true, entry)
  end
  return entry
end
M.leave = leave

--- Is the running green thread a member?
function M.is_member(pool)
  return pool._entries[core.current()] ~= nil
end

--- Take a slot. false: the pool is full and the caller a member, who must not
-- wait for himself. Parks.
function M.enter(pool)
  thread.checkpoint()
  if pool._running < pool._size then
    pool._running = pool._running + 1
    return true
  elseif M.is_member(pool) then
    return false
  end
  local status = core.park(pool._slots)
  if status ~= 0 then
    thread.failed(status, "spawn")
  end
  return true
end

local function join(pool, t, entry)
  pool._entries[t] = entry
  exits.attach(t, entry)
end

-- core.make, pcall, start, the method, and who called that.
local LEVEL_OF_CALLER = 4

--- Start fn(...) as a member, whose place is taken already if it has a slot. Does
-- not park.
function M.start(entry, fn, ...)
  local pool = entry.pool
  local ok, t = pcall(core.make, LEVEL_OF_CALLER, false, fn, ...)
  if not ok then
    M.refuse(pool, entry.has_slot, t)
  end
  local err
  ok, err = pcall(join, pool, t, entry)
  if not ok then -- no memory
    pool._entries[t] = nil
    core.drop(t)
    M.refuse(pool, entry.has_slot, err)
  end
  if not entry.has_slot then
    pool._mapping = pool._mapping + 1
  end
  core.start(t)
  return t
end

--- Change the size.
function M.resize(pool, size)
  pool._size = size
  while pool._running < size and core.wake(pool._slots) do
    pool._running = pool._running + 1
  end
end

return M
