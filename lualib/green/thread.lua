--- Green threads: what `green.spawn` returns, and how waits end.
--
-- The layer below (green.core) reports how a wait ended as a number; here that
-- becomes a return, an error object, or the raise of what cancels the thread.
-- @module green.thread

local core = require "green.core"
local errors = require "green.error"
local options = require "green.options"

local ffi = require "ffi"
require "green.ffi.turn"

local turn = ffi.cast("green_turn *", core.turn())
local core_check, core_data, core_peek = core.check, core.data, core.peek
local core_park, core_sleep, core_yield = core.park, core.sleep, core.yield
local ECANCELED, ETIMEDOUT = core.codes.ECANCELED, core.codes.ETIMEDOUT
local EDEADLOCK = core.codes.EDEADLOCK

local KILL, SCOPE, THROW = 1, 2, 3 -- enum green_raise
local RAISE_LIMIT = 100

local methods = {}
local mt = core.thread_mt
mt.__name = "green.thread"
mt.__index = methods

local M = { mt = mt, methods = methods, turn = turn }

local function is_thread(value)
  return type(value) == "userdata" and getmetatable(value) == mt
end

-- -- How waits end ------------------------------------------------------------

local function kill_error(thread)
  local data = core_data(thread)
  if not data.kill_error then
    data.kill_error = errors.new("ECANCELED", nil, nil, { thread = thread })
  end
  return data.kill_error
end

--- What the Timeout object with that scope raises, if it is one.
local function timeout_error(data, id)
  local timeout = data.timeouts
  while timeout and timeout.id ~= id do
    timeout = timeout.older
  end
  return timeout and timeout:raises()
end

--- The error object of a scope of the running thread; always the same one.
local function scope_error(thread, id)
  local data = core_data(thread)
  local raised = timeout_error(data, id)
  if raised then
    return raised
  end
  local scopes = data.scopes
  if not scopes then
    scopes = {}
    data.scopes = scopes
  end
  if not scopes[id] then
    scopes[id] = errors.new("ETIMEDOUT", nil, nil, { is_timeout = true })
  end
  return scopes[id]
end

local refusal -- why the wait that ends now could not be

--- For green.coro: the next raise is this text; the coroutine that waits gets
-- it at once.
function M.refuse(text)
  refusal = text
end

local function pending_error(thread)
  if refusal then
    local text = refusal
    refusal = nil
    return text, 1
  end
  local kind, id, count = core.raise()
  if kind == KILL then
    return kill_error(thread), count
  elseif kind == SCOPE then
    return scope_error(thread, id), count
  elseif kind == THROW then
    local data = core_data(thread)
    local err = data.thrown
    data.thrown = nil
    return err, 1
  end
  -- Another thread cancelled the Timeout between its expiry and this raise.
  local data = core_data(thread)
  local err = data.late or errors.new("ETIMEDOUT")
  data.late = nil
  return err, 1
end

--- Raise what cancels the running thread.
local function raise()
  local thread = core.current()
  local err, count = pending_error(thread)
  if count == RAISE_LIMIT then
    M.report(err, thread, "a thread keeps running after its cancellation was raised "
      .. RAISE_LIMIT .. " times")
  end
  error(err, 0)
end
M.raise = raise

--- Turn the status of a wait that did not succeed into nil, err; or raise.
local function failed(status, op)
  if status == ECANCELED then
    raise()
  elseif status == EDEADLOCK then
    error(M.deadlock_error(), 0)
  end
  return nil, errors.new(status, op)
end
M.failed = failed

--- The checkpoint of calls that can finish without parking.
function M.checkpoint()
  local n = turn.budget
  if n > 0 then
    turn.budget = n - 1
    return
  end
  local status = core_check()
  if status and status ~= 0 then
    failed(status)
  end
end

--- Absolute deadline for a timeout in seconds; nil stays nil.
function M.deadline(timeout)
  return timeout and core.now() + timeout
end

--- Stand in a wait queue. Returns 0 and what the waker passed, or a negative
-- status other than a cancel or a deadlock, which are raised. Parks.
local function stand_result(status, ...)
  if status == ECANCELED or status == EDEADLOCK then
    failed(status)
  end
  return status, ...
end

