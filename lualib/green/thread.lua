--- Green threads: what `green.spawn` returns.
--
-- The names of green.thread.park (how waits end) and green.thread.report stand
-- here, too.
-- @module green.thread

local core = require "green.core"
local options = require "green.options"
local park = require "green.thread.park"
local report = require "green.thread.report"

local core_data, core_peek, core_park = core.data, core.peek, core.park
local failed, kill_error = park.failed, park.kill_error

local methods = {}
local mt = core.thread_mt
mt.__name = "green.thread"
mt.__index = methods

local M = { mt = mt, methods = methods }
for _, part in ipairs { park, report } do
  for name, value in pairs(part) do
    M[name] = value
  end
end

local function is_thread(value)
  return type(value) == "userdata" and getmetatable(value) == mt
end

-- -- Ends ---------------------------------------------------------------------

local function run_link(fn, thread, args)
  fn(thread, unpack(args, 1, args.n))
end

-- Runs in a green thread of its own when a linked or failed thread has died.
core.on_end(function(thread, unheard)
  local data = core_data(thread)
  local links = data.links
  data.links = nil
  for _, link in ipairs(links or {}) do
    core.spawn(run_link, link.fn, thread, link.args)
  end
  if unheard then
    report.report(data.error, thread, report.describe(thread))
  end
end)

-- -- Methods ------------------------------------------------------------------

function mt:__tostring()
  return "green.thread{" .. report.label(self) .. "}"
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
