--- Names to addresses, in a native thread: no lookup ever stops the others.
-- @module green.resolve

local addr = require "green.socket.addr"
local lookups = require "green.socket.resolve"

local ipairs = ipairs -- scripts may put their own there

local M = {}

--- The addresses of a host, best first. Numeric hosts need no lookup; names
-- are asked for in a native thread. Parks for names.
-- @tparam ?string host name or number; nil: loopback, with `passive` any
-- @param[opt] service port number, or a service's name ("http")
-- @tparam[opt] table opts `family` "inet" or "inet6", `type` "stream" (default)
-- or "dgram", `passive` for a listener, `timeout` in seconds
-- @treturn table address objects (green.socket.addr); or nil, err: EAI_NONAME,
-- EAI_AGAIN, EAI_FAIL, EAI_FAMILY, EAI_SERVICE, ETIMEDOUT, EINVAL. A lookup
-- that timed out or was killed is left to itself.
function M.getaddrinfo(host, service, opts)
  local list, err = lookups.lookup(host, service, opts)
  if not list then
    return nil, err
  end
  for i, raw in ipairs(list) do
    list[i] = addr.of(raw)
  end
  return list
end

return M
