-- green.debugger: what an editor does, by the Debug Adapter Protocol, with a real program.

local dap = require "spec.support.dap"
local folder = require "spec.support.folder"
local program = require "spec.support.program"

local dir = folder.each(before_each, after_each)
local script = dap.scripts(dir)

local LOOP = [[
local sum = 0
local up = { inner = 1 }
local function add(n)
  local twice = n * 2
  sum = sum + twice + up.inner
  return sum
end
for i = 1, 300 do
  add(i)
end
print("sum", sum)
]]

describe("the debugger", function()
  it("runs a program to its end, whose output are events", function()
    local client = dap.start(script "print('hello') io.write('more', 1, '\\n')")
    client:begin()
    client:event "terminated"
    assert.equal("hello\nmore1\n", client:output "stdout")
    assert.equal(0, client:event("exited").exitCode)
    assert.equal(0, client:finish())
  end)

  it("stops at a breakpoint, shows the stack and what is in it, and goes on", function()
    local path = script(LOOP)
    local client = dap.start(path)
    local told = client:begin { [path] = { { line = 5 } } }
    assert.is_true(told[path][1].verified)
    assert.equal(5, told[path][1].line)
    local top, body = client:stopped "breakpoint"
    assert.equal(told[path][1].id, body.hitBreakpointIds[1])
    assert.equal(5, top.line)
    assert.equal(path, top.source.path)
    assert.equal("add", top.name)
    assert.equal(9, client.stack[2].line)
    assert.equal("main chunk", client.stack[2].name)
    local locals = client:variables(top, "Locals")
    assert.equal("1", locals.n.value)
    assert.equal("2", locals.twice.value)
    local upvalues = client:variables(top, "Upvalues")
    assert.equal("0", upvalues.sum.value)
    assert.equal("1", client:fields(upvalues.up.variablesReference).inner.value)
    client:go()
    top = client:stopped "breakpoint"
    assert.equal("4", client:variables(top, "Locals").twice.value)
    client:must("setBreakpoints", { source = { path = path }, breakpoints = {} })
    client:go()
    client:event "terminated"
    assert.equal("sum\t90600\n", client:output "stdout")
  end)

  it("stops in code that is hot: it is not compiled where a breakpoint is", function()
    local path = script(LOOP)
    local client = dap.start(path)
    client:begin { [path] = { { line = 4, condition = "n == 250" } } }
    local top = client:stopped "breakpoint"
    assert.equal("250", client:variables(top, "Locals").n.value)
    client:go()
    client:event "terminated"
  end)

  it("moves a breakpoint to the next line with code, and refuses others", function()
    local path = script("local x = 1\n\n-- nothing\nprint(x)\n")
    local client = dap.start(path)
    local told = client:begin { [path] = { { line = 2 }, { line = 99 } },
      ["/nowhere.lua"] = { { line = 1 } } }
    assert.is_true(told[path][1].verified)
    assert.equal(4, told[path][1].line)
    assert.is_false(told[path][2].verified)
    assert.equal("no code there", told[path][2].message)
    assert.is_false(told["/nowhere.lua"][1].verified)
    assert.equal(4, client:stopped("breakpoint").line)
    client:go()
    client:event "terminated"
  end)

  it("knows conditions, hit counts and logpoints", function()
    local path = script(LOOP)
    local client = dap.start(path)
    client:begin { [path] = {
      { line = 4, condition = "n % 100 == 0" },
      { line = 5, logMessage = "twice is {twice}, {nonsense.x}", hitCondition = "== 3" },
      { line = 6, hitCondition = "% 150" } } }
    for _, want in ipairs { "100", "150", "200", "300", "300" } do
      local top = client:stopped "breakpoint"
      assert.equal(want, client:variables(top, "Locals").n.value)
      client:go()
    end
    client:event "terminated"
    assert.is_truthy(client:output("console"):find("twice is 6, ", 1, true))
    assert.is_nil(client:output("console"):find("twice is 8", 1, true))
  end)

  it("stops where a condition raises, and says why", function()
    local path = script(LOOP)
    local client = dap.start(path)
    client:begin { [path] = { { line = 4, condition = "nothing.x" } } }
    client:stopped "breakpoint"
    assert.is_truthy(client:output("console"):find("nothing", 1, true))
    client:must("disconnect", { terminateDebuggee = false })
    assert.equal(0, client:finish())
  end)

  it("steps over, in and out", function()
    local path = script(LOOP)
    local client = dap.start(path)
    client:begin(nil, { stopOnEntry = true })
    local top = client:stopped "entry"
    assert.equal(1, top.line)
    assert.same({ 2, 7, 8, 9, 8, 9, 4, 5, 8 }, client:walk { "next", "next", "next", "next", "next",
      "stepIn", "stepIn", "next", "stepOut" })
    client:go()
    client:event "terminated"
    assert.equal("sum\t90600\n", client:output "stdout")
  end)

  it("follows one green thread in a step, and lists the stacks of all", function()
    local path = script [[
local green = require "green"
local other = green.spawn(function()
  while true do
    green.sleep(0.001)
  end
end)
other:name("the other")
local function work()
  local before = 1
  green.sleep(0.02)
  return before
end
work()
print("end")
]]
    local client = dap.start(path)
    client:begin { [path] = { { line = 10 } } }
    client:stopped "breakpoint"
    client:go "next"
    assert.equal(11, client:stopped("step").line)
    local names = {}
    for _, one in ipairs(client:must("threads").threads) do
      names[#names + 1] = one.name
      if one.name:find("the other", 1, true) then
        local stack = client:must("stackTrace", { threadId = one.id }).stackFrames
        local lines = {}
        for _, frame in ipairs(stack) do
          lines[frame.line] = frame.source.path == path
        end
        assert.is_true(lines[4])
      end
    end
    assert.equal(2, #names, table.concat(names, "; "))
    client:go()
    client:event "terminated"
  end)

  it("shows the coroutine of a generator above the thread it is in", function()
    local path = script [[
local numbers = coroutine.wrap(function()
  local inside = 7
  coroutine.yield(inside)
end)
numbers()
]]
    local client = dap.start(path)
    client:begin { [path] = { { line = 3 } } }
    local top = client:stopped "breakpoint"
    assert.equal("7", client:variables(top, "Locals").inside.value)
    local has_main = false
    for _, frame in ipairs(client.stack) do
      has_main = has_main or frame.line == 5 and frame.name == "main chunk"
    end
    assert.is_true(has_main)
    client:go()
    client:event "terminated"
  end)

  it("evaluates in a frame, and changes variables", function()
    local path = script(LOOP)
    local client = dap.start(path)
    client:begin { [path] = { { line = 5, condition = "n == 1" }, { line = 11 } } }
    local top = client:stopped "breakpoint"
    local function value(text)
      return client:must("evaluate", { frameId = top.id, expression = text }).result
    end
    assert.equal("3", value "twice + up.inner")
    assert.equal('"number"', value "type(n)")
    value "twice = 1000"
    assert.equal("1000", value "twice")
    local response = client:ask("evaluate", { frameId = top.id, expression = "error 'no'" })
    assert.is_false(response.success)
    assert.is_truthy(response.message:find("no", 1, true))
    local _, reference = client:variables(top, "Upvalues")
    assert.equal("5", client:must("setVariable", { variablesReference = reference, name = "sum",
      value = "2 + 3" }).value)
    client:go()
    client:stopped "breakpoint"
    client:go()
    client:event "terminated"
    assert.equal("sum\t" .. 90600 - 2 + 1000 + 5 .. "\n", client:output "stdout")
  end)

  it("pauses a program that runs, and one that waits", function()
    local path = script [[
local green = require "green"
if arg[1] == "waits" then
  green.sleep(3600)
end
while true do
  green.sleep(0)
end
]]
    for _, how in ipairs { "runs", "waits" } do
      local client = dap.start(path .. " ", { words = { "--debug", path, how } })
      client:begin()
      client:must("pause", { threadId = 1 })
      client:stopped "pause"
      local lines = {}
      for _, one in ipairs(client:must("threads").threads) do
        local stack = client:must("stackTrace", { threadId = one.id }).stackFrames
        for _, frame in ipairs(stack) do
          lines[frame.line] = lines[frame.line] or frame.source.path == path
        end
      end
      assert.is_true(lines[3] or lines[5] or lines[6])
      client:must("disconnect", { terminateDebuggee = true })
      assert.equal(1, client:finish())
    end
  end)

  it("hears of new breakpoints while the program runs", function()
    local path = script [[
local green = require "green"
local function tick()
  return 1
end
while true do
  tick()
  green.sleep(0.001)
end
]]
    local client = dap.start(path)
    client:begin()
    client:must("setBreakpoints", { source = { path = path }, breakpoints = { { line = 3 } } })
    assert.equal(3, client:stopped("breakpoint").line)
    client:must("disconnect", { terminateDebuggee = true })
    client:finish()
  end)

  it("lets the program run on when the client goes", function()
    local path = script(LOOP)
    local client = dap.start(path)
    client:begin { [path] = { { line = 5 } } }
    client:stopped "breakpoint"
    client.program:close_stdin()
    assert.equal(0, client:finish())
  end)
end)

-- Passes bytes on between its pipes and a port of 127.0.0.1.
local RELAY = [[
import os, select, socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
while True:
    for f in select.select([0, s], [], [])[0]:
        data = os.read(0, 65536) if f == 0 else s.recv(65536)
        if not data:
            sys.exit(0)
        if f == 0:
            s.sendall(data)
        else:
            os.write(1, data)
]]

describe("the debugger's client", function()
  it("must speak the protocol", function()
    local path = script "print 'ran'"
    for _, first in ipairs { "GET / HTTP/1.1\r\n\r\n", "\n", "Content-Length: x\r\n\r\n",
      "Content-Length: 99999999999\r\n\r\n", "Content-Length: 3\r\n\r\nxyz",
      "Content-Length: 2\r\n\r\n[]", ("Content-Length: "):rep(1000) } do
      local client = dap.start(path)
      client:write(first)
      client.program:close_stdin()
      assert.equal(1, client:finish(), first)
      assert.is_nil(client.program.out:find("ran", 1, true))
    end
  end)

  it("must come in an order, and is told what it cannot have", function()
    local path = script "print 'ran'"
    local client = dap.start(path)
    assert.equal("launch or attach comes first", client:ask("threads").message)
    assert.equal("files are known by paths, not by URIs",
      client:ask("initialize", { pathFormat = "uri" }).message)
    client:must("initialize", {})
    client:must("attach", {})
    assert.equal("notStopped", client:ask("stackTrace", { threadId = 1 }).message)
    assert.equal("no such request", client:ask("nonsense").message)
    assert.equal("a source without a path", client:ask("setBreakpoints", {}).message)
    client:must "configurationDone"
    client:event "terminated"
    client:finish()
  end)

  it("comes by a port with the secret, or by a UNIX socket", function()
    local path = script "print 'ran'"
    local env = { GREENLUA_DEBUG_SECRET = "sesame" }
    for _, case in ipairs { { "sesame", true }, { "wrong", false } } do
      local server = program.start_greenlua { "--debug=0", path, env = env }
      server:expect("waits at 127.0.0.1:", "err")
      local port = server:expect(",", "err")
      local relay = program.start { "python3", "-c", RELAY, port }
      local client = dap.over(relay)
      client:must("initialize", {})
      local response = client:ask("attach", { secret = case[1] })
      assert.equal(case[2], response.success)
      if case[2] then
        client:must "configurationDone"
      end
      server:wait()
      assert.equal(case[2] and 0 or 1, server.status)
      assert.equal(case[2] and "ran\n" or "", server.out)
      assert.equal(not case[2], server.err:find("wrong secret (EACCES)", 1, true) ~= nil)
      relay:kill(program.KILL)
      relay:wait()
    end
  end)
end)

describe("Lua's own hook", function()
  it("sees the lines of all green threads, without the debugger", function()
    local path = script [[
local green = require "green"
local seen = {}
jit.off()
debug.sethook(function(_, line) seen[line] = true end, "l")
green.spawn(function()
  green.sleep(0)
  seen.x = 1
end)
green.sleep(0.01)
debug.sethook()
print(seen[7], seen[9], seen.x)
]]
    assert.equal("true\ttrue\t1\n", program.run_greenlua({ path }).out)
  end)
end)
