-- green.process and green.fork: arguments, ends, waits. What a child has of its parent is
-- in regress/016_fork_spec.lua, how children end on each backend in 018.

local green = require "green"
local process = require "green.process"
local program = require "spec.support.program"
local socket = require "green.socket"
local testing = require "green.testing"

local _, it = testing.busted()

local function fails(code, value, err)
  assert.is_nil(value)
  assert.is_true(green.is_error(err, code), tostring(err))
  return err
end

--- A child that ends with the status that is told to it: the pid, tell(status).
local function obedient()
  local ours, theirs = socket.pair()
  local pid = assert(green.fork(function()
    ours:close()
    os.exit(tonumber(theirs:read_line()))
  end))
  theirs:close()
  return pid, function(status)
    ours:write(status, "\n")
    ours:close()
  end
end

--- Wait until it has ended; nobody has asked for it yet.
local function settle_zombie(pid)
  testing.settle_io(function()
    local file = assert(io.open("/proc/" .. pid .. "/stat"))
    local line = file:read("*l")
    file:close()
    return line:find(") Z", 1, true)
  end)
end

--- The child is still there to be waited for, and nobody else has done so.
local function assert_waitable(pid, tell)
  tell(9)
  assert.same({ "exit", 9 }, { process.wait(pid, 5) })
end

--- Run a script as a program of its own.
local function run(code)
  local prelude = 'local green, process = require "green", require "green.process"\n'
  return program.run_greenlua { "-e", prelude .. code }
end

describe("green.process", function()
  it("names function, argument and the caller's line when it is misused", function()
    local calls = {
      ["process.wait: pid must be a whole number from 1 to 2147483647, not \"x\""] =
        function() process.wait("x") end,
      ["process.wait: pid must be a whole number from 1 to 2147483647, not nil"] =
        function() process.wait() end,
      ["process.wait: pid must be a whole number from 1 to 2147483647, not 0"] =
        function() process.wait(0) end,
      ["process.wait: timeout must be a number of seconds, at least 0, not \"soon\""] =
        function() process.wait(1, "soon") end,
      ["process.wait: timeout must be a number of seconds, at least 0, not -1"] =
        function() process.wait(1, -1) end,
      ["process.kill: pid must be a whole number from 1 to 2147483647, not -1"] =
        function() process.kill(-1) end,
      ["fork: fn must be a function, not nil"] =
        function() green.fork() end,
      ["fork: options must be a table, not 5"] =
        function() green.fork(print, 5) end,
      ["fork: unknown option 'inherits'; did you mean 'inherit'?"] =
        function() green.fork(print, { inherits = true }) end,
    }
    for text, call in pairs(calls) do
      local ok, err = pcall(call)
      local place = debug.getinfo(call, "S")
      assert.is_false(ok)
      assert.equal(("%s:%d: %s"):format(place.short_src, place.linedefined, text), err)
    end
  end)

  it("raises for a signal that there is none of, and sends nothing", function()
    local pid, tell = obedient()
    assert.is_false(pcall(process.kill, pid, "NOSUCH"))
    assert.is_false(pcall(process.kill, pid, {}))
    assert_waitable(pid, tell)
  end)

  it("is loaded when green.fork is first named", function()
    local r = run [[
      print(package.loaded["green.process"] ~= nil, green.fork == process.fork)
    ]]
    assert.equal("true\ttrue\n", r.out)
    r = program.run_greenlua { "-e", [[
      local green = require "green"
      print(package.loaded["green.process"] == nil)
      print(type(green.fork), package.loaded["green.process"] ~= nil)
    ]] }
    assert.equal("true\nfunction\ttrue\n", r.out)
  end)

  it("has a page whose examples run", function()
    local file = assert(io.open("docs/modules/process.md"))
    local text = file:read("*a")
    file:close()
    local r = program.run_greenlua { "-", input = text:match("\n```lua\n(.-)\n```\n") }
    assert.equal("a\nb\n\nexit status 0\n", r.out, r.err)
    local code = text:match("\n## Forks\n.-\n```lua\n(.-)\n```\n")
    r = program.run_greenlua { "-", input = code }
    assert.equal("hello from the child\nexit\t7\n", r.out, r.err)
  end)

  it("knows its own number, in the child too", function()
    local ours, theirs = socket.pair()
    local me = process.getpid()
    local pid = assert(green.fork(function()
      theirs:write(process.getpid(), "\n")
    end))
    theirs:close()
    assert.equal(pid, tonumber(ours:read_line()))
    assert.equal(me, process.getpid())
    assert.same({ "exit", 0 }, { process.wait(pid, 5) })
    ours:close()
  end)
end)

