-- green.thread.data: each field of a thread's own table is declared, and is used.

local core = require "green.core"
local fields = require "green.thread.data"
local green = require "green"
local testing = require "green.testing"

local it = testing.busted()

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

local function note(used, name, path)
  used[name] = used[name] or path
end

--- Fields of what is called `data`, in files that ask core for one.
local function note_lua(used, path)
  local code = read(path):gsub("%-%-[^\n]*", "")
  if not code:find("core[._]data%f[%W]") and not code:find("core[._]peek%f[%W]") then
    return
  end
  for name in code:gmatch("%f[%w_]data%.([%w_]+)") do note(used, name, path) end
  for name in code:gmatch("core[._]data%b()%.([%w_]+)") do note(used, name, path) end
end

--- The names that are handed to vm/data.h's functions.
local function note_c(used, path)
  for call in read(path):gmatch("vm_data_[gs]et(%b())") do
    for name in call:gmatch('"([%w_]+)"') do note(used, name, path) end
  end
end

local function files(folder, ending)
  local pipe = assert(io.popen(("find %s -name '*.%s' | sort"):format(folder, ending)))
  local text = pipe:read("*a")
  pipe:close()
  return text:gmatch("[^\n]+")
end

describe("a thread's own table", function()
  it("has the fields that are declared, in Lua and in C", function()
    local used = {}
    for path in files("lualib", "lua") do note_lua(used, path) end
    for path in files("vm", "c") do note_c(used, path) end
    for name, path in pairs(used) do
      assert(fields[name], ("%s: the field %s is not declared"):format(path, name))
    end
    for name in pairs(fields) do
      assert(used[name], ("nobody uses the field %s"):format(name))
    end
  end)

  it("has no other in threads that end in all ways", function()
    local threads = {}
    local function keep(t)
      threads[#threads + 1] = t
      return t
    end
    local local_ = green.thread_local {}
    local parked = function()
      local_.x = 1
      green.timeout(9, green.sleep, 5)
    end
    keep(green.spawn(function() return 1, nil end))
    local failing = keep(green.spawn(function()
      green.sleep(0)
      error("raised", 0)
    end))
    keep(green.spawn(pcall, failing.wait, failing)):name "waiter"
    keep(green.spawn(parked)):link(function() end)
    keep(green.spawn_after_local(9, parked)):cancel()
    local killed, thrown = keep(green.spawn(parked)), keep(green.spawn(pcall, parked))
    testing.settle()
    killed:kill { force_after = 1 }
    thrown:throw "thrown"
    pcall(green.wait, threads)
    local seen = {}
    for _, t in ipairs(threads) do
      for name in pairs(core.peek(t) or {}) do
        seen[name] = true
        assert(fields[name], ("the field %s is not declared"):format(name))
      end
    end
    assert.same({ true, true, true, true }, { seen.results, seen.error, seen.cause, seen.guard })
  end)
end)
