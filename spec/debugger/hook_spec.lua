-- Lua's own hook, without the debugger: it is the script's in all green threads, whoever else looks
-- on, and a debugger that is made of it (MobDebug) works.

local dap = require "spec.support.dap"
local folder = require "spec.support.folder"
local fs = require "green.fs"
local net = require "green.server"
local program = require "spec.support.program"

local dir = folder.each(before_each, after_each)

local function script(text, name)
  local path = fs.realpath(dir()) .. "/" .. (name or "work.lua")
  assert(fs.write_file(path, text))
  return path
end

-- Counts each event of its own lines.
local COUNTS = [[
jit.off()
local green = require "green"
local mine = debug.getinfo(1, "S").source
local counts, events = {}, {}
local getinfo = debug.getinfo
local function hook(event, line)
  if getinfo(2, "S").source == mine then
    events[event] = (events[event] or 0) + 1
    counts[line or 0] = (counts[line or 0] or 0) + 1
  end
end
local function work()
  for i = 1, 5000 do
    local x = i + 1
    if x % 100 == 0 then
      green.sleep(0)
    end
  end
  green.sleep(0.001)
end
local numbers = coroutine.wrap(function()
  for i = 1, 10 do
    green.sleep(0)
    coroutine.yield(i)
  end
end)
local threads = {}
for i = 1, 4 do
  threads[i] = green.spawn(work)
end
debug.sethook(hook, "lcr")
for i = 1, 10 do
  numbers()
end
for i = 1, 4 do
  threads[i]:wait()
end
local same, mask = debug.gethook()
debug.sethook()
print(same == hook, mask, counts[14], counts[15], counts[16], counts[19], counts[23], counts[24],
  events.call, events["return"])
]]

-- The way of MobDebug: the hook resumes a coroutine that talks by LuaSocket, and blocks.
local REMOTE = [[
local socket = require "socket"
local green = require "green"
local running, yield, resume = coroutine.running, coroutine.yield, coroutine.resume
local getlocal, setlocal, sethook = debug.getlocal, debug.setlocal, debug.sethook
local getinfo = debug.getinfo
local followed = setmetatable({}, { __mode = "k" })
local points, stepping, wire = {}, nil, nil

local does = {
  set = function(_, _, line) points[tonumber(line)] = true end,
  get = function(_, seen, name) return seen[name] end,
  let = function(_, seen, text)
    local name, value = text:match "^(%w+) (%d+)$"
    seen[name] = tonumber(value)
  end,
  wait = function() return select(2, pcall(green.sleep, 0)) end,
  step = function(who) stepping = who end,
  run = function() end,
}

local function talk(line, who, seen)
  while true do
    wire:send("at " .. line .. "\n")
    local word, rest
    repeat
      word, rest = wire:receive("*l"):match "^(%w+) ?(.*)$"
      local result = does[word](who, seen, rest)
      wire:send(tostring(result) .. "\n")
    until word == "run" or word == "step"
    line, who, seen = yield()
  end
end
local talker = coroutine.create(talk)

local function hook(_, line)
  local who = running()
  if not followed[who] or not (stepping == who or points[line])
    or not getinfo(2, "S").source:find("work.lua", 1, true) then -- steps into the library, too
    return
  end
  stepping = nil
  local seen, numbers = {}, {}
  local i = 1
  local name, value = getlocal(2, i)
  while name do
    seen[name], numbers[name] = value, i
    i = i + 1
    name, value = getlocal(2, i)
  end
  assert(resume(talker, line, who, seen))
  for known, n in pairs(numbers) do
    setlocal(2, n, seen[known])
  end
end

return {
  start = function(port)
    jit.off()
    wire = assert(socket.connect("127.0.0.1", port))
    sethook(hook, "l")
    stepping = running()
  end,
  on = function() followed[running()] = true end,
}
]]

local WORK = [[
package.path = arg[2] .. "/?.lua;" .. package.path
local green, remote = require "green", require "remote"
local total = 0
local function work(n)
  remote.on()
  green.sleep(n / 100)
  local twice = n * 2
  green.sleep(0.01)
  total = total + twice
end
remote.on()
remote.start(tonumber(arg[1]))
local threads = {}
for i = 1, 3 do
  threads[i] = green.spawn(work, i)
end
for i = 1, 3 do
  threads[i]:wait()
end
print(total)
]]

