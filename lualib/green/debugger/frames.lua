--- Stacks and what is in their frames, while the program stands still. Private to
-- green.debugger.
--
-- The coroutine that runs stands in the hook, below which its frames are counted; all others
-- are parked and are looked at from outside.
-- @module green.debugger.frames

local core = require "green.core"
local inner_of = require("green.patch.coroutine").inner_of
local turn = require("green.thread").turn

local getinfo, getlocal, setlocal = debug.getinfo, debug.getlocal, debug.setlocal
local getupvalue, setupvalue = debug.getupvalue, debug.setupvalue
local floor, getfenv, ipairs, setmetatable = math.floor, debug.getfenv, ipairs, setmetatable
local insert = table.insert
local _G = _G

local DEEPEST = 1000 -- frames of a stack

local Frame = {}
Frame.__index = Frame

local M = {}

--- The function of the hook, below which the frames of the running coroutine are.
function M.set_hook(fn)
  M.hook = fn
end

--- The level of a frame of the running coroutine, for who calls this.
local function level_of(frame)
  local level = 2
  while true do
    local info = getinfo(level, "f")
    if not info then
      return nil
    elseif info.func == M.hook then
      return level + frame.level
    end
    level = level + 1
  end
end

function Frame:info(what)
  if self.co then
    return getinfo(self.co, self.level, what)
  end
  local level = level_of(self)
  return level and getinfo(level, what)
end

function Frame:get_local(i)
  if self.co then
    return getlocal(self.co, self.level, i)
  end
  local name, value = getlocal(level_of(self), i) -- no tail call: levels count
  return name, value
end

function Frame:set_local(i, value)
  if self.co then
    return setlocal(self.co, self.level, i, value)
  end
  local name = setlocal(level_of(self), i, value)
  return name
end

--- The frames of a coroutine, the top first; nil: of the one that runs.
local function stack_of(co)
  local frames = {}
  for level = 0, DEEPEST do
    local frame = setmetatable({ co = co, level = level }, Frame)
    if not frame:info("l") then
      break
    end
    frames[#frames + 1] = frame
  end
  return frames
end

--- The frame that runs, for who is called by the hook.
function M.top()
  return setmetatable({ level = 0 }, Frame)
end

local function parked_coroutines(co)
  local list = {}
  while co do
    insert(list, 1, co)
    co = inner_of(co)
  end
  return list
end

--- The coroutines that a green thread is in, the innermost first; false stands for the one
-- that runs.
local function coroutines_of(thread)
  if thread ~= core.current() then
    return parked_coroutines(core.coroutine(thread))
  end
  local list, levels = {}, core.levels
  for depth = turn.depth, 1, -1 do
    list[#list + 1] = levels[depth]
  end
  list[#list + 1] = core.coroutine(thread)
  list[1] = false
  return list
end

--- The frames of a green thread. Does not park.
function M.stack(thread)
  local all = {}
  for _, co in ipairs(coroutines_of(thread)) do
    for _, frame in ipairs(stack_of(co or nil)) do
      all[#all + 1] = frame
    end
  end
  return all
end

--- How many frames a stack has. To look for one costs as much as it is deep.
local function height_of(co)
  local frame = setmetatable({ co = co }, Frame)
  local function has(n)
    frame.level = n - 1
    return frame:info "l" ~= nil
  end
  local least, most = 0, 1
  while has(most) do
    least, most = most, most * 2
  end
  while most - least > 1 do
    local middle = floor((least + most) / 2)
    if has(middle) then
      least = middle
    else
      most = middle
    end
  end
  return least
end

--- How deep a green thread is, in all its coroutines.
function M.depth(thread)
  local depth = 0
  for _, co in ipairs(coroutines_of(thread)) do
    depth = depth + height_of(co or nil)
  end
  return depth
end

--- What stands for a frame where there is none: its environment are the globals.
M.none = { environment = function() return _G end }

-- -- Variables ----------------------------------------------------------------

--- fn(name, value, i) for each local of a frame that has a name, the first ones first.
function Frame:each_local(fn)
  local i = 1
  local name, value = self:get_local(i)
  while name do
    if name:sub(1, 1) ~= "(" then
      fn(name, value, i)
    end
    i = i + 1
    name, value = self:get_local(i)
  end
end

function Frame:each_upvalue(fn)
  local func = self:info("f").func
  local i = 1
  local name, value = getupvalue(func, i)
  while name do
    if name ~= "" then
      fn(name, value, i)
    end
    i = i + 1
    name, value = getupvalue(func, i)
  end
end

function Frame:set_upvalue(i, value)
  return setupvalue(self:info("f").func, i, value)
end

--- A table that stands for what the code of a frame sees: locals, upvalues, globals, to read
-- and to assign.
function Frame:environment()
  local func = self:info("f").func
  local locals, upvalues = {}, {}
  self:each_upvalue(function(name, _, i) upvalues[name] = i end)
  self:each_local(function(name, _, i) locals[name] = i end)
  local globals = getfenv(func) or _G
  return setmetatable({}, {
    __index = function(_, name)
      if locals[name] then
        local _, value = self:get_local(locals[name])
        return value
      elseif upvalues[name] then
        local _, value = getupvalue(func, upvalues[name])
        return value
      end
      return globals[name]
    end,
    __newindex = function(_, name, value)
      if locals[name] then
        self:set_local(locals[name], value)
      elseif upvalues[name] then
        setupvalue(func, upvalues[name], value)
      else
        globals[name] = value
      end
    end,
  })
end

return M
