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

local select, xpcall = select, xpcall
local turn = thread.turn

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

--- What ends a scope that was opened in a coroutine of the script's when that is
-- dropped in the middle: it is collected with the frame it stands in.
-- @tparam function drop drop(a, b), which must not park
local function guard_of(drop, a, b)
  if turn.depth == 0 then
    return nil
  end
  local guard = newproxy(true)
  getmetatable(guard).__gc = function()
    pcall(drop, a, b)
  end
  return guard
end

local function scope_drop(owner, id)
  scope_pop(id)
  take_error(owner, id)
end

--- Let the stack grow now for what is called behind a scope_push: should that
-- fail, no scope has been opened.
local function reserve() end

-- A Lua coroutine inside the scope may end it from another place; what counts
-- is the thread that opened it.
local function scope_end(owner, id, _guard, ok, ...)
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

local function guarded(kind, seconds, fn, ...)
  local owner, id = current(), scope_push(kind, seconds)
  return scope_end(owner, id, guard_of(scope_drop, owner, id), xpcall(fn, note_traceback, ...))
end

local function scoped(kind, seconds, fn, ...)
  if select("#", ...) ~= 0 then
    reserve(kind, seconds, fn, note_traceback, ...)
  end
  if turn.depth ~= 0 then
    return guarded(kind, seconds, fn, ...)
  end
  return scope_end(current(), scope_push(kind, seconds), nil, xpcall(fn, note_traceback, ...))
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
  if select("#", ...) ~= 0 or turn.depth ~= 0 then
    return scoped(TIMEOUT, seconds, fn, ...)
  end
  return scope_end(current(), scope_push(TIMEOUT, seconds), nil, xpcall(fn, note_traceback))
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
  return scoped(SHIELD, seconds, fn, ...)
end

--- The cleanup runs in any case: without a shield where there is no memory for one.
local function clean_up(cleanup)
  local owner = current()
  local ok, id = pcall(scope_push, SHIELD, CLEANUP_SECONDS)
  if not ok then
    return cleanup()
  end
  return scope_end(owner, id, guard_of(scope_drop, owner, id), xpcall(cleanup, note_traceback))
end

local function finally_end(cleanup, ok, ...)
  clean_up(cleanup)
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

local function with_timeout_end(deadline, _guard, ok, ...)
  deadline:cancel()
  if ok then
    return ...
  end
  error((...), 0)
end

--- with_timeout(seconds, fn, ...): Eventlet's name and shape: raises.
-- As timeout, but its own expiry raises instead of returning nil, err. Parks.
function M.with_timeout(seconds, fn, ...)
  options.callable(fn, "with_timeout", "what it calls")
  reserve(seconds, fn, note_traceback, ...)
  local deadline = M.Timeout(seconds)
  return with_timeout_end(deadline, guard_of(deadline.cancel, deadline),
    xpcall(fn, note_traceback, ...))
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
-- for what to raise): linking costs less than a table keyed by scope. That table is
-- the owner: a thread that a server uses again gets another, and who keeps a Timeout
-- must not reach the thread by it.
local function timeout_link(self, owner)
  local data = core_data(owner)
  local head = data.timeouts
  self.owner = data
  if head then
    self.older = head -- in this order: each may fail for want of memory
    head.newer = self
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
    local data = self.owner
    if data.timeouts == self then
      data.timeouts = older
    end
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
  timeout_link(self, current())
  local ok, id = pcall(scope_push, TIMEOUT, self.seconds)
  if not ok then
    timeout_unlink(self)
    error(id, 0)
  end
  self.id = id
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
    local fired = scope_pop(id)
    timeout_unlink(self)
    if fired and self.owner ~= core_peek(current()) then
      self.owner.late = self:raises() -- if it is on its way there
    end
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
    id = false, -- of its scope, while it is armed
    owner = false, -- the table of the thread it belongs to
  }, timeout_mt)
  if err ~= nil then
    self.error = err
  end
  timeout_link(self, current())
  self.id = scope_push(TIMEOUT, seconds) -- last: what it armed, cancel finds
  return self
end

M.take_error, M.guard_of = take_error, guard_of

M.is_timeout = errors.is_timeout
M.wrap_is_timeout = errors.wrap_is_timeout

return M
