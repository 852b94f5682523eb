--- The fields of a response: by name whatever its case, repeats kept, in their order.
--
-- They are made when somebody first asks for them, from the text of the head.
-- @module green.http.headers

local args = require "green.args"
local class = require "green.args.class"
local show = require "green.args.show"

local ffi = require "ffi"
local C = require "green.ffi.http_response"

-- Scripts may put their own in their places.
local pairs, setmetatable, type = pairs, setmetatable, type
local concat, lower, sub = table.concat, string.lower, string.sub
local gmatch, gsub = string.gmatch, string.gsub

local methods = {}
local mt = { __name = "green.http.headers", __index = methods }

-- Object -> `names`, `values` in the order in which they came, and `index`: name in lower case ->
-- its values. Not in the object: what stands there pairs would show.
local hidden = setmetatable({}, { __mode = "k" })

show.kind(mt, function(self)
  return ("%d fields"):format(#hidden[self].names)
end)

--- Values by name in lower case.
local function index_of(names, values)
  local index = {}
  for i = 1, #names do
    local name = lower(names[i])
    index[name] = index[name] or {}
    index[name][#index[name] + 1] = values[i]
  end
  return index
end

local function list_of(self, name)
  local index = hidden[self].index
  name = lower(name)
  return index[name] or index[gsub(name, "_", "-")]
end

--- One value for all that a field has.
local function joined(name, list)
  if #list == 1 or name == "set-cookie" then
    return list[1]
  end
  return concat(list, ", ")
end

local function value_of(self, name)
  local list = list_of(self, name)
  return list and joined(gsub(lower(name), "_", "-"), list)
end

--- The value of a field; of one that came several times all of them, with ", " between
-- them (RFC 9110, 5.2), but of Set-Cookie, whose values hold commas, the first. Does not park.
-- @tparam string name whatever the case
-- @treturn ?string nil: there is none
function methods:get(name)
  args.type(name, "string", "headers:get", "name")
  return value_of(self, name)
end

--- All values of a field, in their order. Does not park.
-- @tparam string name
-- @treturn {string,...} empty: there is none
function methods:all(name)
  args.type(name, "string", "headers:all", "name")
  local copy, list = {}, list_of(self, name) or {}
  for i = 1, #list do
    copy[i] = list[i]
  end
  return copy
end

--- For a loop over name, value of each field in the order in which they came.
function methods:each()
  local names, values, i = hidden[self].names, hidden[self].values, 0
  return function()
    i = i + 1
    return names[i], values[i]
  end
end

class.seal(mt)
local safe = mt.__index

--- `headers["content-type"]`, `headers.content_type`: as get.
function mt.__index(self, name)
  local method = safe[name]
  if method ~= nil then
    return method
  elseif type(name) ~= "string" then
    return nil
  end
  return value_of(self, name)
end

local M = { mt = mt }

--- The object of lists of names and values. Each field stands in it by its name in lower case,
-- for pairs, but where a method is called so.
function M.of(names, values)
  local self, index = {}, index_of(names, values)
  for name, list in pairs(index) do
    if not safe[name] then
      self[name] = joined(name, list)
    end
  end
  hidden[self] = { names = names, values = values, index = index }
  return setmetatable(self, mt)
end

local scratch -- nothing parks between its parse and its use

--- The object of the text of a head that was parsed before.
function M.parse(text)
  if not scratch then
    scratch = ffi.new("green_http_response")
    C.init(scratch)
    scratch.max_line, scratch.max_field = 65535, 65535
    scratch.max_head = 0x7fffffff
  end
  local names, values = {}, {}
  C.parse(scratch, text, #text, 0)
  local fields = scratch.fields
  for i = 0, fields.n - 1 do
    local field = fields.list[i]
    names[i + 1] = sub(text, field.name_off + 1, field.name_off + field.name_len)
    values[i + 1] = sub(text, field.value_off + 1, field.value_off + field.value_len)
  end
  return M.of(names, values)
end

-- What must be known before the body, or says what a message is, means nothing behind it
-- (RFC 9110, 6.5.1).
local no_trailer = {}
for name in ([[transfer-encoding content-length trailer te connection keep-alive upgrade host
  cache-control expect max-forwards pragma range if-match if-none-match if-modified-since
  if-unmodified-since if-range authorization www-authenticate proxy-authenticate
  proxy-authorization proxy-connection authentication-info proxy-authentication-info cookie
  cookie2 set-cookie set-cookie2 age date expires location retry-after vary warning
  content-encoding content-type content-range]]):gmatch("%S+") do
  no_trailer[name] = true
end

--- The object of a trailer section whose syntax was checked; what is not allowed there is
-- left out.
function M.trailers(text)
  local names, values, n = {}, {}, 0
  for name, value in gmatch(text, "([^:\r\n]+):[ \t]*([^\r\n]-)[ \t]*\r\n") do
    if not no_trailer[lower(name)] then
      n = n + 1
      names[n], values[n] = name, value
    end
  end
  return M.of(names, values)
end

--- The reason phrase of such a text.
function M.reason(text)
  return text:match("^HTTP/%d%.%d %d%d%d ?([^\r\n]*)") or ""
end

return M
