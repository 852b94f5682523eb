-- SIGPIPE was ignored, and a child inherits what its parent ignores: of
-- `os.execute "yes | head -1"` the first half never ended. A handler that does nothing
-- is not inherited. What was ignored before we came stays ignored.

local chunk = require "spec.support.chunk"
local program = require "spec.support.program"

local IGNORED = [[grep -q '^SigIgn:.*[13579bdf]...$' /proc/self/status]]

local children = {
  ["os.execute"] = [[print(os.execute(text))]],
  ["io.popen"] = [[local p = io.popen(text .. "; echo $?") print(p:read("*n")) p:close()]],
  ["a fork and an exec"] = [[
    local ffi = require "ffi"
    ffi.cdef "int execl(const char *, ...);"
    local pid = green.fork(function()
      ffi.C.execl("/bin/sh", "sh", "-c", text, ffi.cast("char *", nil))
    end)
    print(select(2, require("green.process").wait(pid)))
  ]],
}

describe("a child", function()
  for name, code in pairs(children) do
    it(("of %s does not ignore SIGPIPE"):format(name), function()
      local out = chunk.output(("local green = require 'green' local text = [[%s]] %s")
        :format(IGNORED, code))
      assert.is_true(out == "1\n" or out == "256\n", out)
    end)
  end

  it("ends with its reader", function()
    chunk.output [[
      os.execute "while :; do echo x; done | head -1 >/dev/null"
      require "green"
      os.execute "while :; do echo x; done | head -1 >/dev/null"
      local p = io.popen "while :; do echo x; done"
      p:read() p:close()
    ]]
  end)

  it("ignores SIGPIPE where its grandparent wanted that", function()
    local r = program.run { "sh", "-c", 'trap "" PIPE; exec "$0" -e "$1"', program.greenlua,
      ("require 'green' os.exit(os.execute [[%s]] == 0 and 3 or 4)"):format(IGNORED) }
    assert.equal(3, r.status, chunk.describe(r))
  end)
end)

describe("a write that nobody reads", function()
  it("fails and ends nothing", function()
    chunk.prints("nil\tBroken pipe\tEPIPE\n", [[
      local green, socket = require "green", require "green.socket"
      local p = io.popen("exec true", "w")
      p:setvbuf "no"
      local ok, message
      repeat ok, message = p:write("x") until not ok
      local a, b = socket.pair()
      b:close()
      local _, err = a:write("x")
      print(ok, message, err.code)
    ]])
  end)
end)
