-- Trees of folders: fs.walk, fs.copy, fs.move, fs.remove.

local fs = require "green.fs"
local green = require "green"
local testing = require "green.testing"

local folder = require "spec.support.folder"
local dir, fails = folder.each(before_each, after_each), folder.fails
local _, it = testing.busted()

local function make(list)
  for path in list:gmatch("%S+") do
    path = dir() .. "/" .. path
    fs.mkdir(path:match("^(.*)/"), { parents = true })
    fs.write_file(path, "text of " .. path:match("[^/]+$"), { sync = false })
  end
end

--- All paths below a folder, as one text.
local function walked(path, opts)
  local list = {}
  for there, kind in fs.walk(path, opts) do
    list[#list + 1] = there:sub(#path + 2) .. ":" .. kind:sub(1, 1)
  end
  return table.concat(list, " ")
end

describe("fs.walk", function()
  it("goes through all folders, and follows no link", function()
    make "b/x a/y/z a/.h c"
    fs.symlink("..", dir() .. "/a/up")
    assert.equal("a:d a/.h:f a/up:l a/y:d a/y/z:f b:d b/x:f c:f", walked(dir()))
    assert.equal("a:d b:d c:f", walked(dir(), { depth = 1 }))
    assert.equal("a:d b:d b/x:f c:f", walked(dir(), { enter = function(path)
      return not path:match("/a$")
    end }))
  end)

  it("raises for a folder that cannot be read, or tells of it", function()
    assert.has_error(function() walked(dir() .. "/none") end)
    local errors = {}
    assert.equal("", walked(dir() .. "/none", { on_error = function(err)
      errors[#errors + 1] = err.code
    end }))
    assert.same({ "ENOENT" }, errors)
  end)

  it("passes over what is removed meanwhile", function()
    make "a/x b/y"
    local seen = {}
    for path in fs.walk(dir()) do
      seen[#seen + 1] = path:match("[^/]+$")
      if path:match("/a$") then
        fs.remove(path)
      end
    end
    assert.same({ "a", "b", "y" }, seen)
  end)
end)

describe("fs.remove", function()
  it("removes all that is below, and links only as links", function()
    make "tree/a/b/c tree/d kept/x"
    fs.symlink("../kept", dir() .. "/tree/link")
    fs.symlink(dir() .. "/kept", dir() .. "/toplink")
    assert.is_true(fs.remove(dir() .. "/tree"))
    assert.is_true(fs.remove(dir() .. "/toplink"))
    assert.equal("kept:d kept/x:f", walked(dir()))
    assert.is_true(fs.remove(dir() .. "/kept/x"))
    fails("ENOENT", fs.remove(dir() .. "/kept/x"))
    assert.is_true(fs.remove(dir() .. "/kept/x", { missing_ok = true }))
  end)

  it("refuses what has no name", function()
    local d = dir()
    for _, path in ipairs { "", "/", "//", ".", "..", "/tmp/..", d .. "/.", d .. "/..//" } do
      fails("EINVAL", fs.remove(path))
    end
  end)

  it("removes a large tree in slices, and can be killed in between", function()
    local d = dir() .. "/many"
    os.execute(("mkdir %s; cd %s; for i in $(seq 40); do mkdir d$i; touch d$i/$(seq -s ' ' 100 |"
      .. " sed 's| | d'$i'/|g'); done"):format(d, d))
    local fds = testing.open_fds()
    local thread = green.spawn(fs.remove, d)
    green.sleep(0)
    thread:kill()
    folder.settle_fds(fds)
    assert.is_true(fs.remove(d, { missing_ok = true }))
    assert.is_false(fs.exists(d))
  end)

  it("removes nothing outside while links take the place of folders", function()
    make "outside/precious"
    local tree = dir() .. "/tree"
    local stop = false
    local attacker = green.spawn(function()
      while not stop do
        fs.rename(tree .. "/a", dir() .. "/aside")
        fs.symlink(dir() .. "/outside", tree .. "/a")
        fs.unlink(tree .. "/a")
        fs.rename(dir() .. "/aside", tree .. "/a")
      end
    end)
    for _ = 1, 60 do
      fs.mkdir(tree .. "/a/b/c", { parents = true })
      for i = 1, 5 do
        fs.write_file(tree .. "/a/b/c/" .. i, "x", { sync = false })
      end
      fs.remove(tree)
    end
    stop = true
    attacker:wait()
    assert.equal("text of precious", fs.read_file(dir() .. "/outside/precious"))
  end)

  it("says where it failed", function()
    os.execute(("mkdir -p %s/t/a; touch %s/t/a/x; chattr +i %s/t/a/x 2>/dev/null"):format(dir(),
      dir(), dir()))
    local ok, err = fs.remove(dir() .. "/t")
    os.execute(("chattr -i %s/t/a/x 2>/dev/null"):format(dir()))
    if ok then
      return pending("needs chattr +i")
    end
    assert.equal(dir() .. "/t/a/x", err.path)
    assert.equal("EPERM", err.code)
  end)
end)

describe("fs.copy", function()
  it("copies bytes, permissions and, if asked, times", function()
    make "a"
    local from, to = dir() .. "/a", dir() .. "/b"
    fs.chmod(from, "0751")
    fs.utime(from, { mtime = 1e9 })
    assert.is_true(fs.copy(from, to))
    assert.equal("text of a", fs.read_file(to))
    local st = fs.stat(to)
    assert.equal(tonumber("751", 8), st.mode)
    assert.is_true(st.mtime > 1.5e9)
    fails("EEXIST", fs.copy(from, to, { replace = false }))
    assert.is_true(fs.copy(from, to, { preserve = true, sync = true }))
    assert.equal(1e9, fs.stat(to).mtime)
    local err = fails("EINVAL", fs.copy(from, from))
    assert.equal(("copy %s to %s"):format(from, from), err.op)
    fs.link(from, dir() .. "/same")
    fails("EINVAL", fs.copy(from, dir() .. "/same"))
    fails("EISDIR", fs.copy(dir(), to))
    fails("EISDIR", fs.copy(from, dir()))
    fails("EOPNOTSUPP", fs.copy("/dev/null", to))
    assert.same({ "a", "b", "same" }, fs.readdir(dir()))
  end)

  it("replaces a link, and follows none but the original's", function()
    make "a outside"
    fs.symlink("outside", dir() .. "/l")
    assert.is_true(fs.copy(dir() .. "/a", dir() .. "/l"))
    assert.equal("file", fs.lstat(dir() .. "/l").type)
    assert.equal("text of outside", fs.read_file(dir() .. "/outside"))
  end)

  it("keeps holes, and copies what is large", function()
    local from = dir() .. "/sparse"
    local file = assert(fs.open(from, "w"))
    file:write("begin")
    file:pwrite("middle", 40000000)
    file:truncate(100000000)
    file:close()
    assert.is_true(fs.copy(from, dir() .. "/copy"))
    local a, b = fs.stat(from), fs.stat(dir() .. "/copy")
    assert.equal(a.size, b.size)
    assert.is_true(b.blocks < 2000)
    file = assert(fs.open(dir() .. "/copy"))
    assert.equal("middle", file:pread(6, 40000000))
    assert.equal("begin\0", file:pread(6, 0))
    file:close()
    fs.write_file(dir() .. "/big", ("0123456789abcdef"):rep(2000000), { sync = false })
    assert.is_true(fs.copy(dir() .. "/big", dir() .. "/big2"))
    assert.is_true(fs.read_file(dir() .. "/big") == fs.read_file(dir() .. "/big2"))
  end)

  it("copies a tree", function()
    make "t/a/x t/b t/a/.h"
    fs.symlink("b", dir() .. "/t/l")
    fs.symlink("..", dir() .. "/t/up")
    fs.chmod(dir() .. "/t/a", "0705")
    assert.is_true(fs.copy(dir() .. "/t", dir() .. "/t2", { recursive = true }))
    assert.equal(walked(dir() .. "/t"), walked(dir() .. "/t2"))
    assert.equal("b", fs.readlink(dir() .. "/t2/l"))
    assert.equal(tonumber("705", 8), fs.stat(dir() .. "/t2/a").mode)
    assert.equal("text of x", fs.read_file(dir() .. "/t2/a/x"))
    assert.is_true(fs.copy(dir() .. "/t", dir() .. "/t2", { recursive = true }))
    fails("EEXIST", fs.copy(dir() .. "/t", dir() .. "/t2", { recursive = true, replace = false }))
    fails("EINVAL", fs.copy(dir() .. "/t", dir() .. "/t/a/into", { recursive = true }))
  end)
end)

describe("fs.move", function()
  local function other()
    local path = "/dev/shm/fs-move-" .. dir():match("[^/]+$")
    local st = fs.stat("/dev/shm")
    if not st or st.dev == fs.stat(dir()).dev then
      return nil
    end
    return path
  end

  it("renames where it can", function()
    make "a b"
    assert.is_true(fs.move(dir() .. "/a", dir() .. "/b"))
    assert.same({ "b" }, fs.readdir(dir()))
    assert.equal("text of a", fs.read_file(dir() .. "/b"))
    fails("ENOENT", fs.move(dir() .. "/a", dir() .. "/c"))
  end)

  it("copies to another file system, with all there is", function()
    local there = other()
    if not there then
      return pending("needs a second file system at /dev/shm")
    end
    make "t/a/x t/b f"
    fs.symlink("nowhere", dir() .. "/t/l")
    fs.utime(dir() .. "/t/a", { mtime = 1e9 })
    fs.utime(dir() .. "/f", { mtime = 1e9 })
    fs.chmod(dir() .. "/f", "0640")
    local ok, err = pcall(function()
      assert(fs.move(dir() .. "/t", there))
      assert.equal("a:d a/x:f b:f l:l", walked(there))
      assert.equal(1e9, fs.stat(there .. "/a").mtime)
      assert(fs.move(dir() .. "/f", there .. "/b"))
      assert.equal("text of f", fs.read_file(there .. "/b"))
      assert.equal(tonumber("640", 8), fs.stat(there .. "/b").mode)
      assert.equal(1e9, fs.stat(there .. "/b").mtime)
      assert.same({}, fs.readdir(dir()))
      make "f t/x"
      fails("EEXIST", fs.move(dir() .. "/f", there .. "/b", { replace = false }))
      fails("EEXIST", fs.move(dir() .. "/t", there))
      assert.equal("text of f", fs.read_file(there .. "/b"))
      assert.equal("f:f t:d t/x:f", walked(dir()))
      fs.symlink("x", dir() .. "/l")
      assert(fs.move(dir() .. "/l", there .. "/l2"))
      assert.equal("x", fs.readlink(there .. "/l2"))
    end)
    fs.remove(there, { missing_ok = true })
    assert(ok, err)
  end)
end)
