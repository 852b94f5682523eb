--- A program that was started: waited for, talked to, ended. Private to green.process.

local core = require "green.core"
local args = require "green.args"
local command = require "green.process.command"
local errors = require "green.error"
local options = require "green.args.options"
local owned = require "green.process.owned"
local show = require "green.args.show"
local signal = require "green.signal"
local status = require "green.process.status"
local talk = require "green.process.talk"
local thread = require "green.thread"
local timeout = require "green.timeout"

local api = require "green.ffi.child"
local ffi = require "ffi"

local RUNNING = ffi.C.GREEN_CHILD_RUNNING
local QUEUE = core.QUEUE
local TERM = signal.number("TERM")
local GRACE_MOST = 1e9 -- seconds: as good as for ever

local M = {}
local methods = {}
local mt = { __name = "green.process", __index = methods }

-- -- Its end --------------------------------------------------------------------

--- Its end has been seen.
local function settle(self)
  owned.release(self._record)
  for _, writer in ipairs(self._writers) do
    writer:kill_soon()
  end
  self._writers = {}
end

--- The status of one that does not run; nil, err: nobody knows it.
local function ended(self)
  if not self._status then
    local made, code = status.of(self._c)
    if not made then
      settle(self)
      return nil, errors.new(code, "wait for process " .. self.pid,
        "its end was taken by somebody else")
    end
    self._status = made
    settle(self)
  end
  return self._status
end

--- How it has ended; nil while it runs. Does not park.
-- @treturn ?table as wait
function methods:status()
  if api.state(self._c) == RUNNING then
    return nil
  end
  return ended(self)
end

--- Wait for its end; any number of green threads may, any number of times. What it has
-- started itself may run on, and hold its pipes. Parks.
-- @tparam[opt] number seconds
-- @treturn table `status`, its exit status, or `signal`, the name of the signal that ended
-- it, and `signal_number`; `ok`: the exit status was 0; `core_dumped`; `usage`, with the
-- seconds `user`, `system` and `real`, and `memory`, the bytes it had at most. `tostring`
-- says it in words. Or nil, err: ETIMEDOUT (it runs on), ECHILD (somebody else has taken
-- its status, so nobody knows it)
function methods:wait(seconds)
  args.timeout(seconds, "wait")
  thread.checkpoint()
  if api.state(self._c) == RUNNING then
    local code = core.park(api.waiters(self._c), thread.deadline(seconds), QUEUE)
    if code ~= 0 then
      return thread.failed(code, ("wait for process %d, %s"):format(self.pid, self.shown))
    end
  end
  return ended(self)
end

-- -- Signals ------------------------------------------------------------------------

local signal_options = { group = true }

--- Is the group meant?
local function group_of(self, opts, where)
  args.optional(opts.group, "boolean", where, "group")
  if opts.group and not self._leads then
    args.misuse("%s: the process leads no group; spawn it with group = true or session = true",
      where)
  end
  return opts.group and 1 or 0
end

local function result_of(self, code, op)
  if code < 0 then
    return nil, errors.new(code, ("%s process %d"):format(op, self.pid))
  end
  return true
end

--- Send it a signal. Does not park.
-- @param name "TERM", "SIGTERM" or its number
-- @tparam[opt] table opts `group` true: to all of the group that it leads
-- @return true; or nil, err: ESRCH (it has ended), EPERM, EINVAL (no such number)
function methods:signal(name, opts)
  local number = signal.number(name, "signal")
  opts = options.check(opts, signal_options, "signal")
  return result_of(self, api.signal(self._c, number, group_of(self, opts, "signal")), "signal")
end

--- Kill it. As signal("KILL"). Does not park.
-- @tparam[opt] table opts `group`
function methods:kill(opts)
  opts = options.check(opts, signal_options, "kill")
  return result_of(self, api.signal(self._c, 9, group_of(self, opts, "kill")), "kill")
end

local stop_options = { group = true, grace = true, signal = true }