describe("process.wait", function()
  it("tells at once of a child that has ended, without a turn for others", function()
    local pid, tell = obedient()
    tell(3)
    settle_zombie(pid)
    local others_ran = false
    local other = green.spawn(function() others_ran = true end)
    assert.same({ "exit", 3 }, { process.wait(pid) })
    assert.is_false(others_ran)
    other:wait()
  end)

  it("waits until the child ends, while others run", function()
    local pid, tell = obedient()
    local told = false
    green.spawn_after(0.01, function()
      told = true
      tell(4)
    end)
    assert.same({ "exit", 4 }, { process.wait(pid) })
    assert.is_true(told)
  end)

  it("gives ETIMEDOUT, for a timeout of 0 as well, and leaves the child alone [b88]", function()
    local pid, tell = obedient()
    local t0 = green.now()
    fails("ETIMEDOUT", process.wait(pid, 0.02))
    assert.is_true(green.now() - t0 >= 0.02)
    fails("ETIMEDOUT", process.wait(pid, 0))
    assert_waitable(pid, tell)
  end)

  it("raises in a killed thread before any effect, and again when swallowed", function()
    local pid, tell = obedient()
    tell(5)
    settle_zombie(pid)
    local raised = {}
    green.spawn(function()
      green.getcurrent():kill_soon()
      for i = 1, 3 do
        raised[i] = select(2, pcall(process.wait, pid))
      end
    end):wait()
    assert.is_true(green.is_error(raised[1], "ECANCELED"))
    assert.is_true(raised[1] == raised[2] and raised[1] == raised[3])
    assert.same({ "exit", 5 }, { process.wait(pid) })
  end)

  it("raises in a thread that is killed meanwhile, and holds no descriptor then", function()
    local pid, tell = obedient()
    local before = testing.open_fds()
    local t = green.spawn(process.wait, pid)
    testing.settle()
    t:kill()
    assert.equal("killed", t:status())
    collectgarbage()
    assert.equal(before, testing.open_fds())
    assert_waitable(pid, tell)
  end)

  it("lets an expired scope raise, and can be called again", function()
    local pid, tell = obedient()
    local value, err = green.timeout(0.01, process.wait, pid)
    fails("ETIMEDOUT", value, err)
    assert_waitable(pid, tell)
  end)

  it("refuses to wait inside string.gsub, and leaves nothing", function()
    local pid, tell = obedient()
    local before = testing.open_fds()
    local ok, err = pcall(string.gsub, "x", "x", function() process.wait(pid) end)
    assert.is_false(ok)
    assert.matches("cannot wait inside string.gsub", tostring(err))
    assert.equal(before, testing.open_fds())
    assert_waitable(pid, tell)
  end)

  it("waits inside a coroutine of the script's", function()
    local pid, tell = obedient()
    green.spawn_after(0.01, tell, 6)
    assert.same({ "exit", 6 }, { coroutine.wrap(function() return process.wait(pid) end)() })
  end)

  it("gives ECHILD the second time, and to the second of two who wait", function()
    local pid, tell = obedient()
    local first, second = green.spawn(process.wait, pid), green.spawn(process.wait, pid)
    testing.settle()
    tell(8)
    assert.same({ "exit", 8 }, { first:wait() })
    local err = fails("ECHILD", second:wait())
    assert.matches("wait for process " .. pid, tostring(err))
    fails("ECHILD", process.wait(pid))
    fails("ECHILD", process.wait(pid, 1))
  end)

  it("gives ECHILD for a process that is not a child", function()
    fails("ECHILD", process.wait(process.getpid()))
  end)

  it("tells the signal that ended a child", function()
    local pid, tell = obedient()
    assert.is_true(process.kill(pid, "kill"))
    assert.same({ "signal", 9 }, { process.wait(pid, 5) })
    tell(0)
  end)
end)

describe("process.kill", function()
  it("sends TERM unless another signal is named", function()
    local pid, tell = obedient()
    assert.is_true(process.kill(pid))
    assert.same({ "signal", 15 }, { process.wait(pid, 5) })
    tell(0)
  end)

  it("asks with signal 0 whether a process is there", function()
    assert.is_true(process.kill(process.getpid(), 0))
  end)

  it("tells mistakes with the caller's line", function()
    for _, bad in ipairs { "TERMM", 1.5, {}, true } do
      local ok, err = pcall(function() process.kill(process.getpid(), bad) end)
      assert.is_false(ok)
      assert.matches("^spec/process_spec.lua:%d+: process.kill: ", err)
    end
  end)

  it("gives ESRCH for one that has gone", function()
    local pid, tell = obedient()
    assert_waitable(pid, tell)
    local err = fails("ESRCH", process.kill(pid))
    assert.matches("kill process " .. pid, tostring(err))
  end)
end)

