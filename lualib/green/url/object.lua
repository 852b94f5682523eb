--- URLs as objects: their parts, and their text.
-- @module green.url.object

local class = require "green.args.class"
local core = require "green.core"
local encode = require("green.url.escape").encode

local ffi = require "ffi"
local idna = require "green.ffi.idna"

-- Scripts may put their own in their places.
local find, format, setmetatable, tostring, type = string.find, string.format, setmetatable,
  tostring, type

local ports = { http = 80, https = 443, ws = 80, wss = 443, ftp = 21 }

local methods = {}
local url_mt = { __name = "green.url", __index = methods }

local M = { mt = url_mt }

-- -- Hosts --------------------------------------------------------------------

local SHOWN = 1024 -- GREEN_IDNA_SHOWN
local shown = ffi.new("char[?]", SHOWN)

--- The host as people write it: "xn--bcher-kva.example" is "bücher.example".
function M.unicode_host(host)
  if not find(host, "xn--", 1, true) then
    return host
  end
  local n = idna.to_unicode(shown, SHOWN, host, #host)
  return n >= 0 and ffi.string(shown, n) or host
end

--- What no name of a zone may have in a URL (RFC 6874).
local function escape_zone(zone)
  return (zone:gsub("[^%w%-%._~]", encode))
end

--- A host as it stands in a URL.
function M.host_text(host)
  if not find(host, ":", 1, true) then
    return host
  end
  local address, zone = host:match("^([^%%]*)%%(.*)$")
  return zone and format("[%s%%25%s]", address, escape_zone(zone)) or "[" .. host .. "]"
end

-- -- Making -------------------------------------------------------------------

--- Give fields what follows from scheme, userinfo, host and port; host may be nil.
function M.derive(u)
  local host, port = u.host, u.port
  setmetatable(u, url_mt)
  if not host then
    return u
  end
  local place = M.host_text(host)
  local full = port and place .. ":" .. port or place
  u.authority = u.userinfo and u.userinfo .. "@" .. full or full
  u.unicode_host = M.unicode_host(host)
  if u.scheme and host ~= "" then
    u.origin = u.scheme .. "://" .. (port == ports[u.scheme] and place or full)
  end
  return u -- setmetatable's own result would be a tail call, which is not compiled
end

function M.is(value)
  return type(value) == "table" and core.class_of(value) == url_mt
end

-- -- Text ---------------------------------------------------------------------

--- The text of parts (RFC 3986, 5.3), with that authority.
local function compose(u, authority)
  local text = u.scheme and u.scheme .. ":" or ""
  if authority then
    text = text .. "//" .. authority
  end
  text = text .. u.path
  if u.query then
    text = text .. "?" .. u.query
  end
  return u.fragment and text .. "#" .. u.fragment or text
end

function url_mt:__tostring()
  if not M.is(self) then -- called by hand, with another object
    return core.shown(self)
  end
  return compose(self, self.authority)
end

function url_mt.__eq(a, b)
  return tostring(a) == tostring(b)
end

function url_mt.__concat(a, b)
  return tostring(a) .. tostring(b)
end

--- The text to show in messages and logs: without user and password. Does not park.
-- @treturn string with "***@" where they stood
function methods:redacted()
  if not self.userinfo then
    return compose(self, self.authority)
  end
  return compose(self, "***@" .. self.authority:sub(#self.userinfo + 2))
end

--- What an HTTP request asks its server for (RFC 9112, 3.2.1): path, with "/" for an
-- empty one, and query. Does not park.
-- @treturn string
function methods:target()
  local path = self.path == "" and "/" or self.path
  return self.query and path .. "?" .. self.query or path
end

--- The port that belongs to the scheme. Does not park.
-- @treturn ?number 80 for http and ws, 443 for https and wss, 21 for ftp; nil: not known
function methods:default_port()
  return ports[self.scheme]
end

M.methods, M.ports, M.compose = methods, ports, compose

--- To be called when all methods are there.
function M.seal()
  class.seal(url_mt)
end

return M
