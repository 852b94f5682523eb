-- The command `greenlua`, run as a child. `run` stands for greenlua with words.

local program = require "spec.support.program"

local run, start = program.run_greenlua, program.start_greenlua

local function has(text, part)
  local found = text:find(part, 1, true)
  assert.is_truthy(found, ("no '%s' in:\n%s"):format(part, text))
end

local function has_not(text, part)
  assert.is_nil(text:find(part, 1, true), text)
end

--- Run a script of that text with words behind it. Also gives its path.
local function run_script(text, ...)
  local path = program.file(text)
  local result = run { path, ... }
  os.remove(path)
  return result, path
end

describe("greenlua's options", function()
  it("run statements and load modules in order", function()
    local r = run { "-e", "x = 1", "-l", "green.error", "-eprint(x, package.loaded[mod])",
      env = { LUA_PATH = "" } }
    assert.equal("1\tnil\n", r.out)
    r = run { "-e", "mod = 'green.error'", "-lgreen.error", "-eprint(package.loaded[mod])" }
    assert.equal(0, r.status)
    has(r.out, "table")
  end)

  it("run statements before the script, in the same thread", function()
    local path = program.file("print(who == require('green').getcurrent())")
    local r = run { "-e", "who = require('green').getcurrent()", path }
    os.remove(path)
    assert.equal("true\n", r.out)
  end)

  it("give statements no arguments, the script all of them", function()
    local path = program.file("#!/usr/bin/env greenlua\nprint('script', ...)")
    local r = run { "-e", "print('stat', ...)", path, "a", "-e", "--", "b c" }
    os.remove(path)
    assert.equal("stat\nscript\ta\t-e\t--\tb c\n", r.out)
  end)

  it("fill arg as luajit does", function()
    local r, path = run_script("print(arg[-1], arg[0], arg[1], arg[2], #arg)", "a", "b")
    assert.equal(("%s\t%s\ta\tb\t2\n"):format(program.greenlua, path), r.out)
    r = run { "-e", "print(arg[0], arg[-2], arg[-3])" }
    assert.equal(("nil\t-e\t%s\n"):format(program.greenlua), r.out)
  end)

  it("end at --", function()
    local path = program.file("print(...)")
    local r = run { "--", path, "-v" }
    os.remove(path)
    assert.equal("-v\n", r.out)
  end)

  it("take the script from standard input for -, and without a script", function()
    assert.equal("a\t2\n", run({ "-", "a", "2", input = "print(...)" }).out)
    assert.equal("bare\n", run({ input = "print('bare')" }).out)
    assert.equal("", run({ "-e", "", input = "print('not run')" }).out)
  end)

  it("take a file named - behind --", function()
    local r = run { "--", "-" }
    assert.equal(1, r.status)
    has(r.err, "cannot open -")
  end)

  it("print the version of all that runs", function()
    local r = run { "-v" }
    assert.equal(0, r.status)
    local pattern = "^greenlua %d+%.%d+%.%d+ %(LuaJIT [^,]*, libev %d+%.%d+, hub %w+%)\n$"
    assert.is_truthy(r.out:find(pattern), r.out)
    assert.equal("2\n", run({ "-v", "-e", "print(2)" }).out:match("\n(.*)$"))
  end)

  it("print the usage when asked", function()
    for _, word in ipairs { "-h", "--help" } do
      local r = run { word }
      assert.equal(0, r.status)
      has(r.out, "usage: greenlua")
      assert.equal("", r.err)
    end
  end)

  it("that are misspelt name the nearest", function()
    local meant = { ["--profil=a.svg"] = "--profile=FILE", ["--watchdogs=1"] = "--watchdog",
      ["--bakcdoor"] = "--backdoor", ["-debug"] = "--debug", ["--verison"] = "--version",
      ["--profile-waits=x"] = "--profile-wait=FILE", ["--profile"] = "--profile=FILE" }
    for word, near in pairs(meant) do
      has(run({ word }).err, ("wrong option '%s'; did you mean '%s'?\n"):format(word, near))
    end
    for _, word in ipairs { "-x", "--", "--color", "--all", "--e", "--" .. ("x"):rep(9999) } do
      assert.is_nil(run({ word, input = "" }).err:find("did you mean", 1, true))
    end
  end)

  it("that do not exist print the usage and give status 2", function()
    for _, word in ipairs { "-x", "--nothing", "-iv", "-e", "-l" } do
      local r = run { word }
      assert.equal(2, r.status, word)
      has(r.err, "usage: greenlua")
      has(r.err, word)
      assert.equal("", r.out)
    end
  end)

  it("that lack their word say so", function()
    for _, word in ipairs { "-e", "-l", "-j" } do
      has(run({ word }).err, "greenlua: there is nothing behind option '" .. word .. "'")
    end
  end)
end)

