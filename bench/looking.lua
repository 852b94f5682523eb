-- What looking inside costs: looking.lua WHAT SCRIPT [ARG...]
--
-- WHAT is on while SCRIPT runs: nothing, detector (of what blocks, 1 s), profiler (of CPU time,
-- 5 ms), profiler_1ms. SCRIPT is a file, or
--
--   loop     a second or so of compiled code, prints cpu_ns= of one of its passes
--   status   a status page of 100,000 green threads, with tracebacks of 1,000: prints answer_ms=
--            and cpu_ms=, and step_ms=, the longest of its steps; both medians of 5
local green = require "green"

local what, script = arg[1], arg[2]
local args = { select(3, unpack(arg)) }
local PASSES, MOST = 3e8, 100000

local on = {
  nothing = function() end,
  detector = function() require("green.debug").hub_blocking_detection(true, 1) end,
  profiler = function() assert(require("green.profile").start()) end,
  profiler_1ms = function() assert(require("green.profile").start { period = 0.001 }) end,
}

local scripts = {}

function scripts.loop()
  local x, begun = 0, os.clock()
  for _ = 1, 10 do
    for i = 1, PASSES / 10 do x = x + i % 7 end
    green.sleep(0) -- nothing is to be told of
  end
  print(("cpu_ns=%.4f"):format((os.clock() - begun) / PASSES * 1e9))
end

local function median(list)
  table.sort(list)
  return list[math.ceil(#list / 2)]
end

-- One answer, its steps apart: this thread's turns between them are counted by another one.
local function answer(page)
  local longest, last, over = 0, nil, false
  local watcher = green.spawn(function()
    while not over do
      local now = os.clock()
      longest = math.max(longest, last and now - last or 0)
      last = now
      green.sleep(0)
    end
  end)
  local begun, clock = green.now(), os.clock()
  local status, _, body = page { REQUEST_METHOD = "GET", PATH_INFO = "/",
    QUERY_STRING = "format=json", REMOTE_ADDR = "127.0.0.1" }
  if type(body) == "function" then
    for _ in body do end
  end
  assert(status == 200)
  local took, cpu = green.now() - begun, os.clock() - clock
  over = true
  watcher:wait()
  return took * 1e3, cpu * 1e3, longest * 1e3
end

function scripts.status()
  local page = require("green.status").handler {
    guard = function() return true end, threads = 1000, tracebacks = true,
  }
  for _ = 1, MOST do green.spawn(green.sleep, 1e6) end
  green.sleep(0)
  collectgarbage()
  collectgarbage "stop" -- the collector's own pause is another figure
  local took, cpu, longest = {}, {}, {}
  for i = 1, 5 do took[i], cpu[i], longest[i] = answer(page) end
  print(("answer_ms=%.2f cpu_ms=%.2f step_ms=%.2f"):format(median(took), median(cpu),
    median(longest)))
  os.exit(0)
end

on[what]()
if scripts[script] then
  scripts[script]()
else
  _G.arg = args
  dofile(script)
end
