--- What is wrong with an answer, and with whatever a handler raised, in words.
--
-- The C core only says that something is wrong: nobody pays for these texts who
-- makes no mistake.
-- @module green.wsgi.mistakes

local authors = require "green.wsgi.author"
local core = require "green.core"
local errors = require "green.error"
local report = require "green.thread.report"

-- Scripts may put their own in their places.
local getmetatable, ipairs, next, pcall, rawequal, rawget, setmetatable, tostring, type =
  getmetatable, ipairs, next, pcall, rawequal, rawget, setmetatable, tostring, type
local concat, sort = table.concat, table.sort
local byte, find, format = string.byte, string.find, string.format
local gsub, lower, match, sub = string.gsub, string.lower, string.match, string.sub
local getinfo = debug.getinfo

local LONGEST = 200 -- bytes shown of a text
local MOST = 8 -- fields shown of a table
local LIMIT = "green.handler_timeout" -- where an env keeps its handler's Timeout

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
  elseif find(name, "[^%w!#$%%&'*+.^_`|~-]") then
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

-- -- What handlers raise ------------------------------------------------------

local function field(key, value)
  local shown_value = type(value) == "table" and "table" or clean(text(value))
  return type(key) == "number" and shown_value or clean(text(key)) .. " = " .. shown_value
end

--- "{500, out of tea, code = 7}"
local function fields(err)
  local out, others = {}, {}
  while #out < MOST and rawget(err, #out + 1) ~= nil do
    out[#out + 1] = field(#out + 1, rawget(err, #out + 1))
  end
  local dots = rawget(err, MOST + 1) ~= nil
  for key, value in next, err do
    if type(key) ~= "number" then
      others[#others + 1] = field(key, value)
    end
  end
  sort(others)
  for _, other in ipairs(others) do
    if #out < MOST then
      out[#out + 1] = other
    else
      dots = true
    end
  end
  return "{" .. concat(out, ", ") .. (dots and ", ..." or "") .. "}"
end

--- An error of whatever type as a text. Never raises.
local function text_of(err)
  if type(err) ~= "table" then
    return text(err)
  end
  local mt = core.class_of(err)
  if mt and rawget(mt, "__tostring") then
    local ok, result = pcall(tostring, err)
    if ok and type(result) == "string" then
      return result
    end
  end
  return fields(err)
end

--- " (handler at app.lua:8)", or "" for one that is not made of Lua.
local function place_of(handler)
  local info = handler and getinfo(handler, "S")
  if not info or info.linedefined < 0 then
    return ""
  end
  return format(" (handler at %s:%d)", info.short_src, info.linedefined)
end

--- What a handler has raised, or what is wrong with its answer, as a text for logs.
-- Its further lines are indented: they cannot pass for entries of their own.
-- @param err
-- @tparam ?table server whose answer it is
-- @tparam ?table env of the request
local function failure(err, server, env)
  if is_mistake(err) then
    return err.message .. place_of(server and authors.author(server, env))
  end
  local told = type(err) == "string" and report.hinted(err) or text_of(err)
  if err ~= nil and env and rawequal(err, rawget(env, LIMIT)) then
    told = "handler_timeout: " .. told
  end
  return (gsub(told, "\n(%S)", "\n  %1"))
end

return { install = install, new = new, list = list, record = record, failure = failure,
  shown = shown, text = text }
