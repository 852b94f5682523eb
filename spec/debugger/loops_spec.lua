-- green.debugger and green threads that keep the loop: its client is heard all the same.

local dap = require "spec.support.dap"
local folder = require "spec.support.folder"
local program = require "spec.support.program"

local dir = folder.each(before_each, after_each)
local script = dap.scripts(dir)

local LOOP = [[
local green = require "green"
local function spin()
  local n, on = 0, { true }
  print "begins"
  repeat
    n = n + 1
    if n % 3 == 0 then
      n = n + 2
    end
  until not on[1] or n > 2e10 -- not for ever, whatever becomes of this
  return n > 0
end
green.spawn(function() print(spin()) end):name("spinner")
green.sleep(0)
print("end")
]]

local INSIDE = { [5] = true, [6] = true, [7] = true, [8] = true, [10] = true }

--- Started by `greenlua WORDS --debug path`.
local function start(path, words)
  local all = { "--debug" }
  for i, word in ipairs(words or {}) do
    table.insert(all, i, (word:gsub("DIR", dir())))
  end
  local client = dap.start(path, { words = all })
  client:begin()
  return client
end

--- The same, where the loop is under way.
local function start_loop(text, words)
  local path = script(text)
  local client = start(path, words)
  assert.equal("begins\n", client:event("output").output)
  return client, path
end

local ways = { compiled = {}, interpreted = { "-joff" }, watched = { "--watchdog=0.1" },
  profiled = { "--profile=DIR/out.svg" } }

for how, words in pairs(ways) do
  describe("the debugger, of a loop that never waits and is " .. how, function()
    it("pauses it, shows and changes its variables, and lets it end", function()
      local client = start_loop(LOOP, words)
      client:must("pause", { threadId = 1 })
      local top = client:stopped "pause"
      assert.is_true(INSIDE[top.line], tostring(top.line))
      assert.is_true(tonumber(client:variables(top, "Locals").n.value) > 0)
      client:must("evaluate", { expression = "on[1] = false", frameId = top.id, context = "repl" })
      client:go()
      client:event "terminated"
      assert.equal("true\nend\n", client:output "stdout")
    end)

    it("pauses it again and again, and steps in it", function()
      local client = start_loop(LOOP, words)
      for _ = 1, 3 do
        client:must("pause", { threadId = 1 })
        local top = client:stopped "pause"
        assert.is_true(INSIDE[top.line])
        for _, line in ipairs(client:walk { "next", "next", "next" }) do
          assert.is_true(INSIDE[line], tostring(line))
        end
        client:go()
      end
      client:must("disconnect", { terminateDebuggee = true })
      client:finish() -- it ends
    end)

    it("sets breakpoints in it", function()
      local client, path = start_loop(LOOP, words)
      client:must("setBreakpoints", { source = { path = path }, breakpoints = { { line = 8 } } })
      assert.equal(8, client:stopped("breakpoint").line)
      client:must("disconnect", { terminateDebuggee = true })
      client:finish() -- it ends
    end)
  end)
end

describe("the debugger, of a main that never waits,", function()
  local MAIN = LOOP:gsub("green.spawn.-\n.-\n", "print(pcall(spin))\n")

  it("ends it when its client disconnects", function()
    local client = start_loop(MAIN)
    client:must("disconnect", { terminateDebuggee = true })
    client:finish() -- it ends
  end)

  it("ends it though it catches the first errors", function()
    local client = start_loop(MAIN .. [[
for _ = 1, 3 do
  pcall(function()
    local x = 0
    repeat x = x + 1 until x > 1e11
  end)
end
]])
    client:must("disconnect", { terminateDebuggee = true })
    client:finish() -- it ends
  end)

  it("ends it when its client says so", function()
    local client = start_loop(MAIN)
    client:must "terminate"
    client:finish() -- it ends
  end)
end)

describe("the debugger and the blocking detector", function()
  it("tell of no stop, however long it is", function()
    local client = start(script [[
local green = require "green"
require("green.debug").hub_blocking_detection(true, 0.05, {
  report = function() print "told" end,
})
require("green.debugger").stop_here()
local n = 1
green.sleep(0.01)
print("end", n)
]])
    client:stopped "pause"
    local due = program.now() + 0.5 -- many of the detector's looks
    while program.now() < due do
      client:must "threads"
    end
    client:go()
    client:event "terminated"
    assert.equal("end\t1\n", client:output "stdout")
  end)

  it("leave one another alone", function()
    local client = start(script [[
local green = require "green"
local debug = require "green.debug"
local function spin(seconds)
  local t = os.clock() + seconds
  repeat until os.clock() > t
end
assert(not debug.blocking_stats().is_on)
local told = 0
debug.hub_blocking_detection(true, 0.1, { report = function() told = told + 1 end })
assert(debug.blocking_stats().is_on)
green.spawn(spin, 0.5):wait()
green.sleep(0)
assert(told >= 1)
debug.hub_blocking_detection(false)
assert(not debug.blocking_stats().is_on)
debug.hub_blocking_detection(true, 0.1, { raise = true, log = false })
print(pcall(spin, 60))
]])
    client:event "terminated"
    assert.matches("^false\t.*blocked the loop", client:output "stdout")
  end)
end)
