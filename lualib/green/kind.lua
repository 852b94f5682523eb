--- What a value is. No value that is asked about can do harm by it.
--
-- LuaJIT compiles `getmetatable(v)` wrongly for userdata of its own (files of io,
-- namespaces of the FFI): the compiled code takes something else for a metatable and
-- crashes. So of values that others give only tables are asked that way; all else is
-- asked here, by a function that is never compiled.
-- @module green.kind

local metatable_of = debug.getmetatable
local getmetatable, rawget, type = getmetatable, rawget, type

--- The metatable of any value, also one that is hidden by `__metatable`; nil if it has
-- none.
local function metatable(value)
  if type(value) == "table" then
    local mt = getmetatable(value)
    if mt == nil or type(mt) == "table" then
      return mt
    end
  end
  return metatable_of(value)
end

--- Has the value this very metatable?
local function is(value, mt)
  local kind = type(value)
  if kind == "table" then
    return getmetatable(value) == mt
  end
  return kind == "userdata" and metatable_of(value) == mt
end

--- The function that a call of the value calls, or nil.
local function callee(value)
  if type(value) == "function" then
    return value
  end
  local mt = type(value) ~= "cdata" and metatable(value) -- any cdata has a __call
  local call = mt and rawget(mt, "__call")
  return type(call) == "function" and call or nil
end

--- Can the value be called?
local function is_callable(value)
  return callee(value) ~= nil
end

return { metatable = metatable, is = is, callee = callee, is_callable = is_callable }
