--- What the status page tells, as JSON: always valid, and safe inside of a page.
-- @module green.status.json

local scrub = require("green.http.utf8").scrub

-- Scripts may put their own in their places.
local byte, concat, format, gsub, sort = string.byte, table.concat, string.format, string.gsub, table.sort
local getmetatable, ipairs, pairs, setmetatable, tostring, type =
  getmetatable, ipairs, pairs, setmetatable, tostring, type

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

local function put(out, text)
  out.n = out.n + 1
  out[out.n] = text
end

local function put_list(out, list)
  put(out, "[")
  for i, value in ipairs(list) do
    if i > 1 then
      put(out, ",")
    end
    encode(out, value)
  end
  put(out, "]")
end

local function put_object(out, object)
  local keys, values = {}, {}
  for key, value in pairs(object) do
    local text = tostring(key)
    keys[#keys + 1], values[text] = text, value
  end
  sort(keys)
  for i, key in ipairs(keys) do
    put(out, i == 1 and "{" or ",")
    put(out, quoted(key))
    put(out, ":")
    encode(out, values[key])
  end
  put(out, #keys == 0 and "{}" or "}")
  out.pace()
end

local function number_text(n)
  if n ~= n or n == math.huge or n == -math.huge then
    return "null"
  end
  return format("%.14g", n)
end

function encode(out, value)
  local kind = type(value)
  if kind == "table" then
    local put_table = getmetatable(value) == list_mt and put_list or put_object
    put_table(out, value)
  elseif kind == "string" then
    put(out, quoted(value))
  elseif kind == "number" then
    put(out, number_text(value))
  else
    put(out, kind == "boolean" and tostring(value) or "null")
  end
end

local function no_pace() end

--- Tables of M.list's are lists, all others objects, whose keys come sorted. What is no number
-- of JSON, and what it has no word for, is null.
--
-- No part becomes a text of its own: Lua keeps each text once, and finds it by some of its
-- bytes, so that thousands that differ in the middle alone, as records of threads do, would
-- each be compared with all others.
-- @tparam[opt] function pace is called between pieces of the work
function M.encode(value, pace)
  local out = { n = 0, pace = pace or no_pace }
  encode(out, value)
  return concat(out)
end

return M
