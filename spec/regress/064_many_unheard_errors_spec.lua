-- The end of a program tells of the errors that nobody has heard yet. For each of them
-- it looked through all green threads once more, from the first: 4,000 errors beside
-- 40,000 threads that waited took five seconds.

local program = require "spec.support.program"

local script = [[
local green = require "green"
local n, told = tonumber(arg[1]), 0
local began
green.on_error(function()
  told = told + 1
  began = began or os.clock()
  if told == n then
    io.stderr:write(os.clock() - began)
  end
end)
local queue = green.Queue()
for _ = 1, 10 * n do
  green.spawn_n(function() queue:get() end)
end
green.sleep(0)
for _ = 1, n do
  green.spawn_n(error, "unheard")
end
green.sleep(0) -- and main ends in the turn in which they failed
]]

--- Seconds of the processor's from the first of n errors that is told to the last.
local function seconds(n)
  local path = program.file(script)
  local r = program.run_greenlua { path, tostring(n) }
  os.remove(path)
  assert.equals(0, r.status)
  return (assert(tonumber(r.err), r.err))
end

describe("errors that nobody has heard when the program ends", function()
  it("cost four times as much when they, and those who wait, are four times as many", function()
    local few, many = math.huge, math.huge
    for _ = 1, 3 do
      few, many = math.min(few, seconds(500)), math.min(many, seconds(2000))
    end
    assert.is_true(many < 9 * math.max(few, 0.002), ("%.4f s and %.4f s"):format(few, many))
  end)
end)
