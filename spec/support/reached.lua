-- Which lines of the library some specs reach: a count by a hook, without the JIT, which is slow.
-- What was started by a spec in a process of its own is not counted, nor what runs before the
-- first test.
--
--   build/greenlua spec/support/reached.lua lualib/green/websocket spec/websocket

-- luacheck: ignore 122 (hooks and arguments are set anew)

local jutil = require "jit.util"
local lfs = require "lfs"

local sethook, getinfo = debug.sethook, debug.getinfo
local place = table.remove(arg, 1)
local hits = {} -- by source: line -> true; false: not of the place

jit.off()

-- -- Counting -------------------------------------------------------------------

local function on_line(_, line)
  local source = getinfo(2, "S").source
  local seen = hits[source]
  if seen == nil then
    seen = source:find(place, 1, true) and {} or false
    hits[source] = seen
  end
  if seen then
    seen[line] = true
  end
end

--- The library has hooks of its own, for whom there is one already; who ends one ends ours.
local function keep_hook()
  debug.sethook = function() end
  debug.gethook = function() return on_line, "l", 0 end
  local testing = require "green.testing"
  local busted = testing.busted
  local function armed(it)
    return function(title, fn)
      return it(title, function(...)
        sethook(on_line, "l")
        return fn(...)
      end)
    end
  end
  local function ours()
    local virtual, real = busted()
    return armed(virtual), armed(real)
  end
  testing.busted = function()
    setfenv(ours, getfenv(2)) -- busted's words are the spec file's
    return ours()
  end
end

-- -- Telling --------------------------------------------------------------------

--- The lines of a function, and of those in it, that do something.
local function add_lines(fn, lines)
  local info = jutil.funcinfo(fn)
  for pc = 1, info.bytecodes - 1 do
    lines[jutil.funcinfo(fn, pc).currentline] = true
  end
  local k = -1
  local inner = info.children and jutil.funck(fn, k)
  while inner ~= nil and inner ~= false do
    if type(inner) == "proto" then
      add_lines(inner, lines)
    end
    k = k - 1
    inner = jutil.funck(fn, k)
  end
end

--- How many lines a file has, and how many were reached; the others are told.
local function tell_file(path)
  local lines, all, reached, number = {}, 0, 0, 0
  add_lines(assert(loadfile(path)), lines)
  local seen = hits["@" .. path] or {}
  for text in io.lines(path) do
    number = number + 1
    if lines[number] and not text:find "^%s*end[%),;]*%s*$" then
      all, reached = all + 1, reached + (seen[number] and 1 or 0)
      if not seen[number] then
        print(("# %s:%d: %s"):format(path, number, text))
      end
    end
  end
  return all, reached
end

local function files_of(path, list)
  if lfs.attributes(path, "mode") ~= "directory" then
    list[#list + 1] = path
    return list
  end
  for name in lfs.dir(path) do
    if not name:find "^%." then
      files_of(path .. "/" .. name, list)
    end
  end
  table.sort(list)
  return list
end

local function tell()
  sethook()
  local all, reached = 0, 0
  for _, path in ipairs(files_of(place, {})) do
    local n, k = tell_file(path)
    all, reached = all + n, reached + k
  end
  print(("# %s: %d of %d lines, %.1f %%"):format(place, reached, all, 100 * reached / all))
end

local exit = os.exit
os.exit = function(...)
  tell()
  return exit(...)
end

keep_hook()
sethook(on_line, "l")
arg[0] = "spec/run.lua"
dofile "spec/run.lua"
tell()
