-- The profiler: its start, samples of all kinds, its end, and the forms of what was seen.

local green = require "green"
local kit = require "spec.oom.kit"
local profile = require "green.profile"

local kinds = { "cpu", "wait", "alloc" }

local function stop_all()
  for _, kind in ipairs(kinds) do
    profile.stop(kind)
  end
end

-- luacheck: read globals host_allocates

--- None is on, nothing stands before the allocator, and each can begin.
local function check()
  assert(host_allocates())
  for _, kind in ipairs(kinds) do
    assert(not profile.is_on(kind))
    assert(profile.start { kind = kind })
    assert(profile.stop(kind))
  end
end

local function spin(seconds)
  local t = os.clock() + seconds
  repeat until os.clock() > t
end

for _, kind in ipairs(kinds) do
  kit.run("a profile of " .. kind, function()
    assert(profile.start { kind = kind, period = kind == "cpu" and 0.0005 or nil,
      bytes = kind == "alloc" and 64 or nil })
    local t = green.spawn(function()
      local list = {}
      for i = 1, 10 do
        list[i] = { i }
      end
      spin(0.002)
      green.sleep(0.0001)
      return list
    end)
    assert(#t:wait() == 10)
    assert(profile.stop(kind))
  end, check, stop_all)
end

--- Something to show, made once.
assert(profile.start { kind = "alloc", bytes = 64 })
local made = {}
for i = 1, 20 do
  made[i] = { i }
end
local seen = assert(profile.stop())
assert(#made == 20)
assert(seen.samples > 0)

-- All of it is Lua. The tree of the SVG is left out: LuaJIT itself crashes in it now and then,
-- where it unwinds the error.
for _, form in ipairs { "folded", "pprof", "text" } do
  kit.run("what was seen as " .. form, function()
    assert(#seen[form](seen) > 0)
  end)
end

kit.run("what was seen in a file", function()
  local path = os.tmpname()
  os.remove(path)
  path = path .. ".folded"
  local ok, err = pcall(seen.save, seen, path)
  os.remove(path)
  assert(ok, err)
end)

kit.run("several together", function()
  for _, kind in ipairs(kinds) do
    assert(profile.start { kind = kind })
  end
  for _, kind in ipairs(kinds) do
    assert(profile.stop(kind))
  end
end, check, stop_all)

kit.finish()
