--- Queues between green threads.
--
-- A queue of size n makes a put wait while n items stand in it; one of size 0 is
-- a meeting: put waits until a get takes the item. Without a size it never
-- waits. Who waits is served in order of arrival.
-- @module green.queue

local core = require "green.core"
local args = require "green.args"
local base = require "green.queue.base"
local options = require "green.args.options"
local store = require "green.queue.store"
local thread = require "green.thread"

local core_park = core.park
local kind, new, seal = base.kind, base.new, base.seal

local light_mt = seal(kind("green.LightQueue", base.methods))

--- A queue without task_done and join. Does not park.
-- @tparam[opt] number maxsize
local function LightQueue(maxsize)
  base.check_maxsize(maxsize, "LightQueue")
  return new(light_mt, maxsize, store.fifo())
end

local queue_mt, queue_methods = kind("green.Queue", base.methods)
local priority_mt = kind("green.PriorityQueue", queue_methods)
local lifo_mt = kind("green.LifoQueue", queue_methods)

local function with_tasks(self)
  self._unfinished = 0
  self._joiners = core.waitq()
  return self
end

--- First in, first out. Does not park.
-- @tparam[opt] number maxsize nil: no limit; 0: put waits for a get
local function Queue(maxsize)
  base.check_maxsize(maxsize, "Queue")
  return with_tasks(new(queue_mt, maxsize, store.fifo()))
end

--- Last in, first out. Does not park.
local function LifoQueue(maxsize)
  base.check_maxsize(maxsize, "LifoQueue")
  return with_tasks(new(lifo_mt, maxsize, store.lifo()))
end

local priority_options = { less = true }

--- The smallest item first: numbers and strings by value, tables by their first
-- element; equal ones in the order of putting. Does not park.
-- @tparam[opt] number maxsize
-- @tparam[opt] table opts `less`: function(a, b), is a to come before b?
local function PriorityQueue(maxsize, opts)
  base.check_maxsize(maxsize, "PriorityQueue")
  opts = options.check(opts, priority_options, "PriorityQueue")
  if opts.less ~= nil then
    args.callable(opts.less, "PriorityQueue", "less")
  end
  return with_tasks(new(priority_mt, maxsize, store.heap(opts.less)))
end

local function tasks_done(self, n)
  self._unfinished = self._unfinished - n
  if self._unfinished == 0 then
    core.wake_all(self._joiners)
  end
end

--- What a get took is dealt with. Raises if called more often than items were
-- put. Does not park.
function queue_methods:task_done()
  if self._unfinished == 0 then
    args.misuse("task_done: called more often than items were put")
  end
  tasks_done(self, 1)
end

--- Items that were put and not yet reported by task_done.
function queue_methods:unfinished()
  return self._unfinished
end

function queue_methods:_drop_items()
  local n = math.min(self._items.len, self._unfinished)
  self._items:clear()
  if n > 0 then
    tasks_done(self, n)
  end
end

local function joined(_self, status)
  if status ~= 0 then
    return thread.failed(status, "join")
  end
  return true
end

--- Wait until task_done was called for every item. Parks.
-- @tparam[opt] number timeout seconds
-- @return true; or nil, ETIMEDOUT
function queue_methods:join(timeout)
  args.timeout(timeout, "join")
  thread.checkpoint()
  if self._unfinished == 0 then
    return true
  end
  return joined(self, core_park(self._joiners, thread.deadline(timeout)))
end

for _, mt in ipairs { queue_mt, priority_mt, lifo_mt } do
  seal(mt)
end

return {
  Queue = Queue,
  LightQueue = LightQueue,
  PriorityQueue = PriorityQueue,
  LifoQueue = LifoQueue,
}
