--- What a green thread holds, and what is given back at its end, however it ends:
-- it returned, raised, was killed, was killed before it ran, or was abandoned.
--
-- A record is a table with a method `_exit(record, thread)`. That runs at once when
-- the thread has ended, before whoever waits for it, and must not park. Records of
-- one thread run newest first. Fields that begin with `_exit` are ours.
-- @module green.thread.exits

local core = require "green.core"
local report = require "green.thread.report"

-- Scripts may put their own in their places.
local error, pcall = error, pcall

local M = {}

local heads = {} -- thread -> the record that was added last

--- What can fail makes room only: nothing leads to the record then. Most are alone, and have
-- one field of ours.
local function add(thread, record)
  local older = heads[thread]
  record._exit_thread = false
  if older then
    record._exit_older = older
    older._exit_newer = older._exit_newer or false
  end
  heads[thread] = record
  record._exit_thread = thread
  if older then
    older._exit_newer = record
  end
end

--- Add a record to a thread that has not ended. It stays until the thread's end.
-- @tparam[opt] boolean is_heard the record looks at the error that ends the thread,
-- which is not reported then
function M.attach(thread, record, is_heard)
  core.set_exits(thread, false, is_heard)
  add(thread, record)
end

--- A green thread that has not started, with a record: core.make and attach, or
-- nothing. level counts from the caller.
function M.make(level, record, is_heard, fn, ...)
  local t = core.make(level + 1, false, fn, ...)
  local ok, err = pcall(M.attach, t, record, is_heard)
  if not ok then -- no memory
    core.drop(t)
    error(err, 0)
  end
  return t
end

--- Add a record to a thread (the running one): for what it is doing, until
-- M.release. It ends, too, when the thread is used again for something else
-- (M.unwind).
-- @return the thread
function M.hold(record, thread)
  thread = thread or core.current()
  core.set_exits(thread, true)
  add(thread, record)
  return thread
end

--- The thread that a record is with; nil: none, it has ended.
function M.thread_of(record)
  return record._exit_thread or nil
end

--- Take a record back, if it is there: it does not run. Returns whether it was there.
function M.release(record)
  local thread, older, newer = record._exit_thread, record._exit_older, record._exit_newer
  if not thread then
    return false
  end
  record._exit_thread = nil
  if newer ~= nil then
    record._exit_newer = nil -- only what is there: nil, too, takes room that there may not be
  end
  if older then
    record._exit_older, older._exit_newer = nil, newer
  end
  if newer then
    newer._exit_older = older
  else
    heads[thread] = older
  end
  return true
end

local function tell(err, thread)
  report.report(err, thread, "(raised when it gave back what it held)")
end

local function run(record, thread)
  M.release(record)
  local ok, err = pcall(record._exit, record, thread)
  if not ok then
    pcall(core.spawn_n, tell, err, core.expose(thread)) -- now: it may be used again soon
  end
end

--- Give back what a thread holds that was added after a record; nil: all.
function M.unwind(thread, last)
  local record = heads[thread]
  while record and record ~= last do
    run(record, thread)
    record = heads[thread]
  end
end

return M
