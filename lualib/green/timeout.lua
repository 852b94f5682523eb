--- Scopes of cancellation: timeouts, shields and cleanup.
--
-- A scope that has fired raises its own error object at every later checkpoint
-- inside of it, until it ends: a `pcall` in between cannot swallow it for good.
-- @module green.timeout

local core = require "green.core"
local args = require "green.args"
local cleanups = require "green.thread.cleanups"
local errors = require "green.error"
local object = require "green.timeout.object"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, getmetatable, newproxy, pcall, rawequal =
  error, getmetatable, newproxy, pcall, rawequal

local scope_push, scope_pop = core.scope_push, core.scope_pop
local is_own = core.is_own

local note_traceback = thread.note_traceback

local select, xpcall = select, xpcall

local TIMEOUT, SHIELD = core.TIMEOUT, core.SHIELD -- kinds of core.scope_push

local CLEANUP_SECONDS = 5 -- what finally gives its cleanup

local M = { Timeout = object.Timeout }

-- -- Scopes that end with a function ------------------------------------------

--- What calls drop(held) when it is collected.
local function new_guard(drop, held)
  local guard = newproxy(true)
  getmetatable(guard).__gc = function()
    pcall(drop, held)
  end
  return guard
end

--- What ends a scope that was opened in a coroutine of the script's when that is
-- dropped in the middle: it is collected with the frame it stands in.
-- @tparam function drop drop(held), which must not park
-- @param held what it gets
local function guard_of(drop, held)
  return not is_own() and new_guard(drop, held) or nil
end

--- The same for a scope that was just opened; it ends where there is no memory.
local function guard_scope(id)
  local ok, guard = pcall(new_guard, scope_pop, id)
  if not ok then
    scope_pop(id)
    error(guard, 0)
  end
  return guard
end

--- Let the stack grow now for what is called behind a scope_push: should that
-- fail, no scope has been opened.
local function reserve() end

local function scope_end(id, _guard, ok, ...)
  local fired, err = scope_pop(id)
  if ok then
    return ...
  elseif fired and err ~= nil and rawequal(err, (...)) then
    return nil, err
  end
  error((...), 0)
end

local function scoped(kind, seconds, fn, ...)
  if select("#", ...) ~= 0 then
    reserve(nil, nil, nil, nil, kind, seconds, fn, note_traceback, ...)
  end
  local id, at_top = scope_push(kind, seconds)
  local guard = not at_top and guard_scope(id)
  return scope_end(id, guard, xpcall(fn, note_traceback, ...))
end

--- Call fn(...) and cancel it when it takes longer than that. Parks.
-- @tparam ?number seconds nil: no limit
-- @tparam function fn
-- @return what fn returned (even if the time was up by then); nil and the
-- timeout's own error object (ETIMEDOUT) if fn ended by it. Any other error of
-- fn passes on, an outer timeout's among them.
function M.timeout(seconds, fn, ...)
  if seconds ~= nil then
    args.number(seconds, 0, "timeout", "seconds")
  end
  args.callable(fn, "timeout", "fn")
  if select("#", ...) ~= 0 then
    return scoped(TIMEOUT, seconds, fn, ...)
  end
  local id, at_top = scope_push(TIMEOUT, seconds)
  local guard = not at_top and guard_scope(id)
  return scope_end(id, guard, xpcall(fn, note_traceback))
end

--- Call fn(...) shielded: kills and timeouts from outside wait until it ends,
-- at most that long. Parks.
-- @tparam number seconds finite; mandatory
-- @tparam function fn called with the arguments that follow
-- @param ...
-- @return what fn returned; nil and ETIMEDOUT if its time was up
function M.shield(seconds, fn, ...)
  args.number(seconds, 0, "shield", "seconds")
  if seconds == math.huge then
    args.wrong("shield", "seconds", "finite", seconds)
  end
  args.callable(fn, "shield", "fn")
  return scoped(SHIELD, seconds, fn, ...)
end

--- Deeper in the stack than what ends it.
local function open_shield()
  local id, at_top = scope_push(SHIELD, CLEANUP_SECONDS)
  return id, not at_top and guard_scope(id)
end

--- The cleanup runs in any case: without a shield where there is no memory for one,
-- or no stack.
local function clean_up(cleanup)
  local ok, id, guard = pcall(open_shield)
  if not ok then
    return cleanup()
  end
  local done, err = xpcall(cleanup, note_traceback)
  scope_end(id, guard, done, err)
end

local function cleaned_up(record, ok, err)
  cleanups.close(record)
  if not ok then
    error(err, 0)
  end
end

local function finally_end(record, _guard, ok, ...)
  if cleanups.claim(record) then -- else the program ends, and it was called
    cleaned_up(record, pcall(clean_up, record.cleanup))
  end
  if ok then
    return ...
  end
  error((...), 0)
end

--- Call fn, then cleanup in any case: fn returned, raised, was killed or timed
-- out, or the program ends. cleanup runs in a shield of 5 s. Parks.
-- @return what fn returned; its error passes on
function M.finally(fn, cleanup)
  args.callable(fn, "finally", "fn")
  args.callable(cleanup, "finally", "cleanup")
  local record = cleanups.open(cleanup)
  return finally_end(record, guard_of(cleanups.close, record), xpcall(fn, note_traceback))
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
  if seconds ~= nil then
    args.number(seconds, 0, "with_timeout", "seconds")
  end
  args.callable(fn, "with_timeout", "fn")
  reserve(seconds, fn, note_traceback, ...)
  local deadline = M.Timeout(seconds)
  return with_timeout_end(deadline, guard_of(deadline.cancel, deadline),
    xpcall(fn, note_traceback, ...))
end

M.guard_of = guard_of

M.is_timeout = errors.is_timeout
M.wrap_is_timeout = errors.wrap_is_timeout

return M
