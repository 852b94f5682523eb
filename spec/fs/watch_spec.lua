-- fs.watch: events of folders.

local fs = require "green.fs"
local green = require "green"
local testing = require "green.testing"

local folder = require "spec.support.folder"
local dir, fails = folder.each(before_each, after_each), folder.fails
local _, it = testing.busted()

local function put(name, text)
  local file = assert(io.open(dir() .. "/" .. name, "w"))
  file:write(text or "")
  file:close()
end

local function short(event)
  local path = event.path:sub(#dir() + 2)
  return event.type .. " " .. path .. (event.folder and "/" or "")
    .. (event.from and " from " .. event.from:sub(#dir() + 2) or "")
end

--- Events until that of "end", which is made now; as texts.
local function events(watch)
  put "end"
  local list = {}
  for event in watch:events() do
    local text = short(event)
    if text == "created end" then
      -- its writing is told, too, now or later
      os.remove(dir() .. "/end")
    elseif text == "deleted end" then
      break
    elseif not text:match(" end$") then
      list[#list + 1] = text
    end
  end
  return list
end

describe("fs.watch", function()
  it("tells what happens in a folder", function()
    local watch = assert(fs.watch(dir()))
    put("a", "x")
    assert.same({ "created a", "written a" }, events(watch))
    fs.append_file(dir() .. "/a", "y")
    assert.same({ "modified a", "written a" }, events(watch))
    fs.chmod(dir() .. "/a", "0600")
    os.rename(dir() .. "/a", dir() .. "/b")
    assert.same({ "changed a", "moved b from a" }, events(watch))
    fs.mkdir(dir() .. "/sub")
    os.rename(dir() .. "/b", dir() .. "/sub/b")
    fs.rmdir(dir() .. "/sub")
    os.rename(dir() .. "/sub/b", dir() .. "/c")
    os.remove(dir() .. "/c")
    assert.same({ "created sub/", "deleted b", "created c", "deleted c" }, events(watch))
    assert.equal(1, watch:count())
    watch:close()
    watch:close()
    assert.is_nil(watch:next())
    assert.equal("green.fs.watch{closed}", tostring(watch))
  end)

  it("tells many changes of one file once", function()
    local watch = assert(fs.watch(dir(), { delay = 0.05 }))
    local file = assert(io.open(dir() .. "/a", "w"))
    local other = assert(io.open(dir() .. "/b", "w"))
    for _ = 1, 50 do
      file:write("x")
      file:flush()
      other:write("x")
      other:flush()
    end
    assert.same({ "created a", "created b" }, events(watch))
    for _ = 1, 50 do
      file:write("x")
      file:flush()
      other:write("x")
      other:flush()
    end
    assert.same({ "modified a", "modified b" }, events(watch))
    file:close()
    other:close()
    watch:close()
  end)

  it("follows new folders, and loses no file in them", function()
    local watch = assert(fs.watch(dir(), { recursive = true }))
    -- All of it is there before the first event is looked at.
    fs.mkdir(dir() .. "/a/b/c", { parents = true })
    put "a/1"
    put "a/b/2"
    put "a/b/c/3"
    local seen = {}
    for _, text in ipairs(events(watch)) do
      assert.is_nil(seen[text], text)
      seen[text] = true
    end
    for _, text in ipairs { "created a/", "created a/b/", "created a/b/c/", "created a/1",
      "created a/b/2", "created a/b/c/3", "written a/b/c/3" } do
      assert.is_true(seen[text], text)
    end
    put "a/b/c/4"
    assert.same({ "created a/b/c/4", "written a/b/c/4" }, events(watch))
    assert.equal(4, watch:count())
    fs.remove(dir() .. "/a")
    assert.equal(7, #events(watch))
    assert.equal(1, watch:count())
    watch:close()
  end)

  it("loses and doubles nothing while folders are made and filled all the time", function()
    local watch = assert(fs.watch(dir(), { recursive = true }))
    local script = ([[cd %s; for i in 1 2 3 4 5 6 7 8 9 10; do mkdir -p d$i/x/y;
      for j in 1 2 3 4 5; do : > d$i/x/y/$j; : > d$i/$j; done; done; : > all]]):format(dir())
    os.execute("(" .. script .. ") &")
    local created = {}
    for event in watch:events() do
      local text = event.type == "created" and short(event)
      if text then
        assert.is_nil(created[text], text)
        created[text] = true
      end
      if event.path == dir() .. "/all" then
        break
      end
    end
    events(watch)
    local n = 0
    for _ in pairs(created) do n = n + 1 end
    assert.equal(10 * 3 + 10 * 10 + 1, n)
    watch:close()
  end)

  it("knows folders that are moved by their new names", function()
    fs.mkdir(dir() .. "/a/b", { parents = true })
    fs.mkdir(dir() .. "/out")
    local watch = assert(fs.watch(dir() .. "/a", { recursive = true }))
    assert.equal(2, watch:count())
    os.rename(dir() .. "/a/b", dir() .. "/a/c")
    put "a/c/x"
    local function next_text()
      return short(assert(watch:next { timeout = 10 }))
    end
    assert.equal("moved a/c/ from a/b", next_text())
    assert.equal("created a/c/x", next_text())
    assert.equal("written a/c/x", next_text())
    os.rename(dir() .. "/a/c", dir() .. "/out/c")
    assert.equal("deleted a/c/", next_text())
    put "out/c/y"
    os.rename(dir() .. "/out/c", dir() .. "/a/d")
    assert.equal("created a/d/", next_text())
    assert.equal("created a/d/x", next_text())
    watch:close()
  end)

  it("leaves out what is ignored", function()
    fs.mkdir(dir() .. "/.git/objects", { parents = true })
    local watch = assert(fs.watch(dir(), { recursive = true, ignore = function(path)
      return path:match("/%.git$") or path:match("~$")
    end }))
    assert.equal(1, watch:count())
    put ".git/x"
    put "a~"
    put "b"
    os.rename(dir() .. "/b", dir() .. "/b~")
    os.rename(dir() .. "/b~", dir() .. "/c")
    assert.same({ "created b", "written b", "deleted b", "created c" }, events(watch))
    watch:close()
  end)

  it("watches one file, until it has gone", function()
    put("f", "x")
    local watch = assert(fs.watch(dir() .. "/f"))
    fs.append_file(dir() .. "/f", "y")
    assert.equal("modified f", short(watch:next()))
    assert.equal("written f", short(watch:next()))
    os.remove(dir() .. "/f")
    local list = {}
    for event in watch:events() do list[#list + 1] = event.type end
    assert.equal("gone", list[#list])
    assert.is_nil(watch:next())
  end)

  it("ends when its folder is removed or moved", function()
    for _, act in ipairs { fs.remove, function(path) return fs.rename(path, path .. "2") end } do
      local path = assert(fs.tempdir { dir = dir() })
      local watch = assert(fs.watch(path, { recursive = true }))
      assert.is_true(act(path))
      assert.equal("gone", watch:next().type)
      assert.is_nil(watch:next())
    end
  end)

  it("says that events were lost", function()
    local watch = assert(fs.watch(dir(), { recursive = true, most = 10 }))
    for i = 1, 30 do put("f" .. i) end
    local n = 0
    repeat
      n = n + 1
    until watch:next().type == "overflow"
    assert.equal(11, n)
    put "again"
    assert.equal("created again", short(watch:next()))
    watch:close()
  end)

  it("says that the kernel's queue was full, and watches what came meanwhile", function()
    local file = io.open("/proc/sys/fs/inotify/max_queued_events")
    local most = file and tonumber(file:read("*l")) or 16384
    if file then file:close() end
    if most > 50000 then
      return pending("the system keeps too many events")
    end
    local watch = assert(fs.watch(dir(), { recursive = true }))
    local a = dir() .. "/a"
    for _ = 1, most / 2 + 10 do
      io.open(a, "w"):close()
      os.remove(a)
    end
    os.execute("mkdir " .. dir() .. "/sub")
    local one
    repeat
      one = watch:next()
    until one.type == "overflow"
    put "sub/x"
    assert.equal("created sub/x", short(watch:next()))
    watch:close()
  end)

  it("waits, times out, is killed, is closed, and has one reader", function()
    local watch = assert(fs.watch(dir()))
    fails("ETIMEDOUT", watch:next { timeout = 0.01 })
    fails("ETIMEDOUT", watch:next { timeout = 0 })
    local thread = green.spawn(watch.next, watch)
    testing.settle()
    fails("EBUSY", watch:next())
    thread:kill()
    thread = green.spawn(watch.next, watch)
    testing.settle()
    put "a"
    assert.equal("created a", short(thread:wait()))
    assert.equal("written a", short(watch:next()))
    thread = green.spawn(watch.next, watch)
    testing.settle()
    watch:close()
    assert.is_nil(thread:wait())
  end)

  it("loses nothing when its reader is killed at any time", function()
    local watch = assert(fs.watch(dir(), { recursive = true }))
    local got = {}
    for i = 1, 30 do
      fs.mkdir(dir() .. "/d" .. i)
      put("d" .. i .. "/f")
      local thread = green.spawn(function()
        while true do
          local event = watch:next()
          got[#got + 1] = short(event)
        end
      end)
      for _ = 1, i % 7 do
        green.sleep(0)
      end
      thread:kill()
      pcall(thread.wait, thread)
    end
    for _, text in ipairs(events(watch)) do got[#got + 1] = text end
    local seen = {}
    for _, text in ipairs(got) do seen[text] = (seen[text] or 0) + 1 end
    for i = 1, 30 do
      assert.equal(1, seen["created d" .. i .. "/"], i)
      assert.equal(1, seen["created d" .. i .. "/f"], i)
    end
    watch:close()
  end)

  it("says why it cannot watch, and leaves nothing", function()
    local fds = testing.open_fds()
    fails("ENOENT", fs.watch(dir() .. "/none"))
    local err = fails("ENOENT", fs.watch(dir() .. "/none", { recursive = true }))
    assert.equal("watch " .. dir() .. "/none", err.op)
    folder.settle_fds(fds)
    folder.kill_all_over(20, function() fs.watch(dir(), { recursive = true }):close() end)
    collectgarbage()
    collectgarbage()
    folder.settle_fds(fds)
  end)
end)
