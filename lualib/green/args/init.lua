--- Checks of arguments: what a wrong call raises.
--
-- The message says which function, which argument, what it must be and what it
-- is: `read: n must be a number of at least 0, not "5"`. It begins with the file
-- and the line of the caller: of the first function on the stack that is not of
-- the library. No level is counted, so checks may stand at any depth.
--
-- A value of the user's is never asked for its metatable by Lua code: LuaJIT
-- compiles that wrongly for the files of `io`. core.class_of asks in C.
-- @module green.args

local core = require "green.core"

local type, format = type, string.format
local pairs, rawget, floor, huge = pairs, rawget, math.floor, math.huge
local shown = core.shown

-- At load, and not by green's install: each module may be required alone, and whom its
-- errors blame depends on this.
core.library((debug.getinfo(1, "S").source:gsub("args/init%.lua$", "")))

local M = { shown = shown, is_callable = core.is_callable, is_thread = core.is_thread }

--- Raise an error that blames the caller of the library. Does not return.
-- @tparam string fmt as string.format's
function M.misuse(fmt, ...)
  core.misuse(format(fmt, ...))
end
local misuse = M.misuse

--- Formats of io's and LuaSocket's ("*l") are no numbers of bytes; all is what reads the
-- rest here. Other texts pass.
function M.no_format(n, all)
  if n:find("^%*?[alnL]%l?%l?%l?$") then
    misuse('read: n must be a number of bytes, not "%s"; a line is read_line(), the rest %s', n,
      all)
  end
end

--- Raise "where: name must be wanted, not <value>".
function M.wrong(where, name, wanted, value)
  misuse("%s: %s must be %s, not %s", where, name, wanted, shown(value))
end
local wrong = M.wrong

-- -- Numbers ------------------------------------------------------------------

--- A number of at least min, which may be infinite.
function M.number(value, min, where, name)
  if type(value) ~= "number" or value < min or value ~= value then
    wrong(where, name, format("a number of at least %g", min), value)
  end
  return value
end

local MOST = 2 ^ 53

--- A whole number from min to max (2^53).
function M.integer(value, min, where, name, max)
  if type(value) ~= "number" or not (value >= min and value <= (max or MOST))
    or floor(value) ~= value then
    local range = max and format("from %.14g to %.14g", min, max)
      or format("of at least %g", min)
    wrong(where, name, "a whole number " .. range, value)
  end
  return value
end

--- A count of things: a whole number of at least min, or math.huge.
function M.count(value, min, where, name)
  if value ~= huge then
    M.integer(value, min, where, name)
  end
  return value
end

local SIZE_MOST = 0x7fffffff -- no buffer holds more

--- A count of bytes: a whole number of at least min, below 2^31; or math.huge for
-- "as much as there may be". Returns it, at most 2^31 - 1.
function M.size(value, min, where, name)
  if type(value) == "number" and value >= min and value <= SIZE_MOST
    and floor(value) == value then
    return value
  elseif type(value) == "table" then
    misuse("%s: %s must be a whole number, not a table; options come behind it: %s(nil, { ... })",
      where, name, where)
  elseif value ~= huge then
    wrong(where, name, format("a whole number of at least %g and below 2^31", min), value)
  end
  return SIZE_MOST
end

--- A timeout in seconds, or nil.
function M.timeout(value, where)
  if value ~= nil and not (type(value) == "number" and value >= 0) then
    wrong(where, "timeout", "a number of seconds, at least 0", value)
  end
  return value
end

-- -- Other kinds --------------------------------------------------------------

local articles = { ["function"] = "a function", table = "a table", string = "a string",
  boolean = "true or false", number = "a number" }

--- A value of that type of Lua's.
function M.type(value, wanted, where, name)
  if type(value) ~= wanted then
    wrong(where, name, articles[wanted], value)
  end
  return value
end

--- The same, or nil.
function M.optional(value, wanted, where, name)
  if value ~= nil and type(value) ~= wanted then
    wrong(where, name, articles[wanted], value)
  end
  return value
end

--- Something that can be called.
function M.callable(value, where, name)
  if type(value) ~= "function" and not M.is_callable(value) then
    wrong(where, name, "a function", value)
  end
  return value
end

--- The function that a call of the value calls, or nil.
function M.callee(value)
  if type(value) == "function" then
    return value
  end
  return M.is_callable(value) and rawget(core.class_of(value), "__call") or nil
end

--- The method of that name that a table has, or an object that is made in C: a function, or
-- nil. Other values have none: a text's are not meant, and cdata raises where it has no such
-- field.
function M.method(value, name)
  local kind = type(value)
  if kind == "userdata" then
    local class = core.class_of(value)
    kind = class and rawget(class, "__index") ~= nil and "table" or kind
  end
  return kind == "table" and M.callee(value[name]) or nil
end

--- A table without a metatable: whose fields are what they seem.
function M.plain(value, where, name)
  if type(value) ~= "table" or core.class_of(value) then
    wrong(where, name, "a table without a metatable", value)
  end
  return value
end

--- A list without holes. Each of `#value` places has something, and there is nothing
-- else in it: what is left out would be passed over without a word.
-- @tparam[opt] string what the list is of
function M.list(value, where, name, what)
  if type(value) ~= "table" then
    wrong(where, name, what and "a list of " .. what or "a list", value)
  end
  local n = #value
  for i = 1, n do
    if value[i] == nil then
      misuse("%s: %s must be a list without holes, but it has nil at %d", where, name, i)
    end
  end
  for key in pairs(value) do
    if type(key) ~= "number" or key < 1 or key > n or floor(key) ~= key then
      misuse("%s: %s must be a list without holes, but it has the key %s", where, name, shown(key))
    end
  end
  return value
end

--- A green thread.
function M.thread(value, where, name)
  if not M.is_thread(value) then
    wrong(where, name, "a green thread", value)
  end
  return value
end

return M
