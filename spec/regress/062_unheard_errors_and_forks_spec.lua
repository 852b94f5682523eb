-- An error that a program had been given and never looked at was told by each child that
-- it forked, too, as if the child's own call had failed.

local program = require "spec.support.program"

local CODE = [[
  local green, process = require "green", require "green.process"
  local function fail() require("green.wsgi").serve("192.0.2.1:80", function() end) end
  %s
  print(process.wait(green.fork(function() %s end)))
]]

--- How often it is told, by the program and its child together.
local function told(in_parent, in_child)
  local result = program.run_greenlua { "-e", CODE:format(in_parent, in_child) }
  assert.equals("exit\t0\n", result.out)
  return select(2, result.err:gsub("nobody has looked at that", ""))
end

describe("an error that a program never looks at", function()
  it("is told by the process that it was given to, and by no child of that", function()
    assert.equals(1, told("fail()", ""))
  end)

  it("is told by a child that it was given to", function()
    assert.equals(1, told("", "fail()"))
    assert.equals(2, told("fail()", "fail()"))
  end)
end)
