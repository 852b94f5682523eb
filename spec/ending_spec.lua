-- The end of the program: open cleanups, then the functions of green.at_exit.

local chunk = require "spec.support.chunk"

local function run(code)
  return chunk.run("local green = require 'green' " .. code)
end

local function prints(expected, code, status)
  local r = run(code)
  assert.equal(expected, r.out, chunk.describe(r))
  assert.equal("", r.err)
  assert.equal(status or 0, r.status)
  return r
end

local function has(text, part)
  assert.is_truthy(text:find(part, 1, true), ("no '%s' in:\n%s"):format(part, text))
end

describe("green.at_exit", function()
  it("calls the newest first, with its arguments", function()
    prints("end\n2\tnil\tb\tnil\n1\n", [[
      green.at_exit(print, 1)
      green.at_exit(print, 2, nil, "b", nil)
      print "end"
    ]])
  end)

  it("lets them wait, each in a thread of its own", function()
    prints("true\tfine\tfalse\n", [[
      local main = green.getcurrent()
      local socket = require "green.socket"
      green.at_exit(function()
        local a, b = socket.pair()
        local reader = green.spawn(a.read, a, 4)
        green.sleep(0.001)
        b:write "fine"
        print(main:dead(), reader:wait(), green.getcurrent() == main)
      end)
    ]])
  end)

  it("calls callables, and what a function of it gives", function()
    prints("1\n2\n", [[
      green.at_exit(setmetatable({}, { __call = function(_, x)
        print(x)
        green.at_exit(print, 2)
      end }), 1)
    ]])
  end)

  it("reports errors with the place of the call, and goes on", function()
    local r = run "green.at_exit(print, 'on') green.at_exit(error, 'oops')"
    assert.equal("on\n", r.out)
    assert.equal(0, r.status)
    has(r.err, "at_exit, given at (command line):1")
    has(r.err, "oops")
    r = run [[
      green.on_error(function(err) print("heard", err) end)
      green.at_exit(error, "oops", 0)
    ]]
    assert.equal("heard\toops\n", r.out, chunk.describe(r))
  end)

  it("takes a function back", function()
    prints("3\n1\n", [[
      local all = {}
      for i = 1, 4 do all[i] = green.at_exit(print, i) end
      all[2]:cancel() all[4]:cancel() all[4]:cancel()
    ]])
    prints("once\n", [[
      local first
      green.at_exit(function() first:cancel() end)
      first = green.at_exit(print, "once")
      local other = green.at_exit(print, "not")
      green.at_exit(function() other:cancel() end)
    ]])
  end)

  it("is called when main has raised, when the script cannot be loaded, by os.exit", function()
    local r = run "green.at_exit(print, 'done') error('no', 0)"
    assert.equal("done\n", r.out)
    assert.equal(1, r.status)
    prints("done\n", "green.at_exit(print, 'done') os.exit(5)", 5)
    prints("done\n", "green.at_exit(print, 'done') os.exit(false)", 1)
    prints("done\n", "green.at_exit(print, 'done') os.exit(true, true)", 0)
  end)

  it("is called by os.exit where nobody has required green itself", function()
    for _, code in ipairs {
      "require('green.ending').at_exit(print, 'done')",
      "require('green.log').configure { output = io.stdout } require('green.log').info('done')",
      "require('green.tracing').start { export = function() print('done') end } "
        .. "require('green.tracing').span('one', function() end)",
    } do
      local r = chunk.run(code .. " os.exit(5)")
      assert.equal(5, r.status)
      assert.matches("done\n$", r.out, nil, code)
    end
  end)

  it("leaves os.exit to a script that has put its own there since", function()
    local r = chunk.run [[
      local ending = require "green.ending"
      ending.at_exit(print, "done")
      local exit = os.exit
      os.exit = function(status) print("mine") exit(status) end
      ending.at_exit(print, "first")
      os.exit(5)]]
    assert.equal("mine\nfirst\ndone\n", r.out)
    assert.equal(5, r.status)
  end)

  it("is called once, and os.exit in it ends the program at once", function()
    prints("2\n", [[
      green.at_exit(print, 1)
      green.at_exit(function() print(2) os.exit(4) end)
      os.exit(3)
    ]], 4)
    prints("2\n", [[
      green.at_exit(print, 1)
      green.at_exit(function() print(2) os.exit(4) end)
    ]], 4)
  end)

  it("is called where nobody can wait, without waits", function()
    local r = run [[
      green.at_exit(function() print(pcall(green.sleep, 1)) end)
      green.at_exit(error, "reported", 0)
      ;("x"):gsub("x", function() os.exit(6) end)
    ]]
    assert.equal(6, r.status)
    has(r.out, "cannot wait inside string.gsub")
    has(r.err, "reported")
  end)

  it("is not called by an os.exit that is refused", function()
    local r = run [[
      green.at_exit(print, "at exit")
      print(pcall(os.exit, {}))
      print(pcall(os.exit, "x"))
      os.exit("3")
    ]]
    has(r.out, "number expected, got table")
    has(r.out, "number expected, got string)\nat exit\n")
    assert.equal(3, r.status)
  end)

  it("refuses what cannot be called", function()
    assert.has_error(function() require("green").at_exit(7) end)
    assert.has_error(function() require("green").at_exit() end)
  end)

  it("does not let a function that goes on keep the program", function()
    local r = run [[
      require("green.core").set_virtual(true)
      green.at_exit(print, "the last still begins")
      green.at_exit(function()
        while true do pcall(green.sleep, 1000) end
      end)
    ]]
    assert.equal("the last still begins\n", r.out, chunk.describe(r))
    assert.equal(0, r.status)
    has(r.err, "1 at_exit function")
  end)

  it("ends when functions bring new ones for ever", function()
    local r = run [[
      require("green.core").set_virtual(true)
      local n = 0
      local function again() n = n + 1 green.sleep(0.5) green.at_exit(again) end
      green.at_exit(again)
    ]]
    assert.equal(0, r.status, chunk.describe(r))
  end)

  it("is a process's own", function()
    prints("child's\nparent\nparent's\n", [[
      local process = require "green.process"
      green.at_exit(print, "parent's")
      process.wait(green.fork(function() green.at_exit(print, "child's") end))
      print "parent"
    ]])
  end)
end)