describe("greenlua's environment", function()
  it("has the paths of Lua", function()
    local r = run { "-e", "print(package.path) print(package.cpath)",
      env = { LUA_PATH = "/nowhere/?.lua", LUA_CPATH = "/nowhere/?.so" } }
    assert.equal("/nowhere/?.lua\n/nowhere/?.so\n", r.out)
  end)

  it("names the hub in GREENLUA_HUB", function()
    local code = "print(require('green').get_hub())"
    for _, name in ipairs { "poll", "select" } do
      assert.equal(name .. "\n", run({ "-e", code, env = { GREENLUA_HUB = name } }).out)
    end
  end)

  it("with an unknown hub is one clear line and status 1", function()
    local r = run { "-e", "print(1)", env = { GREENLUA_HUB = "epol" } }
    assert.equal(1, r.status)
    assert.equal("greenlua: GREENLUA_HUB=epol: no such hub\n", r.err)
    assert.equal("", r.out)
  end)

  it("takes another library from GREENLUA_LIB", function()
    local folder = os.tmpname()
    os.remove(folder)
    os.execute("mkdir -p " .. folder .. "/green")
    local file = assert(io.open(folder .. "/green/probe.lua", "w"))
    file:write("return 'from the folder'")
    file:close()
    local r = run { "-e", "print(require 'green.probe', require('green').version)",
      env = { GREENLUA_LIB = folder } }
    os.execute("rm -r " .. folder)
    has(r.out, "from the folder\t")
  end)

  it("has the library inside, wherever one stands", function()
    local r = program.run { "sh", "-c", "cd / && \"$0\" -e \"print(require('green').version)\"",
      io.popen("realpath " .. program.greenlua):read("*l"), env = { GREENLUA_LIB = false } }
    assert.is_truthy(r.out:find("^%d"), r.err)
  end)
end)

describe("greenlua at an error", function()
  it("prints message and traceback, and gives status 1", function()
    local r = run_script "local function f() error('bang') end\nlocal function g() f() end\ng()"
    assert.equal(1, r.status)
    has(r.err, "greenlua: ")
    has(r.err, ":1: bang")
    has(r.err, "stack traceback:")
    has(r.err, "in function 'f'")
  end)

  it("tells through which green threads it came and where they were spawned", function()
    local r, path = run_script([[
      local green = require "green"
      local function fail() error("deep") end
      local t = green.spawn(function()
        green.sleep(0)
        fail()
      end)
      t:wait()
    ]])
    assert.equal(1, r.status)
    has(r.err, "deep")
    has(r.err, "in function 'fail'")
    has(r.err, "spawned at " .. path .. ":3")
  end)

  it("of an object prints its text", function()
    local r = run { "-e", [[
      error(setmetatable({}, { __tostring = function() return "mine" end }))
    ]] }
    assert.equal(1, r.status)
    has(r.err, "greenlua: mine")
  end)

  it("without a value is silent", function()
    for _, code in ipairs { "error(nil)", "error()", "require('green') error(nil)" } do
      local r = run { "-e", code }
      assert.equal(1, r.status)
      assert.equal("", r.err)
    end
  end)

  it("in loading prints one line", function()
    local r = run { "/nowhere/x.lua" }
    assert.equal(1, r.status)
    assert.equal("greenlua: cannot open /nowhere/x.lua: No such file or directory\n", r.err)
    for word, command in pairs { atach = "attach", dmup = "dump", tpo = "top", tops = "top" } do
      assert.equal(("greenlua: cannot open %s: No such file or directory; did you mean "
        .. "'greenlua %s'?\n"):format(word, command), run({ word, "4711" }).err)
    end
    assert.equal("greenlua: cannot open server: No such file or directory\n", run({ "server" }).err)
    r = run { "-e", "x =" }
    assert.equal(1, r.status)
    assert.is_truthy(r.err:find("^greenlua: %(command line%):1: [^\n]*\n$"), r.err)
    assert.equal(1, run({ input = "x =" }).status)
  end)

  it("in a module names the module", function()
    local r = run { "-l", "no.such.module" }
    assert.equal(1, r.status)
    has(r.err, "no.such.module")
  end)

  it("does not go on with the rest", function()
    for code, err in pairs { ["error('x')"] = "x\nstack", ["x ="] = "unexpected symbol" } do
      local r = run { "-e", code, "-e", "print('more')" }
      assert.matches(err, r.err)
      assert.equal("", r.out)
      assert.equal(1, r.status)
    end
  end)

  it("in another thread is reported and goes on", function()
    local r = run { "-e", [[
      local green = require "green"
      green.spawn(function() error("lonely") end)
      green.sleep(0.001)
      print("on")
    ]] }
    assert.equal(0, r.status)
    assert.equal("on\n", r.out)
    has(r.err, "lonely")
    has(r.err, "spawned at (command line):2")
  end)

  it("reports a deadlock with the threads that stand in it", function()
    local r = run { "-e", [[
      local green = require "green"
      green.spawn(function() green.Event():wait() end):name("stuck")
      green.Event():wait()
    ]] }
    assert.equal(1, r.status)
    has(r.err, "deadlock")
    has(r.err, "stuck")
  end)
end)

