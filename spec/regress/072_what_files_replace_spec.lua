-- A file took the place of whatever was there: fs.write_file("/dev/null", text), by the superuser,
-- was the end of /dev/null for all of the machine, and of a FIFO for who read it. And of a write
-- that stopped in the middle it was told that no space is left, whatever the reason was.

local fs = require "green.fs"
local testing = require "green.testing"

local folder = require "spec.support.folder"
local program = require "spec.support.program"
local dir, fails = folder.each(before_each, after_each), folder.fails
local _, it = testing.busted()

local function type_of(path)
  return fs.lstat(path).type
end

describe("what is no file is not replaced by one:", function()
  it("a FIFO", function()
    local path = dir() .. "/fifo"
    assert(program.run { "mkfifo", path })
    fails("EOPNOTSUPP", fs.write_file(path, "x"))
    assert(fs.write_file(dir() .. "/a", "x"))
    fails("EOPNOTSUPP", fs.copy(dir() .. "/a", path))
    assert.equal("fifo", type_of(path))
    fs.symlink("fifo", dir() .. "/link")
    fails("EOPNOTSUPP", fs.write_file(dir() .. "/link", "x"))
    assert.same({ "link", "fifo" }, { type_of(dir() .. "/link"), type_of(path) })
    fails("EEXIST", fs.write_file(path, "x", { replace = false }))
    assert.same({ "a", "fifo", "link" }, fs.readdir(dir()))
  end)

  it("a device, if a link leads to it", function()
    fs.symlink("/dev/null", dir() .. "/null")
    fails("EOPNOTSUPP", fs.write_file(dir() .. "/null", "x"))
    assert.equal("char", type_of("/dev/null"))
  end)

  it("a pipe that a link of /proc leads to", function()
    local r = program.run_greenlua { "-e", ([[
      local fs, path = require "green.fs", %q
      fs.symlink("/proc/self/fd/1", path)
      print(select(2, fs.write_file(path, "x")).code, fs.lstat(path).type)
    ]]):format(dir() .. "/out") }
    assert.equal("EOPNOTSUPP\tlink\n", r.out, r.err)
  end)
end)

it("a write that stopped in the middle says why", function()
  local r = program.run { "sh", "-c", 'ulimit -f 8; exec "$@"', "sh", program.greenlua, "-e", ([[
    local fs, path = require "green.fs", %q
    local text = ("x"):rep(100000)
    print(select(2, fs.write_file(path, text)).code, fs.exists(path))
    print(select(2, fs.append_file(path, text)).code)
  ]]):format(dir() .. "/a") }
  assert.equal("EFBIG\tfalse\nEFBIG\n", r.out, r.err)
end)
