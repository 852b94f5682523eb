-- Open files of green.fs: a stream with places.

local errors = require "green.error"
local fs = require "green.fs"
local green = require "green"
local stream = require "green.stream"
local testing = require "green.testing"

local folder = require "spec.support.folder"
local dir, fails = folder.each(before_each, after_each), folder.fails
local _, it = testing.busted()

--- A file with this text, open in that mode.
local function open(text, mode)
  local path = dir() .. "/file"
  assert(fs.write_file(path, text, { sync = false }))
  return assert(fs.open(path, mode or "r"))
end

describe("a whole file", function()
  it("is made of strings and numbers", function()
    local path = dir() .. "/file"
    assert(fs.write_file(path, { "a", 1 }, { sync = false }))
    assert.equal("a1", fs.read_file(path))
    for text, data in pairs { ["data[2] must be a string or a number, not a table"] = { "a", {} },
      ["data must be a string or a list of strings, not true"] = true } do
      local ok, err = pcall(fs.write_file, path, data)
      assert.is_false(ok)
      assert.matches("file_spec.lua:%d+: fs.write_file: ", err)
      assert.matches(text, err, 1, true)
    end
  end)
end)

describe("an open file", function()
  it("is a stream", function()
    local file = open("one\ntwo\r\nthree")
    assert.is_true(stream.is_stream(file))
    assert.equal("one", file:read_line())
    assert.equal("tw", file:read(2))
    assert.equal("o\r", file:read_until("\n"))
    assert.equal("three", file:read_all())
    assert.is_nil(file:read_some())
    assert.equal("", file:read_all())
    file:close()
    fails("ECLOSED", file:read_some())
    fails("ECLOSED", file:write("x"))
    file:close()
  end)

  it("has the modes of io.open, and x", function()
    local path = dir() .. "/file"
    fails("ENOENT", fs.open(path, "r+"))
    local file = assert(fs.open(path, "wx"))
    fails("EEXIST", fs.open(path, "w+bx"))
    assert.is_true(file:write("hello"))
    fails("EBADF", file:read_some())
    file:close()
    file = assert(fs.open(path, "rb"))
    local err = fails("EBADF", file:write("x"))
    assert.equal("write: " .. path .. ": not opened for this (EBADF)", tostring(err))
    assert.equal(path, err.path)
    file:close()
    file = assert(fs.open(path, "r+"))
    assert.equal("he", file:read(2))
    assert.is_true(file:write("LL"))
    assert.equal("o", file:read_all())
    assert.equal("heLLo", fs.read_file(path))
    file:close()
    file = assert(fs.open(path, "a+"))
    assert.equal("heL", file:read(3))
    assert.is_true(file:write("!"))
    assert.equal("Lo!", file:read_all())
    file:close()
    file = assert(fs.open(path, "w+"))
    assert.is_true(file:write("a", 1, "b"))
    assert.equal(3, file:seek())
    assert.equal(0, file:seek("set", 0))
    assert.equal("a1b", file:read_all())
    file:close()
  end)

  it("reads large files in order, whatever the pieces", function()
    local parts = {}
    for i = 1, 60000 do parts[i] = ("line %d of many"):format(i) end
    local text = table.concat(parts, "\n")
    local file, n = open(text), 0
    for line in file:lines() do
      n = n + 1
      if line ~= parts[n] then
        assert.equal(parts[n], line)
      end
    end
    assert.equal(60000, n)
    file:seek("set", 0)
    assert.equal(text, file:read(#text))
    file:seek("set", 0)
    local pieces = {}
    for chunk in file:chunks(1000) do pieces[#pieces + 1] = chunk end
    assert.is_true(text == table.concat(pieces))
    file:close()
  end)

  it("writes more than goes at once", function()
    local text = ("0123456789"):rep(500000)
    local file = assert(fs.open(dir() .. "/big", "w+"))
    assert.is_true(file:write(text))
    assert.is_true(file:writev { text, "end" })
    assert.equal(3, file:send("xyz"))
    assert.is_true(file:write(""))
    assert.is_true(file:write())
    assert.equal(2 * #text + 6, file:stat().size)
    file:seek("set", #text - 1)
    assert.equal("90", file:read(2))
    file:close()
  end)

  it("reads and writes at places, apart from its position", function()
    local file = open("0123456789", "r+")
    assert.equal("01", file:read(2))
    assert.equal("567", file:pread(3, 5))
    assert.equal("9", file:pread(10, 9))
    assert.is_nil(file:pread(10, 10))
    assert.equal("", file:pread(0, 3))
    assert.is_true(file:pwrite("ab", 2))
    assert.is_true(file:pwrite("", 0))
    assert.equal("ab4", file:read(3))
    assert.is_true(file:pwrite(("x"):rep(3000000), 1))
    assert.equal(3000001, file:stat().size)
    assert.equal(3000000, #file:pread(4000000, 1))
    file:close()
    fails("ECLOSED", file:pread(1, 0))
    fails("ECLOSED", file:pwrite("x", 0))
    local pipe = assert(fs.open("/dev/urandom"))
    assert.equal(16, #pipe:read(16))
    pipe:close()
  end)

  it("goes to places", function()
    local file = open("0123456789", "r+")
    assert.equal(0, file:seek())
    assert.equal("0", file:read(1))
    assert.equal(1, file:seek("cur", 0))
    assert.equal(8, file:seek("end", -2))
    assert.equal("89", file:read_all())
    assert.equal(9, file:seek("cur", -1))
    assert.equal("9", file:read(1))
    assert.equal(100, file:seek("set", 100))
    assert.is_nil(file:read_some())
    fails("EINVAL", file:seek("set", -1))
    assert.is_true(file:write("x"))
    assert.equal(101, file:stat().size)
    assert.is_true(file:truncate(2))
    file:seek("set", 0)
    assert.equal("01", file:read_all())
    assert.is_false(pcall(file.seek, file, "start"))
    file:close()
    fails("ECLOSED", file:seek())
  end)

  it("goes on where another has written more", function()
    local file = open("a")
    assert.equal("a", file:read_all())
    assert.is_nil(file:read_some())
    fs.append_file(file.path, "b\n")
    assert.equal("b", file:read_line())
    file:close()
  end)

  it("has no places where the system has none", function()
    local path = dir() .. "/file"
    local file = assert(fs.open(path, "w"))
    assert.is_number(file:fileno())
    file:close()
    fails("ECLOSED", file:fileno())
  end)

  it("puts the system's position where its own is for a child", function()
    local file = open("one\ntwo\nthree\n")
    assert.equal("one", file:read_line())
    local pipe = io.popen("cat /proc/self/fd/0 <&" .. file:fileno())
    pipe:close()
    local info = io.open("/proc/self/fdinfo/" .. file:fileno()):read("*a")
    assert.matches("pos:%s*4\n", info)
    file:close()
  end)

  it("changes what stands about it", function()
    local file = open("x", "r+")
    assert.is_true(file:chmod("0600"))
    assert.is_true(file:utime { mtime = 1e9 })
    assert.is_true(file:chown {})
    assert.is_true(file:sync())
    assert.is_true(file:sync { data = true })
    local st = file:stat()
    assert.equal(1e9, st.mtime)
    assert.equal(1e9, st.atime)
    assert.equal(tonumber("600", 8), st.mode)
    assert.is_true(file:statvfs().size > 0)
    file:close()
    for _, name in ipairs { "stat", "sync", "statvfs", "chown", "utime" } do
      fails("ECLOSED", file[name](file))
    end
    fails("ECLOSED", file:chmod(0))
    fails("ECLOSED", file:truncate(0))
    assert.equal("green.file{closed}", tostring(file))
  end)

  it("says how much of a write was made before it failed", function()
    if not io.open("/dev/full") then
      return pending("no /dev/full")
    end
    local file = assert(fs.open("/dev/full", "w"))
    local err = fails("ENOSPC", file:write("x"))
    assert.equal(0, err.written)
    assert.matches("/dev/full: no space left", tostring(err))
    err = fails("ENOSPC", file:pwrite("x", 0))
    assert.equal(0, err.written)
    file:close()
    fails("ENOSPC", fs.append_file("/dev/full", "x"))
  end)

  it("loses nothing when a reader is killed or times out", function()
    local text = ("abc\n"):rep(300000)
    local file = open(text)
    local got = {}
    for i = 1, 200 do
      local thread = green.spawn(function()
        got[#got + 1] = file:read(1001)
      end)
      for _ = 1, i % 4 do
        green.sleep(0)
      end
      thread:kill()
    end
    got[#got + 1] = file:read_all()
    assert.is_true(text == table.concat(got))
    file:seek("set", 0)
    local piece, err = file:read_some(10, { timeout = 0 })
    if not piece then
      assert.is_true(errors.is_error(err, "EAGAIN"))
      piece = file:read_some(10)
    end
    assert.equal("abc\nabc\nab", piece)
    file:close()
  end)

  it("writes on behind a write that was killed", function()
    local file = open("", "w+")
    for i = 1, 60 do
      local thread = green.spawn(file.write, file, "aaaaaaa\n")
      for _ = 1, i % 4 do
        green.sleep(0)
      end
      thread:kill()
      pcall(thread.wait, thread)
      assert.is_true(file:write("bbbb\n"))
    end
    file:seek("set", 0)
    local b = 0
    for line in file:lines() do
      assert.is_true(line == "aaaaaaa" or line == "bbbb", line)
      b = b + (line == "bbbb" and 1 or 0)
    end
    assert.equal(60, b)
    file:close()
  end)

  it("wakes who waits when it is closed, and leaves nothing open", function()
    local before = testing.open_fds()
    for _ = 1, 50 do
      local file = open(("x"):rep(300000))
      local thread = green.spawn(file.read_all, file)
      green.sleep(0)
      file:close()
      local text, err = thread:wait()
      assert.is_true(text ~= nil or err:is("ECLOSED"))
    end
    folder.settle_fds(before)
  end)

  it("is closed when it is collected", function()
    local before = testing.open_fds()
    for _ = 1, 20 do
      open("x"):read_line()
    end
    collectgarbage()
    collectgarbage()
    folder.settle_fds(before)
  end)

  it("has one reader and one writer", function()
    local file = open(("x"):rep(1000000), "r+")
    local thread = green.spawn(file.read_all, file)
    green.sleep(0)
    fails("EBUSY", file:read_some())
    thread:wait()
    thread = green.spawn(file.write, file, "x")
    green.sleep(0)
    fails("EBUSY", file:write("y"))
    thread:wait()
    file:close()
  end)

  it("ends in one direction", function()
    local file = open("x", "r+")
    assert.is_true(file:shutdown("write"))
    fails("EBADF", file:write("y"))
    assert.equal("x", file:read_all())
    assert.is_true(file:shutdown("read"))
    fails("EBADF", file:read_some())
    file:close()
  end)

  it("is the body of an answer", function()
    local http, wsgi = require "green.http", require "green.wsgi"
    local text = ("body"):rep(50001)
    local path = dir() .. "/body"
    assert(fs.write_file(path, text, { sync = false }))
    local listener = green.listen("127.0.0.1:0")
    local server = green.spawn(wsgi.server, listener, function()
      return "200 OK", {}, assert(fs.open(path))
    end, { log = false })
    local session = http.session()
    local _, port = listener:sockname()
    local resp = assert(session:get(("http://127.0.0.1:%d/"):format(port)))
    assert.is_true(resp:text() == text)
    session:close()
    server:kill()
    listener:close()
    collectgarbage()
    collectgarbage()
  end)

  it("can be waited for beside others", function()
    local file = open("x")
    local event = green.Event()
    assert.equal(file, green.wait({ event, file }, 5, 1)[1])
    assert.equal("x", file:read_all())
    file:close()
  end)
end)
