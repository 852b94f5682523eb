--- Ending a green thread from outside: the methods kill, kill_soon, cancel and
-- throw of green.thread.
-- @module green.thread.kill

local core = require "green.core"
local args = require "green.args"
local exits = require "green.thread.exits"
local options = require "green.args.options"
local checkpoint = require "green.thread.checkpoint"

local core_data = core.data
local failed, kill_error = checkpoint.failed, checkpoint.kill_error

local kill = {}

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

local function drop_guard(record)
  core.drop(record.guard)
end

--- Let the thread be abandoned in that many seconds, unless it ends before.
local function guard(thread, seconds)
  local data = core_data(thread)
  local record = data.guard
  if record then
    core.drop(record.guard)
  else
    record = { _exit = drop_guard }
    data.guard = record
    exits.attach(thread, record)
  end
  record.guard = core.make(1, false, abandon, thread)
  core.start(record.guard, seconds)
end

--- Misuse is blamed on the caller of kill or kill_soon.
local function check_kill(opts, where)
  opts = options.check(opts, kill_options, where)
  if opts.force_after ~= nil then
    args.number(opts.force_after, 0, where, "force_after")
  end
  return opts
end

--- Ask for the end, or end a thread that has not started. Returns whether the
-- thread is yet to be told.
local function ask_kill(thread, opts)
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
function kill:kill(opts)
  opts = check_kill(opts, "kill")
  checkpoint.checkpoint()
  if core.is_dead(self) then
    return
  elseif self ~= core.current() and core.state(self) ~= "new" then
    core.waiter() -- where that raises, nobody is killed
  end
  if not ask_kill(self, opts) then
    return
  end
  local status = core.kill(self)
  if status ~= 0 then
    failed(status, "kill")
  end
end

--- As kill, but does not wait and never raises. Does not park.
function kill:kill_soon(opts)
  opts = check_kill(opts, "kill_soon")
  if not core.is_dead(self) and ask_kill(self, opts) then
    core.kill_soon(self)
  end
end

--- Kill a thread that has not started yet; nothing for one that has.
function kill:cancel(opts)
  opts = check_kill(opts, "cancel")
  if core.state(self) == "new" then
    self:kill_soon(opts)
  end
end

--- Raise an error in the thread, once, where it waits now or next. Does not park.
function kill:throw(err)
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

return kill
