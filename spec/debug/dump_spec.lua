-- SIGUSR2 in programs of the command's, and green.debug.dump.

local program = require "spec.support.program"
local testing = require "green.testing"

local it = testing.busted()

local USR2 = 12

--- Start a chunk that prints "up" when it waits.
local function start(code, options)
  options = options or {}
  options[1], options[2] = "-e", code
  local p = program.start_greenlua(options)
  p:expect "up\n"
  return p
end

local function finish(p)
  p:kill(program.TERM)
  p:wait()
end

local SERVES = [[
  local green = require "green"
  local queue = green.Queue()
  green.spawn(function() local item = queue:get() return item end):name("worker")
  green.spawn(function() while true do print(io.read() or os.exit(0)) end end):name("echo")
  print "up"
  green.sleep(3600)
]]

describe("SIGUSR2", function()
  it("writes all green threads to standard error, and the program goes on", function()
    local p = start(SERVES)
    for _ = 1, 2 do
      p:kill(USR2)
      p:expect("greenlua: SIGUSR2: all green threads\n", "err")
      local text = p:expect("greenlua: 3 green threads\n", "err")
      assert.matches("#%d+ main %(parked, stack %d+ B%): sleep[^\n]* more at [^\n]*:6\n", text)
      assert.matches("#%d+ worker %(parked, spawned at [^\n]*:3 by #%d+, stack %d+ B%): get of ",
        text)
      assert.matches("#%d+ echo %(parked[^\n]*", text)
      assert.matches("\n    stack traceback:\n", text)
      p:write("still there\n")
      p:expect "still there\n"
    end
    finish(p)
    assert.equal(program.TERM, p.signal)
  end)

  it("works in a script that has not loaded the library, once it waits", function()
    local p = start [[
      print "up"
      io.stdout:flush()
      local line = io.read()
      require("green").sleep(0.1) -- for the list to be written
      print(line)
    ]]
    p:kill(USR2)
    p:write("on\n"):close_stdin()
    p:wait()
    assert.equal(0, p.status)
    assert.equal("up\non\n", p.out)
    assert.matches("greenlua: SIGUSR2: all green threads\n#%d+ main ", p.err)
  end)

  it("is the script's where it handles it, and a list again when it does no more", function()
    local p = start [[
      local green, signal = require "green", require "green.signal"
      local handler
      handler = signal.handler("USR2", function()
        handler:cancel()
        print "mine"
      end)
      print "up"
      green.sleep(3600)
    ]]
    p:kill(USR2)
    p:expect "mine\n"
    assert.equal("", p.err)
    p:kill(USR2)
    p:expect("greenlua: 1 green thread\n", "err")
    finish(p)
  end)

  it("does nothing where it was ignored", function()
    local p = program.start { "sh", "-c", "trap '' USR2; exec " .. program.greenlua
      .. [[ -e 'print "up" io.stdout:flush() io.read() print "on"' ]] }
    p:expect "up\n"
    p:kill(USR2)
    p:write("x\n")
    p:wait()
    assert.equal("up\non\n", p.out)
    assert.equal("", p.err)
    assert.equal(0, p.status)
  end)

  it("does what it did in programs that the script starts", function()
    local p = start [[
      local green, process = require "green", require "green.process"
      print "up"
      local child = process.spawn { "sh", "-c", "kill -USR2 $$; echo no" }
      local status = child:wait()
      print(tostring(status))
    ]]
    p:wait()
    assert.not_matches("no\n", p.out)
    assert.equal("", p.err)
  end)

  it("comes to a forked child, too", function()
    local p = start [[
      local green, ffi = require "green", require "ffi"
      ffi.cdef "int raise(int signo);"
      local child = green.fork(function()
        green.spawn(green.sleep, 3600):name("in the child")
        green.sleep(0)
        ffi.C.raise(12)
        green.sleep(1) -- for the list to be written
      end)
      print "up"
      require("green.process").wait(child)
    ]]
    local text = p:expect("greenlua: 2 green threads\n", "err")
    assert.matches("in the child %(parked", text)
    finish(p)
  end)

  it("is written in steps where there are very many: the others run meanwhile", function()
    local p = program.start_greenlua { "-e", [[
      local green = require "green"
      for i = 1, 5000 do green.spawn(green.sleep, 3600) end
      green.sleep(0)
      local turns = 0
      green.spawn(function() while true do turns = turns + 1 green.sleep(0) end end)
      print "up"
      io.read()
      print(turns > 10)
    ]] }
    p:expect "up\n"
    p:kill(USR2)
    p:expect("\n#4000 ", "err")
    p:write("x\n"):close_stdin()
    p:wait()
    assert.matches("true\n", p.out)
  end)
end)

describe("green.debug.dump", function()
  it("writes the list, the caller in it, under a title", function()
    local p = program.run_greenlua { "-e", [[
      require("green.debug").dump("where we are")
    ]] }
    assert.matches("^greenlua: where we are\n#%d+ main %(running%)\n", p.err)
    assert.matches("\ngreenlua: 1 green thread\n$", p.err)
  end)
end)