function M.stand(queue, deadline)
  return stand_result(core_park(queue, deadline))
end

--- Let the others run for at least that many seconds. Parks.
-- @tparam[opt=0] number seconds 0 or less: one turn
function M.sleep(seconds)
  local status
  if seconds == 0 or seconds == nil then -- first: this is every spinner's call
    status = core_yield()
    if status then
      failed(status, "sleep")
    end
    return
  elseif type(seconds) ~= "number" then
    error("sleep: seconds must be a number, not " .. tostring(seconds), 2)
  elseif seconds > 0 then
    status = core_sleep(seconds)
  else
    status = core_yield()
  end
  if status and status ~= ETIMEDOUT then
    failed(status, "sleep")
  end
end

-- -- Reports ------------------------------------------------------------------

--- One line for a thread: name or address, state (default: its own), spawn site.
local function label(thread, state)
  local data = core_peek(thread)
  local name = data and data.name or ("%p"):format(thread)
  if thread == core.main() then
    name = data and data.name or "main"
  end
  return ("%s (%s, spawned at %s)"):format(name, state or core.state(thread), core.site(thread))
end
M.label = label

--- For xpcall: rethrowing an error loses its place, so keep the traceback with
-- the thread until the error ends it. Cancels are not worth one.
-- @param err returned as it is
-- @tparam[opt] thread co the coroutine that failed; default: the running one
function M.note_traceback(err, co)
  if type(err) == "table" and (err.is_timeout or err.code == "ECANCELED") then
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

local function run_link(fn, thread, args)
  fn(thread, unpack(args, 1, args.n))
end

-- Runs in a green thread of its own when a linked or failed thread has died.
core.on_end(function(thread, report)
  local data = core_data(thread)
  local links = data.links
  data.links = nil
  for _, link in ipairs(links or {}) do
    core.spawn(run_link, link.fn, thread, link.args)
  end
  if report then
    M.report(data.error, thread, M.describe(thread))
  end
end)

-- -- Methods ------------------------------------------------------------------

function mt:__tostring()
  return "green.thread{" .. label(self) .. "}"
end

local function results_of(thread)
  local data = core_peek(thread)
  if not data then
    return
  end
  if data.parent and data.error == nil and core.state(thread) == "killed" then
    data.error = kill_error(thread) -- the bridge dropped it: its parent has gone
  end
  if data.error ~= nil or data.error_is_nil then
    local own = core_data(core.current())
    own.cause = { error = data.error, thread = thread }
    error(data.error, 0)
  end
  local results = data.results
  if results then
    return unpack(results, 1, results.n)
  end
end

--- Wait for the end. Any number of threads may, any number of times. Parks.
-- @tparam[opt] number timeout seconds
-- @return what the function returned; nil, ETIMEDOUT if it still runs. Raises
-- the error it ended with, ECANCELED (an error object) if it was killed.
function methods:wait(timeout)
  if core.is_dead(self) then
    M.checkpoint()
    return results_of(self)
  end
  if self == core.current() then
    error("a green thread cannot wait for itself", 2)
  end
  local status = core_park(self, M.deadline(timeout))
  if status ~= 0 then
    return failed(status, "wait")
  end
  return results_of(self)
end

local function set_unstarted_error(thread, err)
  local data = core_data(thread)
  data.kill_error = data.kill_error or err
  data.error = err
end

local function abandon(thread)
  if not core.is_dead(thread) then
    set_unstarted_error(thread, kill_error(thread))
    core.drop(thread)
  end
end

local kill_options = { force_after = true, error = true }

--- Let the thread be abandoned in that many seconds, unless it ends before.
local function guard(thread, seconds)
  local data = core_data(thread)
  options.number(seconds, 0, "kill", "force_after", 4)
  if data.guard then
    core.drop(data.guard)
  end
  data.guard = core.make(1, false, abandon, thread)
  core.start(data.guard, seconds)
end

local function unguard(thread)
  local data = core_peek(thread)
  if data and data.guard and core.is_dead(thread) then
    core.drop(data.guard)
    data.guard = nil
  end
end

