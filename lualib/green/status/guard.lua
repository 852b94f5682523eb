--- Who may see the status page: by default a peer on this host, and nobody through a proxy.
-- @module green.status.guard

-- Scripts may put their own in their places.
local find, gsub, ipairs, lower, match = string.find, string.gsub, ipairs, string.lower,
  string.match

local M = {}

local function is_loopback(host)
  return host == "::1" or host == "unix" or find(host, "^127%.%d+%.%d+%.%d+$") ~= nil
    or find(host, "^::ffff:127%.") ~= nil
end

--- Whose server the client thinks this is. A page of somebody else's whose name leads to
-- 127.0.0.1 comes from this host, too: from its user's browser.
local function is_own_name(name)
  if not name then
    return true -- who is no browser may leave it out
  end
  local host = lower(match(name, "^%[([%x:]+)%]") or gsub(name, ":%d+$", ""))
  return host == "localhost" or find(host, "%.localhost$") ~= nil or is_loopback(host)
end

-- What proxies add. Behind one on this host all clients come from here.
local of_proxies = { "HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP",
  "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_PORT",
  "HTTP_X_FORWARDED_SERVER", "HTTP_X_CLIENT_IP", "HTTP_CLIENT_IP", "HTTP_TRUE_CLIENT_IP",
  "HTTP_CF_CONNECTING_IP", "HTTP_X_CLUSTER_CLIENT_IP" }

--- nginx that was told nothing more than proxy_pass adds no header, and says localhost or the
-- address to be its Host: it is known by its HTTP/1.0, which nobody else speaks.
local function is_passed_on(env)
  for _, key in ipairs(of_proxies) do
    if env[key] ~= nil then
      return true
    end
  end
  return env.SERVER_PROTOCOL == "HTTP/1.0"
end

--- May the client of this request see the page? Does not park.
-- @param env of the request
function M.loopback(env)
  local peer = env.REMOTE_ADDR
  if type(peer) ~= "string" or not is_loopback(peer) or is_passed_on(env) then
    return false
  end
  return peer == "unix" or is_own_name(env.HTTP_HOST)
end

return M
