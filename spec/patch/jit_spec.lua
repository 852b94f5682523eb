-- The guard against LuaJIT's fault in traversed tables. The fault itself comes about in one of
-- many thousand traces, and nobody can tell in which: that is why machine code is made up here.

local chunk = require "spec.support.chunk"
local program = require "spec.support.program"

local has_guard = jit.arch == "x64" and jit.version:find("beta", 1, true)
  and not package.preload["table.isempty"] -- luajit2 has mended the fault

-- `call`: the instruction that calls lj_vm_next, taken from a trace, and where it stands.
local PRELUDE = [[
local core, util = require "green.core", require "jit.util"
local tracemc = util.tracemc
local call, address, calls = nil, nil, 0
local function take(code, at)
  for place in code:gmatch "()\232...." do
    local one = code:sub(place, place + 4)
    if core.swaps_next(one .. "\146", at + place - 1) then
      call, address, calls = one, at + place - 1, calls + 1
    end
  end
end
jit.attach(function(what, trace)
  if what == "stop" then take(tracemc(trace)) end
end, "trace")
local table, sum = { a = 1, b = 2, c = 3 }, 0
for _ = 1, 200 do
  for _, value in pairs(table) do sum = sum + value end
end
]]

-- With the library's guard on, which takes for faulty what is compiled until `faulty` is false.
local GUARDED = PRELUDE .. [[
debug.getregistry()._VMEVENTS = nil -- nobody looks any more
local faulty = true
function util.tracemc(trace)
  if faulty then return call .. "\146", address end
  return tracemc(trace)
end
require "green"
jit.flush()
local function first_trace()
  return (util.traceinfo(1))
end
]]

describe("LuaJIT's compiler", function()
  if not has_guard then
    pending "is another, or one without the fault"
    return
  end

  it("is known by its code for the next pair, if 32 bits of that are swapped", function()
    chunk.prints("true\tfalse\tfalse\tfalse\n", PRELUDE .. [[
      print(calls > 0, core.swaps_next(call .. "\72\146", address),
        core.swaps_next(call .. "\146", address + 1), core.swaps_next(call, address))
    ]])
  end)

  it("is told nothing of numbers that are no addresses", function()
    chunk.prints("false\n", [[
      local core = require "green.core"
      local any = false
      for _, at in ipairs { 0, -1, 1e300, -1e300, 0/0, 2^63, 2^53 } do
        any = any or core.swaps_next("\232\0\0\0\0\146", at)
      end
      print(any)
    ]])
  end)

  it("has faulty code thrown away before it runs, and makes no more of that function", function()
    chunk.prints("nil\tnil\ttable\n", GUARDED .. [[
      local function count(n)
        local s = 0
        for i = 1, n do s = s + i end
        return s
      end
      local function other(n)
        local s = 0
        for i = 1, n do s = s + i end
        return s
      end
      count(1000)
      local first = first_trace()
      faulty = false
      count(1000)
      local second = first_trace()
      other(1000)
      print(first, second, type(first_trace()))
    ]])
  end)

  it("makes no more of who began what ends in a function of C's", function()
    chunk.prints("nil\tnil\ttable\n", GUARDED .. [[
      local function find(text)
        for _ = 1, 1000 do text:find "%d" end
      end
      local function other(text)
        for _ = 1, 1000 do text:find "%d" end
      end
      find "no"
      local first = first_trace()
      faulty = false
      find "no"
      local second = first_trace()
      other "no"
      print(first, second, type(first_trace()))
    ]])
  end)

  it("tells who looks at traces already", function()
    chunk.prints("true\n", [[
      local stops = 0
      jit.attach(function(what) if what == "stop" then stops = stops + 1 end end, "trace")
      require "green"
      for i = 1, 1000 do stops = stops + 0 * i end
      print(stops > 0)
    ]])
    local r = program.run_greenlua { "-jv", "-e", [[
      require "green"
      local n = 0
      for i = 1, 1000 do n = n + i end
    ]] }
    assert.matches("%[TRACE +%d+ ", r.out .. r.err)
  end)
end)
