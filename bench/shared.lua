-- A shared dictionary: CPU time of each call, alone and beside another process.
--
--   greenlua bench/shared.lua [jit|interpreter [CALLS]]
--
-- Keys are a thousand, values short unless said. The least of seven rounds. Beside it stands a
-- process that sets and gets other keys of the same dictionary all the time.
local green = require "green"
local process = require "green.process"
local shared = require "green.shared"

if arg[1] == "interpreter" then
  jit.off()
end

local calls = tonumber(arg[2] or 1e6)
local dict = assert(shared.dict("bench", 2 ^ 26))
local counter = assert(shared.counter "bench")
local keys, others = {}, {}
for i = 1, 1000 do
  keys[i], others[i] = "key:" .. i, "other:" .. i
end
local long = ("x"):rep(1000)
local failed = 0

local function note(value)
  if value == nil then
    failed = failed + 1
  end
end

local cases = {
  { "get a text", function(key) note(dict:get(key)) end, "a short text" },
  { "set a text", function(key) note(dict:set(key, "another text")) end },
  { "set a text that expires", function(key) note(dict:set(key, "another text", 60)) end },
  { "get 1,000 bytes", function(key) note(dict:get(key)) end, long },
  { "set 1,000 bytes", function(key) note(dict:set(key, long)) end },
  { "get a number", function(key) note(dict:get(key)) end, 1 },
  { "incr", function(key) note(dict:incr(key, 1)) end, 1 },
  { "rpush and lpop", function(key)
    note(dict:rpush(key, 1))
    note(dict:lpop(key))
  end, nil, true },
  { "counter:add", function() counter:add(1) end },
}

local function round(fn)
  local cpu, wall = os.clock(), green.now()
  for i = 1, calls do
    fn(keys[i % 1000 + 1])
  end
  return (os.clock() - cpu) / calls * 1e9, (green.now() - wall) / calls * 1e9
end

local function run(case)
  for _, key in ipairs(keys) do
    if case[3] or case[4] then
      dict:set(key, case[3])
    end
  end
  local cpu, wall = math.huge, math.huge
  for _ = 1, 7 do
    local a, b = round(case[2])
    cpu, wall = math.min(cpu, a), math.min(wall, b)
  end
  print(("%-28s cpu_ns=%-6.0f wall_ns=%.0f"):format(case[1], cpu, wall))
end

print "alone"
for _, case in ipairs(cases) do
  run(case)
end

local pid = assert(green.fork(function()
  while true do
    for i = 1, 1000 do
      dict:set(others[i], i)
      dict:get(others[i])
    end
  end
end))
print "beside another process"
for _, case in ipairs(cases) do
  run(case)
end
process.kill(pid, "KILL")
process.wait(pid)
print(("failed=%d"):format(failed))
