-- The longest pause of a thread that allocates, with none, 10,000 and 100,000
-- others parked: the longest step of an allocating loop, in CPU time, so that
-- being preempted is no pause.
-- Prints pause_0, pause_10000, pause_100000: ms.
local green = require "green"

local STEPS = 3000000

local function longest_ms()
  local clock, longest, keep = os.clock, 0, {}
  local last = clock()
  for i = 1, STEPS do
    keep[i % 1000] = { i, tostring(i) }
    local now = clock()
    if now - last > longest then longest = now - last end
    last = now
  end
  return longest * 1000, keep
end

local parked = 0
local function park(count)
  while parked < count do
    green.spawn(green.sleep, 3600)
    parked = parked + 1
  end
  green.sleep(0)
end

local out = {}
for _, count in ipairs { 0, 10000, 100000 } do
  park(count)
  collectgarbage()
  out[#out + 1] = ("pause_%d=%.2f"):format(count, (longest_ms()))
end
print(table.concat(out, " "))
