--- How streams wait: deadlines, and one reader and one writer at a time.
--
-- Private to green.stream and its users.
-- @module green.stream.gate

local core = require "green.core"
local args = require "green.args"
local errors = require "green.error"
local exits = require "green.thread.exits"
local options = require "green.args.options"
local thread = require "green.thread"

local current, now, wake, waiter = core.current, core.now, core.wake, core.waiter
local failed, label = thread.failed, thread.label
local EAGAIN, ECANCELED = core.codes.EAGAIN, core.codes.ECANCELED
local EDEADLOCK, ETIMEDOUT = core.codes.EDEADLOCK, core.codes.ETIMEDOUT

local READ, WRITE, WATCH = core.READ, core.WRITE, core.WATCH -- modes of core.park

local M = { READ = READ, WRITE = WRITE, WATCH = WATCH }

-- -- Deadlines ----------------------------------------------------------------

--- When a call that begins now must be over: absolute seconds, nil: never,
-- 0: at once (at most a turn). A call asks when it first has to wait: one that need not never
-- reads the clock.
-- @tparam table self a stream
-- @tparam ?table opts the call's options
function M.deadline(self, opts)
  local seconds = self._timeout
  if opts and opts.timeout ~= nil then
    seconds = opts.timeout
  end
  if not seconds then
    return nil
  end
  return seconds > 0 and now() + seconds or 0
end

--- Check the options of one call. `timeout` is known to all.
function M.check(opts, known, where)
  options.check(opts, known, where)
  if opts.timeout ~= nil then
    args.timeout(opts.timeout, where)
  end
end

-- -- One at a time ------------------------------------------------------------

--- Does another green thread wait in that role (`_reader`, `_writer`)? One that
-- was abandoned there could not say that it left.
function M.is_held(self, role)
  local holder = self[role]
  if holder == current() or core.is_dead(holder) then
    self[role] = false
    return false
  end
  return true
end

--- The error of a primitive that gave that status. A stream that knows more of it says so
-- by `_why(status)`: a sentence and a table of fields, or nothing.
-- @tparam ?table fields of the error
function M.failure(self, status, op, fields)
  local text, more
  if self._why then
    text, more = self:_why(status)
  end
  for name, value in pairs(more or {}) do
    fields = fields or {}
    fields[name] = value
  end
  return nil, errors.new(status, op, text, fields)
end

local queueing = false

--- For debugging: let further readers of a stream wait for their turn instead of
-- giving them EBUSY. Returns the former setting. Does not park.
-- @tparam boolean on
function M.allow_multiple_readers(on)
  local old = queueing
  queueing = not not on
  return old
end

local function busy(self, role, op)
  return nil, errors.new("EBUSY", op, ("two green threads %s at once: %s and %s"):format(
    role == "_reader" and "read" or "write", label(self[role]), label(current())))
end

--- Give the stream to the first in line, if there is a line.
local function hand_on(self)
  local first = self._readers and self._readers[1]
  self._reader = first and first.thread or false
  if first then
    wake(first.queue)
  end
end

local function leave_line(self, me)
  local line = self._readers or {}
  for i, one in ipairs(line) do
    if one == me then
      table.remove(line, i)
    end
  end
  if #line == 0 then
    self._readers = nil
  end
end

local function stand_in_line(self, me)
  while self._reader and M.is_held(self, "_reader") do
    local status = core.park(me.queue)
    if status ~= 0 then
      failed(status)
    end
  end
end

--- A reader has ended in the line, or in its turn.
local function leave_for_good(me)
  leave_line(me.stream, me)
  if me.stream._reader == me.thread then
    hand_on(me.stream)
  end
end

--- The reader that the line stands behind has ended without a word.
local function holder_ends(watch, holder)
  if watch.stream._reader == holder then
    hand_on(watch.stream)
  end
end

local function pass_on(self, me, ok, ...)
  exits.release(me)
  if not self._reader or self._reader == me.thread then
    hand_on(self)
  end
  if ok then
    return ...
  end
  error((...), 0)
end

--- Stand in line behind the reader, then run the method.
local function queued_read(self, method, ...)
  local me = { thread = waiter(), queue = core.waitq(), stream = self, _exit = leave_for_good }
  exits.hold(me)
  self._readers = self._readers or {}
  table.insert(self._readers, me)
  local watch = { stream = self, _exit = holder_ends }
  exits.attach(self._reader, watch)
  local ok, err = pcall(stand_in_line, self, me)
  exits.release(watch)
  leave_line(self, me)
  if not ok then
    return pass_on(self, me, false, err)
  end
  return pass_on(self, me, xpcall(method, thread.note_traceback, self, ...))
end

--- A second reader: nil, EBUSY; or what method(self, ...) returns in its turn.
function M.second_reader(self, op, method, ...)
  if queueing then
    return queued_read(self, method, ...)
  end
  return busy(self, "_reader", op)
end

--- A second writer: nil, EBUSY.
function M.second_writer(self, op)
  return busy(self, "_writer", op)
end

-- -- Waiting ------------------------------------------------------------------

local function woken(self, status)
  if self._readers then
    hand_on(self)
  end
  if status == ECANCELED or status == EDEADLOCK then
    failed(status)
  end
  return status
end

--- Look once whether there is something to read: a socket that was read empty is
-- not asked again before the loop has polled it. 0, EAGAIN, ... Parks for a turn.
local function look(self)
  local status = self:_wait(READ, now())
  return status == ETIMEDOUT and EAGAIN or status
end

--- Wait until there may be something to read. 0 or a negative status; raises
-- what cancels the thread. Parks.
-- @param deadline as M.deadline made it
function M.read(self, deadline)
  self._reader = waiter() -- raises, and holds nothing, where nobody can wait
  local status = deadline == 0 and look(self) or self:_wait(READ, deadline)
  self._reader = false
  if status == 0 and not self._readers then
    return 0
  end
  return woken(self, status)
end

--- The same for writing.
function M.write(self, deadline)
  if deadline == 0 then
    return EAGAIN
  end
  self._writer = waiter()
  local status = self:_wait(WRITE, deadline)
  self._writer = false
  if status == ECANCELED or status == EDEADLOCK then
    failed(status)
  end
  return status
end

return M