describe("greenlua's main thread", function()
  it("may wait, and its end ends the program", function()
    local r = run { "-e", [[
      local green = require "green"
      green.spawn(function() green.sleep(3600) end)
      green.sleep(0.001)
      print("over")
    ]] }
    assert.equal(0, r.status)
    assert.equal("over\n", r.out)
  end)

  it("may wait in a module's top level", function()
    local path = program.file("require('green').sleep(0.001) return 'loaded'")
    local r = run { "-e", ("print(require '%s')"):format(path:match("[^/]+$")),
      env = { LUA_PATH = "/tmp/?;;" } }
    os.remove(path)
    assert.equal("loaded\n", r.out, r.err)
  end)

  it("gives its status to os.exit", function()
    local cases = { ["0"] = 0, ["3"] = 3, ["true"] = 0, ["false"] = 1, ["7, true"] = 7, [""] = 0 }
    for args, status in pairs(cases) do
      local r = run { "-e", ("os.exit(%s)"):format(args) }
      assert.equal(status, r.status, args)
      r = run { "-e", ("require('green') print('out') os.exit(%s)"):format(args) }
      assert.equal(status, r.status, args)
      assert.equal("out\n", r.out)
    end
  end)

  it("ends by os.exit in another thread too", function()
    local r = run { "-e", [[
      local green = require "green"
      green.spawn(function() io.write("last words") os.exit(5, true) end)
      green.sleep(3600)
    ]] }
    assert.equal(5, r.status, r.err)
    assert.equal("last words", r.out)
  end)
end)

