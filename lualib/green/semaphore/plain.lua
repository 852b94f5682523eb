--- Semaphore and BoundedSemaphore: permits that green threads wait for. See
-- green.semaphore.
-- @module green.semaphore.plain

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local exits = require "green.thread.exits"
local show = require "green.args.show"
local thread = require "green.thread"
local timeouts = require "green.timeout"
local watch = require "green.wait.watch"

local core_park, wake, waiting = core.park, core.wake, core.waiting
local guard_of = timeouts.guard_of

--- A count of permits; nil: 1.
local function count_of(value, where, name)
  return value == nil and 1 or args.count(value, 0, where, name)
end

--- What an acquire returns for the status of its wait. The object comes along
-- to stay alive, as its queue must, while somebody waits in it.
local function finished(_self, op, status)
  if status == 0 then
    return true
  end
  return thread.failed(status, op)
end

--- The beginning of every call that may wait.
local function begin(timeout, op)
  args.timeout(timeout, op)
  thread.checkpoint()
end

-- -- with ---------------------------------------------------------------------

--- The end of a green thread in the middle of a with.
local function give_back(held)
  if held.has_permit then
    held.semaphore:_give_back()
  end
end

--- A record of what the running green thread holds: nothing yet.
local function hold(self)
  local held = { _exit = give_back, semaphore = self, has_permit = false }
  exits.hold(held)
  return held
end

local function run_with(self, held, fn, ...)
  self:acquire()
  held.has_permit = true
  return fn(...)
end

--- The coroutine that stood in a with was dropped there, or has long left it: then the
-- record was taken back.
local function drop(held)
  if exits.release(held) then
    give_back(held)
  end
end

local function release_after(self, held, _guard, ok, ...)
  exits.release(held)
  if held.has_permit then
    self:release()
  end
  if ok then
    return ...
  end
  error((...), 0)
end

--- Call fn(...) between acquire and release, whatever happens in it. Parks.
-- @return what fn returned; its error passes on
local function with(self, fn, ...)
  args.callable(fn, "with", "fn")
  local held = hold(self)
  return release_after(self, held, guard_of(drop, held),
    xpcall(run_with, thread.note_traceback, self, held, fn, ...))
end

-- -- Semaphore ----------------------------------------------------------------

local methods = { with = with }
watch.watchable(methods)
local semaphore_mt = { __name = "green.Semaphore", __index = methods }

local function init(value, mt)
  local self = setmetatable({ _count = value, _queue = false }, mt)
  self._queue = core.waitq(self)
  return self
end

--- For tostring.
local function state_of(self)
  return ("%d free%s, %d waiting"):format(self._count,
    self._limit and " of " .. self._limit or "", core.waiting(self._queue))
end
show.kind(semaphore_mt, state_of)

--- A count of permits. Does not park.
-- @tparam[opt=1] number value how many there are at first
local function Semaphore(value)
  return init(count_of(value, "Semaphore", "value"), semaphore_mt)
end

--- Take a permit. Parks.
-- @tparam[opt] number timeout seconds
-- @return true; or nil, ETIMEDOUT
function methods:acquire(timeout)
  begin(timeout, "acquire")
  if self._count > 0 then
    self._count = self._count - 1
    return true
  end
  return finished(self, "acquire", core_park(self._queue, thread.deadline(timeout)))
end

--- Take a permit if there is one. Does not park.
-- @treturn boolean
function methods:try_acquire()
  if self._count > 0 then
    self._count = self._count - 1
    return true
  end
  return false
end

--- Give a permit back, or a new one. Does not park.
-- @return true
function methods:release()
  if not wake(self._queue) then
    self._count = self._count + 1
    watch.notify(self)
  end
  return true
end

--- For what a permit was given to and has ended: the next one gets it.
function methods:_give_back()
  methods.release(self)
end
methods._lost = methods._give_back

--- Would acquire have to wait?
function methods:locked()
  return self._count == 0
end

--- Permits that are left; negative: the number of threads that wait for one.
function methods:balance()
  return self._count - waiting(self._queue)
end

--- Is there an upper limit at which release waits?
function methods:bounded()
  return false
end

function methods:_ready()
  return self._count > 0
end

-- -- BoundedSemaphore ---------------------------------------------------------

local bounded_methods = setmetatable({}, { __index = methods })
local bounded_mt = { __name = "green.BoundedSemaphore", __index = bounded_methods }
show.kind(bounded_mt, state_of)

--- A semaphore that raises when it is released more often than acquired. Does
-- not park.
-- @tparam[opt=1] number value
local function BoundedSemaphore(value)
  local self = init(count_of(value, "BoundedSemaphore", "value"), bounded_mt)
  self._limit = self._count
  return self
end

--- Give a permit back; raises if there is none to give. Does not park.
function bounded_methods:release()
  if self._count >= self._limit then
    args.misuse("BoundedSemaphore:release: released more often than acquired")
  end
  return methods.release(self)
end

class.seal(semaphore_mt)
class.seal(bounded_mt)

return {
  Semaphore = Semaphore,
  BoundedSemaphore = BoundedSemaphore,
  methods = methods,
  init = init,
  drop = drop,
  hold = hold,
  run_with = run_with,
  begin = begin,
  finished = finished,
  state_of = state_of,
}
