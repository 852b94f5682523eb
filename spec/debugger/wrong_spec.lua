-- green.debugger: requests that are wrong, and conditions that are: nothing of it is an error
-- of the program's.

local cjson = require "cjson"
local dap = require "spec.support.dap"
local folder = require "spec.support.folder"
local fs = require "green.fs"

local dir = folder.each(before_each, after_each)
local script = dap.scripts(dir)

local WORK = [[
local sum = 0
for i = 1, 3 do
  sum = sum + i
end
print("sum", sum)
]]

--- The program goes to its end, and has done its work.
local function ends_well(client)
  client:must("disconnect", { terminateDebuggee = false })
  assert.equal(0, client:finish(), client.program.err)
  assert.equal("", client.program.err:gsub("sum\t6\n", ""))
end

describe("the debugger", function()
  it("takes nulls as what is not there", function()
    local path = script(WORK)
    local client = dap.start(path)
    client:begin { [path] = { { line = 3, condition = cjson.null, hitCondition = cjson.null,
      logMessage = cjson.null } } }
    client:stopped "breakpoint"
    local stack = client:must("stackTrace", { threadId = client.thread, startFrame = cjson.null,
      levels = cjson.null }).stackFrames
    assert.equal(3, stack[1].line)
    ends_well(client)
  end)

  it("refuses breakpoints that are none, each in words", function()
    local path = script(WORK)
    local client = dap.start(path)
    local told = client:begin { [path] = { { line = 3, condition = {} },
      { line = 3, logMessage = 5 }, { line = 3, hitCondition = "often" }, { line = "3" }, 3,
      { line = 3, condition = "", logMessage = "", hitCondition = "" } } }
    local messages = {}
    for i, one in ipairs(told[path]) do
      messages[i] = one.verified or one.message
    end
    assert.same({ "condition is no text", "logMessage is no text",
      "a hit condition is 3, > 3, >= 3, < 3, <= 3, = 3 or % 3", "a breakpoint without a line",
      "a breakpoint without a line", true }, messages)
    client:stopped "breakpoint" -- the last one
    ends_well(client)
  end)

  it("answers wrong arguments of all requests, and goes on", function()
    local path = script(WORK)
    local client = dap.start(path)
    client:begin { [path] = { { line = 3 } } }
    local top = client:stopped "breakpoint"
    local named = { "threadId", "startFrame", "levels", "frameId", "variablesReference", "name",
      "value", "expression", "source", "breakpoints", "stopOnEntry" }
    for _, wrong in ipairs { cjson.null, -1, 0.5, 1e300, -1e300, "x", "\0", true, {},
      { cjson.null }, { { {} } }, { path = 5 } } do
      for _, command in ipairs { "initialize", "launch", "threads", "stackTrace", "scopes",
        "variables", "setVariable", "evaluate", "setBreakpoints", "nonsense" } do
        for _, name in ipairs(named) do
          local arguments = { threadId = client.thread, frameId = top.id, variablesReference = 1,
            name = "nobody", value = "sum", expression = "1", source = { path = "/none" } }
          arguments[name] = wrong
          local answer = client:ask(command, arguments)
          assert.is_nil((answer.message or ""):find("lualib", 1, true), answer.message)
        end
        client:ask(command, wrong)
      end
    end
    ends_well(client)
  end)

  it("passes over what is no request", function()
    local path = script(WORK)
    local client = dap.start(path)
    client:begin { [path] = { { line = 3 } } }
    client:stopped "breakpoint"
    for _, text in ipairs { '{"type":"request","command":"threads"}',
      '{"type":"request","seq":null,"command":"threads"}',
      '{"type":"request","seq":1,"command":null}', '{"type":"request","seq":1,"command":{"\\"":1}}',
      '{"type":7,"seq":1,"command":"threads"}', "{}" } do
      client:write(("Content-Length: %d\r\n\r\n%s"):format(#text, text))
    end
    ends_well(client)
  end)

  it("stops where a condition raises what has no text, or waits, and says so", function()
    local path = script(WORK)
    local client = dap.start(path)
    local evil = "setmetatable({}, { __tostring = function() error 'x' end })"
    local text = "evil = evil or " .. evil .. "\n" .. WORK
    assert(fs.write_file(path, text))
    client:begin { [path] = {
      { line = 3, logMessage = "it is {evil}" }, { line = 4, condition = "error(evil)" },
      { line = 6, condition = "require('green').sleep(1)" } } }
    client:stopped "breakpoint"
    assert.is_truthy(client:output("console"):find("it is (error object is not a string)", 1, true))
    client:must("setBreakpoints", { source = { path = path }, breakpoints = {
      { line = 6, condition = "require('green').sleep(1)" } } })
    client:go()
    client:stopped "breakpoint"
    assert.is_truthy(client:output("console"):find("cannot wait inside", 1, true))
    ends_well(client)
  end)
end)
