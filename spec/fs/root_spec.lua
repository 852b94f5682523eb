-- fs.root: nothing leads out of it, by whatever trick.

local fs = require "green.fs"
local green = require "green"
local testing = require "green.testing"

local folder = require "spec.support.folder"
local dir, fails = folder.each(before_each, after_each), folder.fails
local _, it = testing.busted()

--- A root with "inside" in it, and beside it a folder "outside" with a secret.
local function open()
  local d = dir()
  fs.mkdir(d .. "/outside")
  fs.write_file(d .. "/outside/secret", "secret", { sync = false })
  fs.mkdir(d .. "/root/sub", { parents = true })
  fs.write_file(d .. "/root/inside", "inside", { sync = false })
  return assert(fs.root(d .. "/root")), d
end

local function outside(value, err)
  assert.is_nil(value)
  assert.equal("EXDEV", err.code)
  assert.is_true(err.outside)
  assert.matches("leads out of the root", tostring(err))
end

--- Each call of a root that takes one path, with what it needs besides.
local function calls_of(path)
  return {
    stat = { path }, exists = { path }, statvfs = { path }, readdir = { path },
    read_file = { path }, open = { path }, realpath = { path }, truncate = { path, 0 },
    chmod = { path, "0600" }, chown = { path }, utime = { path }, append_file = { path, "x" },
    watch = { path }, root = { path }, lock = { path },
    copy = { path, "copied" },
  }
end

--- Those that are about the name, not what it leads to.
local function names_of(path)
  return {
    lstat = { path }, readlink = { path }, mkdir = { path }, rmdir = { path }, unlink = { path },
    remove = { path }, rename = { path, "renamed" }, link = { path, "linked" },
    symlink = { "x", path }, write_file = { path, "x" }, copy = { "inside", path },
    tempfile = { { dir = path } }, tempdir = { { dir = path } },
  }
end

local function assert_refused(root, calls)
  for name, given in pairs(calls) do
    local value, err = root[name](root, unpack(given))
    assert(value == nil and err.outside, ("%s gave %s %s"):format(name, tostring(value),
      tostring(err)))
  end
end

