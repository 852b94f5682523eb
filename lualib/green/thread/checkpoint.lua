--- How waits end: a return, an error object, or the raise of what cancels the
-- running thread.
-- @module green.thread.checkpoint

local ffi = require "ffi"
local core = require "green.core"
local args = require "green.args"
local errors = require "green.error"
local report = require "green.thread.report"

local renew = require("green.ffi.turn").renew

-- Scripts may put their own in their places.
local error, max, type = error, math.max, type

local turn = ffi.cast("green_turn *", core.turn())
local core_check, core_data = core.check, core.data
local core_park, core_sleep, core_yield = core.park, core.sleep, core.yield
local ECANCELED, ETIMEDOUT = core.codes.ECANCELED, core.codes.ETIMEDOUT
local EDEADLOCK = core.codes.EDEADLOCK

local KILL, SCOPE, THROW = core.RAISE_KILL, core.RAISE_SCOPE, core.RAISE_THROW -- of core.raise
local REFUSED = core.RAISE_REFUSED
local RAISE_LIMIT = core.RAISE_LIMIT
local CANCEL = core.CANCEL -- a kind of scope

local GROUP_FAILED = "another green thread of the group has failed"

local M = { turn = turn }

local function kill_error(thread)
  local data = core_data(thread)
  if not data.kill_error then
    data.kill_error = errors.new("ECANCELED", nil, nil, { thread = thread })
  end
  return data.kill_error
end
M.kill_error = kill_error

--- What a scope of that kind raises that was opened with nothing to raise; it keeps
-- that: most end before there is anything to say.
local function scope_error(id, kind)
  local err
  if kind == CANCEL then
    err = errors.new("ECANCELED", nil, GROUP_FAILED)
  else
    err = errors.new("ETIMEDOUT", nil, nil, { is_timeout = true })
  end
  core.scope_error(id, err)
  return err
end

--- What a field of the thread's table has, once.
local function take(thread, name)
  local data = core_data(thread)
  local value = data[name]
  data[name] = nil
  return value
end

local function pending_error(thread)
  local kind, id, count, scope_kind, err = core.raise()
  if kind == KILL then
    return kill_error(thread), count
  elseif kind == SCOPE then
    return err or scope_error(id, scope_kind), count
  elseif kind == THROW then
    return take(thread, "thrown"), 1
  elseif kind == REFUSED then
    return core.placed(take(thread, "refusal")), 1
  end
  -- A finalizer in another thread closed the scope between its end and this raise.
  return errors.new("ETIMEDOUT"), 1
end

--- Raise what cancels the running thread.
local function raise()
  local thread = core.current()
  local err, count = pending_error(thread)
  if count == RAISE_LIMIT then
    report.report(err, thread, "a thread keeps running after its cancellation was raised "
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
    error(report.deadlock_error(), 0)
  end
  return nil, errors.new(status, op)
end
M.failed = failed

--- The checkpoint of calls that can finish without parking, which raises nothing.
-- @treturn ?number ECANCELED: something is pending; else 0 or nil
local function spend()
  local n = turn.budget
  if n > 0 then
    turn.budget = n - 1
    return
  elseif renew(turn) ~= 0 then
    return
  end
  return core_check()
end
M.spend = spend

--- The same, and raise what is pending.
function M.checkpoint()
  local status = spend()
  if status and status ~= 0 then
    failed(status)
  end
end

--- Absolute deadline for a timeout in seconds; nil stays nil.
function M.deadline(timeout)
  return timeout and core.now() + timeout
end

--- The timeout that is left until a deadline: at least 0; nil stays nil.
function M.left(deadline)
  return deadline and max(0, deadline - core.now())
end

local LEAST = 1e-9 -- seconds; 0 would not wait at all

--- The same for a step of what has that deadline in all, and more than 0: where the time is over
-- the step gives ETIMEDOUT, not the EAGAIN of who does not want to wait.
function M.left_for_step(deadline)
  return deadline and max(LEAST, deadline - core.now())
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
    args.wrong("sleep", "seconds", "a number", seconds)
  elseif seconds > 0 then
    status = core_sleep(seconds)
  else
    status = core_yield()
  end
  if status and status ~= ETIMEDOUT then
    failed(status, "sleep")
  end
end

return M
