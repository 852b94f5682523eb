local green = require "green"
local program = require "spec.support.program"
local testing = require "green.testing"

local it = testing.busted()

--- Run a chunk as a program: exit status, output, errors.
local function run(code)
  local p = program.run_greenlua { "-e", code }
  return p.status, p.out, p.err
end

describe("a deadlock", function()
  it("is an error in main that lists the threads", function()
    local status, out, err = run [[
      local green = require "green"
      local core = require "green.core"
      local queue = core.waitq()
      green.spawn(core.park, queue):name("worker")
      green.spawn(core.park, queue)
      core.park(queue) require "green.thread".stand(queue)
      print "not reached"
    ]]
    assert.are.equal(1, status)
    assert.are.equal("", out)
    assert.matches("deadlock: every green thread is parked for ever", err)
    assert.matches("\n  main %(parked%)", err)
    assert.matches("\n  worker %(parked, spawned at %(command line%):4%)", err)
    assert.matches("\n  0x%x+ %(parked, spawned at %(command line%):5%)", err)
    assert.are.equal(3, select(2, err:gsub("%(parked", "")))
    assert.matches("EDEADLOCK", err)
  end)

  for name, call in pairs {
    ["sleep(math.huge)"] = "green.sleep(math.huge)",
    ["thread:wait"] = "green.spawn(green.sleep, math.huge):wait()",
    group = "green.group(function(g) g:spawn(green.sleep, math.huge) end)",
    ["Event:wait"] = "green.Event():wait()",
    ["Queue:get"] = "green.Queue():get()",
    ["Semaphore:acquire"] = "green.Semaphore(0):acquire()",
    require = [[
      package.preload.m = function() green.sleep(math.huge) end
      green.spawn(require, "m")
      green.sleep(0)
      require "m"
    ]],
    ["a coroutine"] = "coroutine.wrap(function() green.sleep(math.huge) end)()",
    finally = "green.finally(function() green.sleep(math.huge) end, function() end)",
  } do
    it("in " .. name .. " is found", function()
      local status, out, err = run("local green = require 'green' " .. call .. " print 'no'")
      assert.are.equal(1, status)
      assert.are.equal("", out)
      assert.matches("deadlock: every green thread is parked for ever", err)
    end)
  end

  it("can be caught, and the next wait works [b7]", function()
    local status, out, err = run [[
      local green = require "green"
      for i = 1, 3 do
        local ok, err = pcall(green.sleep, math.huge)
        print(ok, err:is("EDEADLOCK"))
        green.spawn(green.sleep, 0.001):wait()
      end
    ]]
    assert.are.equal("", err)
    assert.are.equal(("false\ttrue\n"):rep(3), out)
    assert.are.equal(0, status)
  end)

  it("is none while a deadline, a descriptor or a signal is waited for", function()
    local status, out, err = run [[
      local green = require "green"
      local a, b = require("green.socket").pair()
      local event = green.Event()
      green.spawn(function()
        a:read_some()
        event:send("woken")
      end)
      green.spawn_after(0.005, b.write, b, "x")
      print(event:wait())
    ]]
    assert.are.equal("", err)
    assert.are.equal("woken\n", out)
    assert.are.equal(0, status)
  end)

  it("of others is none while main runs on; the end of main is the end", function()
    local status, out, err = run [[
      local green = require "green"
      green.spawn(green.sleep, math.huge)
      green.spawn(green.sleep, 3600)
      green.sleep(0)
      print "end of main"
    ]]
    assert.are.equal("", err)
    assert.are.equal("end of main\n", out)
    assert.are.equal(0, status)
  end)

  it("is found in a program on the virtual clock too", function()
    local t = green.spawn(function()
      green.sleep(1)
      return "no deadlock"
    end)
    assert.are.equal("no deadlock", t:wait())
  end)
end)

describe("the exit status", function()
  it("is main's, whatever the other threads die of", function()
    local status, out, err = run [[
      local green = require "green"
      green.spawn(error, "oops")
      green.sleep(0.001)
      print "fine"
    ]]
    assert.are.equal(0, status)
    assert.are.equal("fine\n", out)
    assert.matches("unhandled error in green thread .*spawned at %(command line%):2%):%s+oops", err)
    assert.are.equal(1, select(2, err:gsub("unhandled error", "")))
  end)

  it("is 1 when main raises, and the traceback crosses threads", function()
    local status, _, err = run [[
      local green = require "green"
      local function culprit()
        green.sleep(0.001)
        error("deep")
      end
      green.spawn(function() culprit() return 1 end):name("inner"):wait()
    ]]
    assert.are.equal(1, status)
    assert.matches("%(command line%):4: deep", err)
    assert.matches("culprit", err)
    assert.matches("raised in green thread inner, spawned at %(command line%):6", err)
  end)

  it("is 1 when main is killed", function()
    local status, out = run [[
      local green = require "green"
      local main = green.getcurrent()
      green.spawn(function() main:kill() print "killed" end)
      green.sleep(1)
      print "not reached"
    ]]
    assert.are.equal(1, status)
    assert.are.equal("", (out:gsub("killed\n", "")))
  end)

  it("ends a main that swallows its kill, when forced to", function()
    local status, out = run [[
      local green = require "green"
      local main = green.getcurrent()
      green.on_error(function() end)
      green.spawn(function() main:kill { force_after = 0.005 } end)
      while true do pcall(green.sleep, 1) end
    ]]
    assert.are.equal(1, status)
    assert.are.equal("", out)
  end)
end)

