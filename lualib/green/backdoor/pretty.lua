--- Values as text for people: tables with what is in them. Private to the library.
--
-- Tables are read raw; `__tostring` is called where a value has one, as print does.
-- @module green.backdoor.pretty

local concat, sort = table.concat, table.sort
local find, format, gsub, rep, sub = string.find, string.format, string.gsub, string.rep,
  string.sub
local getmetatable, min, next, pcall, rawget = debug.getmetatable, math.min, next, pcall, rawget
local tostring, type = tostring, type

local DEEPEST = 4
local FIELDS = 100 -- of a table
local LONGEST = 500 -- bytes of a string inside of a table
local VALUES = 2000 -- of one text
local LOOKS = 50000 -- at fields, of one text: what is larger is not counted to its end
local WIDTH = 78 -- a table that fits into a line stands in one

local M = {}

local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\" }

local function quoted(text)
  local rest = #text > LONGEST and format("... (%d bytes)", #text) or ""
  text = gsub(sub(text, 1, LONGEST), '[%c"\\\127]', function(c)
    return escapes[c] or format("\\%03d", c:byte())
  end)
  return '"' .. text .. '"' .. rest
end

local function has_text(value)
  local mt = getmetatable(value)
  return type(mt) == "table" and rawget(mt, "__tostring") ~= nil
end

local function address_of(value)
  return format("%s: %p", type(value), value)
end

--- A value that is no plain table.
local function simple(value)
  if type(value) == "string" then
    return quoted(value)
  end
  local ok, text = pcall(tostring, value)
  return ok and type(text) == "string" and text or address_of(value)
end

local ranks = { number = 1, string = 2 }

local function by_key(a, b)
  local kind_a, kind_b = type(a), type(b)
  if kind_a == kind_b and ranks[kind_a] then
    return a < b
  elseif kind_a ~= kind_b then
    return (ranks[kind_a] or 3) < (ranks[kind_b] or 3)
  end
  return false
end

local text_of -- below: a table has tables in it

local function key_of(key)
  if type(key) == "string" and find(key, "^[%a_][%w_]*$") then
    return key
  end
  return "[" .. simple(key) .. "]"
end

--- How long the list part is, as far as there are looks left.
local function length_of(t, walk)
  local n = 0
  while walk.looks > 0 and rawget(t, n + 1) ~= nil do
    n, walk.looks = n + 1, walk.looks - 1
  end
  return n
end

--- Some keys behind the list part, sorted; and how many there are, as far as there are looks
-- left.
local function keys_of(t, length, walk)
  local keys, n = {}, 0
  for key in next, t do
    if not (type(key) == "number" and key >= 1 and key <= length and key % 1 == 0) then
      n = n + 1
      keys[#keys + 1] = n <= FIELDS and key or nil
    end
    walk.looks = walk.looks - 1
    if walk.looks <= 0 then
      break
    end
  end
  sort(keys, by_key)
  return keys, n
end

local function parts_of(t, depth, walk)
  local parts, length = {}, length_of(t, walk)
  local keys, n = keys_of(t, length, walk)
  local is_cut = walk.looks <= 0
  for i = 1, min(length, FIELDS) do
    parts[i] = text_of(rawget(t, i), depth, walk)
  end
  for i = 1, min(#keys, FIELDS - #parts) do
    parts[#parts + 1] = key_of(keys[i]) .. " = " .. text_of(rawget(t, keys[i]), depth, walk)
  end
  local left = length + n - #parts
  if is_cut then
    parts[#parts + 1] = "... and more"
  elseif left > 0 then
    parts[#parts + 1] = format("... %d more", left)
  end
  return parts
end

local function joined(parts, depth)
  local line = "{ " .. concat(parts, ", ") .. " }"
  if #parts == 0 then
    return "{}"
  elseif #line + 2 * depth <= WIDTH and not find(line, "\n", 1, true) then
    return line
  end
  local indent = rep("  ", depth)
  return "{\n" .. indent .. concat(parts, ",\n" .. indent) .. "\n" .. rep("  ", depth - 1) .. "}"
end

function text_of(value, depth, walk)
  walk.left = walk.left - 1
  if type(value) ~= "table" or has_text(value) then
    local text = simple(value) -- no tail call: LuaJIT bears no lack of memory in its tostring then
    return text
  elseif walk.seen[value] then
    return "<the same " .. address_of(value) .. ">"
  elseif depth >= DEEPEST or walk.left <= 0 or walk.looks <= 0 then
    return address_of(value)
  end
  walk.seen[value] = true
  local text = joined(parts_of(value, depth + 1, walk), depth + 1)
  walk.seen[value] = nil
  return text
end

--- A value as text. Strings alone stay as they are. Does not park, unless a `__tostring` does.
-- @param value
-- @treturn string
function M.text(value)
  if type(value) == "string" then
    return value
  end
  return text_of(value, 0, { seen = {}, left = VALUES, looks = LOOKS })
end

return M
