--- The methods that all kinds of queues share: putting, getting, asking. Private to
-- green.queue.
-- @module green.queue.base

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"
local exchange = require "green.queue.exchange"
local line = require "green.queue.line"
local show = require "green.args.show"
local thread = require "green.thread"
local watch = require "green.wait.watch"

local core_park, wake = core.park, core.wake
local accept, admit, take, is_full = exchange.accept, exchange.admit, exchange.take,
  exchange.is_full

local methods = {}
watch.watchable(methods)

-- -- Putting and getting ------------------------------------------------------

local function closed(op)
  return nil, errors.new("ECLOSED", op, "the queue was shut down")
end

local function check_item(item, where)
  if item == nil then
    args.misuse("%s: item must not be nil", where)
  end
end

local function stand_in_line(self, item, timeout)
  local entry = self._line:enter(item) -- raises where nobody can wait
  watch.notify(self)
  local status, taken, err = self._line:stand(entry, thread.deadline(timeout))
  if status ~= 0 then
    return thread.failed(status, "put")
  elseif err ~= nil then
    error(err, 0)
  elseif not taken then
    return closed("put")
  end
  return true
end

--- Add an item. Parks while the queue is full; at size 0 until it was taken.
-- @param item anything but nil
-- @tparam[opt] number timeout seconds
-- @return true; or nil, err: ETIMEDOUT, ECLOSED (the queue was shut down)
function methods:put(item, timeout)
  check_item(item, "put")
  args.timeout(timeout, "put")
  thread.checkpoint()
  if self._closed then
    return closed("put")
  end
  local accepted, handed_over = accept(self, item)
  if not accepted then
    return stand_in_line(self, item, timeout)
  end
  if handed_over and self._maxsize == 0 then
    core.check() -- the other one has it, and goes first
  end
  return true
end

--- Add an item if there is room, at size 0 if somebody waits for it. Does not
-- park.
-- @param item anything but nil
-- @return true; or nil, err: EAGAIN, ECLOSED
function methods:put_nowait(item)
  check_item(item, "put_nowait")
  if self._closed then
    return closed("put_nowait")
  elseif not accept(self, item) then
    return nil, errors.new("EAGAIN", "put_nowait", "the queue is full")
  end
  return true
end

-- The queue comes along to stay alive, as its waiters must, meanwhile.
local function got(_self, status, item)
  if status ~= 0 then
    return thread.failed(status, "get")
  elseif item == nil then
    return closed("get")
  end
  return item
end

--- Take the next item. Parks while there is none.
-- @tparam[opt] number timeout seconds
-- @return the item; or nil, err: ETIMEDOUT, ECLOSED (shut down, and empty)
function methods:get(timeout)
  args.timeout(timeout, "get")
  thread.checkpoint()
  local item = take(self)
  if item ~= nil then
    return item
  elseif self._closed then
    return closed("get")
  end
  return got(self, core_park(self._getters, thread.deadline(timeout)))
end

--- Take the next item if there is one. Does not park.
-- @return the item; or nil, err: EAGAIN, ECLOSED (shut down, and empty)
function methods:get_nowait()
  local item = take(self)
  if item ~= nil then
    return item
  elseif self._closed then
    return closed("get_nowait")
  end
  return nil, errors.new("EAGAIN", "get_nowait", "the queue is empty")
end

local function next_item(self)
  local item, err = self:get()
  if item == nil and not err:is("ECLOSED") then
    error(err, 0)
  end
  return item
end

--- For a loop over items; it ends when the queue is shut down and empty. The
-- loop parks.
function methods:items()
  return function()
    return next_item(self)
  end
end

--- Take no more items: every put, also those that wait, gets ECLOSED; gets go on
-- until the queue is empty, then get ECLOSED. Idempotent. Does not park.
-- @tparam[opt] boolean immediate drop what stands in the queue
function methods:shutdown(immediate)
  self._closed = true
  if immediate then
    self:_drop_items()
  end
  self._line:dismiss()
  core.wake_all(self._getters)
  watch.notify(self)
end

function methods:_drop_items()
  self._items:clear()
end

--- An item was given to a green thread that has ended without having run: the
-- next one gets it, or it is the first again.
function methods:_lost(_, item)
  if not wake(self._getters, item) then
    self._items:unpop(item)
    watch.notify(self)
  end
end

-- -- Asking -------------------------------------------------------------------

--- How many items stand in it.
function methods:qsize()
  return self._items.len
end

--- Is it empty? One of size 0 always is.
function methods:empty()
  return self._items.len == 0
end

--- Would put have to wait? One of size 0 is always full.
function methods:full()
  return is_full(self)
end

--- How many wait to put.
function methods:putting()
  return self._line.len
end

--- How many wait to get.
function methods:getting()
  return core.waiting(self._getters)
end

--- Was it shut down?
function methods:is_shutdown()
  return self._closed
end

function methods:_ready()
  return self._items.len > 0 or self._line.len > 0 or self._closed
end

local function check_maxsize(maxsize, where)
  if maxsize ~= nil then
    args.count(maxsize, 0, where, "maxsize")
  end
end

--- Change the size. Growing wakes who waits to put; shrinking drops nothing.
-- Does not park.
-- @tparam ?number maxsize nil: no limit
function methods:resize(maxsize)
  check_maxsize(maxsize, "resize")
  self._maxsize = maxsize
  admit(self)
end

-- -- Kinds --------------------------------------------------------------------

local function state_of(self)
  return ("%d of %s, %d putting, %d getting%s"):format(self._items.len,
    tostring(self._maxsize or "any"), self._line.len, self:getting(),
    self._closed and ", closed" or "")
end

--- A kind of queue: its metatable, to be sealed when it has all its methods; and
-- those.
local function kind(name, parent)
  local own = setmetatable({}, { __index = parent })
  return show.kind({ __name = name, __index = own }, state_of), own
end

local function new(mt, maxsize, items)
  local self = setmetatable({
    _maxsize = maxsize,
    _items = items,
    _line = line.new(), -- who waits to put
    _getters = false,
    _closed = false,
  }, mt)
  self._getters = core.waitq(self)
  return self
end

return {
  kind = kind,
  seal = class.seal,
  new = new,
  methods = methods,
  check_maxsize = check_maxsize,
}
