-- green.debugger: what Microsoft's own test client (DebugClient of VS Code's adapters) and Emacs's
-- dap-mode send, and what they are to be told; the texts of requests are theirs.

local dap = require "spec.support.dap"
local folder = require "spec.support.folder"
local fs = require "green.fs"

local dir = folder.each(before_each, after_each)

local WORK = [[
local sum = 0
local up = { inner = 1, [3] = 4 }
for i = 1, 3 do
  sum = sum + i + up.inner
end
print("sum", sum)
]]

local function script(text, name)
  local path = fs.realpath(dir()) .. "/" .. (name or "work.lua")
  assert(fs.write_file(path, text))
  return path
end

--- A client whose program stands at line 4.
local function at_four(path)
  local client = dap.start(path)
  client:begin { [path] = { { line = 4 } } }
  client:stopped "breakpoint"
  return client
end

describe("a client of the debugger", function()
  it("asks for line numbers from 0 on, and columns", function()
    local path = script(WORK)
    local client = dap.start(path)
    client:must("initialize", { adapterID = "greenlua", linesStartAt1 = false,
      columnsStartAt1 = false, pathFormat = "path" })
    client:must("launch", { stopOnEntry = true })
    local told = client:must("setBreakpoints", { source = { path = path },
      breakpoints = { { line = 3, column = 0 } } }).breakpoints
    assert.equal(3, told[1].line)
    client:must "configurationDone"
    local top = client:stopped "entry"
    assert.equal(0, top.line)
    assert.equal(0, top.column)
    client:go()
    top = client:stopped "breakpoint"
    assert.equal(3, top.line)
    client:must("disconnect", {})
    client:finish()
  end)

  it("is told of the stop at the first line as that", function()
    local client = dap.start(script(WORK))
    client:begin(nil, { stopOnEntry = true })
    assert.equal(1, client:stopped("entry").line)
    client:must("pause", { threadId = 1 }) -- a stop there is another one's
    client:go()
    client:event "terminated"
    client:finish()
  end)

  it("is told of the breakpoint that stops the program, of no other", function()
    local path = script(WORK)
    local client = dap.start(path)
    local told = client:begin { [path] = { { line = 4, logMessage = "here" }, { line = 3 } } }
    local _, body = client:stopped "breakpoint"
    assert.same({ told[path][2].id }, body.hitBreakpointIds)
    client:go "next"
    _, body = client:stopped "step"
    assert.is_nil(body.hitBreakpointIds)
    assert.equal("here\n", client:output "console")
    client:must("disconnect", {})
    client:finish()
  end)

  it("runs a program without debugging", function()
    local path = script(WORK)
    local client = dap.start(path)
    local told = client:begin({ [path] = { { line = 4 } } }, { noDebug = true, stopOnEntry = true })
    assert.is_true(told[path][1].verified)
    client:event "terminated"
    assert.equal("sum\t9\n", client:output "stdout")
    assert.equal(0, client:event("exited").exitCode)
    assert.equal(0, client:finish())
  end)

  it("is given no path of what is no file: of the library, of texts, of C", function()
    local path = script [[
load "local f = ... f(1) return 1" (function(x)
  local here = x
end)
]]
    local client = dap.start(path)
    client:begin { [path] = { { line = 2 } } }
    client:stopped "breakpoint"
    local paths = {}
    for _, frame in ipairs(client.stack) do
      if frame.source.path then
        paths[#paths + 1] = frame.source.path
        assert.equal("normal", frame.presentationHint)
      else
        assert.equal("deemphasize", frame.source.presentationHint)
      end
    end
    assert.same({ path, path }, paths)
    assert.is_true(#client.stack > 3)
    client:must("disconnect", {})
    client:finish()
  end)

  it("is told of what goes to standard error, and of errors that nobody has caught", function()
    local path = script [[
local green = require "green"
green.spawn(function() error "of a thread" end)
green.sleep(0.01)
io.stderr:write("mine ", 1, "\n")
local nothing
print(nothing.field)
]]
    local client = dap.start(path)
    client:begin()
    client:event "terminated"
    local text = client:output "stderr"
    local first, second =
      text:match "^greenlua: (unhandled error .-\n)mine 1\ngreenlua: ([^\n]*:6: .*)$"
    assert.is_truthy(first:find("of a thread", 1, true))
    assert.is_truthy(second:find("attempt to index local 'nothing'", 1, true))
    assert.is_truthy(second:find("\nstack traceback:\n", 1, true))
    assert.equal(1, select(2, second:gsub("stack traceback", ""))) -- it is told once
    assert.equal(1, client:finish())
    assert.is_truthy(client.program.err:find(first, 1, true))
    assert.is_truthy(client.program.err:find("attempt to index local 'nothing'", 1, true))
  end)

  it("is told of no error where none was", function()
    for _, text in ipairs { "os.exit(3)", "local x = 1", "pcall(error, 'x')" } do
      local client = dap.start(script(text))
      client:begin()
      client:event "terminated"
      assert.equal("", client:output "stderr")
      client:finish()
    end
  end)

  it("says goodbye when the program is over, and has its answer", function()
    local path = script(WORK)
    local client = dap.start(path)
    client:begin()
    client:event "terminated"
    assert.equal(1, #client:must("threads").threads)
    assert.equal("the program has ended", client:ask("pause", { threadId = 1 }).message)
    client:must("setBreakpoints", { source = { path = path }, breakpoints = { { line = 1 } } })
    client:must("terminate", {})
    client:must("disconnect", { restart = false })
    assert.equal(0, client:finish())
  end)

  it("ends what it has launched when it disconnects, and not what it was attached to", function()
    local path = script(WORK)
    for _, case in ipairs { { "launch", {}, 1 }, { "launch", { restart = false }, 1 },
      { "launch", { terminateDebuggee = false }, 0 }, { "attach", {}, 0 },
      { "attach", { terminateDebuggee = true }, 1 } } do
      local client = dap.start(path)
      client:must("initialize", {})
      client:must(case[1], {})
      client:must("setBreakpoints", { source = { path = path }, breakpoints = { { line = 4 } } })
      client:must "configurationDone"
      client:stopped "breakpoint"
      client:must("disconnect", case[2])
      assert.equal(case[3], client:finish())
    end
  end)

  it("changes only variables that are there", function()
    local client = at_four(script(WORK))
    local locals, reference = client:variables(client.stack[1], "Locals")
    local function set(ref, name, value)
      return client:ask("setVariable", { variablesReference = ref, name = name, value = value })
    end
    assert.equal("no such variable", set(reference, "nobody", "1").message)
    assert.equal("nil", client:must("evaluate", { expression = "nobody" }).result)
    local inside = locals.up.variablesReference
    assert.equal("no such variable", set(inside, "(metatable)", "1").message)
    assert.equal("no such variable", set(inside, "other", "1").message)
    assert.equal("7", set(inside, "[3]", "7").body.value)
    assert.equal("5", set(inside, "inner", "2 + 3").body.value)
    assert.equal("7", client:must("evaluate", { frameId = client.stack[1].id,
      expression = "up[3]" }).result)
    client:must("disconnect", {})
    client:finish()
  end)

  it("changes the upvalue that a local has the name of", function()
    local path = script [[
local x = 1
local function work()
  local outer = x
  local x = 2
  return outer + x -- here
end
print(work(), x)
]]
    local client = dap.start(path)
    client:begin { [path] = { { line = 5 } } }
    client:stopped "breakpoint"
    for scope, value in pairs { Locals = "20", Upvalues = "10" } do
      local _, reference = client:variables(client.stack[1], scope)
      client:must("setVariable", { variablesReference = reference, name = "x", value = value })
    end
    client:go()
    client:event "terminated"
    assert.equal("21\t10\n", client:output "stdout")
    client:finish()
  end)

  it("is told an expression for each variable, which has its value", function()
    local path = script [[
local t = { name = 1, ["end"] = 2, ["a b"] = 3, [1.5] = 4, [true] = 5, deep = { { 6 } } }
local function work()
  return t
end
work()
]]
    local client = dap.start(path)
    client:begin { [path] = { { line = 3 } } }
    client:stopped "breakpoint"
    local frame = client.stack[1]
    local function seen(reference)
      for _, one in pairs(client:fields(reference)) do
        local told = client:must("evaluate", { expression = one.evaluateName, frameId = frame.id })
        assert.equal(one.value, told.result)
        if one.variablesReference > 0 then
          seen(one.variablesReference)
        end
      end
    end
    local _, reference = client:variables(frame, "Upvalues")
    seen(reference)
    local globals = client:variables(frame, "Globals")
    assert.equal("_G.print", globals.print.evaluateName)
    client:must("disconnect", {})
    client:finish()
  end)

  it("does statements in the console, not in watches, hovers and conditions", function()
    local path = script(WORK)
    local client = dap.start(path)
    client:begin { [path] = { { line = 4, condition = "i = 3" } } }
    client:stopped "breakpoint"
    assert.is_truthy(client:output("console"):find("breakpoint: ", 1, true))
    local function ask(context)
      return client:ask("evaluate", { expression = "i = 7", context = context,
        frameId = client.stack[1].id })
    end
    for _, context in ipairs { "watch", "hover", "clipboard", "variables" } do
      assert.is_false(ask(context).success)
    end
    assert.equal("1", client:variables(client.stack[1], "Locals").i.value)
    assert.is_true(ask("repl").success)
    assert.equal("7", client:variables(client.stack[1], "Locals").i.value)
    client:must("disconnect", {})
    client:finish()
  end)

  it("is told when a table has more fields than it is shown", function()
    local path = script "local t = {}\nfor i = 1, 2005 do t[i] = i end\nreturn t\n"
    local client = dap.start(path)
    client:begin { [path] = { { line = 3 } } }
    client:stopped "breakpoint"
    local locals = client:variables(client.stack[1], "Locals")
    local fields = client:fields(locals.t.variablesReference)
    assert.equal("2000", fields["[2000]"].value)
    assert.is_nil(fields["[2001]"])
    assert.equal("only 2000 fields are shown", fields["(more)"].value)
    client:must("disconnect", {})
    client:finish()
  end)

  it("sends a long message in pieces", function()
    local client = at_four(script(WORK))
    local text = ('"%s"'):format(("x"):rep(300000))
    assert.equal("300000", client:must("evaluate", { expression = "#" .. text }).result)
    client:must("disconnect", {})
    client:finish()
  end)

  it("is not deaf where the script has its own way with cjson and Lua's functions", function()
    local path = script [[
local cjson = require "cjson"
cjson.decode_max_depth(1)
pairs, ipairs, next = nil, nil, nil
local here = 1
]]
    local client = dap.start(path)
    client:begin { [path] = { { line = 4 } } }
    client:stopped "breakpoint"
    client:must("evaluate", { expression = "1", frameId = client.stack[1].id })
    client:must("disconnect", {})
    client:finish()
  end)

  it("keeps no green thread alive by its number", function()
    local path = script [[
local green = require "green"
local weak = setmetatable({}, { __mode = "k" })
local function work()
  weak[green.spawn(function() green.sleep(0.01) end)] = true
  local here = 1
  green.sleep(0.05)
end
work()
local there = 2
collectgarbage()
collectgarbage()
print(next(weak))
]]
    local client = dap.start(path)
    client:begin { [path] = { { line = 5 }, { line = 9 } } }
    client:stopped "breakpoint"
    assert.equal(2, #client:must("threads").threads)
    client:go()
    client:stopped "breakpoint"
    assert.equal(1, #client:must("threads").threads)
    client:go()
    client:event "terminated"
    assert.equal("nil\n", client:output "stdout")
    client:finish()
  end)
end)