describe("Lua's own hook", function()
  it("hears each line once, whoever looks on", function()
    local path = script(COUNTS)
    local svg = dir() .. "/out.svg"
    for _, way in ipairs { { path, env = { GREENLUA_WATCHDOG = "0" } },
      { path, env = { GREENLUA_WATCHDOG = "0.005" } }, { "--profile=" .. svg, path },
      { "--profile-wait=" .. svg, path }, { "--profile-alloc=" .. svg, path },
      { path, env = { GREENLUA_TRACE = "sched,gc" } }, { path, env = { GREENLUA_LEAKS = "1" } } } do
      os.remove(svg)
      local ran = program.run_greenlua(way)
      assert.equal("true\tcrl\t20000\t20000\t200\t4\t10\t10\t5\t4\n", ran.out)
      assert.equal(0, ran.status)
    end
  end)

  it("is put back when the detector has raised in who blocks", function()
    local path = script [[
jit.off()
local green = require "green"
local debug_of = require "green.debug"
local n = 0
local function hook() n = n + 1 end
debug_of.hub_blocking_detection(true, 0.02, { raise = true })
debug.sethook(hook, "l")
local t = green.spawn(function() while true do local x = 1 end end)
local ok, err = pcall(t.wait, t)
debug_of.hub_blocking_detection(false)
local same, mask = debug.gethook()
local before = n
local here = 1
print(ok, err.is_stall, same == hook, mask, n - before)
]]
    assert.equal("false\ttrue\ttrue\tl\t2\n", program.run_greenlua({ path }).out)
  end)

  it("makes a debugger that talks while the program stands in it", function()
    script(REMOTE, "remote.lua")
    local listener = assert(net.listen("127.0.0.1", 0))
    local _, port = listener:sockname()
    local ran = program.start_greenlua { script(WORK), tostring(port), fs.realpath(dir()) }
    local conn = assert(listener:accept())
    conn:settimeout(20)
    local function ask(words)
      assert(conn:write(words, "\n"))
      return assert(conn:read_line())
    end
    local function at(line, n, twice)
      assert.equal("at " .. line, conn:read_line())
      assert.equal(n, ask "get n")
      assert.equal(twice, ask "get twice")
    end
    at(13, "nil", "nil")
    ask "set 7"
    ask "run"
    at(7, "1", "nil")
    assert.is_truthy(ask("wait"):find("cannot wait inside", 1, true))
    ask "run"
    at(7, "2", "nil")
    ask "let n 100"
    ask "step"
    at(8, "100", "200")
    ask "run"
    at(7, "3", "nil")
    ask "step"
    at(8, "3", "6")
    ask "step" -- the others go on meanwhile
    at(9, "3", "6")
    ask "run"
    ran:wait()
    assert.equal("208\n", ran.out, ran.err)
    conn:close()
    listener:close()
  end)
end)

describe("the debugger", function()
  it("leaves the script its hook where there is nothing to look for", function()
    local path = script [[
local n = 0
local function hook() n = n + 1 end
debug.sethook(hook, "l")
print "ready"
require("green").sleep(0.3)
local same, mask = debug.gethook()
local before = n
local here = 1
print(same == hook, mask, n - before)
]]
    local client = dap.start(path)
    client:begin()
    assert.equal("ready\n", client:event("output").output)
    client:must("setBreakpoints", { source = { path = path }, breakpoints = {} })
    client:event "terminated"
    assert.equal("true\tl\t2\n", client:output "stdout")
    client:finish()
  end)

  it("gives it back after a step, a pause, and when the client has gone", function()
    local path = script [[
local green = require "green"
local n = 0
local function hook() n = n + 1 end
debug.sethook(hook, "l")
require("green.debugger").stop_here()
local one = 1
local same, mask = debug.gethook()
green.sleep(0.3)
local before = n
local here = 1
print(same == hook, mask, n - before, debug.gethook() == hook)
]]
    local client = dap.start(path)
    client:begin()
    client:stopped "pause"
    client:go()
    client:must("pause", { threadId = 1 })
    client:stopped "pause" -- while it sleeps
    client:must("disconnect", { terminateDebuggee = false })
    client:finish()
    assert.equal("true\tl\t2\ttrue\n", client.program.err)
  end)
end)
