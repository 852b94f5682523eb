-- The end of a program under plain luajit: os.exit runs all that is open, and where the
-- state is closed without it what cannot wait.

local chunk = require "spec.support.chunk"
local program = require "spec.support.program"

local LUAJIT = os.getenv("LUAJIT_BIN") or "luajit"

local function run(code)
  return program.run { LUAJIT, "-e", "local green = require 'green' " .. code }
end

local OPEN = [[
  local t = green.spawn(function()
    green.finally(function() green.sleep(60) end, function() green.sleep(0.001) print "other" end)
  end)
  green.at_exit(function() print("at exit", (pcall(green.sleep, 0.001))) end)
  green.at_exit(error, "no", 0)
  green.sleep(0)
]]

describe("the end of a plain luajit", function()
  for how, last in pairs {
    ["in main"] = "os.exit(7)",
    ["in main, which closes the state"] = "os.exit(7, true)",
    ["in another thread"] = "green.spawn(os.exit, 7) green.sleep(60)",
    ["in another thread, which closes the state"] =
      "green.spawn(os.exit, 7, true) green.sleep(60)",
  } do
    it("by os.exit " .. how .. " cleans up", function()
      local r = run(OPEN .. last)
      assert.equal("other\nat exit\ttrue\n", r.out, chunk.describe(r))
      assert.equal(7, r.status, chunk.describe(r))
      assert.is_truthy(r.err:find("no", 1, true), r.err)
    end)
  end

  for how, last in pairs {
    ["by a return"] = { "", 0 },
    ["by an error"] = { "error('x', 0)", 1 },
  } do
    it(how .. " calls the functions of at_exit, which cannot wait", function()
      local r = run(OPEN .. last[1])
      assert.equal("at exit\tfalse\n", r.out, chunk.describe(r))
      assert.equal(last[2], r.status, chunk.describe(r))
      assert.is_truthy(r.err:find("no", 1, true), r.err)
    end)
  end

  it("runs main's cleanups once, when another thread calls os.exit", function()
    local r = run [[
      green.spawn(os.exit, 3)
      green.finally(function() green.sleep(60) end, function() green.sleep(0.001) print "main" end)
    ]]
    assert.equal("main\n", r.out, chunk.describe(r))
    assert.equal("", r.err)
    assert.equal(3, r.status)
  end)

  it("by os.exit inside string.gsub, and in a finalizer, does what needs no wait", function()
    local r = run(OPEN .. "string.gsub('x', 'x', function() os.exit(7) end)")
    assert.equal("at exit\tfalse\n", r.out, chunk.describe(r))
    assert.equal(7, r.status)
    r = run(OPEN .. [[
      getmetatable(newproxy(true)).__gc = function() os.exit(7) end
      for _ = 1, 3 do collectgarbage() end
    ]])
    assert.equal("at exit\tfalse\n", r.out, chunk.describe(r))
    assert.equal(7, r.status)
  end)

  it("is not ended by a print that nobody reads", function()
    local r = program.run { "sh", "-c", [[{ "$@"; echo "status $?" >&2; } | :]], "sh", LUAJIT,
      "-e", [[
        require "green"
        for _ = 1, 1e5 do print(1) end
        io.stderr:write "on\n"
      ]] }
    assert.equal("on\nstatus 0\n", r.err, chunk.describe(r))
  end)

  it("comes in a child of a fork that nobody announced, too", function()
    local r = run [[
      local ffi = require "ffi"
      ffi.cdef "int fork(void);"
      green.at_exit(print, "parent's")
      green.spawn(function()
        local pid = ffi.C.fork()
        if pid == 0 then
          green.at_exit(function() green.sleep(0.001) print "child's" end)
          green.spawn(function()
            green.finally(function() green.sleep(60) end, function()
              green.sleep(0.001)
              print "child's thread's"
            end)
          end)
          green.sleep(0)
          return
        end
        print(require("green.process").wait(pid, 5))
      end):wait()
    ]]
    assert.equal("child's thread's\nchild's\nexit\t0\nparent's\n", r.out, chunk.describe(r))
  end)

  it("is a process's own", function()
    local r = run [[
      local process = require "green.process"
      green.at_exit(print, "parent's")
      green.spawn(function()
        process.wait(green.fork(function() green.at_exit(print, "child's") end))
      end):wait()
    ]]
    assert.equal("child's\nparent's\n", r.out, chunk.describe(r))
  end)
end)
