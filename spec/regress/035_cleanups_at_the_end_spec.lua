-- The end of main, Ctrl-C and os.exit abandoned all other threads: the cleanup of a
-- `finally` that one of them stood in never ran.

local chunk = require "spec.support.chunk"
local program = require "spec.support.program"

local WAITS = [[
  local green = require "green"
  green.spawn(function()
    green.finally(function()
      green.sleep(3600)
    end, function()
      green.sleep(0.001)
      print "cleaned up"
    end)
  end)
  green.sleep(0)
]]

describe("a thread that waits inside of a finally cleans up", function()
  for how, last in pairs {
    ["main has returned"] = { "", 0 },
    ["main has raised"] = { "error('no', 0)", 1 },
    ["main calls os.exit"] = { "os.exit(7)", 7 },
    ["main calls os.exit, which closes the state"] = { "os.exit(7, true)", 7 },
    ["a thread calls os.exit"] = { "green.spawn(os.exit, 7) green.sleep(3600)", 7 },
  } do
    it("when " .. how, function()
      local r = chunk.run(WAITS .. last[1])
      assert.equal("cleaned up\n", r.out, chunk.describe(r))
      assert.equal(last[2], r.status, chunk.describe(r))
    end)
  end

  it("at Ctrl-C", function()
    local p = program.start_greenlua { "-e", WAITS .. "print 'ready' io.flush() green.sleep(3600)" }
    p:expect "ready"
    p:kill(program.INT):wait()
    assert.equal("ready\ncleaned up\n", p.out, chunk.describe(p))
    assert.equal(130, p.status, chunk.describe(p))
  end)
end)
