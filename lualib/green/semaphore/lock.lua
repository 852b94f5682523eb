--- RLock, a lock that its owner may take again, and metaphore, which waits until a count is
-- 0. See green.semaphore.
-- @module green.semaphore.lock

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local exits = require "green.thread.exits"
local plain = require "green.semaphore.plain"
local show = require "green.args.show"
local thread = require "green.thread"
local timeouts = require "green.timeout"
local watch = require "green.wait.watch"

local core_park, current, wake = core.park, core.current, core.wake
local begin, finished = plain.begin, plain.finished
local guard_of = timeouts.guard_of

-- -- RLock --------------------------------------------------------------------

local HANDED_OVER = {} -- the owner, from the release until the next one runs

local rlock_methods = {}
watch.watchable(rlock_methods)
local rlock_mt = { __name = "green.RLock", __index = rlock_methods }

--- A lock that its owner can take again; it must release it as often. At the
-- owner's end, however it ends, it is free. Does not park.
local function RLock()
  local self = setmetatable({ _owner = nil, _depth = 0, _queue = false }, rlock_mt)
  self._queue = core.waitq(self)
  return self
end

--- Nobody has it any more: the next in line gets it.
local function hand_on(self)
  self._depth = 0
  self._owner = wake(self._queue) and HANDED_OVER or nil
  if not self._owner then
    watch.notify(self)
  end
end

local function owned(self, me)
  local ok, err = pcall(exits.hold, self)
  if not ok then -- no memory
    hand_on(self)
    error(err, 0)
  end
  self._owner, self._depth = me, 1
  return true
end

rlock_methods._lost, rlock_methods._exit = hand_on, hand_on

--- Take the lock. Parks.
-- @tparam[opt] number timeout seconds
-- @return true; or nil, ETIMEDOUT
function rlock_methods:acquire(timeout)
  begin(timeout, "acquire")
  local me = current()
  if self._owner == me then
    self._depth = self._depth + 1
    return true
  elseif not self._owner then
    return owned(self, me)
  end
  local ok, err = finished(self, "acquire", core_park(self._queue, thread.deadline(timeout)))
  if ok then
    return owned(self, me)
  end
  return nil, err
end

--- Take the lock if it is free or one's own. Does not park.
-- @treturn boolean
function rlock_methods:try_acquire()
  local me = current()
  if self._owner == me then
    self._depth = self._depth + 1
    return true
  end
  return not self._owner and owned(self, me)
end

local function undo_acquire(self)
  self._depth = self._depth - 1
  if self._depth == 0 then
    exits.release(self)
    hand_on(self)
  end
end

--- Undo one acquire. Raises when another green thread is the owner. Does not park.
-- @return true
function rlock_methods:release()
  if self._owner ~= current() then
    local who = thread.is_thread(self._owner) and thread.label(self._owner) or "nobody"
    args.misuse("RLock:release: the owner is %s, not %s", who, thread.label(current()))
  end
  undo_acquire(self)
  return true
end

--- The coroutine that stood in a with was dropped there, or has long left it.
local function drop(held)
  local self = held.lock
  if held.is_inside and self._owner == held.owner then
    undo_acquire(self)
  end
end

local function release_after(self, held, _guard, ok, ...)
  held.is_inside = false
  self:release()
  if ok then
    return ...
  end
  error((...), 0)
end

--- Call fn(...) between acquire and release, whatever happens in it. Parks.
-- @return what fn returned; its error passes on
function rlock_methods:with(fn, ...)
  args.callable(fn, "with", "fn")
  local held = { lock = self, owner = false, is_inside = false }
  local guard = guard_of(drop, held)
  self:acquire() -- last: what can fail has been done
  held.owner, held.is_inside = self._owner, true
  return release_after(self, held, guard, xpcall(fn, thread.note_traceback, ...))
end

--- Has it an owner?
function rlock_methods:locked()
  return self._owner ~= nil
end

--- The green thread that has it; nil: none.
function rlock_methods:owner()
  local owner = self._owner
  return owner and owner ~= HANDED_OVER and core.expose(owner) or nil
end

function rlock_methods:_ready()
  return self._owner == nil or self._owner == current()
end

show.kind(rlock_mt, function(self)
  local owner = self:owner()
  return ("%s, %d waiting"):format(owner and "of " .. tostring(owner) .. ", taken " .. self._depth
    .. " times" or "free", core.waiting(self._queue))
end)

-- -- metaphore ----------------------------------------------------------------

local meta_methods = {}
watch.watchable(meta_methods)
local metaphore_mt = { __name = "green.metaphore", __index = meta_methods }

--- A count of things under way; wait returns when there are none (Go's
-- WaitGroup). Does not park.
local function metaphore()
  return setmetatable({ _count = 0, _queue = core.waitq() }, metaphore_mt)
end

local function step(by, where)
  return by == nil and 1 or args.integer(by, 0, where, "by")
end

--- More things are under way. Does not park.
-- @tparam[opt=1] number by
function meta_methods:inc(by)
  self._count = self._count + step(by, "inc")
end

--- So many are done. Raises if there were not as many. Does not park.
-- @tparam[opt=1] number by
function meta_methods:dec(by)
  by = step(by, "dec")
  if by > self._count then
    args.misuse("metaphore:dec: by %g, but the count is %g", by, self._count)
  end
  self._count = self._count - by
  if self._count == 0 then
    core.wake_all(self._queue)
    watch.notify(self)
  end
end

--- Wait until the count is, or was meanwhile, 0. Parks.
-- @tparam[opt] number timeout seconds
-- @return true; or nil, ETIMEDOUT
function meta_methods:wait(timeout)
  begin(timeout, "metaphore:wait")
  if self._count == 0 then
    return true
  end
  return finished(self, "metaphore:wait", core_park(self._queue, thread.deadline(timeout)))
end

--- How many are under way.
function meta_methods:count()
  return self._count
end

function meta_methods:_ready()
  return self._count == 0
end

show.kind(metaphore_mt, function(self)
  return ("%d under way, %d waiting"):format(self._count, core.waiting(self._queue))
end)

class.seal(rlock_mt)
class.seal(metaphore_mt)

return { RLock = RLock, metaphore = metaphore }
