--- Which lines of a file have code, and which file a chunk is. Private to green.debugger.
-- @module green.debugger.lines

local util = require "jit.util"

local sub = string.sub
local loadfile, pairs, type = loadfile, pairs, type
local getenv = os.getenv

local M = {}

local cache = {} -- source -> path; false: it is no file's

--- A path without "." and "..", from the root on; links stay as they are.
local function absolute(path)
  if sub(path, 1, 1) ~= "/" then
    path = (M.folder or getenv "PWD" or "") .. "/" .. path
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
M.absolute = absolute

--- The path of a chunk's file; nil: it is none's.
function M.path(source)
  local path = cache[source]
  if path == nil then
    path = sub(source, 1, 1) == "@" and absolute(sub(source, 2)) or false
    cache[source] = path
  end
  return path or nil
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
  local chunk, message = loadfile(path)
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
