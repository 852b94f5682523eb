--- Receivers that take messages from a bounded queue: whoever calls `recv`, and functions,
-- which run in a green thread of the subscription that lives while there are messages.
-- @module green.pubsub.inbox

local core = require "green.core"
local backlogs = require "green.pubsub.backlog"
local policy = require "green.pubsub.policy"
local thread = require "green.thread"
local watch = require "green.wait.watch"

local error, rawequal, xpcall = error, rawequal, xpcall
local wake = core.wake

local M = {}

local function keep(sub, record)
  if not policy.keep(sub, record) then
    sub:_fail(policy.too_slow(sub))
  end
end

-- -- A queue ------------------------------------------------------------------

local function give_queue(sub, record)
  if not wake(sub._getters, record) then
    keep(sub, record)
    watch.notify(sub)
  end
end

-- -- A function ---------------------------------------------------------------

--- Raise what cancels the running thread; another error is reported.
local function tell(sub, err)
  local current = thread.current()
  if rawequal(err, thread.kill_error(current)) then
    error(err, 0)
  end
  thread.report(err, current, ("%s\n(the receiver of %s)"):format(
    thread.traceback_of(err) or "", sub.topic))
end

local function run(sub)
  local backlog, fn = sub._backlog, sub._receiver
  local record = backlog:pop()
  while record and not sub.closed do
    local ok, err = xpcall(fn, thread.note_traceback, record.text, record.topic, record.id,
      record.binary)
    if not ok then
      tell(sub, err)
    end
    thread.checkpoint()
    record = backlog:pop()
  end
end

--- Its thread was killed, or could not go on: so does the subscription not.
local function gone(sub, is_done)
  sub._running = false
  if not is_done then
    sub:close()
  elseif sub._backlog.all > 0 and not sub.closed then
    M.wake(sub)
  end
end

function M.wake(sub)
  if not sub._running then
    sub._running = true
    sub._hub._crew:run(run, sub, gone)
  end
end

local function give_function(sub, record)
  keep(sub, record)
  if not sub.closed then
    M.wake(sub)
  end
end

-- -- Both ---------------------------------------------------------------------

--- What is replayed has room beyond the limits: history has its own.
function M.replay(sub, records)
  sub._backlog:replay(records)
  if sub._receiver and records[1] then
    M.wake(sub)
  end
end

--- Make a subscription one with a queue; fn: a function takes from it.
function M.init(sub, fn)
  sub._backlog = backlogs.new()
  sub._receiver = fn or false
  sub._give = fn and give_function or give_queue
  sub._getters = core.waitq(sub)
end

return M
