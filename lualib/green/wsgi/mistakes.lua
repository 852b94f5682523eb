--- What is wrong with an answer, in words.
--
-- The C core only says that something is wrong: nobody pays for these texts who
-- makes no mistake.
-- @module green.wsgi.mistakes

local core = require "green.core"
local errors = require "green.error"
local is_token = require("green.http.token").is

-- Scripts may put their own in their places.
local getmetatable, ipairs, next, pcall, rawget, setmetatable, tonumber, tostring, type
  = getmetatable, ipairs, next, pcall, rawget, setmetatable, tonumber, tostring, type
local byte, find, format = string.byte, string.find, string.format
local gsub, lower, match, sub = string.gsub, string.lower, string.match, string.sub

local LONGEST = 200 -- bytes shown of a text

-- -- Values -------------------------------------------------------------------

local function escape(char)
  return format("\\x%02x", byte(char))
end

--- A text as it may stand in a line of a log.
local function clean(text)
  if #text > LONGEST then
    text = sub(text, 1, LONGEST) .. "..."
  end
  return (gsub(text, "[%z\1-\31\127]", escape))
end

--- "nil", "a table": of what shows nothing by itself.
local function kind(value)
  return value == nil and "nil" or "a " .. type(value)
end

local function shown(value)
  if type(value) == "string" then
    return '"' .. clean(value) .. '"'
  end
  return type(value) == "number" and tostring(value) or kind(value)
end

--- Any value as its tostring has it, or its type where that raises. Never raises.
local function text(value)
  local ok, result = pcall(tostring, value)
  return ok and type(result) == "string" and result or type(value)
end

-- -- Mistakes -----------------------------------------------------------------

-- What is raised for a wrong answer: an object, so that nobody has to read in a text
-- whether it is one. It prints, and may be joined with ..., as the text.
local mistake_mt = {
  __name = "green.wsgi.mistake",
  __tostring = function(self)
    return self.message
  end,
  __concat = errors.concat,
}

--- A mistake of a handler's, to be raised.
local function new(what)
  return setmetatable({ message = "wsgi: " .. what }, mistake_mt)
end

local function is_mistake(err)
  return type(err) == "table" and getmetatable(err) == mistake_mt
end

-- -- Answers ------------------------------------------------------------------

local parts = {}

function parts.status(status)
  return 'the status must be 200 to 999 or a line such as "404 Not Found", not ' .. shown(status)
end

function parts.headers(headers)
  return "headers must be a table, not " .. kind(headers)
end

local function name_mistake(name)
  if name == "" then
    return "the name of a header is empty"
  elseif not is_token(name) then
    return format("the name of a header has a byte that none may have: '%s'", clean(name))
  end
end

local function length_mistake(length)
  if not find(tostring(length), "^%d+$") or #tostring(length) > 18 then
    return "Content-Length must be digits, not " .. shown(length)
  end
end

local function framing_mistake(name)
  return format("header '%s' is not the handler's to give: the server frames the body", name)
end

local special = {
  ["content-length"] = function(_, value) return length_mistake(value) end,
  ["transfer-encoding"] = framing_mistake,
  ["keep-alive"] = framing_mistake,
}

--- What is wrong with one value of a header, or nil.
local function value_mistake(name, value)
  if type(value) ~= "string" and type(value) ~= "number" then
    return format("the value of header '%s' must be a string or a number, not %s", clean(name),
      kind(value))
  end
  local check = special[lower(name)]
  local mistake = check and check(name, value) or name_mistake(name)
  local control = match(tostring(value), "[%z\1-\8\10-\31\127]")
  if not mistake and control then
    mistake = format("the value of header '%s' has the control byte 0x%02x in it", name,
      byte(control))
  end
  return mistake
end

local function is_list(values)
  local n = 0
  for _ in next, values do
    n = n + 1
  end
  return n == #values
end

