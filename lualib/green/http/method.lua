--- Methods of requests, and what is known of them. Private to green.http.
-- @module green.http.method

local args = require "green.args"
local is_token = require("green.http.token").is

local ipairs = ipairs -- scripts may put their own there

local M = {}

-- A second request does no more than the first (RFC 9110, 9.2.2).
M.IDEMPOTENT = { "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE" }

local idempotent = {}
for _, name in ipairs(M.IDEMPOTENT) do
  idempotent[name] = true
end

function M.is_idempotent(method)
  return idempotent[method] or false
end

--- Methods are tokens; their case matters.
function M.check(method, where)
  if not is_token(method) then
    args.wrong(where, "method", "a method of HTTP", method)
  end
end

return M
