--- Watching several objects at once: what green.wait and its users share.
--
-- Private; how an object becomes something to wait for is told in green.wait.
-- @module green.wait.set

local core = require "green.core"
local thread = require "green.thread"

local M = {}

-- -- For those who can be watched ---------------------------------------------

--- Tell the watchers of an object. Does not park.
function M.notify(obj)
  local watchers = obj._watchers
  if watchers then
    for i = 1, #watchers do
      watchers[i]()
    end
  end
end

--- Give a class `_watch` and `_unwatch`; it calls notify(self).
function M.watchable(methods)
  function methods:_watch(fn)
    self._watchers = self._watchers or {}
    table.insert(self._watchers, fn)
  end

  function methods:_unwatch(fn)
    for i, watcher in ipairs(self._watchers or {}) do
      if watcher == fn then
        table.remove(self._watchers, i)
        break
      end
    end
    if self._watchers and #self._watchers == 0 then
      self._watchers = nil
    end
  end
end

-- -- Watching one object ------------------------------------------------------

--- Each kind of watching returns a function that ends it.
local function watch_thread(t, fn)
  t:link(fn)
  return function()
    t:unlink(fn)
  end
end

local function watch_object(obj, fn)
  obj:_watch(fn)
  return function()
    obj:_unwatch(fn)
  end
end

-- Only a green thread can wait for a descriptor: one waits in our stead. What it
-- fails with counts as ready: the next read will tell.
local function watch_readable(obj, fn)
  local helper = thread.spawn(function()
    if obj.wait_readable then
      pcall(obj.wait_readable, obj)
    else
      pcall(obj.read_some, obj, 0)
    end
    fn()
  end)
  return function()
    helper:kill_soon()
  end
end

local function has(obj, name)
  local kind = type(obj)
  return (kind == "table" or kind == "userdata") and type(obj[name]) == "function"
end

local function is_ready(obj)
  if thread.is_thread(obj) then
    return core.is_dead(obj)
  end
  return has(obj, "_ready") and obj:_ready()
end

local function watcher_for(obj)
  if thread.is_thread(obj) then
    return watch_thread
  elseif has(obj, "_watch") then
    return watch_object
  elseif has(obj, "wait_readable") or has(obj, "read_some") then
    return watch_readable
  end
end

-- -- Watching many ------------------------------------------------------------

--- The state of one wait. Its fields: `objects`; `found`, the indices of those
-- that were seen ready, in order, of which `taken` were told; `stops`, index ->
-- how to stop watching; `queue`, where the one who waits stands.
local function open(objects)
  local set = { objects = objects, found = {}, seen = {}, taken = 0, stops = nil }
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
      set.seen[i] = true
      set.found[#set.found + 1] = i
      core.wake_all(set.queue)
    end
  end)
end

local function watch_all(set)
  set.queue = core.waitq()
  set.stops = {}
  for i, obj in ipairs(set.objects) do
    if not set.seen[i] then
      set.stops[i] = watch(set, i, obj)
    end
  end
end

--- Stop watching. Idempotent. Does not park.
local function close(set)
  for i, stop in pairs(set.stops or {}) do
    set.stops[i] = nil
    stop()
  end
  set.closed = true
end

--- Park until something is found. The status.
local function stand(set, deadline)
  local ok, status = pcall(core.park, set.queue, deadline)
  if not ok then -- the wait was refused
    close(set)
    error(status, 0)
  end
  return status
end

--- The next ready object; nil and a status if there is none, or none in time.
-- Parks.
local function next_ready(set, deadline)
  local found, n = set.found, set.closed and set.taken or #set.objects
  if #found == set.taken and set.taken < n and not set.stops then
    watch_all(set)
  end
  while #found == set.taken and set.taken < n do
    local status = stand(set, deadline)
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
