-- What arming and cancelling a timeout takes while 100,000 others are pending,
-- 100 in each of 1,000 threads, due in 100 to 200 s.
-- Prints, in ns of CPU time: call (green.timeout(s, fn)), object
-- (green.Timeout(s), then cancel), both due in the midst of the others;
-- call_first and object_first, due before all others.
local green = require "green"

local THREADS, EACH, TIMES = 1000, 100, 2000000

local function hold(seed)
  for i = 1, EACH do green.Timeout(100 + (seed * 7919 + i * 104729) % 100000 / 1000) end
  green.sleep(3600)
end

local function nothing() end

local function call(first, spread)
  for i = 1, TIMES do green.timeout(first + i * 7919 % 100000 / 100000 * spread, nothing) end
end

local function object(first, spread)
  for i = 1, TIMES do
    green.Timeout(first + i * 7919 % 100000 / 100000 * spread):cancel()
  end
end

local function ns(fn, first, spread)
  local start = os.clock()
  fn(first, spread)
  return (os.clock() - start) / TIMES * 1e9
end

for i = 1, THREADS do green.spawn(hold, i) end
green.sleep(0)
ns(call, 100, 100)
ns(object, 100, 100)
print(("call=%.1f object=%.1f call_first=%.1f object_first=%.1f"):format(
  ns(call, 100, 100), ns(object, 100, 100), ns(call, 10, 10), ns(object, 10, 10)))
