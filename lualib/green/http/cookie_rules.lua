--- Which cookies a jar takes: those that are the host's to set (RFC 6265bis 5.7).
-- @module green.http.cookie_rules

local one = require "green.http.cookie"
local suffix = require "green.http.suffix"

-- Scripts may put their own in their places.
local ipairs, pairs = ipairs, pairs

--- Give the cookie its domain. Is that a domain that this host may set one for?
local function settle_domain(cookie, host)
  local domain = cookie.domain or ""
  if domain:find("[\128-\255]") then
    return false
  elseif domain ~= "" and suffix.is_public(domain) then
    if domain ~= host then
      return false
    end
    domain = ""
  end
  if domain ~= "" and not one.domain_matches(host, domain) then
    return false
  end
  cookie.host_only = domain == ""
  cookie.domain = domain == "" and host or domain
  return host ~= ""
end

--- Would it hide a cookie that came over TLS, or take its place?
local function hides_secure(store, cookie)
  for domain, list in pairs(store:domains()) do
    if one.domain_matches(domain, cookie.domain) or one.domain_matches(cookie.domain, domain) then
      for _, old in ipairs(list) do
        if old.secure and old.name == cookie.name and one.path_matches(cookie.path, old.path) then
          return true
        end
      end
    end
  end
  return false
end

--- Give a cookie its domain and path. May it be put into the store? Does not park.
-- @tparam table store of green.http.cookie_store
-- @tparam table cookie of green.http.cookie's parse
-- @tparam table place `host`, `path`, `secure` of the request that brought it
-- @treturn boolean
local function accept(store, cookie, place)
  if not settle_domain(cookie, place.host) then
    return false
  end
  cookie.whole_site = cookie.path == "/"
  cookie.path = cookie.path or one.default_path(place.path)
  if cookie.secure and not place.secure or one.breaks_promise(cookie)
    or cookie.same_site == "None" and not cookie.secure then
    return false
  end
  return cookie.secure or place.secure or not hides_secure(store, cookie)
end

return { accept = accept }
