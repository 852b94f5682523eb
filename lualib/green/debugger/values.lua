--- What a client asks of frames and tables: variables by reference. Private to green.debugger.
--
-- References are good until the program goes on.
-- @module green.debugger.values

local core = require "green.core"
local wire = require "green.debugger.wire"

local _G, getmetatable, ipairs, next = _G, debug.getmetatable, ipairs, next
local pcall, rawget, rawset, tostring, type = pcall, rawget, rawset, tostring, type
local format, sort, sub = string.format, table.sort, string.sub

local LONGEST = 1000 -- bytes of a string
local MOST = 2000 -- fields of a table

local M = {}

local refs, frames = {}, {}

--- Forget all references: the program goes on.
function M.reset()
  refs, frames = {}, {}
end

local function new_ref(of)
  refs[#refs + 1] = of
  return #refs
end

--- The number of a frame.
function M.frame_id(frame)
  frames[#frames + 1] = frame
  return #frames
end

function M.frame(id)
  return frames[id]
end

-- -- Texts --------------------------------------------------------------------

local function text_of(value)
  if type(value) == "string" then
    return '"' .. sub(value, 1, LONGEST) .. '"' .. (#value > LONGEST and "..." or "")
  end
  local mt = type(value) == "table" and getmetatable(value)
  if type(value) == "table" and not (type(mt) == "table" and rawget(mt, "__tostring")) then
    return next(value) == nil and "{}" or format("table: %p", value)
  end
  local ok, text = pcall(tostring, value)
  return ok and type(text) == "string" and text or core.shown(value)
end

--- A value as a client is told it.
function M.described(value)
  return { value = text_of(value), type = type(value),
    variablesReference = type(value) == "table" and new_ref { kind = "table", value = value } or 0 }
end

local function variable(name, value)
  local about = M.described(value)
  about.name = name
  return about
end

-- -- Lists of variables -------------------------------------------------------

local function key_text(key)
  return type(key) == "string" and key or "[" .. text_of(key) .. "]"
end

local function by_key(a, b)
  if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then
    return a < b
  elseif type(a) ~= type(b) then
    return type(a) == "number" or type(a) == "string" and type(b) ~= "number"
  end
  return false
end

local function table_variables(of, list)
  local keys = {}
  for key in next, of.value do
    keys[#keys + 1] = key
    if #keys == MOST then
      break
    end
  end
  sort(keys, by_key)
  for _, key in ipairs(keys) do
    list[#list + 1] = variable(key_text(key), rawget(of.value, key))
  end
  local mt = getmetatable(of.value)
  if type(mt) == "table" then
    list[#list + 1] = variable("(metatable)", mt)
  end
end

local fill = {
  table = table_variables,
  locals = function(of, list)
    of.frame:each_local(function(name, value) list[#list + 1] = variable(name, value) end)
  end,
  upvalues = function(of, list)
    of.frame:each_upvalue(function(name, value) list[#list + 1] = variable(name, value) end)
  end,
}

--- The variables of a reference; nil: there is no such.
function M.variables(ref)
  local of = refs[ref]
  if not of then
    return nil
  end
  local list = wire.list()
  fill[of.kind](of, list)
  return list
end

--- The scopes of a frame.
function M.scopes(frame)
  return wire.list {
    { name = "Locals", presentationHint = "locals", expensive = false,
      variablesReference = new_ref { kind = "locals", frame = frame } },
    { name = "Upvalues", expensive = false,
      variablesReference = new_ref { kind = "upvalues", frame = frame } },
    { name = "Globals", expensive = true,
      variablesReference = new_ref { kind = "table", value = _G } },
  }
end

-- -- Assigning ----------------------------------------------------------------

local function key_named(t, name)
  for key in next, t do
    if key_text(key) == name then
      return key
    end
  end
  return name
end

--- Is there such a reference?
function M.has(ref)
  return refs[ref] ~= nil
end

--- Give a variable of a reference another value.
function M.assign(ref, name, value)
  local of = refs[ref]
  if of.kind == "table" then
    rawset(of.value, key_named(of.value, name), value)
  else
    of.frame:environment()[name] = value
  end
end

--- The environment in which the text of a new value is run.
function M.environment(ref)
  local of = refs[ref]
  return of and of.frame and of.frame:environment() or _G
end

return M
