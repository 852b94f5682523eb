--- So many a second, and some at once: a bucket of permits that fills as time passes. The clock is
-- given. Private to green.zmq.rpc.
-- @module green.zmq.rpc.bucket

-- Scripts may put their own in their places.
local max, min = math.max, math.min

local M = {}

--- A full one.
-- @tparam number rate permits a second
-- @tparam number now
function M.new(rate, now)
  local most = max(rate, 1)
  return { rate = rate, most = most, left = most, at = now }
end

--- Take a permit.
-- @treturn number 0: it was there; else seconds until one will be
function M.take(bucket, now)
  local left = min(bucket.most, bucket.left + (now - bucket.at) * bucket.rate)
  bucket.at = now
  if left >= 1 then
    bucket.left = left - 1
    return 0
  end
  bucket.left = left
  return (1 - left) / bucket.rate
end

--- Put one back that was not used.
function M.give(bucket)
  bucket.left = min(bucket.most, bucket.left + 1)
end

return M
