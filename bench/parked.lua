-- What a million threads parked in sleep take, and how long waking them all
-- takes: they sleep until the same moment and end.
--
--   greenlua bench/parked.lua [THREADS [SECONDS]]
--
-- Prints parked_bytes (growth of resident memory, a thread) and wake_s (wall
-- time from that moment until the last one has run).
local green = require "green"

local THREADS = tonumber(arg[1]) or 1000000
local PAGE = 4096

local function resident()
  local f = assert(io.open("/proc/self/statm"))
  local _, pages = f:read("*n", "*n")
  f:close()
  return pages * PAGE
end

-- The bytes a thread and the seconds of waking, or nil when the moment came
-- before all were parked.
local function run(seconds)
  local parked, awake, last = 0, 0, nil
  local before = resident()
  local due = green.now() + seconds
  local function sleeper()
    parked = parked + 1
    green.sleep(math.max(0, due - green.now()))
    awake = awake + 1
    if awake == THREADS then last = green.now() end
  end
  for i = 1, THREADS do
    green.spawn(sleeper)
    if i % 1000 == 0 then green.sleep(0) end
  end
  green.sleep(0)
  local all_parked = parked == THREADS and awake == 0
  local grown = resident() - before
  while awake < THREADS do green.sleep(0.05) end
  if all_parked then return grown / THREADS, last - due end
end

local seconds = tonumber(arg[2]) or 6
local bytes, wake = run(seconds)
while not bytes and seconds < 60 do
  seconds = seconds * 2
  collectgarbage()
  bytes, wake = run(seconds)
end
if not bytes then error("the threads could not be parked in time") end
print(("parked_bytes=%.0f wake_s=%.3f"):format(bytes, wake))
