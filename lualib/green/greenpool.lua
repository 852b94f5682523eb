--- GreenPool and GreenPile: they run calls in green threads, never more at once than their size.
-- @module green.greenpool

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local map = require "green.greenpool.map"
local members = require "green.greenpool.members"
local results = require "green.greenpool.results"
local show = require "green.args.show"
local thread = require "green.thread"

-- -- GreenPool ----------------------------------------------------------------

local methods = { imap = map.imap, imap_unordered = map.imap_unordered, starmap = map.starmap }
local pool_mt = { __name = "green.GreenPool", __index = methods }

local SIZE = 1000

local function new(size)
  return members.finish_init(setmetatable(members.init(size), pool_mt))
end

--- A pool for that many green threads. Does not park.
-- @tparam[opt=1000] number size at least 1: in one of size 0 nothing could run
local function GreenPool(size)
  return new(args.count(size == nil and SIZE or size, 1, "GreenPool", "size"))
end

-- The body of a green thread that stands for a call made in place.
local function give_back(ok, ...)
  if ok then
    return ...
  end
  error((...), 0)
end

local function pack(...)
  return { n = select("#", ...), ... }
end

--- A member of a full pool spawns: call fn here and now.
local function call_in_place(fn, ...)
  local outcome = pack(xpcall(fn, thread.note_traceback, ...))
  if not outcome[1] then
    thread.checkpoint() -- what cancels the caller is not fn's error
  end
  return outcome
end

--- Start fn(...) in a green thread of the pool. In a member of a full pool, fn
-- is called in place: a member must not wait for himself. Parks while the pool
-- is full.
-- @treturn green.thread
function methods:spawn(fn, ...)
  args.callable(fn, "spawn", "fn")
  if members.enter(self) then
    local t = members.start(members.slot(self), fn, ...)
    return t -- no tail call: the spawn site is the caller's
  end
  local outcome = call_in_place(fn, ...)
  local t = core.make(2, false, give_back, unpack(outcome, 1, outcome.n))
  core.start(t)
  return t
end

--- The same without a handle. Errors are reported. Parks while the pool is full.
function methods:spawn_n(fn, ...)
  args.callable(fn, "spawn_n", "fn")
  if members.enter(self) then
    members.start(members.slot(self), fn, ...)
    return
  end
  local outcome = call_in_place(fn, ...)
  if not outcome[1] then
    core.start(core.make(2, false, give_back, false, outcome[2]))
  end
end

--- Wait until the pool has no members; their errors are not raised here. Parks.
-- @tparam[opt] number timeout seconds
-- @return true; or nil, ETIMEDOUT
function methods:waitall(timeout)
  args.timeout(timeout, "waitall")
  if members.is_member(self) then
    args.misuse("waitall: called by a member of the pool, which would wait for itself")
  end
  thread.checkpoint()
  if self._running == 0 and self._mapping == 0 then
    return true
  end
  local status = core.park(self._idle, thread.deadline(timeout))
  if status ~= 0 then
    return thread.failed(status, "waitall")
  end
  return true
end

--- Change the size. Growing wakes who waits to spawn; shrinking lets the members
-- finish. Does not park.
-- @tparam number size 0: nothing starts until it grows again
function methods:resize(size)
  members.resize(self, args.count(size, 0, "resize", "size"))
end

--- The size.
function methods:size()
  return self._size
end

--- How many members have a slot (those of imap have none).
function methods:running()
  return self._running
end

--- How many slots are free; negative after shrinking below running().
function methods:free()
  return self._size - self:running()
end

--- How many wait to spawn.
function methods:waiting()
  return core.waiting(self._slots)
end

methods._lost = members.lost

show.kind(pool_mt, function(self)
  return ("%d of %d running, %d waiting"):format(self:running(), self._size, self:waiting())
end)

-- -- GreenPile ----------------------------------------------------------------

local pile_methods = {}
local pile_mt = { __name = "green.GreenPile", __index = pile_methods }

--- Calls whose results are taken in the order of spawning. Does not park.
-- @param[opt=1000] size_or_pool of the pool to make, or a pool to share
local function GreenPile(size_or_pool)
  local pool = size_or_pool
  if pool == nil then
    pool = new(SIZE)
  elseif type(pool) == "number" then
    pool = new(args.count(pool, 1, "GreenPile", "size"))
  elseif not class.is(pool, pool_mt) then
    args.wrong("GreenPile", "size_or_pool", "a number or a GreenPool", pool)
  end
  return setmetatable({ pool = pool, _results = results.new(pool, true) }, pile_mt)
end

--- Start fn(...) in a green thread of the pool. Parks while the pool is full.
function pile_methods:spawn(fn, ...)
  args.callable(fn, "spawn", "fn")
  local has_slot = members.enter(self.pool)
  local ok, cell = pcall(self._results.add, self._results, has_slot)
  if not ok then
    members.refuse(self.pool, has_slot, cell)
  end
  if has_slot then
    local problem
    ok, problem = pcall(members.start, cell, results.run, cell, fn, ...)
    if not ok then
      cell:finish(false, problem)
    end
  else
    local outcome = call_in_place(fn, ...)
    cell:finish(unpack(outcome, 1, outcome.n))
  end
end

local function never()
  return false
end

--- The next result, in the order of spawning; nil when all were taken. A call's
-- error is raised in its place. Parks.
-- @return its index, and what the call returned
function pile_methods:next()
  return results.emit(self._results:take(never))
end
class.seal(pool_mt)
class.seal(pile_mt)
pile_mt.__call = pile_mt.__index.next

show.kind(pile_mt, function(self)
  return ("%d results to take, %d of %d running"):format(self._results.count,
    self.pool:running(), self.pool._size)
end)

--- Is it a GreenPool, and spawns as one?
local function is_pool(value)
  return class.is(value, pool_mt) and value.spawn == pool_mt.__index.spawn
end

return { GreenPool = GreenPool, GreenPile = GreenPile, is_pool = is_pool }
