--- What becomes of a message for a receiver that is behind.
--
-- "drop" ends the subscription, "skip" leaves the message out, "coalesce" keeps the
-- newest of each key. A backlog is full with `max_queued` messages or `max_buffered`
-- bytes; one message always has room.
-- @module green.pubsub.policy

local errors = require "green.error"

local M = { names = { drop = true, skip = true, coalesce = true } }

--- What a subscription ends with whose receiver was too slow.
function M.too_slow(sub)
  return errors.new("ENOBUFS", "subscribe " .. sub.topic, "the receiver is too slow")
end

local function has_room(sub, record)
  local backlog, limits = sub._backlog, sub._limits
  return backlog.n == 0 or backlog.n < limits.max_queued
    and backlog.bytes + #record.text <= limits.max_buffered
end

local function skip(sub)
  sub.skipped = sub.skipped + 1
  sub._hub._skipped = sub._hub._skipped + 1
end
M.skip = skip

--- The newest of each key; where even these are too many, the oldest of them goes.
local function coalesce(sub, record)
  local backlog = sub._backlog
  if backlog:replace(record) then
    skip(sub)
  end
  local limits = sub._limits
  while backlog.n > 1
    and (backlog.n > limits.max_queued or backlog.bytes > limits.max_buffered) do
    backlog:pop()
    skip(sub)
  end
end

--- Put a message into the subscription's backlog, or do what the policy says.
-- @tparam[opt] boolean is_behind the receiver is, whatever room there is
-- @treturn boolean does the subscription go on?
function M.keep(sub, record, is_behind)
  local slow = sub._limits.slow
  if slow == "coalesce" and (is_behind or not has_room(sub, record)) then
    coalesce(sub, record)
  elseif has_room(sub, record) then
    sub._backlog:push(record)
  elseif slow == "skip" then
    skip(sub)
  else
    return false
  end
  return true
end

return M
