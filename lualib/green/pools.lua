--- Pool and TokenPool: a few costly things, shared by many green threads.
-- @module green.pools

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local exits = require "green.thread.exits"
local options = require "green.args.options"
local show = require "green.args.show"
local thread = require "green.thread"
local timeouts = require "green.timeout"
local watch = require "green.wait.watch"

local core_park, wake = core.park, core.wake

local MAX_SIZE = 4

-- -- Pool ---------------------------------------------------------------------

local methods = {}
watch.watchable(methods)
local pool_mt = { __name = "green.Pool", __index = methods }

--- Whoever waits longest may make an item: a place is free. Else the pool shrinks.
local function give_up_place(self)
  if self._size > self._max or not wake(self._getters, false) then
    self._size = self._size - 1
    watch.notify(self)
  end
end

local function created(self, held, ok, item, ...)
  exits.release(held)
  if ok and item ~= nil then
    return item
  end
  give_up_place(self)
  if ok then
    return item, ...
  end
  error(item, 0)
end

--- The green thread that was making one has ended.
local function leave_place(held)
  give_up_place(held.pool)
end

--- Make an item for a place that is taken already.
local function create(self)
  local held = { _exit = leave_place, pool = self }
  local ok, err = pcall(exits.hold, held)
  if not ok then -- no memory
    give_up_place(self)
    error(err, 0)
  end
  return created(self, held, xpcall(self._create, thread.note_traceback))
end

-- A waker passes true and an item, or false: make one yourself.
local function woken(self, status, has_item, item)
  if status ~= 0 then
    return thread.failed(status, "Pool:get")
  elseif has_item then
    return item
  end
  return create(self)
end

--- The next free item; nil if there is none.
local function take_free(self)
  local items = self._free
  if self._first > self._last then
    return nil
  end
  local at = self._last
  if self._as_stack then
    self._last = at - 1
  else
    at = self._first
    self._first = at + 1
  end
  local item = items[at]
  items[at] = nil
  return item
end

--- Take an item: a free one, a new one while there are fewer than max_size, or
-- the first that another green thread puts back. Parks.
-- @tparam[opt] number timeout seconds to wait for an item (making one may take
-- longer)
-- @return the item; or nil, err: ETIMEDOUT, or what `create` returned. Errors
-- that `create` raises are raised; its place is free again
function methods:get(timeout)
  args.timeout(timeout, "Pool:get")
  thread.checkpoint()
  local item = take_free(self)
  if item ~= nil then
    return item
  elseif self._size < self._max then
    self._size = self._size + 1
    return create(self)
  end
  return woken(self, core_park(self._getters, thread.deadline(timeout)))
end

--- Something was given to a green thread that has ended without having run.
function methods:_lost(_, has_item, item)
  if has_item then
    self:put(item)
  else
    give_up_place(self)
  end
end

--- Give an item back. nil: it is broken, somebody may make another one. What is
-- too many after shrinking is dropped. Does not park.
function methods:put(item)
  if item == nil or self._size > self._max then
    give_up_place(self)
  elseif not wake(self._getters, true, item) then
    self._last = self._last + 1
    self._free[self._last] = item
    watch.notify(self)
  end
end

local function put_back(held)
  held.pool:put(held.item)
end

--- The coroutine that stood in a with was dropped there, or has long left it: then the
-- record was taken back.
local function drop(held)
  if exits.release(held) then
    put_back(held)
  end
end

local function put_after(self, held, _guard, ok, ...)
  exits.release(held)
  self:put(held.item)
  if ok then
    return ...
  end
  error((...), 0)
end

--- Call fn(item, ...) with an item, which goes back whatever happens. Parks.
-- @return what fn returned (its error passes on); or nil, err of `create`
function methods:with(fn, ...)
  args.callable(fn, "with", "fn")
  local item, err = self:get()
  if item == nil then
    return nil, err
  end
  local held = { _exit = put_back, pool = self, item = item }
  local ok
  ok, err = pcall(exits.hold, held)
  if not ok then -- no memory
    self:put(item)
    error(err, 0)
  end
  return put_after(self, held, timeouts.guard_of(drop, held),
    xpcall(fn, thread.note_traceback, item, ...))
end
methods.item = methods.with

--- Change how many items there may be. Growing wakes who waits; shrinking drops
-- items as they come back. Does not park.
-- @tparam number max_size
function methods:resize(max_size)
  self._max = args.count(max_size, 0, "resize", "max_size")
  while self._size > self._max and take_free(self) ~= nil do
    self._size = self._size - 1
  end
  while self._size < self._max and wake(self._getters, false) do
    self._size = self._size + 1
  end
end

--- How many more green threads could have an item at once, without waiting.
function methods:free()
  return self._last - self._first + 1 + self._max - self._size
end

--- How many wait for an item.
function methods:waiting()
  return core.waiting(self._getters)
end

--- How many items there are, taken and free.
function methods:size()
  return self._size
end

function methods:_ready()
  return self:free() > 0
end

local function state_of(self)
  return ("%d of %d taken, %d waiting"):format(self._max - self:free(), self._max, self:waiting())
end
show.kind(pool_mt, state_of)

local known = { create = true, min_size = true, max_size = true, order_as_stack = true }

local function fill(self, min_size)
  for _ = 1, min_size do
    self._size = self._size + 1
    local item, err = create(self)
    if item == nil then
      return nil, err
    end
    self:put(item)
  end
  return self
end

local function check_sizes(opts, where)
  local max, min = opts.max_size, opts.min_size
  max = max == nil and MAX_SIZE or args.count(max, 0, where, "max_size")
  min = min == nil and 0 or args.integer(min, 0, where, "min_size")
  if min > max then
    args.wrong(where, "min_size", ("at most max_size (%.14g)"):format(max), min)
  end
  return min, max
end

local function new(mt, opts, min, max)
  local self = setmetatable({
    _create = opts.create,
    _as_stack = opts.order_as_stack,
    _max = max,
    _size = 0, -- items that are taken, free, or being made
    _free = {}, -- from _first to _last
    _first = 1,
    _last = 0,
    _getters = false,
  }, mt)
  self._getters = core.waitq(self)
  return fill(self, min)
end

--- A pool of items. Parks only if `create` does and there is a min_size.
-- @tparam table opts `create` makes an item (it may park, raise, or return nil,
-- err); `max_size` of items (4); `min_size` to make at once (0); `order_as_stack`
-- true: the last that came back goes first (else in turn)
-- @return the pool; or nil, err of `create`
local function Pool(opts)
  args.type(opts, "table", "Pool", "opts")
  options.check(opts, known, "Pool")
  args.callable(opts.create, "Pool", "create")
  local min, max = check_sizes(opts, "Pool")
  return new(pool_mt, opts, min, max)
end

-- -- TokenPool ----------------------------------------------------------------

local token_mt = show.kind { __name = "green.Token" }
local token_pool_mt = show.kind({ __name = "green.TokenPool", __index = methods }, state_of)

local function create_token()
  return setmetatable({}, token_mt)
end

local token_options = { max_size = true }

--- A pool of tokens, which mean nothing but the right to do something. Does not
-- park.
-- @tparam[opt] table opts `max_size` (4)
local function TokenPool(opts)
  opts = options.check(opts, token_options, "TokenPool")
  local _, max = check_sizes(opts, "TokenPool")
  return new(token_pool_mt, { create = create_token }, 0, max)
end

class.seal(pool_mt)
class.seal(token_pool_mt)

return { Pool = Pool, TokenPool = TokenPool }
