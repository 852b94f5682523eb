-- The end of a forked child went through the script's own os.exit: where that does not
-- exit, the child came back from green.fork and went on with its parent's program. Nor
-- did it get on where the script had no `coroutine` any more.

local program = require "spec.support.program"

local function run(code)
  local result = program.run_greenlua { "-e", code }
  return result.out, result.err
end

local FORK = [[
  local green, process = require "green", require "green.process"
  %s
  local pid = green.fork(function() %s end)
  print(pid and "parent" or "child goes on", process.wait(pid))
]]

describe("a forked child ends where its function does", function()
  for what, spoil in pairs {
    ["whose os.exit does not exit"] = "os.exit = function() end",
    ["without os.exit"] = "os.exit = nil",
    ["without os and coroutine"] = "os, coroutine = nil, nil",
  } do
    it("in a program " .. what, function()
      local out, err = run(FORK:format(spoil, ""))
      assert.same({ "parent\texit\t0\n", "" }, { out, err })
      out, err = run(FORK:format(spoil, 'error("no tea", 0)'))
      assert.equals("parent\texit\t1\n", out)
      assert.matches("^greenlua: child process %d+: no tea\n", err)
    end)
  end
end)
