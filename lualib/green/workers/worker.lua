--- A worker from inside: what its native thread runs. Private to green.workers.
-- @module green.workers.worker

local core = require "green.core"
local args = require "green.args"
local carry = require "green.thread.carry"
local class = require "green.args.class"
local errors = require "green.error"
local listeners = require "green.workers.listeners"
local show = require "green.args.show"
local signal = require "green.signal"
local signals = require "green.net.signals"
local thread = require "green.thread"

local methods = {}
local mt = { __name = "green.worker", __index = methods }

show.kind(mt, function(self)
  return ("%d of %d"):format(self.index, self.count)
end)

--- Wait until the worker is asked to stop. Who calls this is not killed then, but is to
-- return. Parks.
-- @tparam[opt] number timeout seconds
-- @return true; or nil, err: ETIMEDOUT
function methods:wait(timeout)
  args.timeout(timeout, "wait")
  thread.checkpoint()
  self._waits = true
  if self.is_stopping then
    return true
  end
  local status = thread.stand(self._queue, thread.deadline(timeout))
  if status ~= 0 then
    return thread.failed(status, "wait for the stop of a worker")
  end
  return true
end

class.seal(mt)

--- The maker has asked, or is gone: what SIGTERM does in a process happens here alone. A
-- server that stops already must not take it for a second one.
local function stop(self, main)
  self.is_stopping = true
  core.wake_all(self._queue)
  if signals.have_come() then
    return
  end
  if core.signal_raise(signal.number "TERM") == 0 and not self._waits then
    main:kill_soon()
  end
end

--- The maker's end of the pair is closed when it wants the worker to stop.
local function watch(self, control, main)
  control:read_some()
  control:close()
  stop(self, main)
end

local function make(plan, values)
  local list = {}
  for i, fd in ipairs(plan.listeners) do
    list[i] = assert(listeners.adopt(fd))
  end
  return setmetatable({
    index = plan.index,
    count = plan.count,
    args = values,
    listener = list[1],
    listeners = list,
    is_stopping = false,
    _waits = false,
    _queue = core.waitq(),
  }, mt)
end

--- The function that app is, or that the module of that name gives: its value, or the
-- function `run` of the table that it is.
local function entry(app)
  if type(app) == "function" then
    return app
  end
  local loaded, value = xpcall(require, thread.note_traceback, app)
  if not loaded then
    error(value, 0) -- without a line of ours before it
  end
  local run = type(value) == "table" and rawget(value, "run") or value
  if not core.is_callable(run) then
    error(("worker: module '%s' must return a function, or a table with a function `run`, not %s")
      :format(app, args.shown(value)), 0)
  end
  return run
end

--- Be the worker that the plan tells of, until its function has returned. Parks.
return function(app, values, plan)
  local control = assert(listeners.adopt(plan.control))
  carry.begin(plan.carried)
  local self = make(plan, values)
  local main = thread.current()
  thread.spawn_n(watch, self, control, main)
  local ok, err = xpcall(entry(app), thread.note_traceback, self)
  if not ok and not (self.is_stopping and errors.is_error(err) and err:is "ECANCELED") then
    error(err, 0)
  end
end
