--- Tokens of HTTP (RFC 9110, 5.6.2): methods, and names of fields, parameters and cookies.
-- Private to green.http.
-- @module green.http.token

local find, type = string.find, type -- scripts may put their own there

local ONE = "^[%w!#$%%&'*+.^_`|~-]+"
local WHOLE = ONE .. "$"

--- Is a value a token?
local function is_token(value)
  return type(value) == "string" and find(value, WHOLE) ~= nil
end

return { ONE = ONE, is = is_token } -- the pattern of one that stands at the beginning
