-- What a thread takes from spawn to its end, a thousand at a time.
-- Prints spawn: ns of CPU time.
local green = require "green"

local BATCH, BATCHES = 1000, 1000

local function nothing() end

local function run_ns(batches)
  local start = os.clock()
  for _ = 1, batches do
    for _ = 1, BATCH do green.spawn(nothing) end
    green.sleep(0)
  end
  return (os.clock() - start) / (BATCH * batches) * 1e9
end

run_ns(100)
print(("spawn=%.1f"):format(run_ns(BATCHES)))
