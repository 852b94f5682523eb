--- Calls that nobody waits for any more, while a native thread is still at them. Private to
-- green.tpool.
--
-- Such a call is told to stop, again and again: one `pcall` of its function swallows that.
-- When it has not ended after a grace, its thread is given up: it counts as lost until it
-- comes back, and another does what is in line.
-- @module green.tpool.leaving

local core = require "green.core"
local background = require "green.thread.background"
local carry = require "green.thread.carry"

-- Scripts may put their own in their places.
local format, gsub, next, pairs, pcall = string.format, string.gsub, next, pairs, pcall

local M = {}

local AGAIN = 0.01 -- seconds between two words to a call

local function deliver(call)
  carry.deliver(core.call_back(call))
end

--- What came back with a call for what it had brought (green.thread.carry): whatever becomes of
-- that, the call's own outcome stands. Does not park.
function M.bring_back(call)
  pcall(deliver, call)
end

-- call (core's object) -> { due = until when, grace, place = site of who left it }; or
-- { late = function }: it may end as it likes, and that gets what it gave.
local leaving = {}
local watcher

--- Its thread is lost; say so.
local function lose(call, entry)
  local code = core.call_lose(call)
  if code == 1 then
    core.complain(format("greenlua: tpool: a job has not stopped %g s after it was left (%s); its "
      .. "native thread is given up\n", entry.grace, entry.place))
  end
  return code ~= core.codes.ENOMEM -- else the next turn makes another try
end

--- Is there nothing more to be done about it?
local function is_settled(call, entry, now)
  if entry.late then
    return core.call_over(call)
  elseif not core.call_stop(call) and core.call_over(call) then
    return true
  end
  return now >= entry.due and lose(call, entry)
end

local function tell_late(call, entry)
  entry.late(core.call_outcome(call))
end

local function look_once()
  local now, done = core.now(), {}
  for call, entry in pairs(leaving) do
    if is_settled(call, entry, now) then
      done[call] = entry
    end
  end
  for call, entry in pairs(done) do
    leaving[call] = nil
    M.bring_back(call)
    if entry.late then
      pcall(tell_late, call, entry)
    end
    core.release(call)
  end
end

--- It waits for one of them: mostly there is no other.
local function watch()
  look_once()
  local call, entry = next(leaving)
  while call do
    local is_alone = entry.late and next(leaving, call) == nil
    core.park(core.call_waiters(call), not is_alone and core.now() + AGAIN or nil, core.QUEUE)
    look_once()
    call, entry = next(leaving)
  end
  watcher = nil
end

local function ensure_watcher()
  if watcher and not core.is_dead(watcher) then
    core.wake_thread(watcher, 0) -- it may wait for one alone
    return
  end
  watcher = core.spawn(watch)
  background[watcher] = true
end

local function add(call, entry)
  leaving[call] = entry
  if not pcall(ensure_watcher) then -- no memory: it is told to stop, once
    leaving[call] = nil
    core.release(call)
  end
end

--- Nobody waits for the call: it is told to stop. Does not park.
-- @param call core's object
-- @tparam number grace seconds until its thread is given up
function M.leave(call, grace)
  if not core.call_stop(call) then
    M.bring_back(call)
    core.release(call)
    return
  end
  add(call, { due = core.now() + grace, grace = grace,
    place = gsub(core.placed(""), ": $", "") })
end

--- Nobody waits for the call, which goes on and ends by itself. Does not park.
-- @tparam function late gets what core.call_outcome gives
function M.leave_alone(call, late)
  add(call, { late = late })
end

return M
