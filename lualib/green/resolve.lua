--- Names to addresses: no lookup ever stops the others.
-- @module green.resolve

local addr = require "green.socket.addr"
local lookups = require "green.socket.resolve"

local M = {}

--- The addresses of a host, best first. Numeric hosts need no lookup; names are looked up
-- by green.dns: in the hosts file, then by name servers. Parks for names.
-- @tparam ?string host name or number; nil: loopback, with `passive` any
-- @param[opt] service port number, or a service's name ("http")
-- @tparam[opt] table opts `family` "inet" or "inet6", `type` "stream" (default)
-- or "dgram", `passive` for a listener, `timeout` in seconds, `resolver` "system": the
-- system's getaddrinfo in a native thread, or "dns": not so, whatever the environment says
-- @treturn table address objects (green.socket.addr); or nil, err: EAI_NONAME,
-- EAI_AGAIN (name servers failed or are silent), EAI_FAIL, EAI_FAMILY, EAI_SERVICE,
-- ETIMEDOUT, EINVAL. The error may have `name`, `type`, `server` and `rcode`.
function M.getaddrinfo(host, service, opts)
  local spots, port = lookups.spots(host, service,
    lookups.check(host, service, opts, "getaddrinfo"))
  if not spots then
    return nil, port
  end
  local list = {}
  for i = 1, #spots do
    local spot = spots[i]
    list[i] = addr.object(spot.family, spot.host, port)
  end
  return list
end

return M
