--- A word of warning, once a program: a socket that anybody in the network may talk to.
-- @module green.zmq.exposed

local core = require "green.core"

local format = string.format -- scripts may put their own there

local M = {}

local has_warned = false

local function is_local(host)
  return host:find "^127%." or host == "[::1]" or host:find "^%[::ffff:127%."
end

--- Look at a socket that was bound just now. Does not park.
-- @tparam string endpoint where it really is
function M.look(self, endpoint)
  local host = not has_warned and endpoint and endpoint:match "^tcp://(.*):%d+$"
  if not host or is_local(host) then
    return
  end
  if self:get "mechanism" == "NULL" and self:get "zap_domain" == "" then
    has_warned = true
    core.complain(format("greenlua: zmq: %s at %s takes whoever can reach it: there is no CURVE, "
      .. "no PLAIN and no zap_domain (said once)\n", self.type, endpoint))
  end
end

return M
