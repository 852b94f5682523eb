--- Error objects: what every failing call returns or raises.
--
-- An error has `code` ("ECONNREFUSED"), `message`, `op` (what was tried) and
-- whatever context its maker adds; `tostring` gives one line fit to print.
-- @module green.error

local core = require "green.core"
local unheard = require "green.error.unheard"

local codes = core.codes
local errtext = core.errtext

local names = {} -- number -> code
for name, number in pairs(codes) do
  names[number] = name
end

local error_methods = {}
local error_mt = { __name = "green.error", __index = unheard.index(error_methods) }

function error_mt:__tostring()
  local what = self.op and self.op .. ": " .. self.message or self.message
  return ("%s (%s)"):format(what, self.code)
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
  local err = extra or {}
  if type(code) == "number" then
    local name, text = errtext(code)
    err.code, err.number = name or ("E%d"):format(-code), code
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
  if type(value) ~= "table" or getmetatable(value) ~= error_mt then
    return false
  end
  return code == nil or value.code == code
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
local function wrap_is_timeout(err)
  err.is_timeout = true
  return err
end

return {
  new = new,
  is_error = is_error,
  is_timeout = is_timeout,
  wrap_is_timeout = wrap_is_timeout,
  codes = codes,
  names = names,
  mt = error_mt,
}
