--- What a client asks of frames and tables: variables by reference. Private to green.debugger.
--
-- References are good until the program goes on.
-- @module green.debugger.values

local core = require "green.core"
local wire = require "green.debugger.wire"

local _G, getmetatable, ipairs, next = _G, debug.getmetatable, ipairs, next
local pcall, rawget, rawset, tostring, type = pcall, rawget, rawset, tostring, type
local format, match, sort, sub = string.format, string.match, table.sort, string.sub

local LONGEST = 1000 -- bytes of a string
local MOST = 2000 -- fields of a table

local reserved = {} -- words that are no names
for word in string.gmatch("and break do else elseif end false for function goto if in local nil "
  .. "not or repeat return then true until while", "%a+") do
  reserved[word] = true
end

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
-- @param value
-- @tparam ?string path an expression for it
function M.described(value, path)
  return { value = text_of(value), type = type(value), variablesReference =
    type(value) == "table" and new_ref { value = value, path = path } or 0 }
end

local function variable(name, value, path)
  local about = M.described(value, path)
  about.name, about.evaluateName = name, path
  return about
end

--- An expression for a field of what path stands for; nil: there is none.
local function path_of(path, key)
  if type(key) == "string" and match(key, "^[%a_][%w_]*$") and not reserved[key] then
    return path .. "." .. key
  elseif type(key) == "string" then
    return format("%s[%q]", path, key)
  elseif type(key) == "number" and key - key == 0 then -- no infinity
    return format("%s[%.17g]", path, key)
  elseif type(key) == "boolean" then
    return format("%s[%s]", path, tostring(key))
  end
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

--- The first keys of a table, in order; has it more?
local function keys_of(t)
  local keys = {}
  local key = next(t)
  while key ~= nil and #keys < MOST do
    keys[#keys + 1] = key
    key = next(t, key)
  end
  sort(keys, by_key)
  return keys, key ~= nil
end

local function table_variables(of, list)
  local keys, has_more = keys_of(of.value)
  for _, key in ipairs(keys) do
    list[#list + 1] = variable(key_text(key), rawget(of.value, key),
      of.path and path_of(of.path, key))
  end
  local mt = getmetatable(of.value)
  if type(mt) == "table" then
    list[#list + 1] = variable("(metatable)", mt)
  end
  if has_more then
    list[#list + 1] = { name = "(more)", value = format("only %d fields are shown", MOST),
      variablesReference = 0 }
  end
end

--- Of a frame: its locals, or its upvalues.
local function frame_variables(of, list)
  of.each(of.frame, function(name, value) list[#list + 1] = variable(name, value, name) end)
end

--- The variables of a reference; nil: there is no such.
function M.variables(ref)
  local of = refs[ref]
  if not of then
    return nil
  end
  local list = wire.list()
  local fill = of.frame and frame_variables or table_variables
  fill(of, list)
  return list
end

--- The scopes of a frame.
function M.scopes(frame)
  return wire.list {
    { name = "Locals", presentationHint = "locals", expensive = false,
      variablesReference = new_ref { frame = frame, each = frame.each_local,
        set = frame.set_local } },
    { name = "Upvalues", expensive = false,
      variablesReference = new_ref { frame = frame, each = frame.each_upvalue,
        set = frame.set_upvalue } },
    { name = "Globals", expensive = true,
      variablesReference = new_ref { value = _G, path = "_G" } },
  }
end

-- -- Assigning ----------------------------------------------------------------

local function key_named(t, name)
  for key in next, t do
    if key_text(key) == name then
      return key
    end
  end
end

--- The number of a frame's variable; of those of one name, the one that its code sees.
local function number_of(of, name)
  local number
  of.each(of.frame, function(one, _, i)
    if one == name then
      number = i
    end
  end)
  return number
end

--- Is there a variable of that name in what a reference stands for?
function M.has(ref, name)
  local of = refs[ref]
  if not of then
    return false
  elseif of.frame then
    return number_of(of, name) ~= nil
  end
  return key_named(of.value, name) ~= nil
end

--- Give a variable that is there another value.
function M.assign(ref, name, value)
  local of = refs[ref]
  if of.frame then
    return of.set(of.frame, number_of(of, name), value)
  end
  local key = key_named(of.value, name)
  if key ~= nil then -- the text of the value may have taken it away
    rawset(of.value, key, value)
  end
end

--- The environment in which the text of a new value is run.
function M.environment(ref)
  local of = refs[ref]
  return of and of.frame and of.frame:environment() or _G
end

return M
