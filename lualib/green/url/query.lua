--- Queries and forms: names and values in order (application/x-www-form-urlencoded).
-- @module green.url.query

local args = require "green.args"
local class = require "green.args.class"
local core = require "green.core"
local errors = require "green.error"
local escape = require "green.url.escape"
local show = require "green.args.show"

-- Scripts may put their own in their places.
local find, format, gmatch, setmetatable, sub, tostring, type = string.find, string.format,
  string.gmatch, setmetatable, string.sub, tostring, type
local concat, pairs, rawget, sort = table.concat, pairs, rawget, table.sort

local methods = {}
local query_mt = { __name = "green.url.query", __index = methods }

local M = {}

-- -- Reading ------------------------------------------------------------------

local function decode(text)
  return escape.unescape(text, "form")
end

local function read_pair(piece, list)
  local equals = find(piece, "=", 1, true)
  local name = decode(sub(piece, 1, (equals or 0) - 1))
  local value = decode(equals and sub(piece, equals + 1) or "")
  if not name or not value then
    return false
  end
  list[#list + 1] = { name, value }
  return true
end

--- See green.url.parse_query.
function M.parse(text)
  local list = {}
  for at, piece in gmatch(text, "()([^&]+)") do
    if not read_pair(piece, list) then
      return nil, errors.new("EINVAL", "url.parse_query",
        format("%% is followed by two hexadecimal digits, in the name or value at byte %d", at),
        { at = at })
    end
  end
  return setmetatable(list, query_mt)
end

--- The first value of a name. Does not park.
-- @tparam string name
-- @treturn ?string nil: there is none
function methods:get(name)
  args.type(name, "string", "get", "name")
  for i = 1, #self do
    if self[i][1] == name then
      return self[i][2]
    end
  end
  return nil
end

--- All values of a name, in order. Does not park.
-- @tparam string name
-- @treturn table a list, which may be empty
function methods:get_all(name)
  args.type(name, "string", "get_all", "name")
  local values = {}
  for i = 1, #self do
    if self[i][1] == name then
      values[#values + 1] = self[i][2]
    end
  end
  return values
end

show.kind(query_mt, function(self)
  return ("%d"):format(#self)
end)
class.seal(query_mt)

-- -- Writing ------------------------------------------------------------------

local kinds = { string = true, number = true, boolean = true }

--- A name or value as it stands in a form.
local function coded(value, what)
  if not kinds[type(value)] then
    args.wrong("url.query", what, "a string, a number or true or false", value)
  end
  return escape.escape(tostring(value), "form")
end

--- what: how the program calls the value.
local function add(out, name, value, what)
  out[#out + 1] = coded(name, what) .. "=" .. coded(value, what)
end

local function write_list(list)
  local out = {}
  args.list(list, "url.query", "params", "{ name, value }")
  for i = 1, #list do
    local pair, what = list[i], format("params[%d]", i)
    if type(pair) ~= "table" then
      args.wrong("url.query", what, "a table { name, value }", pair)
    end
    add(out, pair[1], pair[2], what)
  end
  return concat(out, "&")
end

local function add_named(out, name, value)
  local what = "params." .. name
  if type(value) ~= "table" then
    return add(out, name, value, what)
  end
  args.list(value, "url.query", what)
  for k = 1, #value do
    add(out, name, value[k], what)
  end
end

local function write_table(params)
  local names, out = {}, {}
  for name in pairs(params) do
    if type(name) ~= "string" then
      args.wrong("url.query", "a name in params", "a string", name)
    end
    names[#names + 1] = name
  end
  sort(names)
  for i = 1, #names do
    add_named(out, names[i], params[names[i]])
  end
  return concat(out, "&")
end

--- Another object of the library's?
local function is_foreign(params)
  local mt = core.class_of(params)
  return mt and mt ~= query_mt and class.all[rawget(mt, "__name") or false] == mt
end

--- See green.url.query.
function M.write(params)
  if is_foreign(params) then
    args.wrong("url.query", "params", "a list of { name, value } or a table of names", params)
  end
  return params[1] ~= nil and write_list(params) or write_table(params)
end

return M
