-- Under plain luajit, too, finalizers may touch green objects while the state is being
-- closed (spec/regress/002_ends_of_a_state_spec.lua tells what was wrong).

local chunk = require "spec.support.chunk"
local ends = require "spec.support.ends"
local program = require "spec.support.program"

local LUAJIT = os.getenv("LUAJIT_BIN") or "luajit"

local function run(code)
  return program.run { LUAJIT, "-e", code }
end

describe("finalizers at the end of a plain luajit", function()
  for kind in pairs(ends.kinds) do
    it("may touch " .. kind, function()
      ends.check(run(ends.code(kind)), 0)
    end)
  end

  it("may touch threads and sockets when os.exit closes the state", function()
    ends.check(run(ends.code("threads", "os.exit(0, true)")), 0)
    ends.check(run(ends.code("stream sockets", "os.exit(0, true)")), 0)
  end)

  it("may touch threads and sockets when the program ends by an error", function()
    ends.check(run(ends.code("threads", "error('the end', 0)")), 1)
    ends.check(run(ends.code("stream sockets", "error('the end', 0)")), 1)
  end)

  it("may touch the library when nothing else was used", function()
    local r = run [[
      local first, green = newproxy(true), nil
      getmetatable(first).__gc = function()
        io.stdout:write("late: ", tostring(pcall(function() return green.now() end)), "\n")
        pcall(green.spawn, print)
        pcall(green.sleep, 1)
      end
      green = require "green"
    ]]
    assert.is_nil(r.signal, chunk.describe(r))
    assert.equal(0, r.status, chunk.describe(r))
    assert.is_truthy(r.out:find("^late: "), chunk.describe(r))
  end)
end)

describe("a child of a plain luajit", function()
  it("ends with the green thread that forked", function()
    local r = run [[
      local ffi, green = require "ffi", require "green"
      ffi.cdef "int fork(void);"
      local t = green.spawn(function()
        local pid = ffi.C.fork()
        if pid == 0 then
          green.spawn(function() green.sleep(0.3) io.stderr:write "runs on" end)
          return
        end
        print(require("green.process").wait(pid, 5))
      end)
      t:wait()
      print "the end"
    ]]
    assert.equal("exit\t0\nthe end\n", r.out, chunk.describe(r))
    assert.equal("", r.err)
  end)
end)
