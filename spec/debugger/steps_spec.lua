-- green.debugger: steps and stops in coroutines, in what waits, and at the end.

local dap = require "spec.support.dap"
local folder = require "spec.support.folder"
local fs = require "green.fs"

local dir = folder.each(before_each, after_each)
local script = dap.scripts(dir)

local GENERATOR = [[
local numbers = coroutine.wrap(function()
  local a = 1
  coroutine.yield(a)
  a = 2
end)
numbers()
numbers()
print("end")
]]

describe("a step of the debugger", function()
  it("goes into coroutines, and comes back where they yield and end", function()
    local path = script(GENERATOR)
    local client = dap.start(path)
    client:begin { [path] = { { line = 6 } } }
    client:stopped "breakpoint"
    assert.same({ 2, 3, 7, 4, 5, 8 },
      client:walk({ "stepIn", "next", "next", "stepIn", "next", "next" }))
    client:go()
    client:event "terminated"
  end)

  it("over leaves coroutines alone, and out leaves one", function()
    local path = script(GENERATOR)
    local client = dap.start(path)
    client:begin { [path] = { { line = 6 } } }
    client:stopped "breakpoint"
    assert.same({ 7, 4, 8 }, client:walk({ "next", "stepIn", "stepOut" }))
    client:go()
    client:event "terminated"
  end)

  it("ends with its green thread, and the program is compiled again", function()
    local path = script [[
local green = require "green"
green.spawn(function()
  local a = 1
end)
green.sleep(0.01)
local a = 2
print((jit.status()))
]]
    local client = dap.start(path)
    client:begin { [path] = { { line = 3 } } }
    client:stopped "breakpoint"
    assert.same({ 4 }, client:walk({ "next" }))
    client:go "next"
    client:event "terminated"
    assert.equal("true\n", client:output "stdout")
  end)

  it("follows the thread that it is asked for, also one that waits", function()
    local path = script [[
local green = require "green"
local function work()
  green.sleep(0.2)
  local done = true
  return done
end
coroutine.wrap(work)()
]]
    local client = dap.start(path)
    client:begin()
    client:must("pause", {})
    client:stopped "pause"
    local lines = {}
    for _, frame in ipairs(client.stack) do
      lines[#lines + 1] = frame.source.path == path and frame.line or nil
    end
    assert.same({ 3, 7 }, lines)
    local answer = client:ask("evaluate", { expression = "require('green').sleep(0)" })
    assert.is_truthy(answer.message:find("cannot wait inside", 1, true))
    local threads = client:must("threads").threads
    assert.equal(1, #threads) -- none of the debugger's own
    assert.same({ 4, 5 }, client:walk({ "next", "next" }))
    client:go()
    client:event "terminated"
  end)
end)

describe("the debugger", function()
  it("stops behind stop_here, with the stack that is there", function()
    local path = script [[
local debugger = require "green.debugger"
local function work(x)
  debugger.stop_here()
  return x
end
work(5)
]]
    local client = dap.start(path)
    client:begin()
    local top = client:stopped "pause"
    assert.equal(4, top.line)
    assert.equal("5", client:variables(top, "Locals").x.value)
    client:go()
    client:event "terminated"
  end)

  it("is its process's alone: children of a fork run on without it", function()
    local path = script [[
local process = require "green.process"
local function work(x)
  x = x + 1
  return x
end
local pid = assert(process.fork(function() print("child", work(1)) end))
print("parent", process.wait(pid), work(2))
]]
    local client = dap.start(path)
    client:begin { [path] = { { line = 3 } } }
    local top = client:stopped "breakpoint"
    assert.equal("2", client:variables(top, "Locals").x.value)
    client:go()
    client:event "terminated"
    client:finish()
    assert.equal("child\t2\n", client.program.err)
    assert.is_truthy(client:output("stdout"):find "^parent.*3\n$")
  end)

  it("knows files by links, and by names from another folder", function()
    local path = script("local a = 1\nreturn a\n")
    local link = dir() .. "/link.lua"
    assert(fs.symlink(path, link))
    local main = script(([[
local ffi = require "ffi"
ffi.cdef "int chdir(const char *path);"
ffi.C.chdir(%q)
dofile "work.lua"
dofile "link.lua"
]]):format(dir()), "main.lua")
    local client = dap.start(main)
    client:begin { [link] = { { line = 2 } } }
    assert.equal(path, client:stopped("breakpoint").source.path)
    client:go()
    assert.equal(fs.realpath(dir()) .. "/link.lua", client:stopped("breakpoint").source.path)
    client:go()
    client:event "terminated"
  end)

  it("tells the exit status", function()
    for text, status in pairs { ["os.exit(7)"] = 7, ["os.exit(false)"] = 1, ["error 'x'"] = 1,
      ["local x = 1"] = 0 } do
      local client = dap.start(script(text))
      client:begin()
      assert.equal(status, client:event("exited").exitCode, text)
      assert.equal(status, client:finish())
    end
  end)

  it("ends a program that never waits where it stands, and one that has not begun", function()
    local path = script "while true do\n  local a = 1\nend\n"
    for _, request in ipairs { { "terminate", {} },
      { "disconnect", { terminateDebuggee = true } } } do
      local client = dap.start(path)
      client:begin { [path] = { { line = 2 } } }
      client:stopped "breakpoint"
      client:must(request[1], request[2])
      assert.equal(1, client:finish())
    end
    local client = dap.start(path)
    client:must("initialize", {})
    client:must("launch", {})
    client:must("terminate", {})
    assert.equal(1, client:finish())
  end)
end)
