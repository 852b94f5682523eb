--- Which lines of a file have code, and which file a chunk is. Private to green.debugger.
-- @module green.debugger.lines

local ffi = require "ffi"
local halt = require "green.ffi.halt"
local util = require "jit.util"

local sub = string.sub
local loadfile, pairs, type = loadfile, pairs, type
local getenv = os.getenv

local PATH_MOST = 4096 -- bytes
local buffer = ffi.new("char[?]", PATH_MOST)

local M = {}

local cache = {} -- source -> path; false: it is no file's
local keys = {} -- source -> key of its path; false: it is no file's

--- A path as the system knows it, without links; nil: there is no such file. Stops the loop.
local function real(path)
  local n = halt.realpath(path, buffer, PATH_MOST)
  return n >= 0 and ffi.string(buffer, n) or nil
end

--- A path without "." and "..", from the root on; links stay as they are. One that is not in the
-- folder where the debugger began is in that where the program is now.
local function absolute(path)
  if sub(path, 1, 1) ~= "/" then
    local from_start = (M.folder or getenv "PWD" or "") .. "/" .. path
    path = not real(from_start) and real(path) and real(".") .. "/" .. path or from_start
  end
  local parts = {}
  for part in path:gmatch("[^/]+") do
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return "/" .. table.concat(parts, "/")
end

--- The same for all paths of a file.
function M.key(path)
  path = absolute(path)
  return real(path) or path
end

--- The path of a chunk's file; nil: it is none's.
function M.path(source)
  local path = cache[source]
  if path == nil then
    path = sub(source, 1, 1) == "@" and absolute(sub(source, 2)) or false
    cache[source] = path
  end
  return path or nil
end

--- The key of a chunk's file; nil: it is none's.
function M.key_of(source)
  local key = keys[source]
  if key == nil then
    local path = M.path(source)
    key = path and M.key(path) or false
    keys[source] = key
  end
  return key or nil
end

local function collect(func, lines)
  local info = util.funcinfo(func)
  for pc = 1, (info.bytecodes or 1) - 1 do
    lines[util.funcinfo(func, pc).currentline] = true
  end
  for i = -1, -(info.gcconsts or 0), -1 do
    local constant = util.funck(func, i)
    if type(constant) == "proto" then
      collect(constant, lines)
    end
  end
end

--- The lines of a file that have code, a set; or nil, message.
function M.of(path)
  local chunk, message = loadfile(absolute(path))
  if not chunk then
    return nil, message
  end
  local lines = {}
  collect(chunk, lines)
  return lines
end

--- The first line with code, from one on; nil: there is none.
function M.next(lines, line)
  local best
  for one in pairs(lines) do
    if one >= line and (not best or one < best) then
      best = one
    end
  end
  return best
end

return M