-- The main chunk of plain luajit waits by running the loop in place.
describe("the main chunk of plain luajit", function()
  local core = program.build .. "/lib/green/core.so"
  local generated = program.build .. "/gen/lualib"

  local function exists(path)
    local file = io.open(path)
    return file and file:close()
  end

  local function plain(title, code, check)
    it(title, function()
      if not (exists(core) and exists(generated .. "/green/ffi/turn.lua")) then
        pending("no core.so for plain luajit in this build")
      end
      local path = program.file(code)
      local p = program.run {
        os.getenv("LUAJIT_BIN") or "luajit", path, env = {
          LUA_CPATH = program.build .. "/lib/?.so;;",
          LUA_PATH = "lualib/?.lua;lualib/?/init.lua;" .. generated .. "/?.lua;;" } }
      os.remove(path)
      check(p)
    end)
  end

  local function prints(text)
    return function(p)
      assert.are.equal("", p.err)
      assert.are.equal(text, p.out)
      assert.are.equal(0, p.status)
    end
  end

  plain("may wait, and others run meanwhile", [[
    local green = require "green"
    local t = green.spawn(function(...) green.sleep(0.001) return ... end, 1, nil, 3)
    print(t:wait())
    print(green.timeout(0.001, green.sleep, 1))
    print(pcall(function() green.spawn(error, "x", 0):wait() end))
    for i in coroutine.wrap(function()
      for i = 1, 2 do green.sleep(0.001) coroutine.yield(i) end
    end) do print(i) end
  ]], prints "1\tnil\t3\nnil\ttimed out (ETIMEDOUT)\nfalse\tx\n1\n2\n")

  plain("gets a deadlock as an error, and can go on [b7]", [[
    local green = require "green"
    green.spawn(green.sleep, math.huge):name("worker")
    green.sleep(0)
    local ok, err = pcall(green.sleep, math.huge)
    print(ok, err.code, (tostring(err):gsub("0x%x+", "*"):gsub("spawned at [^)]*", "")))
    green.sleep(0.001)
    print "on"
  ]], function(p)
    assert.matches("^false\tEDEADLOCK\tdeadlock: ", p.out)
    assert.matches("\n  main %(parked%): [^\n]*\n  worker %(parked, %)", p.out)
    assert.matches("on\n$", p.out)
    assert.are.equal(0, p.status)
  end)

  plain("cannot wait inside gsub, sort, Lua's print and finalizers", [[
    local plain_print = print -- the green one takes texts by itself
    local green = require "green"
    local function try(fn, ...)
      local ok, err = pcall(fn, ...)
      print(ok, (tostring(err):match("cannot wait inside.*")))
    end
    try(string.gsub, "x", "x", function() green.sleep(0.001) end)
    try(table.sort, { 1, 2 }, function() green.sleep(0.001) end)
    try(plain_print, setmetatable({}, { __tostring = function() green.sleep(0.001) end }))
    local function finalizer()
      print((select(2, pcall(green.sleep, 0.001)):match("cannot wait inside")))
    end
    do
      local proxy = newproxy(true)
      getmetatable(proxy).__gc = finalizer
    end
    collectgarbage()
    collectgarbage()
    require("ffi").gc(require("ffi").new("int[1]"), finalizer)
    collectgarbage()
    collectgarbage()
    collectgarbage("stop") -- the script's own doing is no finalizer
    green.sleep(0.001)
    print "end"
  ]], prints("false\tcannot wait inside string.gsub\nfalse\tcannot wait inside table.sort\n"
    .. "false\tcannot wait inside print\ncannot wait inside\ncannot wait inside\nend\n"))

  plain("can do there what need not wait, however often", [[
    local green = require "green"
    local done = green.spawn(function() return 1 end)
    green.sleep(0)
    local n = 0
    table.sort({ 3, 1, 2 }, function(a, b)
      for _ = 1, 200 do n = n + done:wait() end
      return a < b
    end)
    print(n % 200)
  ]], prints "0\n")

  plain("can be killed, timed out, thrown at", [[
    local green = require "green"
    local main = green.getcurrent()
    local timeout = green.Timeout(0.001)
    print(select(2, pcall(green.sleep, 1)) == timeout)
    timeout:cancel()
    green.spawn(main.throw, main, "thrown")
    print(pcall(green.sleep, 1))
    green.spawn(main.kill, main, { force_after = 0.001 })
    print(select(2, pcall(green.sleep, 1)).code)
    print(pcall(green.shield, 1, green.sleep, 0.01))
    print(select(2, pcall(green.sleep, 1)).code)
  ]], prints "true\nfalse\tthrown\nECANCELED\ntrue\nECANCELED\n")

  plain("ends the program at its end, whoever still waits", [[
    local green = require "green"
    green.spawn(green.sleep, 3600)
    green.spawn(green.sleep, math.huge)
    local a, b = require("green.socket").pair()
    green.spawn(a.read_some, a)
    green.sleep(0)
    print "end"
  ]], prints "end\n")

end)
