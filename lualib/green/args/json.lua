--- JSON, written: always valid UTF-8, whatever comes, and safe inside of a page. Texts are C's
-- (greenc/proto/logtext.h), as those of logs are.
-- @module green.args.json

local ffi = require "ffi"
local buf_api = require "green.ffi.buf"
local chunks = require "green.args.chunks"
local C = require "green.ffi.logtext"

-- Scripts may put their own in their places.
local concat, floor, format, gsub, huge, sort = table.concat, math.floor, string.format,
  string.gsub, math.huge, table.sort
local getmetatable, ipairs, pairs, setmetatable, tonumber, tostring, type =
  getmetatable, ipairs, pairs, setmetatable, tonumber, tostring, type

local FORM = tonumber(ffi.C.GREEN_LOGTEXT_JSON)

local M = {}

local list_mt = {}

--- A table that is a list, though it may be empty.
-- @tparam[opt] table list
function M.list(list)
  return setmetatable(list or {}, list_mt)
end

local scratch = ffi.gc(ffi.new("green_buf"), buf_api.reset)

--- A text in a form of green_logtext_text's. Out of memory it is a question mark.
function M.written(text, form)
  buf_api.reset(scratch)
  if C.text(scratch, "", 0, text, #text, form) < 0 then
    return form == FORM and '"?"' or "?"
  end
  return ffi.string(scratch.data, scratch.tail)
end

--- A text as JSON, with its quotes.
function M.quote(text)
  return M.written(text, FORM)
end

local signs = { ["<"] = "\\u003c", [">"] = "\\u003e", ["&"] = "\\u0026" }

--- Signs that mean something to HTML are escaped, too.
local function quoted(text)
  return (gsub(M.quote(text), "[<>&]", signs))
end

local encode

local function put_list(out, list)
  out:put "["
  for i, value in ipairs(list) do
    if i > 1 then
      out:put ","
    end
    encode(out, value)
  end
  out:put "]"
end

local function put_object(out, object)
  local keys, values = {}, {}
  for key, value in pairs(object) do
    local text = tostring(key)
    keys[#keys + 1], values[text] = text, value
  end
  sort(keys)
  for i, key in ipairs(keys) do
    out:put(i == 1 and "{" or ",")
    out:put(quoted(key))
    out:put ":"
    encode(out, values[key])
  end
  out:put(#keys == 0 and "{}" or "}")
  out.pace()
end

local function number_text(n)
  if n ~= n or n == huge or n == -huge then
    return "null"
  end
  return format(n == floor(n) and n > -2 ^ 53 and n < 2 ^ 53 and "%.0f" or "%.14g", n)
end

function encode(out, value)
  local kind = type(value)
  if kind == "table" then
    local put_table = getmetatable(value) == list_mt and put_list or put_object
    put_table(out, value)
  elseif kind == "string" then
    out:put(quoted(value))
  elseif kind == "number" then
    out:put(number_text(value))
  else
    out:put(kind == "boolean" and tostring(value) or "null")
  end
end

local function no_pace() end

--- The JSON of a value as a list of texts of some KB, to be sent one after the other. Tables of
-- M.list's are lists, all others objects, whose keys come sorted. What is no number of JSON, and
-- what it has no word for, is null.
--
-- Smaller parts become no texts of their own: Lua keeps each text once, and finds it by some of its
-- bytes, so that thousands that differ in the middle alone, as records of threads do, would
-- each be compared with all others.
-- @tparam[opt] function pace is called between pieces of the work
function M.chunks(value, pace)
  local out = chunks.new()
  out.pace = pace or no_pace
  encode(out, value)
  return out:finish()
end

--- The same as one text.
function M.encode(value)
  return concat(M.chunks(value))
end

return M
