-- The profiler in a program that is not ours: plain luajit, whose handler of Ctrl-C sets a hook.
-- LuaJIT forgets one that is set inside a callback of its profiler.

local program = require "spec.support.program"

local LUAJIT = os.getenv("LUAJIT_BIN") or "luajit"

local SPIN = [[
  local function spin(seconds)
    local t = os.clock() + seconds
    repeat
      for i = 1, 1e4 do end
    until os.clock() > t
  end
]]

local function run(code)
  return program.run { LUAJIT, "-e", SPIN .. code }
end

describe("green.profile under plain luajit", function()
  it("sees where CPU time, memory and waits go", function()
    local r = run [[
      local green, profile = require "green", require "green.profile"
      for _, kind in ipairs { "cpu", "alloc", "wait" } do
        assert(profile.start { kind = kind })
      end
      green.spawn(function()
        spin(0.2)
        green.sleep(0.1)
        local text = ("x"):rep(4e6)
        return text:sub(1, 1)
      end):name("worker"):wait()
      for _, kind in ipairs { "cpu", "alloc", "wait" } do
        local seen = assert(profile.stop(kind))
        print(kind, seen.samples > 0, seen:folded():find("thread worker", 1, true) ~= nil)
      end]]
    assert.equal("cpu\ttrue\ttrue\nalloc\ttrue\ttrue\nwait\ttrue\ttrue\n", r.out, r.err)
  end)

  it("may be on when the state is closed", function()
    for _, opts in ipairs { "", "kind = 'wait'", "kind = 'alloc', bytes = 64" } do
      local r = run("require('green.profile').start {" .. opts .. [[}
        for i = 1, 1e5 do keep = { {} } end]])
      assert.equal(0, r.status, tostring(r.signal) .. r.err)
    end
  end)

  -- Nearly all of this program's time is that of callbacks.
  it("keeps the hook of a Ctrl-C that comes while it looks", function()
    for _ = 1, 5 do
      local p = program.start { LUAJIT, "-e", [[
        require("green.profile").start { kind = "alloc", bytes = 64 }
        local function deep(n)
          if n == 0 then
            io.write("up\n") io.flush()
            while true do keep = { {} } end
          end
          return (deep(n - 1))
        end
        deep(90)]] }
      p:expect "up"
      p:kill(program.INT):wait()
      assert.equal(1, p.status, tostring(p.signal) .. p.err)
      assert.is_truthy(p.err:find("interrupted!", 1, true), p.err)
    end
  end)
end)
