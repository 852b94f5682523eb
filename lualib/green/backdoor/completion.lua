--- What the word under a cursor may become. Private to the library.
--
-- Tables are read raw, and so are the `__index` tables of metatables: a completion runs
-- nothing of the program's.
-- @module green.backdoor.completion

local getmetatable, rawget, type = debug.getmetatable, rawget, type
local find, gmatch, match, sub = string.find, string.gmatch, string.match, string.sub
local ipairs, next, sort = ipairs, next, table.sort

local MOST = 200 -- words, of the
local FOUND = 2000 -- that are found first
local STEPS = 20 -- __index tables, one behind the other
local LOOKS = 20000 -- fields: a larger table's others are left out

local keywords = { "and", "break", "do", "else", "elseif", "end", "false", "for", "function",
  "goto", "if", "in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until",
  "while" }

local M = {}

local function is_name(text)
  return type(text) == "string" and find(text, "^[%a_][%w_]*$") ~= nil
end

--- The tables that have a value's fields, nearest first.
local function places_of(value)
  local places = {}
  while #places < STEPS do
    if type(value) == "table" then
      places[#places + 1] = value
    end
    local mt = getmetatable(value)
    value = type(mt) == "table" and rawget(mt, "__index") or nil
    if type(value) ~= "table" then
      return places
    end
  end
  return places
end

local function field(value, name)
  for _, place in ipairs(places_of(value)) do
    local found = rawget(place, name)
    if found ~= nil then
      return found
    end
  end
end

--- The value that the path before the last word has; nil: none.
local function value_of(env, path)
  local value = env
  for name in gmatch(path, "[%w_]+") do
    value = field(value, name)
    if value == nil then
      return nil
    end
  end
  return value
end

--- Add the fields whose names begin so to a list.
local function add_fields(words, value, begin, only_functions)
  local looks, has = 0, {}
  for _, place in ipairs(places_of(value)) do
    for name, v in next, place do
      looks = looks + 1
      if looks > LOOKS or #words >= FOUND then
        return
      elseif is_name(name) and sub(name, 1, #begin) == begin and not has[name]
        and (not only_functions or type(v) == "function") then
        has[name] = true
        words[#words + 1] = name
      end
    end
  end
end

--- The words that a text's last one may become, sorted; 200 at most. Does not park.
-- @tparam string text what stands before the cursor
-- @tparam table env where its globals are
-- @treturn table a list of whole last words
-- @treturn string the last word as it is
function M.words(text, env)
  local path, mark, begin = match(text, "([%a_][%w_%.]*)([%.:])([%w_]*)$")
  if not path then
    path, mark, begin = "", "", match(text, "[%a_]?[%w_]*$")
  end
  local words, value = {}, value_of(env, path)
  if path == "" and begin == "" then
    return words, begin
  elseif value ~= nil then
    add_fields(words, value, begin, mark == ":")
  end
  for _, word in ipairs(path == "" and keywords or {}) do
    words[#words + 1] = sub(word, 1, #begin) == begin and word or nil
  end
  sort(words)
  for i = #words, MOST + 1, -1 do
    words[i] = nil
  end
  return words, begin
end

return M