--- Ask for the end, or end a thread that has not started. Returns whether the
-- thread is yet to be told.
local function ask_kill(thread, opts)
  opts = options.check(opts, kill_options, "kill", 3)
  local data = core_data(thread)
  if opts.error ~= nil and not data.kill_error then
    data.kill_error = opts.error
  end
  if core.state(thread) == "new" then
    set_unstarted_error(thread, kill_error(thread))
    core.drop(thread)
    return false
  end
  kill_error(thread)
  if opts.force_after then
    guard(thread, opts.force_after)
  end
  return true
end

--- End the thread: every later wait in it raises its kill error. Returns once
-- it has ended or waits again (to clean up). Nothing for a dead thread; one
-- that has not started never will; a thread that kills itself does not return.
-- Parks.
-- @tparam[opt] table opts `force_after` seconds until a thread that goes on is
-- abandoned: its waiters get the kill error, what it waits on is closed;
-- `error` the value to raise instead of ECANCELED
function methods:kill(opts)
  M.checkpoint()
  if core.is_dead(self) or not ask_kill(self, opts) then
    return
  end
  local status = core.kill(self)
  unguard(self)
  if status ~= 0 then
    failed(status, "kill")
  end
end

--- As kill, but does not wait and never raises. Does not park.
function methods:kill_soon(opts)
  if not core.is_dead(self) and ask_kill(self, opts) then
    core.kill_soon(self)
  end
end

--- Kill a thread that has not started yet; nothing for one that has.
function methods:cancel(opts)
  if core.state(self) == "new" then
    self:kill_soon(opts)
  end
end

--- Raise an error in the thread, once, where it waits now or next. Does not park.
function methods:throw(err)
  if core.is_dead(self) then
    return
  end
  if core.state(self) == "new" then
    set_unstarted_error(self, err)
    core.drop(self)
    return
  end
  core_data(self).thrown = err
  core.throw(self)
end

--- Call fn(thread, ...) in a green thread of its own when the thread has ended,
-- at once if it has. Links do not disturb each other. Does not park.
function methods:link(fn, ...)
  local args = { n = select("#", ...), ... }
  if core.is_dead(self) then
    core.spawn(run_link, fn, self, args)
    return
  end
  local data = core_data(self)
  data.links = data.links or {}
  table.insert(data.links, { fn = fn, args = args })
  core.set_linked(self, true)
end

local function same_args(a, b)
  if a.n ~= b.n then
    return false
  end
  for i = 1, a.n do
    if not rawequal(a[i], b[i]) then
      return false
    end
  end
  return true
end

--- Take back a link made with the same arguments. Returns whether there was one.
function methods:unlink(fn, ...)
  local args = { n = select("#", ...), ... }
  local data = core_peek(self)
  for i, link in ipairs(data and data.links or {}) do
    if link.fn == fn and same_args(link.args, args) then
      table.remove(data.links, i)
      core.set_linked(self, #data.links > 0)
      return true
    end
  end
  return false
end

--- Has it ended?
function methods:dead()
  return core.is_dead(self)
end

--- "new" "ready" "running" "parked" "returned" "raised" or "killed".
function methods:status()
  return core.state(self)
end

--- The thread's name; with an argument, set it and return the thread.
function methods:name(name)
  if name == nil then
    local data = core_peek(self)
    return data and data.name
  end
  core_data(self).name = tostring(name)
  return self
end

--- Where it stands now, or stood when it raised; nil for one that returned.
function methods:traceback()
  if core.is_dead(self) then
    local data = core_peek(self)
    return data and data.traceback
  end
  return core.traceback(self)
end

--- "file:line" of the call that spawned it.
function methods:spawn_site()
  return core.site(self)
end

-- -- Making threads -----------------------------------------------------------

M.spawn = core.spawn
M.spawn_n = core.spawn_n
M.current = core.current
M.is_thread = is_thread

--- A thread that starts after that many seconds; cancel it until then.
function M.spawn_after(seconds, fn, ...)
  local thread = core.make(2, false, fn, ...)
  core.start(thread, seconds)
  return thread
end

--- The same, but it never starts if the spawner has ended by then.
function M.spawn_after_local(seconds, fn, ...)
  local thread = core.make(2, true, fn, ...)
  core_data(thread).parent = core.current()
  core.start(thread, seconds)
  return thread
end

return M
