--- What is said of threads: their labels, tracebacks, and errors nobody heard.
-- @module green.thread.report

local core = require "green.core"
local errors = require "green.error"

local core_data, core_peek = core.data, core.peek

local M = {}

--- One line for a thread: name or address, state (default: its own), spawn site
-- if there is one: main was not spawned.
local function label(thread, state)
  local data = core_peek(thread)
  local name = data and data.name or ("%p"):format(thread)
  if thread == core.main() then
    name = data and data.name or "main"
  end
  local site = core.site(thread)
  local spawned = site == "?" and "" or ", spawned at " .. site
  return ("%s (%s%s)"):format(name, state or core.state(thread), spawned)
end
M.label = label

local function is_cancel(err)
  return type(err) == "table" and (err.is_timeout or err.code == "ECANCELED")
end

--- For xpcall: rethrowing an error loses its place, so keep the traceback with
-- the thread until the error ends it. Cancels are not worth one.
-- @param err returned as it is
-- @tparam[opt] thread co the coroutine that failed; default: the running one
function M.note_traceback(err, co)
  local known, cancels = pcall(is_cancel, err) -- a handler's object may refuse
  if known and cancels then
    return err
  end
  local data = core_data(core.current())
  if not (data.inner and rawequal(data.inner.error, err)) then
    local trace = type(co) == "thread" and debug.traceback(co, "") or debug.traceback("", 2)
    data.inner = { error = err, traceback = trace:gsub("^\n", "") }
  end
  return err
end

--- The traceback that the running thread noted for that error, or nil.
function M.traceback_of(err)
  local data = core_peek(core.current())
  local inner = data and data.inner
  return inner and rawequal(inner.error, err) and inner.traceback or nil
end

local function own_traceback(data)
  if data.inner and rawequal(data.inner.error, data.error) then
    return data.inner.traceback
  end
  return data.traceback or ""
end

--- Text for the error that ended a thread: message, traceback, and where it was
-- raised if another thread died of it first.
function M.describe(thread)
  local data = core_data(thread)
  local lines = { tostring(data.error) .. "\n" .. own_traceback(data) }
  local cause = data.cause
  while cause and rawequal(cause.error, data.error) do
    local from = core_data(cause.thread)
    lines[#lines + 1] = ("raised in green thread %s, spawned at %s\n%s"):format(
      from.name or ("%p"):format(cause.thread), core.site(cause.thread), own_traceback(from))
    cause = from.cause
  end
  return table.concat(lines, "\n")
end

local function default_on_error(err, thread, trace)
  local text = tostring(err)
  if trace and trace:sub(1, #text) == text then
    text = trace
  elseif trace then
    text = text .. "\n" .. trace
  end
  io.stderr:write(("greenlua: unhandled error in green thread %s:\n%s\n"):format(
    label(thread), text))
end

local on_error = default_on_error

--- Set who is told of errors that nobody waits for; returns the former one.
-- @tparam ?function fn fn(err, thread, traceback), runs in a green thread of
-- its own; nil: back to a line on stderr
function M.on_error(fn)
  local old = on_error
  on_error = fn or default_on_error
  return old
end

function M.report(err, thread, trace)
  core.expose(thread)
  local ok, again = pcall(on_error, err, thread, trace)
  if not ok then
    default_on_error(again, thread, "(raised by the on_error function)")
  end
end

function M.deadlock_error()
  local lines = {}
  for _, thread in ipairs(core.threads()) do
    lines[#lines + 1] = "\n  " .. label(thread, "parked")
  end
  return errors.new("EDEADLOCK", nil, "deadlock: every green thread is parked for ever"
    .. table.concat(lines))
end

return M
