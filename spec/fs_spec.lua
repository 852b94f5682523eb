-- green.fs: names, contents, errors, kills. Open files, roots, trees, patterns, locks and watches
-- have their own files in spec/fs.

local fs = require "green.fs"
local green = require "green"
local testing = require "green.testing"

local folder = require "spec.support.folder"
local dir, fails = folder.each(before_each, after_each), folder.fails
local _, it = testing.busted()

local function raw(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function raw_read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

describe("green.fs", function()
  it("reads and writes whole files, whatever bytes are in them", function()
    local path = dir() .. "/a"
    local all = {}
    for i = 0, 255 do all[#all + 1] = string.char(i) end
    local text = table.concat(all):rep(1000)
    assert.is_true(fs.write_file(path, text))
    assert.equal(text, raw_read(path))
    assert.equal(text, fs.read_file(path))
    assert.is_true(fs.write_file(path, ""))
    assert.equal("", fs.read_file(path))
    assert.is_true(fs.append_file(path, { "a", 1 }))
    assert.is_true(fs.append_file(path, "\0", { sync = true }))
    assert.equal("a1\0", fs.read_file(path))
    fails("ETOOBIG", fs.read_file(path, { max = 2 }))
    assert.equal("a1\0", fs.read_file(path, { max = 3 }))
  end)

  it("names the path, the operation and the code in errors", function()
    local path = dir() .. "/nothing"
    local err = fails("ENOENT", fs.open(path))
    assert.equal("open " .. path .. ": no such file or directory (ENOENT)", tostring(err))
    assert.equal(path, err.path)
    assert.equal("open " .. path, err.op)
    err = fails("ENOENT", fs.rename(path, dir() .. "/b"))
    assert.equal(dir() .. "/b", err.to)
    assert.matches("rename .*nothing to .*/b: no such file", tostring(err))
    err = fails("ENOENT", fs.stat("/no\nsuch\1thing"))
    assert.equal("stat /no\\010such\\001thing: no such file or directory (ENOENT)", tostring(err))
    fails("EISDIR", fs.read_file(dir()))
    fails("EISDIR", fs.open(dir()))
    fails("EISDIR", fs.write_file(dir(), "x"))
    fails("ENOTDIR", fs.readdir("/etc/passwd"))
  end)

  it("raises for what is no path, mode or option, in the caller's line", function()
    local calls = {
      ["fs.stat: path must be a string, not nil"] = function() fs.stat() end,
      ["fs.stat: path must not have a NUL in it"] = function() fs.stat("/etc\0/x") end,
      ["fs.rename: to must not have a NUL in it"] = function() fs.rename("a", "b\0") end,
      ['fs.open: mode must be "r", "r%+"'] = function() fs.open("x", "q") end,
      ['fs.open: mode must be "r", "r%+", .* not "rx"'] = function() fs.open("x", "rx") end,
      ["fs.open: unknown flag 'nofolow'; did you mean 'nofollow'"] =
        function() fs.open("x", "r", { flags = { "nofolow" } }) end,
      ["fs.mkdir: unknown option 'parent'; did you mean 'parents'"] =
        function() fs.mkdir("x", { parent = true }) end,
      ["fs.chmod: mode must be octal digits as a string"] = function() fs.chmod("x", "u+x") end,
      ["fs.chmod: mode must be octal digits as a string .*, not nil"] =
        function() fs.chmod("x") end,
      ["fs.tempfile: prefix must not have a / in it"] =
        function() fs.tempfile { prefix = "a/b" } end,
      ["fs.utime: mtime must be a number of seconds"] =
        function() fs.utime("x", { mtime = "now" }) end,
      ["fs.truncate: size must be a whole number"] = function() fs.truncate("x", -1) end,
      ["fs.write_file: data must be a string or a list of strings, not true"] =
        function() fs.write_file("x", true) end,
    }
    for text, call in pairs(calls) do
      local ok, err = pcall(call)
      assert.is_false(ok)
      assert.matches(text, err)
      assert.matches("fs_spec.lua:%d+: ", err)
    end
  end)

  it("tells of files what stat does", function()
    local path = dir() .. "/a"
    raw(path, "12345")
    assert.is_true(fs.chmod(path, "0640"))
    assert.is_true(fs.utime(path, { atime = 1000000000.5, mtime = 1234567890.25 }))
    local st = assert(fs.stat(path))
    assert.equal("file", st.type)
    assert.equal(5, st.size)
    assert.equal(tonumber("640", 8), st.mode)
    assert.equal(1234567890.25, st.mtime)
    assert.equal(1000000000.5, st.atime)
    assert.equal(1, st.nlink)
    assert.is_true(st.ino > 0 and st.ctime > 1e9)
    assert.is_true(fs.symlink("a", dir() .. "/l"))
    assert.equal("file", fs.stat(dir() .. "/l").type)
    assert.equal("link", fs.lstat(dir() .. "/l").type)
    assert.equal("directory", fs.stat(dir()).type)
    assert.equal("char", fs.stat("/dev/null").type)
    assert.is_true(fs.utime(dir() .. "/l", { mtime = 5, follow = false }))
    assert.equal(5, fs.lstat(dir() .. "/l").mtime)
    assert.equal(1234567890.25, fs.stat(path).mtime)
    assert.is_true(fs.utime(path, { mtime = -1.5 }))
    assert.equal(-1.5, fs.stat(path).mtime)
    assert.is_true(fs.utime(path))
    assert.is_true(fs.stat(path).mtime > 1.6e9)
    assert.is_true(fs.chown(path, { uid = st.uid, gid = st.gid }))
    assert.is_true(fs.chown(dir() .. "/l", { follow = false }))
    local space = assert(fs.statvfs(dir()))
    assert.is_true(space.size > space.available and space.available > 0 and not space.readonly)
    assert.equal(255, space.name_max)
  end)

  it("knows whether something is there", function()
    assert.is_true(fs.exists(dir()))
    assert.is_false(fs.exists(dir() .. "/a"))
    assert.is_false(fs.exists("/etc/passwd/x"))
    fs.symlink("nowhere", dir() .. "/l")
    assert.is_false(fs.exists(dir() .. "/l"))
    fails("ENAMETOOLONG", fs.exists(("x"):rep(5000)))
    assert.is_false(fs.exists(""))
  end)

  it("makes, lists, renames and removes", function()
    local d = dir()
    fails("ENOENT", fs.mkdir(d .. "/a/b/c"))
    assert.is_true(fs.mkdir(d .. "/a/b/c//", { parents = true, mode = "0750" }))
    assert.is_true(fs.mkdir(d .. "/a/b/c", { parents = true }))
    assert.equal(tonumber("750", 8), fs.stat(d .. "/a/b/c").mode)
    fails("EEXIST", fs.mkdir(d .. "/a"))
    raw(d .. "/a/file", "x")
    fails("EEXIST", fs.mkdir(d .. "/a/file", { parents = true }))
    fails("ENOTDIR", fs.mkdir(d .. "/a/file/x", { parents = true }))
    fs.symlink("b", d .. "/a/link")
    assert.same({ "b", "file", "link" }, fs.readdir(d .. "/a"))
    assert.same({ { name = "b", type = "directory" }, { name = "file", type = "file" },
      { name = "link", type = "link" } }, fs.readdir(d .. "/a", { types = true }))
    fails("ENOTEMPTY", fs.rmdir(d .. "/a"))
    fails("EISDIR", fs.unlink(d .. "/a/b"))
    fails("ENOTDIR", fs.rmdir(d .. "/a/link"))
    assert.is_true(fs.unlink(d .. "/a/link"))
    assert.is_true(fs.link(d .. "/a/file", d .. "/a/second"))
    assert.equal(2, fs.stat(d .. "/a/file").nlink)
    fails("EEXIST", fs.rename(d .. "/a/file", d .. "/a/second", { replace = false }))
    assert.is_true(fs.rename(d .. "/a/second", d .. "/a/third", { replace = false }))
    assert.is_true(fs.rename(d .. "/a/b", d .. "/b"))
    assert.is_true(fs.rmdir(d .. "/b/c"))
    assert.same({}, fs.readdir(d .. "/b"))
    assert.is_true(fs.truncate(d .. "/a/file", 3))
    assert.equal("x\0\0", fs.read_file(d .. "/a/file"))
  end)

  it("follows and reads links", function()
    local d = fs.realpath(dir())
    fs.mkdir(d .. "/real")
    assert.is_true(fs.symlink("real", d .. "/l"))
    assert.equal("real", fs.readlink(d .. "/l"))
    assert.equal(d .. "/real", fs.realpath(d .. "/l/../l/."))
    fails("EINVAL", fs.readlink(d .. "/real"))
    fails("ENOENT", fs.realpath(d .. "/none"))
    fs.symlink("loop", d .. "/loop")
    fails("ELOOP", fs.stat(d .. "/loop"))
    fails("ELOOP", fs.open(d .. "/l", "r", { flags = "nofollow" }))
  end)

  it("reads files that have no size", function()
    assert.matches("Name:", fs.read_file("/proc/self/status"))
    local lines = 0
    local file = assert(fs.open("/proc/self/status"))
    for line in file:lines() do
      lines = lines + (line ~= "" and 1 or 0)
    end
    file:close()
    assert.is_true(lines > 20)
    assert.equal(4, #assert(fs.open("/dev/zero")):read(4))
  end)

  it("replaces a file as a whole, with its mode, and leaves no other", function()
    local path = dir() .. "/a"
    raw(path, "old")
    fs.chmod(path, "0604")
    local old = assert(fs.open(path))
    assert.is_true(fs.write_file(path, "new", { mode = "0777" }))
    assert.equal("old", old:read_all())
    old:close()
    assert.equal(tonumber("604", 8), fs.stat(path).mode)
    fs.symlink("a", dir() .. "/l")
    assert.is_true(fs.write_file(dir() .. "/l", "through", { sync = false }))
    assert.equal("link", fs.lstat(dir() .. "/l").type)
    assert.equal("through", fs.read_file(path))
    fs.symlink("none", dir() .. "/dangling")
    assert.is_true(fs.write_file(dir() .. "/dangling", "x"))
    assert.equal("file", fs.lstat(dir() .. "/dangling").type)
    fails("EEXIST", fs.write_file(path, "x", { replace = false }))
    assert.is_true(fs.write_file(dir() .. "/mode", "x", { mode = "0600", replace = false }))
    assert.equal(tonumber("600", 8), fs.stat(dir() .. "/mode").mode)
    local long = dir() .. "/" .. ("n"):rep(255)
    assert.is_true(fs.write_file(long, "long"))
    fails("ENOENT", fs.write_file(dir() .. "/no/x", "x"))
    assert.same({ "a", "dangling", "l", "mode", ("n"):rep(255) }, fs.readdir(dir()))
  end)

  it("makes temporary files that are nobody else's", function()
    local file = assert(fs.tempfile { dir = dir(), prefix = "p-", suffix = ".txt" })
    assert.matches("/p%-[a-z0-9]+%.txt$", file.path)
    assert.equal(tonumber("600", 8), fs.stat(file.path).mode)
    assert.is_true(file:write("x"))
    file:seek("set", 0)
    assert.equal("x", file:read_all())
    file:close()
    local path = assert(fs.tempdir { dir = dir() })
    assert.equal(tonumber("700", 8), fs.stat(path).mode)
    fails("ENOENT", fs.tempfile { dir = dir() .. "/none" })
    fails("ENAMETOOLONG", fs.tempfile { dir = dir(), prefix = ("x"):rep(250) })
    assert.equal(2, #fs.readdir(dir()))
  end)

  it("lets others run meanwhile", function()
    for name, call in pairs {
      stat = function() return fs.stat("/") end,
      read_file = function() return fs.read_file("/proc/self/status") end,
      readdir = function() return fs.readdir("/") end,
      write_file = function() return fs.write_file(dir() .. "/a", "x") end,
    } do
      local others_ran = false
      green.spawn(function() others_ran = true end)
      assert(call())
      assert.is_true(others_ran, name)
    end
  end)

  it("raises in a killed thread before any effect", function()
    local path = dir() .. "/a"
    local err
    green.spawn(function()
      green.getcurrent():kill_soon()
      err = select(2, pcall(fs.write_file, path, "x"))
    end):wait()
    assert.is_true(green.is_error(err, "ECANCELED"))
    assert.is_false(fs.exists(path))
  end)

  it("refuses to wait inside string.gsub, before any effect", function()
    local path = dir() .. "/a"
    local ok, err = pcall(string.gsub, "x", "x", function() fs.write_file(path, "x") end)
    assert.is_false(ok)
    assert.matches("cannot wait inside", tostring(err))
    assert.is_false(fs.exists(path))
  end)

  it("leaves nothing when it is killed, whenever that is", function()
    local d = dir()
    raw(d .. "/from", ("x"):rep(100000))
    folder.kill_all_over(60, function(i)
      local path = d .. "/k" .. i
      fs.mkdir(path)
      local file = fs.open(path .. "/a", "w")
      file:write("x")
      fs.copy(d .. "/from", path .. "/copy")
      fs.write_file(path .. "/b", "y")
      fs.tempfile { dir = path }
      file:close()
      fs.remove(path)
    end)
    for path in fs.walk(d) do
      assert.is_nil(path:match("/%.[^/]*$"), path)
    end
  end)

  it("gives up after a timeout of the program's", function()
    local value, err = green.timeout(0, function()
      green.sleep(0)
      return fs.stat("/")
    end)
    assert.is_nil(value)
    assert.is_true(err:is("ETIMEDOUT"))
  end)

  it("goes on in many threads at once", function()
    local pool = green.GreenPool(50)
    for i = 1, 200 do
      pool:spawn(function()
        local path = dir() .. "/" .. i
        assert(fs.write_file(path, "text " .. i, { sync = false }))
        assert.equal("text " .. i, fs.read_file(path))
        assert(fs.unlink(path))
      end)
    end
    pool:waitall()
    assert.same({}, fs.readdir(dir()))
  end)
end)

describe("fs.open of what can be waited for", function()
  it("is a stream that waits in the loop", function()
    local path = dir() .. "/fifo"
    os.execute("mkfifo " .. path)
    local reader = assert(fs.open(path))
    local got
    local thread = green.spawn(function() got = reader:read_line() end)
    testing.settle()
    assert.is_nil(got)
    local writer = assert(fs.open(path, "w"))
    writer:write("hello\n")
    thread:wait()
    assert.equal("hello", got)
    writer:close()
    assert.is_nil(reader:read_some())
    reader:close()
  end)

  it("waits for a FIFO's reader, and can be given up", function()
    local path = dir() .. "/fifo"
    os.execute("mkfifo " .. path)
    fails("ETIMEDOUT", fs.open(path, "w", { timeout = 0 }))
    local thread = green.spawn(fs.open, path, "w")
    testing.settle()
    thread:kill()
    thread = green.spawn(fs.open, path, "w")
    local reader = assert(fs.open(path))
    local writer = assert(thread:wait())
    writer:write("x")
    assert.equal("x", reader:read(1))
    writer:close()
    reader:close()
  end)

  it("reads a FIFO to its end as a file", function()
    local path = dir() .. "/fifo"
    os.execute("mkfifo " .. path)
    local thread = green.spawn(fs.read_file, path)
    local writer = assert(fs.open(path, "w"))
    writer:write("all of it")
    writer:close()
    assert.equal("all of it", thread:wait())
  end)

  it("opens the master of a terminal", function()
    local master = assert(fs.open("/dev/ptmx", "r+"))
    assert.is_true(master:isatty())
    master:close()
  end)
end)