describe("greenlua and signals", function()
  --- Start a statement that prints "ready" when it is time.
  local function started(code)
    local p = start { "-e", code }
    p:expect("ready")
    return p
  end

  it("let Ctrl-C kill main, whose cleanup runs, with status 130", function()
    local p = started [[
      local green = require "green"
      green.finally(function()
        io.stdout:write("ready\n")
        green.sleep(3600)
      end, function()
        green.sleep(0.001)
        print("cleaned up")
      end)
    ]]
    p:kill(program.INT):wait()
    assert.equal(130, p.status)
    has(p.out, "cleaned up")
    assert.equal("", p.err)
  end)

  it("let Ctrl-C break a loop that never waits", function()
    local p = started [[jit.off() print("ready") io.stdout:flush() while true do end]]
    p:kill(program.INT):wait()
    assert.equal(130, p.status)
    has(p.err, "interrupted at (command line):1")
  end)

  it("let Ctrl-C break such a loop in another thread", function()
    local p = started [[
      local green = require "green"
      jit.off()
      green.spawn(function() io.stderr:write("") print("ready") io.flush() while true do end end)
      green.sleep(3600)
    ]]
    p:kill(program.INT):wait()
    assert.equal(130, p.status)
    has(p.err, "interrupted")
  end)

  it("leave a busy program its turn", function()
    local p = started [[
      local green = require "green"
      jit.off()
      local worker = green.spawn(function()
        for _ = 1, 1e6 do
          green.sleep(0)
          if stop then return "sound" end
        end
      end)
      green.finally(function() print("ready") io.flush() green.sleep(3600) end, function()
        stop = true
        print(worker:wait())
      end)
    ]]
    p:kill(program.INT):wait()
    assert.equal(130, p.status)
    has(p.out, "sound")
    assert.equal("", p.err)
  end)

  it("let a second Ctrl-C end the program at once", function()
    local p = started [[
      local green = require "green"
      print("ready") io.flush()
      while true do pcall(green.sleep, 3600) end
    ]]
    p:insist(function()
      p:kill(program.INT) -- two that come together are one
    end)
    assert.equal(program.INT, p.signal, p.err)
  end)

  it("let Ctrl-C, at the latest the second, end loops that cannot be broken", function()
    for _, code in ipairs {
      [[print("ready") io.stdout:flush() while true do end]], -- compiled
      [[jit.off() print("ready") io.stdout:flush()
        while true do pcall(function() while true do end end) end]],
    } do
      local p = started(code)
      p:insist(function()
        p:kill(program.INT)
      end)
      assert.is_true(p.signal == program.INT or p.status == 130, p.err)
    end
  end)

  it("leave main its own status if it goes on", function()
    local p = started [[
      local green = require "green"
      local ok, err = pcall(function() print("ready") io.flush() green.sleep(3600) end)
      os.exit(err.code == "ECANCELED" and 3 or 4)
    ]]
    p:kill(program.INT):wait()
    assert.equal(3, p.status, p.err)
  end)

  it("let Ctrl-C end a read of C's stdio", function()
    local p = started [[io.stdout:write("ready\n") io.stdout:flush() io.read()]]
    p:listen(20)
    p:kill(program.INT):wait()
    assert.equal(130, p.status, p.err)
  end)

  it("keep the default for SIGTERM", function()
    local p = started [[local green = require "green" print("ready") io.flush() green.sleep(3600)]]
    p:kill(program.TERM):wait()
    assert.equal(program.TERM, p.signal)
  end)

  it("let no SIGPIPE end a write", function()
    local p = start { "-e", [[
      local green = require "green"
      io.stderr:write("ready") io.read("*l")
      local ok, err
      for _ = 1, 3 do
        io.write("x\n")
        ok, err = io.flush()
      end
      io.stderr:write(tostring(ok), " ", tostring(err))
    ]] }
    p:expect("ready", "err")
    p:close_stdout():write("\n"):wait()
    assert.equal(0, p.status, p.err)
    has(p.err, "nil broken pipe")
  end)
end)

describe("greenlua's process", function()
  it("keeps its own descriptors apart from closed standard ones", function()
    local r = program.run { "sh", "-c", '"$0" -e "$1" <&- >&-', program.greenlua,
      "require('green').sleep(0) print(io.read()) io.stderr:write('on')" }
    assert.equal(0, r.status, r.err)
    assert.equal("on", r.err)
  end)

  --- The lines of a file of /proc in a program that ran this first.
  local function proc(name, code)
    local show = (" for l in io.lines('/proc/self/%s') do print(l) end"):format(name)
    local r = run { "-e", code .. show }
    assert.equal(0, r.status, r.err)
    return r.out
  end

  it("has mapped no library that it does not need", function()
    for _, code in ipairs { "", "require('green').sleep(0) print('x')" } do
      local maps = proc("maps", code)
      has(maps, "libev")
      for _, library in ipairs { "libssl", "libcrypto", "libcares", "libedit" } do
        has_not(maps, library)
      end
    end
  end)

  it("hands none of its descriptors on", function()
    collectgarbage() -- files of other cases, which both programs would inherit
    collectgarbage()
    local r = run { "-e", [[
      local green = require "green"
      green.sleep(0.001)
      print("x")
      io.stderr:write("")
      io.flush()
      os.execute("ls /proc/self/fd")
    ]] }
    assert.equal("x\n" .. program.run({ "ls", "/proc/self/fd" }).out, r.out)
  end)
end)