describe("fs.root", function()
  it("has the functions of the module", function()
    local root, d = open()
    assert.equal("inside", root:read_file("inside"))
    assert.is_true(root:write_file("sub/new", "x"))
    assert.is_true(root:append_file("sub/new", "y"))
    assert.equal("xy", root:read_file("sub/../sub/./new"))
    assert.is_true(root:mkdir("a/b//c/", { parents = true }))
    assert.is_true(root:mkdir("a/b", { parents = true }))
    assert.same({ "a", "inside", "sub" }, root:readdir("."))
    assert.equal("sub/new", root:realpath("a/../sub/new"))
    assert.equal(".", root:realpath("sub/.."))
    assert.is_true(root:symlink("../sub", "a/l"))
    assert.equal("xy", root:read_file("a/l/new"))
    assert.equal("link", root:lstat("a/l").type)
    assert.equal("directory", root:stat("a/l").type)
    assert.is_true(root:copy("inside", "a/copy"))
    assert.is_true(root:copy("a", "a2", { recursive = true }))
    assert.is_true(root:move("a2", "a3"))
    assert.is_true(root:rename("a/copy", "copied"))
    assert.is_true(root:link("copied", "second"))
    assert.is_true(root:chmod("second", "0600"))
    assert.is_true(root:utime("second", { mtime = 1e9 }))
    assert.is_true(root:chown("second"))
    assert.is_true(root:truncate("second", 2))
    assert.equal(2, root:stat("copied").size)
    assert.is_true(root:exists("copied"))
    assert.is_false(root:exists("nothing"))
    assert.is_true(root:statvfs(".").size > 0)
    assert.same({ "copied", "inside", "second" }, root:glob("{[cis]*,nothing}[!b]"))
    local paths = {}
    for path in root:walk("a3") do paths[#paths + 1] = path end
    assert.same({ "a3/b", "a3/b/c", "a3/copy", "a3/l" }, paths)
    local file = assert(root:tempfile { dir = "sub" })
    assert.matches("^sub/lua%-", file.path)
    file:write("z")
    file:close()
    assert.equal("z", root:read_file(file.path))
    assert.matches("^%./lua%-", root:tempdir())
    local inner = assert(root:root("sub"))
    assert.equal("xy", inner:read_file("new"))
    inner:close()
    inner:close()
    assert.has_error(function() inner:read_file("new") end)
    assert.is_true(root:remove("a3"))
    assert.is_true(root:unlink("second"))
    assert.is_true(root:rmdir("a/b/c"))
    root:lock("lock"):close()
    assert.is_true(fs.exists(d .. "/root/copied"))
    assert.equal("green.fs.root{" .. d .. "/root}", tostring(root))
    root:close()
  end)

  it("refuses paths that lead out", function()
    local root, d = open()
    for _, path in ipairs { "../outside/secret", "/etc/passwd", "sub/../../outside/secret",
      d .. "/root/inside", "/", ".." } do
      assert_refused(root, calls_of(path))
    end
    for _, path in ipairs { "../outside/secret", "/etc/passwd", "sub/../../outside", "..", "/" } do
      local calls = names_of(path)
      if not path:match("[^./]") then
        calls.remove = nil -- has no name, wherever it is
      end
      assert_refused(root, calls)
    end
    outside(root:rename("inside", "../outside/inside"))
    outside(root:link("inside", "../outside/inside"))
    outside(root:move("inside", "../outside/inside"))
    outside(root:copy("sub", "../outside/sub", { recursive = true }))
    assert.same({}, root:glob("../outside/*"))
    assert.same({}, root:glob("/etc/*"))
    assert.same({ "secret" }, fs.readdir(d .. "/outside"))
    assert.equal("secret", fs.read_file(d .. "/outside/secret"))
    root:close()
  end)

  it("follows no link out, neither the last name nor one on the way", function()
    local root, d = open()
    for _, target in ipairs { "../outside", d .. "/outside", "/proc/self/cwd" .. d .. "/outside",
      "sub/../../outside" } do
      assert.is_true(root:symlink(target, "l"))
      assert.is_true(root:symlink(target .. "/secret", "f"))
      assert_refused(root, calls_of("l/secret"))
      assert_refused(root, calls_of("f"))
      assert_refused(root, names_of("l/new"))
      outside(root:readdir("l"))
      outside(root:readdir("l/"))
      outside(root:open("f", "w"))
      outside(root:open("l/new", "w"))
      outside(root:mkdir("l/a/b", { parents = true }))
      assert.same({}, root:glob("l/*"))
      -- The link itself is inside, and can be looked at, replaced and removed.
      assert.equal("link", root:lstat("l").type)
      assert.equal("link", root:lstat("l/").type)
      assert.equal(target, root:readlink("l"))
      assert.is_true(root:chown("f", { follow = false }))
      assert.is_true(root:utime("f", { mtime = 1, follow = false }))
      assert.is_true(root:rename("f", "g"))
      assert.is_true(root:unlink("g"))
      assert.is_true(root:remove("l"))
    end
    assert.same({ "secret" }, fs.readdir(d .. "/outside"))
    assert.equal("secret", fs.read_file(d .. "/outside/secret"))
    root:close()
  end)

  it("refuses magic links and what descriptors of others lead to", function()
    local root, d = open()
    fs.symlink("/proc/self/root" .. d .. "/outside/secret", d .. "/root/m")
    outside(root:read_file("m"))
    local proc = assert(fs.root("/proc/self"))
    local value, err = proc:read_file("root/etc/passwd")
    assert.is_nil(value)
    assert.is_true(err.code == "ELOOP" or err.code == "EXDEV", err.code)
    value, err = proc:readdir("cwd")
    assert.is_nil(value)
    assert.is_true(err.code == "ELOOP" or err.code == "EXDEV", err.code)
    proc:close()
    root:close()
  end)

  it("is safe from names that change places all the time", function()
    local root, d = open()
    local stop, changes = false, 0
    fs.mkdir(d .. "/root/flip/deep", { parents = true })
    fs.write_file(d .. "/root/flip/secret", "mine", { sync = false })
    fs.symlink(d .. "/outside", d .. "/root/out")
    -- Another process, so that it is at it while a native thread is in a call.
    local script = ([[cd %s/root; while [ -e run ]; do mv -T flip kept 2>/dev/null;
      mv -T out flip 2>/dev/null; mv -T flip out 2>/dev/null; mv -T kept flip 2>/dev/null;
      done]]):format(d)
    fs.write_file(d .. "/root/run", "")
    os.execute("(" .. script .. ") &")
    local watcher = green.spawn(function()
      while not stop do
        local ok = fs.rename(d .. "/root/flip", d .. "/root/flop")
        if ok then
          fs.symlink("../outside", d .. "/root/flip")
          fs.unlink(d .. "/root/flip")
          fs.rename(d .. "/root/flop", d .. "/root/flip")
          changes = changes + 1
        end
      end
    end)
    for i = 1, 300 do
      local text = root:read_file("flip/secret")
      assert.is_true(text == nil or text == "mine", text)
      text = root:read_file("flip/deep/../secret")
      assert.is_true(text == nil or text == "mine", text)
      root:write_file("flip/new" .. i % 3, "x", { sync = false })
      root:append_file("flip/appended", "x")
      root:mkdir("flip/a/b", { parents = true })
      root:copy("flip/secret", "flip/copy")
      root:remove("flip/a")
      root:unlink("flip/new" .. i % 3)
      root:chmod("flip/secret", "0644")
      root:rename("flip/copy", "flip/moved")
    end
    stop = true
    fs.unlink(d .. "/root/run")
    watcher:wait()
    assert.same({ "secret" }, fs.readdir(d .. "/outside"))
    assert.equal("secret", fs.read_file(d .. "/outside/secret"))
    root:close()
    testing.settle_io(function() -- the other process is done
      local ok = fs.rename(d .. "/root", d .. "/gone") or fs.exists(d .. "/gone")
      return ok
    end)
  end)

  it("follows its folder when that is renamed", function()
    local root, d = open()
    assert.is_true(fs.rename(d .. "/root", d .. "/other"))
    assert.equal("inside", root:read_file("inside"))
    assert.equal("sub", root:realpath("sub"))
    root:close()
  end)

  it("must be a folder, and can be closed while in use", function()
    fails("ENOENT", fs.root(dir() .. "/none"))
    fails("ENOTDIR", fs.root("/etc/passwd"))
    local root = open()
    local thread = green.spawn(root.read_file, root, "inside")
    testing.settle()
    local file = assert(root:open("inside"))
    root:close()
    assert.equal("inside", thread:wait())
    assert.equal("inside", file:read_all())
    file:close()
    local ok, err = pcall(root.stat, root, "inside")
    assert.is_false(ok)
    assert.matches("the root .* is closed", err)
    assert.equal("green.fs.root{closed}", tostring(root))
  end)
end)
