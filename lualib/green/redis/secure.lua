--- TLS to a server: what the option says is looked at when the client is made, and all of its
-- connections have one context, so that a session is taken up again. Private to green.redis.
-- @module green.redis.secure

local args = require "green.args"
local core = require "green.core"

-- Scripts may put their own in their places.
local pairs, require, type = pairs, require, type

local M = {}

--- Is it true, false, options of green.tls.client, or a context? Raises for all else.
function M.check(value, where)
  if value == nil or type(value) == "boolean" then
    return
  end
  local is_plain = type(value) == "table" and core.class_of(value) == nil
  if not is_plain and not require("green.tls.context").is(value) then
    args.wrong(where, "tls", "true, a table of options or a context of green.tls", value)
  end
end

--- What does the handshake on a connected stream, function(stream, seconds), as the option says;
-- false: there is no TLS. nil, err: as green.tls.context. Raises for wrong options. Parks only if
-- the function of a key's password does.
-- @param value the option
-- @tparam string host whose certificate the server must show, if the option does not say it
-- @tparam string where
function M.plan(value, host, where)
  if not value then
    return false
  end
  local endpoint = require "green.tls.endpoint"
  local own = {}
  for name, option in pairs(value == true and {} or endpoint.with_context(value)) do
    own[name] = option
  end
  if own.host == nil and own.verify ~= false then
    own.host = host
  end
  return endpoint.planned(own, where .. ": tls")
end

return M
