--- Which lines are left out: one in so many, or no more than so many in a time. Each message
-- is counted by itself.
-- @module green.log.limit

local core = require "green.core"

local pairs, type = pairs, type -- scripts may put their own there

local MOST = 1000 -- messages that are counted by themselves; all others share a count

local M = {}

--- The count of a message.
local function count_of(limit, text)
  local key = type(text) == "string" and text or false
  local count = limit.counts[key]
  if not count then
    if limit.n >= MOST then
      key = false
      count = limit.counts[key]
    end
    if not count then
      count = { seen = 0, from = 0, left = 0 }
      limit.counts[key], limit.n = count, limit.n + 1
    end
  end
  return count
end

--- How many were left out since the last one that is written; nil: this one is left out, too.
local function decide(limit, count)
  if limit.every then
    count.seen = count.seen + 1
    if (count.seen - 1) % limit.every ~= 0 then
      return nil
    end
  else
    local now = core.now()
    if count.seen == 0 or now - count.from >= limit.seconds then
      count.seen, count.from = 0, now
    end
    count.seen = count.seen + 1
    if count.seen > limit.most then
      return nil
    end
  end
  return count.left
end

--- May a line with this text be written?
-- @treturn ?number how many were left out before it; nil: it is left out
function M.pass(limit, text)
  local count = count_of(limit, text)
  local left = decide(limit, count)
  if left then
    count.left = 0
    return left
  end
  count.left = count.left + 1
end

--- One line in n.
function M.every(n)
  return { every = n, counts = {}, n = 0 }
end

--- At most that many lines in so many seconds.
function M.rate(most, seconds)
  return { most = most, seconds = seconds, counts = {}, n = 0 }
end

--- All that were left out and not told yet.
function M.untold(limit)
  local n = 0
  for _, count in pairs(limit.counts) do
    n = n + count.left
  end
  return n
end

return M