local function stop(self, opts, where)
  opts = options.check(opts, stop_options, where)
  local number = signal.number(opts.signal == nil and "TERM" or opts.signal, where)
  local grace = opts.grace == nil and self._grace
    or math.min(args.number(opts.grace, 0, where, "grace"), GRACE_MOST)
  local group = opts.group == nil and (self._group and 1 or 0) or group_of(self, opts, where)
  return result_of(self, api.stop(self._c, number, grace, group), where)
end

--- Ask it to end, and kill it when it still runs after a grace. Does not park.
-- @tparam[opt] table opts `grace` seconds, `signal` instead of TERM, `group` true or false:
-- all of the group that it leads (unasked: if it was spawned with kill_group)
-- @return true; or nil, err: ESRCH, EPERM
function methods:terminate(opts)
  return stop(self, opts, "terminate")
end

--- The same, and wait for its end. Parks.
-- @tparam[opt] table opts
-- @return as wait
function methods:stop(opts)
  thread.checkpoint()
  local ok, err = stop(self, opts, "stop")
  if not ok and not err:is("ESRCH") then
    return nil, err
  end
  return self:wait()
end

--- Ask it to end, as terminate does unasked. Needs no memory.
function methods:_end_soon()
  api.stop(self._c, TERM, self._grace, self._group and 1 or 0)
end

--- For those who are cancelled: end it and wait, whatever comes.
function methods:_end_shielded()
  self:_end_soon()
  timeout.shield(self._grace + 5, function()
    return self:wait()
  end)
end

--- Let it outlive the green thread that started it, and the program. Does not park.
function methods:disown()
  owned.release(self._record)
end

-- -- Talking ------------------------------------------------------------------------

--- Write its input and end that, collect its output, and wait for its end. When the thread
-- is killed, or out of time, meanwhile, the child is ended. Parks.
-- @param[opt] input a string, or a list of strings
-- @tparam[opt] table opts `timeout` seconds, after which it is ended; `max_output` bytes of
-- each output (64 MB); `linger` seconds that its outputs are read after its end while
-- others hold them (1)
-- @treturn table as wait, with `stdout` and `stderr` where these are pipes; or nil, err:
-- ETIMEDOUT, ETOOBIG (with `stdout`, `stderr` and `result`), ECHILD
function methods:communicate(input, opts)
  opts = options.check(opts, talk.known, "communicate")
  if input ~= nil and not self.stdin and not self.pty then
    args.misuse('communicate: there is an input, but the child was spawned without stdin = "pipe"')
  end
  return talk.one(self, input, opts, "communicate", "communicate with " .. self.shown)
end

--- Say how large its terminal's window is. Does not park.
-- @tparam number rows
-- @tparam number cols
-- @return true; or nil, err: EOPNOTSUPP (it has none), ECLOSED
function methods:resize(rows, cols)
  if not self.pty then
    return nil, errors.new("EOPNOTSUPP", "resize", "it was not spawned with a pty")
  end
  return self.pty:resize(rows, cols)
end

--- Close our ends of its pipes. Idempotent, does not park.
function methods:close()
  for _, name in ipairs { "stdin", "stdout", "stderr", "pty" } do
    if self[name] then
      self[name]:close()
    end
  end
end

show.kind(mt, function(self)
  local how = self:status()
  return ("%d, %s, %s"):format(self.pid, self.shown, how and tostring(how)
    or api.state(self._c) == RUNNING and "running" or "an end that nobody knows")
end)
require("green.args.class").seal(mt)

--- A child that is about to be started: all but its number.
function M.new(c, argv, grace, leads, kill_group)
  return setmetatable({
    argv = argv,
    shown = command.shown(argv),
    stdin = false,
    stdout = false,
    stderr = false,
    pty = false,
    pid = 0,
    _c = c,
    _grace = grace,
    _group = kill_group,
    _leads = leads,
    _record = false,
    _status = false,
    _writers = {},
  }, mt)
end

--- Our ends of what it reads and writes.
function M.wire(self, ours)
  self.stdin, self.stdout = ours.stdin or ours.pty, ours.stdout or ours.pty
  self.stderr, self.pty = ours.stderr, ours.pty
end

return M
