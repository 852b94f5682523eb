--- Watching several objects at once: what green.wait and the classes that can be waited
-- for share.
--
-- Private; how an object becomes something to wait for is told in green.wait.
-- @module green.wait.watch

local args = require "green.args"
local core = require "green.core"
local exits = require "green.thread.exits"
local thread = require "green.thread"
local watchers = require "green.thread.watchers"

local new_table = require "table.new"

-- Scripts may put their own in their places.
local error, ipairs, pairs, pcall, type = error, ipairs, pairs, pcall, type

local has = args.method
local WATCH = core.WATCH -- a mode of core.park

local M = {}

-- -- For those who can be watched ---------------------------------------------

--- Tell the watchers of an object. Does not park.
function M.notify(obj)
  local watching = obj._watchers
  if watching then
    watchers.tell(watching)
  end
end

--- Give a class `_watch` and `_unwatch`; it calls notify(self).
function M.watchable(methods)
  function methods:_watch(fn)
    self._watchers = self._watchers or watchers.new()
    watchers.add(self._watchers, fn)
  end

  function methods:_unwatch(fn)
    local watching = self._watchers
    if watching then
      watchers.remove(watching, fn)
      self._watchers = watching.n > 0 and watching or nil
    end
  end
end

-- -- Watching one object ------------------------------------------------------

--- A stream of green.stream's kind: it can be watched beside its reader.
local function is_own_stream(obj)
  return type(obj) == "table" and has(obj, "_wait") and obj._in ~= nil
end

local function has_input(obj)
  return is_own_stream(obj) and obj._in.tail > obj._in.head
end

--- Park until there is something to read. What that fails with counts as
-- something: the next read will tell.
local function wait_readable(obj)
  if is_own_stream(obj) then
    obj:_wait(WATCH)
  elseif has(obj, "wait_readable") then
    obj:wait_readable()
  else
    obj:read_some(0)
  end
end

local function is_ready(obj)
  return has(obj, "_ready") and obj:_ready() or has_input(obj)
end

--- Each kind of watching returns a function that ends it.
local function watch_object(obj, fn)
  local function stop()
    obj:_unwatch(fn)
  end
  obj:_watch(fn)
  return stop
end

-- Only a green thread can wait for a descriptor: one waits in our stead. One that
-- only watches holds nothing.
local function watch_readable(obj, fn)
  local helper = thread.spawn(function()
    pcall(wait_readable, obj)
    fn()
  end)
  local only_watches = is_own_stream(obj)
  return function()
    if only_watches then
      core.drop(helper)
    else
      helper:kill_soon()
    end
  end
end

local function watcher_for(obj)
  if has(obj, "_watch") then
    return watch_object
  elseif is_own_stream(obj) or has(obj, "wait_readable") or has(obj, "read_some") then
    return watch_readable
  end
end

-- -- Watching many ------------------------------------------------------------

--- The state of one wait. Its fields: `objects`; `found`, the indices of those
-- that were seen ready, in order, of which `taken` were told; `stops`, index ->
-- how to stop watching; `queue`, where the one who waits stands. is_held: the
-- running thread's end closes it.
local function open(objects, is_held)
  local n = #objects
  -- Whoever tells allocates nothing: it is somebody else who sends.
  local set = { objects = objects, found = new_table(n, 0), seen = new_table(n, 0),
    taken = 0, stops = nil, is_held = is_held, _exit = is_held and M.close }
  for i, obj in ipairs(objects) do
    if is_ready(obj) then
      set.found[#set.found + 1] = i
      set.seen[i] = true
    end
  end
  return set
end

local function watch(set, i, obj)
  return watcher_for(obj)(obj, function()
    if not set.seen[i] then
      set.found[#set.found + 1] = i
      set.seen[i] = true
      core.wake_all(set.queue)
    end
  end)
end

local function watch_all(set)
  core.waiter() -- where that raises, nothing is watched
  set.queue = core.waitq()
  set.stops = {}
  if set.is_held then
    exits.hold(set)
  end
  for i, obj in ipairs(set.objects) do
    if not set.seen[i] then
      set.stops[i] = false -- room for what ends it
      set.stops[i] = watch(set, i, obj)
    end
  end
end

--- Stop watching. Idempotent. Does not park.
local function close(set)
  exits.release(set)
  for i, stop in pairs(set.stops or {}) do
    set.stops[i] = nil
    if stop then
      stop()
    end
  end
  set.closed = true
end

--- The next ready object; nil and a status if there is none, or none in time.
-- Parks.
local function next_ready(set, deadline)
  local found, n = set.found, set.closed and set.taken or #set.objects
  if #found == set.taken and set.taken < n and not set.stops then
    local ok, err = pcall(watch_all, set)
    if not ok then
      M.close(set)
      error(err, 0)
    end
  end
  while #found == set.taken and set.taken < n do
    local status = core.park(set.queue, deadline)
    if status ~= 0 and #found == set.taken then
      return nil, status
    end
  end
  if set.taken == n then
    return nil, 0
  end
  set.taken = set.taken + 1
  local i = found[set.taken]
  if set.stops and set.stops[i] then
    set.stops[i]()
    set.stops[i] = nil
  end
  return set.objects[i]
end

M.watcher_for, M.open, M.close, M.next_ready = watcher_for, open, close, next_ready

return M
