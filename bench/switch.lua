-- What a trip through the hub takes: 1,000 threads that only sleep(0).
-- Prints switch: ns of CPU time.
local green = require "green"

local THREADS, TURNS = 1000, 5000
local turns = 100 -- the warm-up's

local function spin()
  for _ = 1, turns do green.sleep(0) end
end

local function run_ns()
  local threads = {}
  for i = 1, THREADS do threads[i] = green.spawn(spin) end
  green.sleep(0) -- each has started
  local start = os.clock()
  for i = 1, THREADS do threads[i]:wait() end
  return (os.clock() - start) / (THREADS * turns) * 1e9
end

run_ns()
turns = TURNS
print(("switch=%.2f"):format(run_ns()))
