--- CappedSemaphore: acquire waits for a permit, release waits for room. See
-- green.semaphore.
-- @module green.semaphore.capped

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local exits = require "green.thread.exits"
local plain = require "green.semaphore.plain"
local show = require "green.args.show"
local thread = require "green.thread"
local timeouts = require "green.timeout"
local watch = require "green.wait.watch"

local core_park, wake, waiting = core.park, core.wake, core.waiting
local begin, finished, methods = plain.begin, plain.finished, plain.methods

local capped_methods = setmetatable({}, { __index = methods })
local capped_mt = { __name = "green.CappedSemaphore", __index = capped_methods }

show.kind(capped_mt, function(self)
  return ("%s, %d releasing"):format(plain.state_of(self), waiting(self._releasers))
end)

--- A semaphore whose release waits while `limit` permits are free; with limit 0
-- acquire and release meet. Does not park.
-- @tparam number count permits at first
-- @tparam number limit
local function CappedSemaphore(count, limit)
  args.count(limit, 0, "CappedSemaphore", "limit")
  if args.count(count, 0, "CappedSemaphore", "count") > limit then
    args.wrong("CappedSemaphore", "count", ("at most limit (%g)"):format(limit), count)
  end
  local self = plain.init(count, capped_mt)
  self._limit, self._releasers = limit, core.waitq()
  return self
end

--- A permit was taken: the longest waiting release adds its own.
local function refill(self)
  if wake(self._releasers) then
    self._count = self._count + 1
  end
end

--- Take a permit, from a waiting release if there is none else. Does not park.
function capped_methods:try_acquire()
  if self._count > 0 then
    self._count = self._count - 1
    refill(self)
    return true
  end
  return wake(self._releasers)
end

--- Take a permit. Parks.
-- @tparam[opt] number timeout seconds
-- @return true; or nil, ETIMEDOUT
function capped_methods:acquire(timeout)
  begin(timeout, "acquire")
  if self:try_acquire() then
    return true
  end
  return finished(self, "acquire", core_park(self._queue, thread.deadline(timeout)))
end

--- Give a permit. Parks while there are `limit` already.
-- @tparam[opt] number timeout seconds
-- @return true; or nil, ETIMEDOUT
function capped_methods:release(timeout)
  begin(timeout, "release")
  if self._count < self._limit or waiting(self._queue) > 0 then
    return methods.release(self)
  end
  core.waiter() -- where that raises, nobody is told
  watch.notify(self)
  return finished(self, "release", core_park(self._releasers, thread.deadline(timeout)))
end

--- Give a permit in any case, also at the end of a green thread, which cannot wait
-- for room: another does. Does not park.
-- @return that other one; nil when there was room
function capped_methods:_give_back()
  if self._count < self._limit or waiting(self._queue) > 0 then
    methods.release(self)
    return nil
  end
  return core.spawn(self.release, self)
end
capped_methods._lost = capped_methods._give_back

--- Release, and whatever becomes of the running green thread meanwhile, the permit
-- is not lost: another waits for room. Without memory for one it does so itself.
local function release_apart(self)
  local ok, releaser = pcall(self._give_back, self)
  if not ok then
    self:release()
  elseif releaser then
    releaser:wait()
  end
end

local function passed(_guard, ...)
  return ...
end

--- Call fn(...) between acquire and release, whatever happens in it. A killed green
-- thread waits 5 s at most for the release, which comes when there is room. Parks.
-- @return what fn returned; its error passes on
function capped_methods:with(fn, ...)
  args.callable(fn, "with", "fn")
  local given = { n = select("#", ...), ... }
  local held = plain.hold(self)
  return passed(timeouts.guard_of(plain.drop, held), timeouts.finally(function()
    return plain.run_with(self, held, fn, unpack(given, 1, given.n))
  end, function()
    exits.release(held)
    if held.has_permit then
      release_apart(self)
    end
  end))
end

--- Permits that are left and releases that wait; negative: acquires that wait.
function capped_methods:balance()
  return self._count - waiting(self._queue) + waiting(self._releasers)
end

--- Would acquire have to wait?
function capped_methods:locked()
  return not self:_ready()
end

--- Would release have to wait?
function capped_methods:bounded()
  return self._count >= self._limit and waiting(self._queue) == 0
end

function capped_methods:_ready()
  return self._count > 0 or waiting(self._releasers) > 0
end

class.seal(capped_mt)

return { CappedSemaphore = CappedSemaphore }
