-- The wrong values, made anew for each call.

local ffi = require "ffi"

local M = {}

local HOSTILE = "hostile metamethod "
M.HOSTILE = HOSTILE

local hostile_mt = {}
for _, event in ipairs { "index", "newindex", "call", "tostring", "concat", "len", "eq", "lt",
  "le", "unm", "add", "sub", "mul", "div", "mod", "pow", "pairs", "ipairs" } do
  hostile_mt["__" .. event] = function()
    error(HOSTILE .. event, 0)
  end
end

local function closed_file()
  local file = io.open("/dev/null")
  file:close()
  return file
end

local function nothing() end

--- Sorted as they are tried. kind: what a message may call it.
M.list = {
  { "nil", nil, "nil" },
  { "'x'", "x" },
  { "'5'", "5" },
  { "nan", 0 / 0 },
  { "inf", math.huge },
  { "-1", -1 },
  { "1.5", 1.5 },
  { "1e300", 1e300 },
  { "2^53", 2 ^ 53 },
  { "true", true },
  { "{}", function() return {} end, "table" },
  { "a function", function() return nothing end, "function" },
  { "a coroutine", function() return coroutine.create(nothing) end, "thread", "coroutine" },
  { "a file", function() return io.open("/dev/null") end, "file", "FILE", "userdata" },
  { "a closed file", closed_file, "file", "FILE", "userdata" },
  { "a cdata", function() return ffi.new("int[1]") end, "cdata" },
  { "an int64", function() return 5LL end, "cdata", "5LL" },
  { "a userdata", function() return newproxy() end, "userdata" },
  { "a hostile table", function() return setmetatable({}, hostile_mt) end, "table" },
  { "a locked table", function() return setmetatable({}, { __metatable = "locked" }) end,
    "table" },
  { "a named table", function() return setmetatable({}, { __index = "x", __name = 5 }) end,
    "table" },
}

--- The value of an entry.
function M.make(entry)
  local value = entry[2]
  if type(value) == "function" then
    return value()
  end
  return value
end

--- Is this text the value, as a message shows it? entry: where it came from.
function M.is_shown(text, value, entry)
  local kind = type(value)
  if kind == "string" then
    return text:find('"' .. value .. '"', 1, true) ~= nil
      or text:find("'" .. value .. "'", 1, true) ~= nil
  elseif kind == "number" then
    return text:find(tostring(value), 1, true) or text:find(("%.0f"):format(value), 1, true)
      or value ~= value and text:find("nan", 1, true)
      or text:find(("%g"):format(value), 1, true) or false
  elseif kind == "nil" or kind == "boolean" then
    return text:find(tostring(value), 1, true) ~= nil
  end
  for i = 3, entry and #entry or 0 do
    if text:find(entry[i], 1, true) then
      return true
    end
  end
  return text:find(kind, 1, true) ~= nil
end

return M
