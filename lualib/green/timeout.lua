--- Scopes of cancellation: timeouts, shields and cleanup.
--
-- A scope that has fired raises its own error object at every later checkpoint
-- inside of it, until it ends: a `pcall` in between cannot swallow it for good.
-- @module green.timeout

local core = require "green.core"
local errors = require "green.error"
local options = require "green.options"
local thread = require "green.thread"

local scope_push, scope_pop = core.scope_push, core.scope_pop
local core_peek, core_data, current = core.peek, core.data, core.current

local note_traceback = thread.note_traceback

local TIMEOUT, SHIELD = 0, 1

local CLEANUP_SECONDS = 5 -- what finally gives its cleanup

local M = {}

-- -- Scopes that end with a function ------------------------------------------

--- The error object that scope raised, if it did, and forget it.
local function take_error(owner, id)
  local data = core_peek(owner)
  local scopes = data and data.scopes
  local err = scopes and scopes[id]
  if err then
    scopes[id] = nil
  end
  return err
end

-- A Lua coroutine inside the scope may end it from another place; what counts
-- is the thread that opened it.
local function scope_end(owner, id, ok, ...)
  local fired = scope_pop(id)
  if ok then
    if fired then
      take_error(owner, id)
    end
    return ...
  end
  local err = fired and take_error(owner, id)
  if err and rawequal(err, (...)) then
    return nil, err
  end
  error((...), 0)
end

--- Call fn(...) and cancel it when it takes longer than that. Parks.
-- @tparam ?number seconds nil: no limit
-- @tparam function fn
-- @return what fn returned (even if the time was up by then); nil and the
-- timeout's own error object (ETIMEDOUT) if fn ended by it. Any other error of
-- fn passes on, an outer timeout's among them.
function M.timeout(seconds, fn, ...)
  if seconds ~= nil then
    options.number(seconds, 0, "timeout", "seconds")
  end
  options.callable(fn, "timeout", "what it calls")
  return scope_end(current(), scope_push(TIMEOUT, seconds), xpcall(fn, note_traceback, ...))
end

--- Call fn(...) shielded: kills and timeouts from outside wait until it ends,
-- at most that long. Parks.
-- @tparam number seconds finite; mandatory
-- @return what fn returned; nil and ETIMEDOUT if its time was up
function M.shield(seconds, fn, ...)
  options.number(seconds, 0, "shield", "seconds")
  if seconds == math.huge then
    error("shield: seconds must be finite", 2)
  end
  options.callable(fn, "shield", "what it calls")
  return scope_end(current(), scope_push(SHIELD, seconds), xpcall(fn, note_traceback, ...))
end

local function finally_end(cleanup, ok, ...)
  M.shield(CLEANUP_SECONDS, cleanup)
  if ok then
    return ...
  end
  error((...), 0)
end

--- Call fn, then cleanup in any case: fn returned, raised, was killed or timed
-- out. cleanup runs in a shield of 5 s. Parks.
-- @return what fn returned; its error passes on
function M.finally(fn, cleanup)
  options.callable(fn, "finally", "what it calls")
  options.callable(cleanup, "finally", "the cleanup")
  return finally_end(cleanup, xpcall(fn, note_traceback))
end

--- with_timeout(seconds, fn, ...): Eventlet's name and shape: raises.
-- As timeout, but its own expiry raises instead of returning nil, err. Parks.
function M.with_timeout(seconds, fn, ...)
  options.callable(fn, "with_timeout", "what it calls")
  local deadline = M.Timeout(seconds)
  local function done(ok, ...)
    deadline:cancel()
    if ok then
      return ...
    end
    error((...), 0)
  end
  return done(xpcall(fn, note_traceback, ...))
end

-- -- Timeout objects ----------------------------------------------------------

local timeout_methods = { is_timeout = true, code = "ETIMEDOUT" }
local timeout_mt = { __name = "green.Timeout", __index = timeout_methods }

function timeout_mt:__tostring()
  local s = self.seconds
  if s == nil then
    return "timed out (ETIMEDOUT)"
  end
  return ("timed out after %g second%s (ETIMEDOUT)"):format(s, s == 1 and "" or "s")
end

-- The Timeouts of a thread form a list in its table (green.thread looks there
-- for what to raise): linking costs less than a table keyed by scope.
local function timeout_link(self, owner)
  local data = core_data(owner)
  local head = data.timeouts
  self.owner = owner
  if head then
    self.older, head.newer = head, self
  end
  data.timeouts = self
end

local function timeout_unlink(self)
  local older, newer = self.older, self.newer
  if older then
    older.newer = newer
  end
  if newer then
    newer.older = older
  else
    core_data(self.owner).timeouts = older
  end
  if older or newer then
    self.older, self.newer = nil, nil
  end
end

local function timeout_start(self)
  if self:pending() then
    error("Timeout:start: it is pending already", 3)
  elseif self.id then
    self:cancel()
  end
  self.id = scope_push(TIMEOUT, self.seconds)
  timeout_link(self, current())
end

--- Start it (again) in the running thread; an error while it is pending.
function timeout_methods:start()
  timeout_start(self)
end

--- Take it back: what it raised is raised no more. In any order, from any
-- thread, any number of times. Does not park.
function timeout_methods:cancel()
  local id = self.id
  if id then
    self.id = false
    if scope_pop(id) and self.owner ~= current() then
      core_data(self.owner).late = self:raises() -- if it is on its way there
    end
    timeout_unlink(self)
  end
end

--- Is it waiting to fire?
function timeout_methods:pending()
  return self.id and core.scope_state(self.id) == "pending" or false
end

--- Has it fired, and was not cancelled since?
function timeout_methods:fired()
  return self.id and core.scope_state(self.id) == "fired" or false
end

--- What it raises: itself, unless it was given something else.
function timeout_methods:raises()
  local err = self.error
  return (not err or err == true) and self or err
end

function timeout_methods:is(code)
  return code == "ETIMEDOUT"
end

--- A timeout for what follows in the running thread, until its cancel() or the
-- thread's end: when the time is up each checkpoint raises. Does not park.
-- @tparam ?number seconds nil never fires
-- @param[opt] err what to raise; nil, false or true: the object itself
function M.Timeout(seconds, err)
  if seconds ~= nil then
    options.number(seconds, 0, "Timeout", "seconds")
  end
  -- Three fields more come as they are needed, so that a Timeout stays small:
  -- error (what to raise), older and newer (neighbours in the thread's list).
  local self = setmetatable({
    seconds = seconds,
    id = scope_push(TIMEOUT, seconds), -- false: not armed
    owner = false, -- the thread it belongs to
  }, timeout_mt)
  if err ~= nil then
    self.error = err
  end
  timeout_link(self, current())
  return self
end

M.take_error = take_error

M.is_timeout = errors.is_timeout
M.wrap_is_timeout = errors.wrap_is_timeout

return M
