-- Where a program had closed one of its standard streams, the next pipe to a child got that number,
-- and the child inherited it as its standard output: cat held the writing end of what it read and
-- never ended. And with nothing at that number the child could not be started (EBADF).

local testing = require "green.testing"

local program = require "spec.support.program"
local it = testing.busted()

--- Run code in a program that closes these streams first; what it wrote to a file.
local function run(closed, code)
  local path = os.tmpname()
  local r = program.run_greenlua { "-e", ([[
    local ffi, process = require "ffi", require "green.process"
    ffi.cdef "int close(int);"
    local log = io.open(%q, "w")
    local function at(pid, i)
      return require("green.fs").readlink(("/proc/%%s/fd/%%d"):format(pid, i))
    end
    for number in ("%s"):gmatch "%%d" do
      ffi.C.close(tonumber(number))
    end
    local function say(...) log:write(table.concat({ ... }, " "), "\n") end
    %s
    log:close()
  ]]):format(path, closed, code) }
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  os.remove(path)
  return text, r.err
end

describe("with closed standard streams", function()
  for _, closed in ipairs { "0", "1", "2", "0 1", "1 2", "0 2", "0 1 2" } do
    it("a child does not inherit our end of its pipe: " .. closed, function()
      local text, err = run(closed, [[
        local child = assert(process.spawn { "cat", stdin = "pipe" })
        for i = 1, 2 do
          local path = at(child.pid, i)
          say(i, path == at("self", i) and "ours" or path)
        end
        child.stdin:write "x"
        child.stdin:close()
        say(child:wait(20) and "ended" or "hangs")
        child:kill()
        local r = process.run { "cat", input = "hello", stderr = "inherit", timeout = 20 }
        say(r and r.stdout or "hangs")
        r = process.run { "cat", input = "hello", stdout = "inherit", stderr = "stdout",
          timeout = 20 }
        say(r and "ended" or "hangs")
        r = process.pipe { { "echo", "hi" }, { "cat" }, { "cat" }, timeout = 20 }
        say(r and r.stdout or "hangs\n")
        child = assert(process.spawn { "cat", pty = true })
        child.pty:write "x\n"
        say(child.pty:read_some() and "tty")
        child:stop()
      ]])
      local function place(i)
        return closed:find(i) and "/dev/null" or "ours"
      end
      assert.equal(("1 %s\n2 %s\nended\nhello\nended\nhi\n\ntty\n"):format(place(1), place(2)),
        text, err)
    end)
  end
end)
