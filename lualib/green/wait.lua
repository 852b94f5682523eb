--- Waiting for many things at once: green threads, events, queues, semaphores,
-- sockets.
--
-- What can be waited for is a green thread, or an object with one of these:
--
--   * `obj:_ready()`, `obj:_watch(fn)`, `obj:_unwatch(fn)`: is there something to
--     take now; call fn() whenever there may be; and no more. fn does not park.
--   * `obj:wait_readable()`, or a stream's `obj:read_some(0)`: parks until there is
--     something to take; a green thread is started to wait for it.
--
-- Nothing is taken: a queue that was reported still holds its item, and another
-- green thread may get it first.
-- @module green.wait

local core = require "green.core"
local args = require "green.args"
local options = require "green.args.options"
local watch = require "green.wait.watch"
local thread = require "green.thread"

local M = {}

-- -- Arguments ----------------------------------------------------------------

local function check_list(objects, where, name)
  if type(objects) == "table" and watch.watcher_for(objects) then
    args.wrong(where, name, "a list of what to wait for", objects) -- one, without braces
  end
  args.list(objects, where, name, "what to wait for")
end

local function check_objects(objects, where)
  check_list(objects, where, "objects")
  for i, obj in ipairs(objects) do
    if not watch.watcher_for(obj) then
      args.misuse("%s: object %d (%s) cannot be waited for", where, i, args.shown(obj))
    elseif rawequal(obj, core.current()) then
      args.misuse("%s: a green thread cannot wait for itself", where)
    end
  end
end

local function check_numbers(timeout, count, where)
  args.timeout(timeout, where)
  if count ~= nil then
    args.count(count, 0, where, "count")
  end
end

-- -- All the others -----------------------------------------------------------

-- Threads inside of wait(), and those that nobody waits for.
local waiting_for_all = require "green.thread.background"

-- Who waits for all does not listen to each: an error stays unheard.
local function report_unheard(t)
  local data = core.peek(t)
  if core.state(t) == "raised" and not (data.links and data.links.n > 0) then
    thread.report(data.error, t, thread.describe(t))
  end
end

local function wait_for_all(deadline)
  local me = core.waiter()
  waiting_for_all[me] = true
  local status, other = 0, core.other(waiting_for_all)
  while other and status == 0 do
    status = core.park(other, deadline)
    if status == 0 then
      report_unheard(other)
      other = core.other(waiting_for_all)
    end
  end
  waiting_for_all[me] = nil
  if status ~= 0 then
    return thread.failed(status, "wait")
  end
  return true
end

-- -- Public -------------------------------------------------------------------

--- Call fn(obj) for each object as it becomes ready, until fn returns true.
-- true; or nil, err.
local function for_each_ready(objects, timeout, count, fn)
  local deadline, set = thread.deadline(timeout), watch.open(objects, true)
  local obj, status = true, 0
  while obj and set.taken < (count or math.huge) do
    obj, status = watch.next_ready(set, deadline)
    if obj and fn(obj) then
      break
    end
  end
  watch.close(set)
  if not obj and status ~= 0 then
    return thread.failed(status, "wait")
  end
  return true
end

--- Wait for several things. Parks.
-- @tparam[opt] table objects green threads, events, queues, semaphores, sockets;
-- without it: until all other green threads have ended, those started meanwhile
-- too (errors that end them are reported)
-- @tparam[opt] number timeout seconds
-- @tparam[opt] number count return as soon as this number are ready; default: all
-- @treturn table those that are ready, in the order they became so; and as a
-- second result ETIMEDOUT if the time was up. Without objects: true; or nil, err
function M.wait(objects, timeout, count)
  check_numbers(timeout, count, "wait")
  if objects == nil then
    thread.checkpoint()
    return wait_for_all(thread.deadline(timeout))
  end
  check_objects(objects, "wait")
  thread.checkpoint()
  local ready = {}
  local _, err = for_each_ready(objects, timeout, count, function(obj)
    ready[#ready + 1] = obj
  end)
  return ready, err
end

--- For a loop over things as they become ready, each once. It ends when all
-- were, or the time is up. The loop parks.
-- @tparam table objects as for wait
-- @tparam[opt] number timeout seconds, for the whole loop
-- @tparam[opt] number count end after this number of objects
-- @treturn function the next one; nil at the end; nil, ETIMEDOUT
function M.iwait(objects, timeout, count)
  check_numbers(timeout, count, "iwait")
  check_objects(objects, "iwait")
  local deadline, set = thread.deadline(timeout), watch.open(objects)
  -- A loop that is left early stops watching when its iterator is collected: not
  -- in the middle of whatever made the collector run.
  local guard = newproxy(true)
  getmetatable(guard).__gc = function()
    if set.stops and not set.closed then
      pcall(core.spawn_n, watch.close, set)
    end
  end
  return function()
    thread.checkpoint()
    local obj, status = nil, 0
    if guard and set.taken < (count or math.huge) then
      obj, status = watch.next_ready(set, deadline)
    end
    if obj then
      return obj
    end
    watch.close(set)
    if status ~= 0 then
      return thread.failed(status, "iwait")
    end
    return nil
  end
end

local function check_threads(threads, where)
  check_list(threads, where, "threads")
  for i, t in ipairs(threads) do
    if not args.is_thread(t) then
      args.misuse("%s: object %d (%s) is not a green thread", where, i, args.shown(t))
    end
  end
end

--- Wait until green threads have ended. Parks.
-- @tparam table threads
-- @tparam[opt] number timeout seconds
-- @tparam[opt] boolean raise_error raise the error of the first that fails, at
-- once, while others still run
-- @tparam[opt] number count return as soon as this number have ended; default: all
-- @treturn table those that have ended, in the order of the list; and as a second
-- result ETIMEDOUT if the time was up
function M.joinall(threads, timeout, raise_error, count)
  check_numbers(timeout, count, "joinall")
  check_threads(threads, "joinall")
  check_objects(threads, "joinall")
  thread.checkpoint()
  local failed
  local _, err = for_each_ready(threads, timeout, count, function(t)
    failed = raise_error and core.state(t) == "raised" and t
    return failed
  end)
  if failed then
    failed:wait()
  end
  local list = {}
  for _, t in ipairs(threads) do
    if core.is_dead(t) then
      list[#list + 1] = t
    end
  end
  return list, err
end

local kill_options = { block = true, timeout = true, force_after = true, error = true }

--- Kill green threads and wait for their ends. The running one, if it is in the
-- list, comes last. Parks, unless `block` is false.
-- @tparam table threads
-- @tparam[opt] table opts `block` false: do not wait; `timeout` seconds to wait;
-- `force_after` and `error` as in a thread's kill
-- @return true; or nil, ETIMEDOUT
function M.killall(threads, opts)
  check_threads(threads, "killall")
  opts = options.check(opts, kill_options, "killall")
  args.optional(opts.block, "boolean", "killall", "block")
  args.timeout(opts.timeout, "killall")
  if opts.force_after ~= nil then
    args.number(opts.force_after, 0, "killall", "force_after")
  end
  if opts.block ~= false then
    thread.checkpoint()
    core.waiter() -- where that raises, nobody is killed
  end
  local how, others, me = { force_after = opts.force_after, error = opts.error }, {}, nil
  for _, t in ipairs(threads) do
    if t == core.current() then
      me = t
    else
      t:kill_soon(how)
      others[#others + 1] = t
    end
  end
  local err
  if opts.block ~= false then
    err = select(2, M.joinall(others, opts.timeout))
  end
  if me then
    me:kill_soon(how)
  end
  if err then
    return nil, err
  end
  return true
end

return M
