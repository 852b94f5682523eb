--- The body of a request as a handler in this process reads it: all of it is there. Private to
-- green.http.
-- @module green.http.app_input

local args = require "green.args"

local methods = {}
local mt = { __index = methods }

--- n bytes, fewer at the end; without n the rest; nil when there is nothing left.
function methods:read(n)
  n = n == nil and #self._text or args.size(n, 0, "read", "n")
  local piece = self._text:sub(self._at, self._at + n - 1)
  self._at = self._at + #piece
  return piece ~= "" and piece or nil
end

--- What there is.
function methods:read_some(most)
  return self:read(most == nil and 65536 or args.size(most, 1, "read_some", "max"))
end

--- A line with its "\n".
function methods:read_line()
  local at = self._text:find("\n", self._at, true) or #self._text
  return self:read(at - self._at + 1)
end

--- For a loop over the lines.
function methods:lines()
  return function() return self:read_line() end
end

--- For a loop over pieces.
function methods:chunks()
  return function() return self:read_some() end
end

--- Forget the rest.
function methods:discard()
  self._at = #self._text + 1
  return true
end

--- Nobody waits for a "100 Continue" here.
function methods:send_hundred_continue_response()
  return false
end

local M = {}

--- The input of a text; nil: the request has no body.
function M.new(text)
  return setmetatable({ _text = text or "", _at = 1, length = text and #text or nil }, mt)
end

return M