describe("green.fork", function()
  it("lets os.exit of true and false stand for 0 and 1, and drops results", function()
    for _, case in ipairs {
      { 0, function() os.exit(true) end },
      { 1, function() os.exit(false) end },
      { 0, function() return false, "no matter" end },
    } do
      assert.same({ "exit", case[1] }, { process.wait(assert(green.fork(case[2])), 5) })
    end
  end)

  it("tells a child's error with its traceback, and whose it is", function()
    local r = run [[
      local function fails() error("no luck") end
      local pid = green.fork(function() fails() end)
      print(pid, process.wait(pid))
    ]]
    local pid = r.out:match("^(%d+)\texit\t1\n$")
    assert(pid, r.out .. r.err)
    assert.matches("^greenlua: child process " .. pid .. ": .*: no luck\n", r.err)
    assert.matches("stack traceback:.*in function 'fails'", r.err)
  end)

  it("runs none of the cleanups that stand around the call in the child", function()
    local r = run [[
      local pid
      local ok = pcall(green.finally, function()
        pid = green.fork(function() error("the child's", 0) end)
      end, function() print("cleanup", process.getpid()) end)
      print(ok, process.wait(pid))
      print("parent", process.getpid())
    ]]
    local cleanup, parent = r.out:match("^cleanup\t(%d+)\ntrue\texit\t1\nparent\t(%d+)\n$")
    assert(cleanup, r.out .. r.err)
    assert.equal(parent, cleanup)
  end)

  it("writes what was printed before once, and what the child prints", function()
    local r = run [[
      io.write("before ")
      local text = ("x"):rep(100000)
      print(text)
      local pid = green.fork(function()
        print("child")
        io.stdout:write("child writes\n")
        io.stderr:write("child's error stream\n")
      end)
      process.wait(pid)
      print("parent")
    ]]
    -- A slow reader gets the child's lines in the middle of the parent's long one.
    local text = ("x"):rep(100000)
    local before, rest = r.out:match "^(.-)child\n(.*)$"
    local between, after = (rest or ""):match "^(.-)child writes\n(.*)$"
    assert.is_true(after and before .. between .. after == "before " .. text .. "\nparent\n",
      r.out:sub(-80))
    assert.equal("child's error stream\n", r.err)
  end)

  it("does not copy into the child what a slow reader has left in the queue", function()
    local run_slowly = program.start_greenlua { "-e", [[
      local green, process = require "green", require "green.process"
      print(("x"):rep(300000)) -- more than a pipe takes
      process.wait(green.fork(function() end))
      print("end")
    ]] }
    run_slowly:expect("end\n")
    run_slowly:wait()
    assert.equal(300000 + 1 + 4, #run_slowly.out)
    assert.equal(0, run_slowly.status)
  end)

  it("frees what the others held in the child, and only there", function()
    local r = run [[
      local lock, permit, pool = green.RLock(), green.Semaphore(1), green.GreenPool(1)
      local threads = {
        green.spawn(function() lock:acquire() green.sleep(60) end),
        green.spawn(permit.with, permit, green.sleep, 60),
        pool:spawn(green.sleep, 60),
      }
      green.sleep(0)
      local function state() print(lock:owner() ~= nil, permit:balance(), pool:free()) end
      process.wait(green.fork(state))
      state()
      green.killall(threads)
    ]]
    assert.equal("false\t1\t1\ntrue\t0\t0\n", r.out, r.err)
  end)

  it("with inherit keeps the others and what they hold", function()
    local r = run [[
      local lock = green.RLock()
      local t = green.spawn(function() lock:acquire() green.sleep(0.03) lock:release() end)
      green.sleep(0)
      process.wait(green.fork(function()
        print(lock:owner() == t)
        print(lock:acquire(2)) -- t gives it back
      end, { inherit = true }))
    ]]
    assert.equal("true\ntrue\n", r.out, r.err)
  end)

  it("leaves the limits and the kills of the caller in the parent", function()
    local r = run [[
      local pid
      green.timeout(0.02, function()
        pid = green.fork(function()
          green.sleep(0.05)
          print("slept")
        end)
      end)
      print(process.wait(pid, 5))
      local dying = green.spawn(function()
        local ok = pcall(green.sleep, 60)
        pid = green.fork(function()
          green.sleep(0.01)
          print("lives on", ok)
        end)
      end)
      green.sleep(0)
      dying:kill()
      print(process.wait(pid, 5))
    ]]
    assert.equal("slept\nexit\t0\nlives on\tfalse\nexit\t0\n", r.out, r.err)
  end)

  it("calls the function apart: a yield does not lead into the parent's program", function()
    local r = run [[
      local me = process.getpid()
      local generate = coroutine.wrap(function()
        local pid = green.fork(function() coroutine.yield "escaped" end)
        coroutine.yield(pid)
      end)
      local pid = generate()
      if process.getpid() ~= me then print "in the child" end
      print(process.wait(pid, 5))
    ]]
    assert.equal("exit\t1\n", r.out, r.err)
    assert.matches("the function yielded", r.err)
  end)

  it("may be called where nobody can wait", function()
    local pid
    local _ = ("x"):gsub("x", function() pid = assert(green.fork(function() end)) end)
    assert.same({ "exit", 0 }, { process.wait(pid, 5) })
  end)
end)