--- Of a name and its value, or a list of them.
local function header_mistake(name, values)
  for _, value in ipairs(values) do
    local mistake = value_mistake(name, value)
    if mistake then
      return mistake
    end
  end
  if not is_list(values) then
    return format("the value of header '%s' is a table that is no list", clean(name))
  end
  return lower(name) == "content-length" and "Content-Length is given twice"
    or format("header '%s' cannot be sent", clean(name))
end

local function pair_mistake(i, pair)
  local wanted = "pairs are wanted, { name, value }, or name = value"
  if type(pair) == "string" then
    return format("header %g is the text %s: %s", i, shown(pair), wanted)
  elseif type(pair) ~= "table" then
    return format("header %g is %s: %s", i, kind(pair), wanted)
  end
  local name, value = rawget(pair, 1), rawget(pair, 2)
  if type(name) ~= "string" then
    return format("header %g has no name: %s", i, wanted)
  end
  return value_mistake(name, value) or header_mistake(name, {})
end

function parts.header(key, value)
  if type(key) == "number" then
    return pair_mistake(key, value)
  elseif type(key) ~= "string" then
    return "the name of a header must be a string, not " .. kind(key)
  elseif type(value) == "table" then
    return header_mistake(key, value)
  end
  return value_mistake(key, value) or header_mistake(key, {})
end

--- What is wrong with a header as a handler has given it; nil: nothing.
local function given_mistake(key, value)
  if type(key) == "number" then
    local is_pair = type(value) == "table" and type(rawget(value, 1)) == "string"
    return not is_pair and pair_mistake(key, value) or is_pair and value_mistake(value[1], value[2])
      or nil
  elseif type(key) ~= "string" or type(value) ~= "table" then
    return type(key) ~= "string" and parts.header(key) or value_mistake(key, value)
  end
  for _, one in ipairs(value) do
    local mistake = value_mistake(key, one)
    if mistake then
      return mistake
    end
  end
  return not is_list(value) and header_mistake(key, value) or nil
end

--- The same of a status and headers, for an answer that no server writes; nil: nothing.
local function head(status, headers)
  local number = type(status) == "number" and status
    or type(status) == "string" and tonumber(match(status, "^(%d%d%d) ") or match(status,
      "^%d%d%d$"))
  if not number or number < 200 or number > 999 or number % 1 ~= 0
    or find(tostring(status), "[%z\1-\8\10-\31\127]") then
    return parts.status(status)
  elseif headers ~= nil and type(headers) ~= "table" then
    return parts.headers(headers)
  end
  for key, value in next, headers or {} do
    local mistake = given_mistake(key, value)
    if mistake then
      return mistake
    end
  end
end

function parts.length()
  return "the body's length differs from its Content-Length"
end

--- For vm/core/answer.c, which knows what it has refused, and no reason.
local function explain(part, code, a, b)
  return new(code == core.codes.ENOMEM and "out of memory" or parts[part](a, b))
end

--- To be called before the first answer. Idempotent.
local function install()
  core.answer_explainer(explain)
end

--- What is wrong with a list of strings that has something else in it.
local function list(body)
  for i = 1, #body do
    if type(body[i]) ~= "string" and type(body[i]) ~= "number" then
      return format("element %d of the body must be a string, not %s", i, kind(body[i]))
    end
  end
  return "the body is no list of strings"
end

--- What is wrong with a table that would make an empty body, or nil.
local function record(body)
  local key = next(body)
  if key == nil or #body > 0 or type(body.close) == "function" then
    return nil
  end
  local with = type(key) == "string" and format("the key '%s'", clean(key))
    or "a key of type " .. type(key)
  return format("the body is a table with %s, but no list of strings: is it still to be encoded, "
    .. "by cjson for instance?", with)
end

--- What `return 200, {}, io.open(path)` gives where there is no such file.
local function missing(why)
  return new("the body is nil, and behind it stands " .. shown(why))
end

return { install = install, new = new, is = is_mistake, head = head, list = list, record = record,
  missing = missing, clean = clean, shown = shown, text = text }
