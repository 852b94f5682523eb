--- Where a green thread waits, and for what, in words. Loaded when somebody asks.
-- @module green.thread.where

local class = require "green.args.class"
local core = require "green.core"

local core_frame, is_library = core.frame, core.is_library
local getmetatable, pcall, tostring, type = getmetatable, pcall, tostring, type
local match = string.match

-- The folder of the library, as it stands in the names of its chunks.
local FOLDER = match(debug.getinfo(1, "S").source, "^(.*)thread/where%.lua$")
local CORO = FOLDER and FOLDER .. "patch/coroutine.lua"

local DEEPEST = 200 -- frames looked at

local M = {}

--- Is it an object of the library's?
local function is_object(value)
  if type(value) == "userdata" then
    return core.is_thread(value)
  end
  local mt = type(value) == "table" and getmetatable(value)
  return type(mt) == "table" and class.all[mt.__name] == mt
end

--- "get of green.Queue{...}"; nil when nothing is known.
local function call_text(name, self)
  local ok, text = pcall(tostring, self)
  if self == nil or not ok then
    return name
  end
  return (name or "a wait") .. " of " .. text
end

--- What a green thread, or a coroutine, waits in ("get of green.Queue{...}",
-- "sleep"), and "file:line" of the first function that is not the library's, which
-- called that, nil when there is none (it was called by a tail call, or spawned).
local function look(co)
  local name, object, is_known
  for level = 0, DEEPEST do
    local source, place, called, self = core_frame(co, level)
    if not source then
      break
    elseif source == CORO and type(self) == "thread" and self ~= co then
      local what, inner = look(self) -- it waits inside of a coroutine
      if what then
        return what, inner
      end
    elseif is_library(source) then
      name, is_known = called, true
      object = self ~= co and is_object(self) and self or object
    elseif source ~= "=[C]" then
      return call_text(name, object) or "a wait", place
    elseif not is_known then
      name = called
    end
  end
  return call_text(name, object)
end
M.look = look

--- The coroutine that a green thread, or a coroutine, waits inside of; nil: none.
function M.inner(co)
  for level = 0, DEEPEST do
    local source, _, _, self = core_frame(co, level)
    if not source then
      return nil
    elseif source == CORO and type(self) == "thread" and self ~= co then
      return self
    end
  end
end

return M
