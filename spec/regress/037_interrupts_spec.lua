-- Ctrl-C was caught also where it had been ignored from the start: what a shell runs in
-- the background, or under nohup, died of a Ctrl-C that was meant for others. And a
-- forked child that Ctrl-C ended printed an error without a text, and gave status 1.

local chunk = require "spec.support.chunk"
local program = require "spec.support.program"

describe("SIGINT that is ignored from the start", function()
  -- Not by os.execute: what waits for a command ignores SIGINT meanwhile.
  local SURVIVES = [[
    %s
    io.stderr:write "" -- opened
    local ffi = require "ffi"
    ffi.cdef "int getpid(void); int kill(int, int);"
    ffi.C.kill(ffi.C.getpid(), 2)
    print(pcall(function() %s end))
  ]]

  for name, shell in pairs {
    trap = [[trap "" INT; exec "$@"]],
    ["a background job"] = [["$@" & wait $!]],
    ["nohup of such a job"] = [[nohup "$@" & wait $!]],
  } do
    it(("by %s stays ignored"):format(name), function()
      for library, wait in pairs { [""] = "local x = 1",
        ["local green = require 'green'"] = "green.sleep(0.02)" } do
        local r = program.run { "sh", "-c", shell, "sh", program.greenlua, "-e",
          SURVIVES:format(library, wait) }
        assert.equal("true\n", r.out, chunk.describe(r))
        assert.equal(0, r.status, chunk.describe(r))
      end
    end)
  end

  it("is ignored by children, too", function()
    local r = program.run { "sh", "-c", [[trap "" INT; exec "$@"]], "sh", program.greenlua, "-e",
      [[require "green" print(os.execute "kill -INT $$")]] }
    assert.equal("0\n", r.out, chunk.describe(r))
  end)

  it("is caught by those who ask for it", function()
    local r = program.run { "sh", "-c", [[trap "" INT; exec "$@"]], "sh", program.greenlua, "-e", [[
      local green, signal = require "green", require "green.signal"
      local done = green.Event()
      signal.handler("INT", function(name) done:send(name) end)
      local process = require "green.process"
      process.kill(process.getpid(), "INT")
      print(done:wait())
    ]] }
    assert.equal("SIGINT\n", r.out, chunk.describe(r))
  end)
end)

describe("Ctrl-C in a forked child", function()
  local function child(code)
    return chunk.run(([[
      local green, process = require "green", require "green.process"
      jit.off()
      local a, b = require("green.socket").pair()
      local pid = green.fork(function() %s end)
      a:read(1)
      process.kill(pid, "INT")
      print(process.wait(pid, 10))
    ]]):format(code))
  end

  it("gives the status that it gives to the command, without a word", function()
    local r = child "b:write 'x' green.sleep(60)"
    assert.equal("exit\t130\n", r.out, chunk.describe(r))
    assert.equal("", r.err)
  end)

  it("runs the child's cleanups and its functions of at_exit", function()
    local r = child [[
      green.at_exit(print, "at exit")
      green.spawn(function()
        green.finally(function() green.sleep(60) end, function() print "other" end)
      end)
      green.finally(function() b:write "x" green.sleep(60) end, function() print "own" end)
    ]]
    assert.equal("own\nother\nat exit\nexit\t130\n", r.out, chunk.describe(r))
    assert.equal("", r.err)
  end)

  it("tells where a child was that did not wait", function()
    local r = child "b:write 'x' while true do end"
    assert.equal("exit\t130\n", r.out, chunk.describe(r))
    assert.is_truthy(r.err:find("interrupted at", 1, true), r.err)
  end)

  it("is no excuse for other errors", function()
    local r = child "b:write 'x' pcall(green.sleep, 60) error('no', 0)"
    assert.equal("exit\t1\n", r.out, chunk.describe(r))
    assert.is_truthy(r.err:find("no", 1, true), r.err)
  end)
end)

describe("Ctrl-C while the program is being ended", function()
  it("is over when it has broken a main that never waits", function()
    local p = program.start_greenlua { "-e", [[
      local green = require "green"
      jit.off()
      green.at_exit(function() green.sleep(0.002) print "at exit" end)
      green.spawn(function()
        green.finally(function() green.sleep(60) end, function()
          green.sleep(0.002)
          print "cleaned up"
        end)
      end)
      green.sleep(0)
      print "ready" io.flush()
      while true do end
    ]] }
    p:expect "ready"
    p:kill(program.INT):wait()
    assert.equal("ready\ncleaned up\nat exit\n", p.out, chunk.describe(p))
    assert.equal(130, p.status, chunk.describe(p))
  end)

  it("is the script's where that handles it", function()
    local p = program.start_greenlua { "-e", [[
      local green, got = require "green", false
      require("green.signal").handler("INT", function() got = true end)
      green.at_exit(function()
        print "ready" io.flush()
        for _ = 1, 400 do if not got then green.sleep(0.01) end end
        print(got)
      end)
    ]] }
    p:expect "ready"
    p:kill(program.INT):wait()
    assert.equal("ready\ntrue\n", p.out, chunk.describe(p))
    assert.equal(0, p.status, chunk.describe(p))
  end)

  it("ends it at once", function()
    local p = program.start_greenlua { "-e", [[
      local green = require "green"
      green.at_exit(function() io.stdout:write("ready\n") io.flush() green.sleep(4) end)
    ]] }
    p:expect "ready"
    p:kill(program.INT):wait()
    assert.equal(program.INT, p.signal, chunk.describe(p))
  end)
end)
