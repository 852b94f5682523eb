-- Do costs grow? What an operation takes each, when n are done or wait, and when
-- 2n and 4n do.
--
--   greenlua bench/growth.lua [TIMES [NAME...]]     (5 times, all names)
--
-- Prints a line a name: <name>_n; <name>_1, _2, _4, microseconds of CPU time each
-- at n, 2n and 4n; <name>_exponent, of the time that all of them take together: 1
-- when they cost the same however many there are, 2 when each looks at all others.
--
-- The clock is virtual, so that threads end in a known order and nobody sleeps;
-- the collector stands still meanwhile: what it takes is another figure.
local ffi = require "ffi"
local testing = require "green.testing"

local cases = dofile("bench/growth_cases.lua")

local N = 40000 -- more than the caches hold, or their misses would look like growth
local BOUND = 3 -- seconds that one measurement may take
local ENOUGH = 0.02 -- seconds that one takes at least: short ones are done again

-- Written before each measurement, so that the caches are as cold for n as for 4n.
local CACHES = 64 * 2 ^ 20
local flood = ffi.new("char[?]", CACHES)

-- -- Measuring ------------------------------------------------------------------

--- The seconds of one run, and how many operations it did.
local function run_once(prepare, n)
  return testing.virtual(function() -- in a green thread, which leaves nothing behind
    local run, clear = prepare(n)
    collectgarbage()
    collectgarbage("stop")
    ffi.fill(flood, CACHES)
    local begin = os.clock()
    local done = run() or n
    local seconds = os.clock() - begin
    collectgarbage("restart")
    if clear then clear() end
    return seconds, done
  end)
end

--- Microseconds each, and the seconds of them all.
local function measure(prepare, n)
  local seconds, done = 0, 0
  repeat
    local more, operations = run_once(prepare, n)
    seconds, done = seconds + more, done + operations
  until seconds > ENOUGH
  return seconds / done * 1e6, seconds
end

local function median(list)
  table.sort(list)
  return list[math.ceil(#list / 2)]
end

--- How many to begin with: N, or fewer where 4n would take longer than BOUND if
-- each looked at all others. Finding out is the JIT's turn, too, and the last one
-- has all the memory from the system that will be needed.
local function fitting(c)
  local n = N / 16
  local seconds = run_once(c.prepare, n)
  while n < N and seconds * 4 * 16 < BOUND do
    n = n * 2
    seconds = run_once(c.prepare, n)
  end
  run_once(c.prepare, 4 * n)
  return n
end

local function sample(c, n, times)
  local samples, spent = { {}, {}, {} }, 0
  for time = 1, times do
    for k = 1, 3 do
      local each, seconds = measure(c.prepare, n * 2 ^ (k - 1))
      samples[k][time] = each
      spent = spent + seconds
    end
    if spent > BOUND then break end -- slow ones fewer times
  end
  return samples
end

local function report(c, times)
  local n = fitting(c)
  local samples = sample(c, n, times)
  local fields, each = { ("%s_n=%d"):format(c.name, n) }, {}
  for k = 1, 3 do
    each[k] = median(samples[k])
    fields[k + 1] = ("%s_%d=%.3f"):format(c.name, 2 ^ (k - 1), each[k])
  end
  fields[5] = ("%s_exponent=%.2f"):format(c.name, 1 + math.log(each[3] / each[1]) / math.log(4))
  print(table.concat(fields, " "))
  io.stdout:flush()
end

local wanted
for i = 2, #arg do
  wanted = wanted or {}
  wanted[arg[i]] = true
end
for _, c in ipairs(cases) do
  if not wanted or wanted[c.name] then report(c, tonumber(arg[1]) or 5) end
end