describe("the end of the program", function()
  it("runs cleanups inside out, in the thread and before functions", function()
    prints("inner\ttrue\nouter\ttrue\nat exit\n", [[
      green.at_exit(print, "at exit")
      local t
      t = green.spawn(function()
        green.finally(function()
          green.finally(function() green.sleep(60) end,
            function() green.sleep(0.001) print("inner", green.getcurrent() == t) end)
        end, function() print("outer", green.getcurrent() == t) end)
      end)
      green.sleep(0)
    ]])
  end)

  it("runs nothing where nothing is open", function()
    prints("", [[
      green.spawn(function()
        while true do green.sleep(0) if over then print "ran on" end end
      end)
      green.sleep(0)
      over = true
    ]])
  end)

  it("does not run cleanups that have run, or were abandoned", function()
    prints("1\n2\n", [[
      green.finally(function() end, function() print(1) end)
      pcall(green.finally, error, function() print(2) end)
      local t = green.spawn(function()
        green.finally(function() while true do pcall(green.sleep, 9) end end,
          function() print(3) end)
      end)
      green.sleep(0)
      t:kill_soon { force_after = 0 }
      pcall(t.wait, t)
    ]])
  end)

  it("reports a cleanup that raises", function()
    local r = run [[
      green.spawn(function()
        green.finally(function() green.sleep(60) end, function() error "oops" end)
      end)
      green.sleep(0)
    ]]
    has(r.err, "oops")
    assert.equal(0, r.status)
  end)

  it("waits for what a cleanup spawns and waits for", function()
    prints("spawned\n", [[
      green.spawn(function()
        green.finally(function() green.sleep(60) end, function()
          green.spawn(function() green.sleep(0.002) print "spawned" end):wait()
        end)
      end)
      green.sleep(0)
    ]])
    prints("grandchild\n", [[
      green.spawn(function()
        green.finally(function() green.sleep(60) end, function()
          green.spawn(function()
            green.finally(function() green.sleep(60) end, function() print "grandchild" end)
          end)
          green.sleep(0)
        end)
      end)
      green.sleep(0)
    ]])
  end)

  it("leaves threads alone that cleanups begin and wait for", function()
    prints("helper\nhelped\n", [[
      local function helper()
        green.finally(function() green.sleep(0.01) end, function() print "helper" end)
        return "helped"
      end
      for _, delay in ipairs { 0, 60 } do
        green.spawn(function()
          green.finally(function() green.sleep(60) end, function()
            green.sleep(0.002)
            if delay == 60 then print(green.spawn(helper):wait()) end
          end)
        end)
      end
      green.sleep(0)
    ]])
  end)

  it("comes soon with very many cleanups, which end one by one", function()
    prints("10000\n", [[
      local n = 0
      for i = 1, 1e4 do
        green.spawn(function()
          green.finally(function() green.sleep(60) end, function()
            green.sleep(i * 1e-5)
            n = n + 1
          end)
        end)
      end
      green.at_exit(function() print(n) end)
      green.sleep(0)
    ]])
  end)

  it("waits for all of them where some stand in coroutines", function()
    prints("20\n", [[
      local n = 0
      for i = 1, 20 do
        green.spawn(function()
          coroutine.wrap(function()
            green.finally(function() green.sleep(60) end, function()
              green.sleep(i * 1e-3)
              collectgarbage() -- the sentinels of others, too
              n = n + 1
            end)
          end)()
        end)
      end
      green.at_exit(function() print(n) end)
      green.sleep(0)
    ]])
  end)

  it("gives up a cleanup that does not end, and a thread that goes on", function()
    local r = run [[
      require("green.core").set_virtual(true)
      green.spawn(function()
        green.finally(function() green.sleep(1e6) end, function()
          while true do pcall(green.sleep, 1e6) end
        end)
      end)
      green.spawn(function()
        green.finally(function() while true do pcall(green.sleep, 1e6) end end, print)
      end)
      green.spawn(function()
        green.finally(function() green.sleep(1e6) end, function() print "this one ends" end)
      end)
      green.at_exit(print, "at exit")
      green.sleep(0)
    ]]
    assert.equal("this one ends\nat exit\n", r.out, chunk.describe(r))
    assert.equal(0, r.status)
    has(r.err, "2 open cleanups")
  end)

  it("runs those of the thread that calls os.exit in it, once, and nothing behind it", function()
    prints("inner\ttrue\nouter\ttrue\n", [[
      local t
      t = green.spawn(function()
        green.finally(function()
          pcall(green.finally, function() pcall(os.exit, 9) print "goes on" end,
            function() print("inner", green.getcurrent() == t) green.sleep(0) end)
        end, function() green.sleep(0.001) print("outer", green.getcurrent() == t) end)
      end)
      green.sleep(60)
      print "main goes on"
    ]], 9)
  end)

  it("runs main's when another thread calls os.exit, once, and main sees no kill", function()
    prints("main's\n", [[
      green.spawn(os.exit, 9)
      print(pcall(green.finally, function() green.sleep(60) end, function() print "main's" end))
    ]], 9)
    prints("main's\n", [[
      green.at_exit(green.sleep, 0.01)
      green.spawn(os.exit, 9)
      green.finally(function() green.sleep(0.001) end, function() print "main's" end)
    ]], 9)
  end)

  it("waits for main's cleanup that runs already, and main sees no kill", function()
    prints("done\tnil\n", [[
      green.spawn(function() green.sleep(0.001) os.exit(9) end)
      local err
      green.finally(function() end, function()
        green.sleep(0.01)
        print("done", err)
      end)
      err = select(2, pcall(green.sleep, 60))
      print("main goes on", err)
    ]], 9)
  end)

  it("is a deadlock's, too", function()
    local r = run [[
      green.spawn(function()
        green.finally(function() green.Event():wait() end, function() print "cleaned" end)
      end)
      green.Event():wait()
    ]]
    assert.equal("cleaned\n", r.out, chunk.describe(r))
    assert.equal(1, r.status)
    has(r.err, "deadlock")
  end)

  it("does not wait for a generator that was dropped in the middle of a finally", function()
    prints("end\n", [[
      local weak = setmetatable({}, { __mode = "v" })
      local keeper = green.spawn(function()
        for i = 1, 10 do
          local cleanup = function() print("not run", i) end
          weak[i] = cleanup
          coroutine.wrap(function() green.finally(coroutine.yield, cleanup) end)()
        end
        for _ = 1, 3 do collectgarbage() end
        local kept = 0
        for _ in pairs(weak) do kept = kept + 1 end
        if kept > 1 then print("kept", kept) end -- a slot of the stack may have the last
        green.sleep(60)
      end)
      green.sleep(0)
      print "end"
    ]])
  end)

  it("leaves a child of a fork what is its own", function()
    prints("child's\nparent's\n", [[
      local process = require "green.process"
      green.finally(function()
        process.wait(green.fork(function()
          green.spawn(function()
            green.finally(function() green.sleep(60) end, function() print "child's" end)
          end)
          green.sleep(0)
        end))
      end, function() print "parent's" end)
    ]])
  end)

  it("may come amid a hundred thousand threads without cleanups", function()
    prints("cleaned\n", [[
      for _ = 1, 1e5 do green.spawn(green.sleep, 3600) end
      green.spawn(function()
        green.finally(function() green.sleep(60) end, function() print "cleaned" end)
      end)
      green.sleep(0)
    ]])
  end)
end)

describe("a host that frees its runtime", function()
  local program = require "spec.support.program"

  local function host(...)
    local path = program.build .. "/examples/spec_ending"
    local file = io.open(path)
    if not file then
      pending(path .. " was not built")
      return { err = nil }
    end
    file:close()
    return program.run { "sh", "-c", '{ "$@"; echo "status $?" >&2; } | :', "sh", path, ... }
  end

  for what, expected in pairs {
    between = "run 0\ncleaned up\nat exit true\nstatus 0\n",
    -- Its loop cannot be run then.
    inside = "at exit false\nstatus 0\n",
    child = "child\nparent\ncleaned up\nat exit true\nstatus 0\n",
    print = "run 0\nstatus 0\n",
  } do
    it("ends it well: " .. what, function()
      local r = host(what)
      assert.equal(expected, r.err and r.err:gsub("(at exit false)[^\n]*", "%1"))
    end)
  end
end)
