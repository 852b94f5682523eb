--- Whose children are: they end with the green thread that started them, and with the
-- program. Private to green.process.
--
-- A record stands with the thread (green.thread.exits), and in a set for the end of the
-- program. It goes when somebody has seen the child's end; those that nobody looks at go
-- by and by, as new ones come.
-- @module green.process.owned

local core = require "green.core"
local ending = require "green.ending"
local exits = require "green.thread.exits"

local api = require "green.ffi.child"
local signal_api = require "green.ffi.signal"
local ffi = require "ffi"

-- Scripts may put their own in their places.
local min, pairs, next = math.min, pairs, next

local RUNNING = ffi.C.GREEN_CHILD_RUNNING
local QUEUE = core.QUEUE
local TERM = signal_api.number("TERM")
local LAST_GRACE = 3 -- of the program's end, which has a few seconds for all

local M = {}

local records, count, sweep_at = {}, 0, 64 -- record -> true
local at_exit -- the handle, while there are any

--- Forget a child: its end has been seen, or it is on its own. Idempotent.
function M.release(record)
  if not records[record] then
    return
  end
  records[record] = nil
  count = count - 1
  exits.release(record)
  if count == 0 and at_exit then
    at_exit:cancel()
    at_exit = nil
  end
end

local function is_running(record)
  return api.state(record.c) == RUNNING
end

local function stop(record, grace)
  return api.stop(record.c, TERM, grace, record.group and 1 or 0)
end

--- The thread has ended. C looks after the rest, and has a hold on the child until that has
-- ended. The record stays for the end of the program, which may be near.
local function leave(record)
  if is_running(record) then
    stop(record, record.grace)
  else
    M.release(record)
  end
end

--- The program ends: so do they. Parks.
local function end_all()
  local all = {}
  for record in pairs(records) do
    if is_running(record) then
      all[record] = true
      stop(record, min(record.grace, LAST_GRACE))
    end
  end
  for record in pairs(all) do
    if is_running(record) then
      core.park(api.waiters(record.c), nil, QUEUE)
    end
  end
end

M._end_all = end_all

local function sweep()
  for record in pairs(records) do
    if not is_running(record) then
      M.release(record)
    end
  end
  sweep_at = 2 * count + 64
end

--- From now on the child ends with the running thread. What can fail does so before the
-- child is started.
-- @param c the child in C
-- @tparam number grace seconds from TERM to KILL
-- @tparam boolean group does it lead one that is to end with it?
function M.add(c, grace, group)
  if count >= sweep_at then
    sweep()
  end
  local record = { _exit = leave, c = c, grace = grace, group = group }
  exits.hold(record)
  records[record] = true
  count = count + 1
  at_exit = at_exit or ending.at_exit(end_all)
  return record
end

--- In a child of a fork: they are the parent's.
function M.forget()
  records, count, at_exit = {}, 0, nil
end

function M.is_any()
  return next(records) ~= nil
end

return M
