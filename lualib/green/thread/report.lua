--- Texts about green threads, for reports: labels, tracebacks, errors that nobody waited for.
-- @module green.thread.report

local core = require "green.core"
local args = require "green.args"
local errors = require "green.error"

local core_data, core_peek = core.data, core.peek

-- What is said at an error must be said whatever the script has made of Lua's own.
local pcall, rawequal, require, tostring, type = pcall, rawequal, require, tostring, type
local concat, format = table.concat, string.format
local find, gsub, sub = string.find, string.gsub, string.sub
local traceback = debug.traceback

local M = {}

--- LuaJIT's text for whatever a handler raised, which is lost: nothing else is left to
-- know it by.
local IN_HANDLER = "error in error handling"
local WHY = "\n(the message handler of an xpcall raised an error itself; one that waits does)"

--- Any error as a text: its own may raise, wait, or give no string.
local function text_of(err)
  if err == IN_HANDLER then
    return err .. WHY
  end
  local ok, text = pcall(tostring, err)
  if ok and type(text) == "string" then
    return text
  end
  return "(error object is not a string)"
end
M.text_of = text_of

--- The text of an error, with what a name in it may have meant that was nil: Lua's own
-- errors are texts, and have that name nowhere else.
local function hinted(err)
  local text = text_of(err)
  if type(err) ~= "string" or not find(err, "(a nil value)", 1, true) then
    return text
  end
  local ok, hint = pcall(require, "green.thread.hint")
  local known, more
  if ok then
    known, more = pcall(hint, err)
  end
  return known and type(more) == "string" and text .. more or text
end
M.hinted = hinted

--- A text of the script's or a stranger's for a line of a report: no control bytes, C1's of
-- UTF-8 neither, on somebody's terminal.
function M.plain(text)
  return (gsub(gsub(text, "%c", "?"), "\194[\128-\159]", "?"))
end
local plain = M.plain

--- One line for a thread: name or address, state (default: its own), spawn site
-- if there is one: main was not spawned; and what more is said of it in the brackets.
local function label(thread, state, more)
  local data = core_peek(thread)
  local name = data and data.name or format("%p", thread)
  if thread == core.main() then
    name = data and data.name or "main"
  end
  local site = core.site(thread)
  local spawned = site == "?" and "" or ", spawned at " .. site
  return format("%s (%s%s%s)", plain(name), state or core.state(thread), spawned, more or "")
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
    local trace = type(co) == "thread" and traceback(co, "") or traceback("", 2)
    data.inner = { error = err, traceback = gsub(trace, "^\n", "") }
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
  local lines = { hinted(data.error) .. "\n" .. own_traceback(data) }
  local cause = data.cause
  while cause and rawequal(cause.error, data.error) do
    local from = core_data(cause.thread)
    lines[#lines + 1] = format("raised in green thread %s, spawned at %s\n%s",
      from.name or format("%p", cause.thread), core.site(cause.thread), own_traceback(from))
    cause = from.cause
  end
  return concat(lines, "\n")
end

local is_silent = false

--- Shall errors that nobody waits for go by without a line on stderr? What a script has set
-- by on_error hears of them in any case. Returns whether they did.
function M.set_silent(state)
  local was = is_silent
  is_silent = state
  return was
end

local function default_on_error(err, thread, trace)
  if is_silent then
    return
  end
  local text = text_of(err)
  if trace and sub(trace, 1, #text) == text then
    text = trace
  elseif trace then
    text = text .. "\n" .. trace
  end
  core.complain(format("greenlua: unhandled error in green thread %s:\n%s\n", label(thread), text))
end

local on_error = default_on_error

--- Set who is told of errors that nobody waits for; returns the former one.
-- @tparam ?function fn fn(err, thread, traceback), runs in a green thread of
-- its own; nil: back to a line on stderr
function M.on_error(fn)
  if fn ~= nil then
    args.callable(fn, "on_error", "fn")
  end
  local old = on_error
  on_error = fn or default_on_error
  return old
end

function M.report(err, thread, trace)
  core.expose(thread)
  local ok, again = pcall(on_error, err, thread, trace)
  if not ok then
    if on_error ~= default_on_error then
      default_on_error(err, thread, trace)
    end
    default_on_error(again, thread, "(raised by the on_error function)")
  end
end

--- ": get of green.Queue{...} for 3.2 s at app.lua:12", or "".
local function wait_of(thread)
  local ok, waits = pcall(require, "green.thread.waits")
  local known, text
  if ok then
    known, text = pcall(waits.text, thread)
  end
  return known and text and ": " .. text or ""
end

--- A line for each thread.
local function list()
  local lines, threads = {}, core.threads()
  for i = 1, #threads do
    lines[i] = "\n  " .. label(threads[i], "parked") .. wait_of(threads[i])
  end
  return concat(lines)
end

local last_list -- of a deadlock that main has not been told of yet

--- Keep the list of the threads as they stand now, for deadlock_error.
function M.note_deadlock()
  last_list = list()
end

function M.deadlock_error()
  local text = last_list or list()
  last_list = nil
  return errors.new("EDEADLOCK", nil, "deadlock: every green thread is parked for ever"
    .. text)
end

return M
