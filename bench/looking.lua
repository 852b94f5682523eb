-- What looking inside costs: looking.lua WHAT SCRIPT [ARG...]
--
-- WHAT is on while SCRIPT runs: nothing, detector (of what blocks, 1 s), profiler (of CPU time,
-- 5 ms), profiler_1ms. SCRIPT is a file, or "loop": a second or so of compiled code, which prints
-- cpu_ns= of one of its passes.
local green = require "green"

local what, script = arg[1], arg[2]
local args = { select(3, unpack(arg)) }
local PASSES = 3e8

local detect = require("green.debug").hub_blocking_detection

local on = {
  nothing = function() end,
  detector = function() detect(true, 1) end,
  profiler = function() assert(require("green.profile").start()) end,
  profiler_1ms = function() assert(require("green.profile").start { period = 0.001 }) end,
}

local function loop()
  local x, begun = 0, os.clock()
  for _ = 1, 10 do
    for i = 1, PASSES / 10 do x = x + i % 7 end
    green.sleep(0) -- nothing is to be told of
  end
  print(("cpu_ns=%.4f"):format((os.clock() - begun) / PASSES * 1e9))
end

on[what]()
if script == "loop" then
  loop()
else
  _G.arg = args
  dofile(script)
end
