-- Locks of files: flock(2) that can be waited for and given up.

local fs = require "green.fs"
local green = require "green"
local program = require "spec.support.program"
local testing = require "green.testing"

local folder = require "spec.support.folder"
local dir, fails = folder.each(before_each, after_each), folder.fails
local _, it = testing.busted()

local function sh(command)
  return program.run { "sh", "-c", command }.out
end

local function open()
  local path = dir() .. "/lock"
  return assert(fs.open(path, "a+"))
end

describe("a lock of a file", function()
  it("keeps others out until it is given back", function()
    local a, b = open(), open()
    assert.is_true(a:lock())
    assert.is_true(a:lock())
    fails("ETIMEDOUT", b:lock("exclusive", { timeout = 0 }))
    fails("ETIMEDOUT", b:lock("shared", { timeout = 0.01 }))
    local got
    local thread = green.spawn(function() got = b:lock() end)
    testing.settle()
    assert.is_nil(got)
    assert.is_true(a:unlock())
    thread:wait()
    assert.is_true(got)
    a:close()
    b:close()
  end)

  it("can be shared", function()
    local a, b, c = open(), open(), open()
    assert.is_true(a:lock("shared"))
    assert.is_true(b:lock("shared", { timeout = 0 }))
    fails("ETIMEDOUT", c:lock("exclusive", { timeout = 0 }))
    a:close()
    b:close()
    assert.is_true(c:lock("exclusive"))
    c:close()
    fails("ECLOSED", c:lock())
    fails("ECLOSED", c:unlock())
  end)

  it("leaves no lock behind when its thread is killed", function()
    local fds = testing.open_fds()
    for i = 1, 40 do
      local a, b = open(), open()
      local thread = green.spawn(a.lock, a)
      for _ = 1, i % 5 do
        green.sleep(0)
      end
      thread:kill()
      local ok = pcall(thread.wait, thread)
      if not ok then
        assert.is_true(b:lock("exclusive", { timeout = 10 }))
        b:unlock()
        assert.is_true(a:lock("exclusive", { timeout = 10 }))
      end
      a:close()
      b:close()
    end
    folder.settle_fds(fds)
    testing.settle()
  end)

  it("is given up while another has it", function()
    local fds, threads = testing.open_fds(), green.stats().threads
    local a, b = open(), open()
    a:lock()
    local thread = green.spawn(b.lock, b)
    testing.settle()
    thread:kill()
    local other = green.spawn(b.lock, b)
    testing.settle()
    b:close()
    fails("ECLOSED", other:wait())
    a:close()
    testing.settle_io(function() -- a try that was on its way
      return green.stats().threads <= threads and testing.open_fds() <= fds
    end)
  end)

  it("is one for other processes, too", function()
    local path = dir() .. "/lock"
    local a = assert(fs.lock(path))
    assert.equal("taken\n", sh("flock -n " .. path .. " true || echo taken"))
    fails("ETIMEDOUT", fs.lock(path, { timeout = 0 }))
    a:close()
    assert.equal("free\n", sh("flock -n " .. path .. " echo free"))
    a = assert(fs.lock(path, { kind = "shared", mode = "0600" }))
    assert(fs.lock(path, { kind = "shared" })):close()
    a:close()
    fails("ENOENT", fs.lock(dir() .. "/no/lock"))
  end)

  it("is not a word for another kind", function()
    local a = open()
    assert.has_error(function() a:lock("exclusiv") end)
    a:close()
  end)
end)
