--- What the status page tells, as JSON: always valid, and safe inside of a page.
-- @module green.status.json

local scrub = require("green.http.utf8").scrub

-- Scripts may put their own in their places.
local byte, concat, format, getmetatable, gsub, ipairs, pairs, sort, tostring, type = string.byte,
  table.concat, string.format, getmetatable, string.gsub, ipairs, pairs, table.sort, tostring, type

local M = {}

local list_mt = {}

--- A table that is a list, though it may be empty.
function M.list(list)
  return setmetatable(list, list_mt)
end

local names = { ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
  ['"'] = '\\"', ["\\"] = "\\\\" }

local function escaped(char)
  return names[char] or format("\\u%04x", byte(char))
end

--- Signs that mean something to HTML are escaped, too; and the two ends of a line that
-- JavaScript has and JSON has not.
local function quoted(text)
  text = gsub(scrub(text), '[%c"\\<>&\127]', escaped)
  return '"' .. gsub(gsub(text, "\226\128\168", "\\u2028"), "\226\128\169", "\\u2029") .. '"'
end

local encode

local function encode_list(list, pace)
  local pieces = {}
  for i, value in ipairs(list) do
    pieces[i] = encode(value, pace)
  end
  return "[" .. concat(pieces, ",") .. "]"
end

local function encode_object(object, pace)
  local pieces = {}
  for key, value in pairs(object) do
    pieces[#pieces + 1] = quoted(tostring(key)) .. ":" .. encode(value, pace)
  end
  if pace then
    pace()
  end
  sort(pieces)
  return "{" .. concat(pieces, ",") .. "}"
end

local function encode_number(n)
  if n ~= n or n == math.huge or n == -math.huge then
    return "null"
  end
  return format("%.14g", n)
end

--- Tables of M.list's are lists, all others objects, whose keys come sorted. What is no number
-- of JSON, and what it has no word for, is null.
-- @tparam[opt] function pace is called between pieces of the work
function encode(value, pace)
  local kind = type(value)
  if kind == "table" then
    return getmetatable(value) == list_mt and encode_list(value, pace)
      or encode_object(value, pace)
  elseif kind == "string" then
    return quoted(value)
  elseif kind == "number" then
    return encode_number(value)
  end
  return kind == "boolean" and tostring(value) or "null"
end
M.encode = encode

return M
