--- Child processes: forks of this one, waiting for them, signals to them.
-- @module green.process.fork

local core = require "green.core"
local args = require "green.args"
local cleanups = require "green.thread.cleanups"
local coro = require "green.patch.coroutine"
local errors = require "green.error"
local exits = require "green.thread.exits"
local options = require "green.args.options"
local owned = require "green.process.owned"
local signal = require "green.signal"
local stdio = require "green.stdio"
local thread = require "green.thread"
local unheard = require "green.error.unheard"

-- Scripts may put their own in their places: a child must end where it ends.
local pcall, xpcall = pcall, xpcall
local exit, resume = stdio.exit, coro.resume
local create, status_of = coro.raw.create, coro.raw.status

local READ = core.READ -- a mode of core.park

local M = {}

-- -- Fork ---------------------------------------------------------------------

local function tell(err)
  core.complain(("greenlua: child process %d: %s\n%s\n"):format(core.getpid(),
    thread.text_of(err), thread.traceback_of(err) or ""))
end

local function run(fn)
  return xpcall(fn, thread.note_traceback)
end

--- fn in a coroutine of its own: what it yields must not go on in the parent's.
local function run_apart(fn)
  local co = create(run)
  local _, ok, err = resume(co, fn)
  if status_of(co) ~= "dead" then
    return false, "fork: the function yielded, and nobody can resume it"
  end
  return ok, err
end

--- The child's end: fn's, not the program's. No cleanup of what stands around the
-- call runs: that is the parent's. Ctrl-C is no error.
local function end_child(ok, err)
  local interrupted = not ok and core.interrupted and core.interrupted(err)
  if interrupted then
    exit(interrupted)
  end
  if not ok and not pcall(tell, err) then
    pcall(tell, "(an error that cannot be shown)")
  end
  exit(ok and 0 or 1)
end

local fork_options = { inherit = true }

--- A second process, which calls fn() and ends: with status 0 when fn returned, 1
-- when it raised (its error goes to standard error), or as fn says by os.exit.
-- Sockets and files are open in both. Of the green threads only the one that
-- called goes on in the child: the others are gone there without a word, without
-- their cleanups, and what they held (locks, pool slots, connections) is free; what
-- the caller holds it keeps, but for its limits and a kill that is under way.
-- What the standard streams have queued is the parent's. Does not park; name lookups
-- that are under way are given 50 ms to end.
-- @tparam function fn it must not yield beyond itself: that ends the child
-- @tparam[opt] table opts `inherit` true: in the child all green threads go on
-- @treturn number the child's process id; or nil, err: EAGAIN, ENOMEM
function M.fork(fn, opts)
  args.callable(fn, "fork", "fn")
  opts = options.check(opts, fork_options, "fork")
  args.optional(opts.inherit, "boolean", "fork", "inherit")
  stdio.flush_now()
  local pid, code = core.fork(opts.inherit)
  if not pid then
    return nil, errors.new(code, "fork")
  elseif pid > 0 then
    return pid
  end
  cleanups.forget()
  unheard.forget()
  owned.forget()
  end_child(run_apart(fn))
end

-- -- Their ends ---------------------------------------------------------------

local MOST = 2 ^ 31 - 1 -- a pid of Linux

local function check_pid(pid, where)
  args.integer(pid, 1, where, "pid", MOST)
end

local function release_watch(held)
  core.release(held.watch)
end

--- Wait until the process has ended. 0 or a negative status. Parks.
local function wait_for_end(pid, deadline)
  core.waiter() -- where that raises, nothing is watched
  local watch, code = core.object("pidfd", pid)
  if not watch then
    return code
  end
  local held = { _exit = release_watch, watch = watch }
  exits.hold(held)
  local status = core.park(watch, deadline, READ)
  exits.release(held)
  core.release(watch)
  return status
end

--- Wait for the end of a child. Each child is to be waited for once: until then the
-- system keeps it. Parks.
-- @tparam number pid
-- @tparam[opt] number timeout seconds
-- @treturn string "exit" or "signal"
-- @treturn number its exit status, or the signal that ended it. Or nil, err:
-- ETIMEDOUT, ECHILD (no child of this process, or waited for before)
function M.wait(pid, timeout)
  check_pid(pid, "process.wait")
  args.timeout(timeout, "process.wait")
  thread.checkpoint()
  local how, number = core.reap(pid)
  if not how and not number then
    local status = wait_for_end(pid, thread.deadline(timeout))
    if status ~= 0 then
      return thread.failed(status, "wait for process " .. pid)
    end
    how, number = core.reap(pid)
  end
  if not how then
    return nil, errors.new(number, "wait for process " .. pid)
  end
  return how, number
end

--- Send a signal to a process. Does not park.
-- @tparam number pid
-- @param[opt="TERM"] name of the signal ("TERM", "SIGTERM") or its number
-- @return true; or nil, err: ESRCH (there is none), EPERM, EINVAL (no such signal)
function M.kill(pid, name)
  check_pid(pid, "process.kill")
  local number = signal.number(name or "TERM", "process.kill")
  local code = core.signal(pid, number)
  if code ~= 0 then
    return nil, errors.new(code, "kill process " .. pid)
  end
  return true
end

--- This process's id.
function M.getpid()
  return core.getpid()
end

return M
