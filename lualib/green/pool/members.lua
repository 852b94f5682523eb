--- The members of a GreenPool: who has a slot, who waits for one. Private to
-- green.pool.
--
-- A member leaves at its end, in its own green thread. One that was killed before
-- it started never runs: while somebody waits for a member's end, a sweeper
-- follows each new member in the ready list and lets those go.
-- @module green.pool.members

local core = require "green.core"
local thread = require "green.thread"

local current, is_dead = core.current, core.is_dead

local SLOT = "slot" -- a member of its own; any other entry is a cell (results.lua)

local M = { SLOT = SLOT }

--- The fields of a pool.
function M.init(size)
  return {
    _size = size,
    _running = 0, -- slots taken, or handed to a spawner that was woken
    _mapping = 0, -- members without a slot: those of imap
    _entries = {}, -- green thread -> SLOT or a cell
    _unstarted = {}, -- green thread -> true: has not run yet
    _blocked = 0, -- green threads that wait for members to leave
    _sweeper = nil,
    _slots = core.waitq(), -- spawners
    _idle = core.waitq(), -- in waitall
  }
end

local function free_slot(pool)
  if pool._running > pool._size or not core.wake(pool._slots) then
    pool._running = pool._running - 1
  end
end

local function has_slot(entry)
  return entry == SLOT or entry.has_slot
end

local function leave(pool, t)
  local entry = pool._entries[t]
  pool._entries[t] = nil
  if has_slot(entry) then
    free_slot(pool)
  else
    pool._mapping = pool._mapping - 1
  end
  if pool._running == 0 and pool._mapping == 0 then
    core.wake_all(pool._idle)
  end
end

--- Let those go that were killed before they started. Does not park.
function M.sweep(pool)
  for t in pairs(pool._unstarted) do
    if is_dead(t) then
      pool._unstarted[t] = nil
      local entry = pool._entries[t]
      if entry ~= SLOT then
        entry:finish(false, core.data(t).error)
      end
      leave(pool, t)
    end
  end
end

local ensure_sweeper -- forward

local function sweeper(pool)
  M.sweep(pool)
  pool._sweeper = nil
  ensure_sweeper(pool)
end

function ensure_sweeper(pool)
  if pool._blocked > 0 and next(pool._unstarted) ~= nil
    and not (pool._sweeper and not is_dead(pool._sweeper)) then
    pool._sweeper = thread.spawn(sweeper, pool)
  end
end

--- Park in a queue that members wake. The status. Parks.
function M.stand(pool, queue, deadline)
  pool._blocked = pool._blocked + 1
  ensure_sweeper(pool)
  local ok, status = pcall(core.park, queue, deadline)
  pool._blocked = pool._blocked - 1
  if not ok then -- the wait was refused
    error(status, 0)
  end
  return status
end

--- Is the running green thread a member?
function M.is_member(pool)
  return pool._entries[current()] ~= nil
end

--- Take a slot. false: the pool is full and the caller a member, who must not
-- wait for himself. Parks.
function M.enter(pool)
  thread.checkpoint()
  if pool._running >= pool._size then
    M.sweep(pool)
  end
  if pool._running < pool._size then
    pool._running = pool._running + 1
    return true
  elseif M.is_member(pool) then
    return false
  end
  local status = M.stand(pool, pool._slots)
  if status ~= 0 then
    thread.failed(status, "spawn")
  end
  return true
end

--- Start a member that was made. Does not park.
function M.start(pool, t, entry)
  pool._entries[t] = entry
  pool._unstarted[t] = true
  if not has_slot(entry) then
    pool._mapping = pool._mapping + 1
  end
  ensure_sweeper(pool)
  core.start(t)
end

local function leave_with(pool, t, ok, ...)
  leave(pool, t)
  if ok then
    return ...
  end
  error((...), 0)
end

--- The body of a member with a green thread of its own.
function M.run(pool, fn, ...)
  local t = current()
  pool._unstarted[t] = nil
  return leave_with(pool, t, xpcall(fn, thread.note_traceback, ...))
end

--- The body of a member whose result goes to a cell.
function M.run_cell(pool, cell, fn, ...)
  local t = current()
  pool._unstarted[t] = nil
  cell:finish(xpcall(fn, thread.note_traceback, ...))
  leave(pool, t)
end

--- Change the size.
function M.resize(pool, size)
  pool._size = size
  while pool._running < size and core.wake(pool._slots) do
    pool._running = pool._running + 1
  end
end

return M
