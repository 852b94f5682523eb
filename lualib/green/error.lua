--- Error objects: what every failing call returns or raises.
--
-- An error has `code` ("ECONNREFUSED"), `message`, `op` (what was tried) and
-- whatever context its maker adds; `tostring` gives one line fit to print.
-- @module green.error

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local unheard = require "green.error.unheard"

-- Scripts may put their own in their places.
local error, format, getmetatable, select, setmetatable, tostring, type = error, string.format,
  getmetatable, select, setmetatable, tostring, type

local codes = core.codes
local errtext = core.errtext

local names = {} -- number -> code
for name, number in pairs(codes) do
  names[number] = name
end

local error_methods = {}
local error_mt = { __name = "green.error", __index = error_methods }

function error_mt:__tostring()
  local what = self.op and self.op .. ": " .. self.message or self.message
  return format("%s (%s)", what, self.code)
end

--- A text, a number, or an object that prints itself (an error, a Timeout) as part of
-- a text.
local function part(value)
  local kind = type(value)
  local mt = kind == "table" and getmetatable(value)
  if kind == "string" or kind == "number" then
    return value
  elseif type(mt) == "table" and mt.__tostring then
    return tostring(value)
  end
  error("attempt to concatenate a " .. kind .. " value", 3)
end

--- `"it failed: " .. err`, from either side.
function error_mt.__concat(a, b)
  return part(a) .. part(b)
end

--- Is this the error with that code? Does not park.
-- @tparam string code for instance "ETIMEDOUT"
-- @treturn boolean
function error_methods:is(code)
  return self.code == code
end

--- An error object.
-- @param code a code's name, or a negative number from the C core
-- @tparam[opt] string op what was being done ("connect 127.0.0.1:80")
-- @tparam[opt] string message default: the table's text for the code
-- @tparam[opt] table extra fields to add
local function new(code, op, message, extra)
  if type(code) ~= "string" and type(code) ~= "number" then
    args.wrong("error.new", "code", "a code's name or number", code)
  end
  args.optional(op, "string", "error.new", "op")
  args.optional(message, "string", "error.new", "message")
  if extra ~= nil and (type(extra) ~= "table" or core.class_of(extra)) then
    args.wrong("error.new", "extra", "a table without a metatable", extra)
  end
  local err = extra or {}
  if type(code) == "number" then
    local name, text = errtext(code)
    err.code, err.number = name or format("E%d", -code), code
    err.message = message or text
  else
    local number = codes[code]
    err.code, err.number = code, number
    err.message = message or (number and select(2, errtext(number))) or code
  end
  err.op = op
  return setmetatable(err, error_mt)
end

--- Is the value an error object, and (optionally) one with that code?
local function is_error(value, code)
  if not class.is(value, error_mt) then
    return false
  end
  local own = value.code -- asked in any case: the program has looked at the error
  return code == nil or own == code
end

--- Does the value stand for a timeout, whoever made it: an error object with
-- code ETIMEDOUT, or anything with a true `is_timeout` field?
local function is_timeout(value)
  if type(value) ~= "table" then
    return false
  end
  return value.is_timeout == true or value.code == "ETIMEDOUT"
end

--- Mark an error of one's own as a timeout: worth a retry. Returns it.
-- @tparam table err
local function wrap_is_timeout(err)
  args.type(err, "table", "wrap_is_timeout", "err")
  err.is_timeout = true
  return err
end

error_mt.__cross = "green.error" -- so that it crosses to native threads (vm/parcel.h)

class.seal(error_mt)
error_mt.__index = unheard.index(error_mt.__index)

return {
  new = new,
  is_error = is_error,
  is_timeout = is_timeout,
  wrap_is_timeout = wrap_is_timeout,
  codes = codes,
  names = names,
  concat = error_mt.__concat,
  mt = error_mt,
}
