--- Which proxy a request goes through: what options and the environment say.
--
-- The variables are those that other programs read: `http_proxy`, `https_proxy`, `all_proxy`
-- and `no_proxy`, in small letters or capitals, the small ones first. `HTTP_PROXY` in capitals
-- is not read where `REQUEST_METHOD` is set: in a CGI program it is a header that the client
-- sent (CVE-2016-5385). `greenlua -E` reads none of them.
-- @module green.http.proxy

local addr = require "green.socket.addr"
local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"
local exceptions = require "green.http.no_proxy"
local options = require "green.args.options"
local show = require "green.args.show"
local url = require "green.url"

local ffi = require "ffi"
local env = require "green.ffi.env"

-- Scripts may put their own in their places.
local ipairs, next, setmetatable, type = ipairs, next, setmetatable, type

local M = {}

-- -- One proxy ----------------------------------------------------------------

local proxy_mt = { __name = "green.http.proxy", __index = {} }

-- Scheme -> what is spoken, and the port.
local SCHEMES = {
  http = { "http", 80 }, https = { "https", 443 },
  socks5 = { "socks5", 1080 }, socks5h = { "socks5", 1080 },
}

show.kind(proxy_mt, function(self)
  return self.scheme .. "://" .. addr.text(self.host, self.port)
end)
class.seal(proxy_mt)

local function no_proxy_url(why)
  return nil, errors.new("EINVAL", "proxy", why)
end

--- Why a name and a password cannot be told to such a proxy; nil: they can.
local function bad_credentials(kind, user, password)
  if user:find("[%z\1-\31\127]") or password:find("[%z\1-\31\127]") then
    return "its user and password must have no control characters"
  elseif kind ~= "socks5" and user:find(":", 1, true) then
    return "its user must have no colon" -- RFC 7617
  elseif kind == "socks5" and (user == "" or #user > 255 or #password > 255) then
    return "its user and password must have at most 255 bytes" -- RFC 1929
  end
end

--- The proxy of a URL: http, https (TLS to the proxy), socks5 or socks5h (for both of which
-- the proxy looks up names). Without a scheme it is http. Errors do not show the text, which
-- may have a password. Does not park.
-- @tparam string text "http://user:password@host:port"
-- @treturn ?table `scheme` ("http", "https", "socks5"), `host`, `port`, `user` and `password`
-- (decoded; nil: none, neither), and `auth`, what an HTTP proxy is told of who asks (basic; nil:
-- nothing); nil, err: EINVAL
function M.parse(text)
  args.type(text, "string", "proxy.parse", "text")
  local parsed, err = url.parse(text:find("://", 1, true) and text or "http://" .. text)
  if not parsed then
    return no_proxy_url("it is no URL: " .. err.message)
  end
  local known = SCHEMES[parsed.scheme]
  if not known then
    return no_proxy_url("its scheme must be http, https, socks5 or socks5h")
  elseif not parsed.host or parsed.host == "" then
    return no_proxy_url("it has no host")
  elseif parsed.path ~= "" and parsed.path ~= "/" or parsed.query or parsed.fragment then
    return no_proxy_url("it must have no path, no query and no fragment")
  end
  local user, password = parsed.user, parsed.user and (parsed.password or "") or nil
  local why = user and bad_credentials(known[1], user, password)
  if why then
    return no_proxy_url(why)
  end
  return setmetatable({ scheme = known[1], host = parsed.host, port = parsed.port or known[2],
    user = user, password = password, auth = user and known[1] ~= "socks5"
      and require("green.http.auth").basic(user, password) or nil }, proxy_mt)
end

--- The same proxy, which is told by something else who asks. Raises misuse.
local function with_auth(proxy, auth, where)
  if proxy.scheme == "socks5" then
    args.misuse("%s: proxy.auth is for HTTP proxies; the URL of a SOCKS5 proxy has its user and "
      .. "password", where)
  elseif proxy.user then
    args.misuse("%s: give proxy.auth, or a user in the proxy's URL, not both", where)
  end
  return setmetatable({ scheme = proxy.scheme, host = proxy.host, port = proxy.port,
    auth = require("green.http.auth").option(auth, where, "proxy.auth") }, proxy_mt)
end

-- -- Rules --------------------------------------------------------------------

local rules_methods = {}
local rules_mt = { __name = "green.http.proxy_rules", __index = rules_methods }

local AS = { ws = "http", wss = "https" } -- websockets go as these do

--- The proxy for a request; nil: none, connect to the host itself. Does not park.
-- @tparam string scheme "http", "https", "ws" or "wss"
-- @tparam string host a name, or a numeric address without brackets
-- @tparam number port
-- @treturn ?green.http.proxy
function rules_methods:choose(scheme, host, port)
  args.type(scheme, "string", "choose", "scheme")
  args.type(host, "string", "choose", "host")
  if self._exceptions:has(host, port) then
    return nil
  end
  return self._proxies[AS[scheme] or scheme] or self._proxies.all
end

--- May a proxy connect to addresses that nobody here has looked at? Does not park.
-- @treturn boolean
function rules_methods:is_blind()
  return not self._trusted and next(self._proxies) ~= nil
end

show.kind(rules_mt, function(self)
  local names = {}
  for _, name in ipairs { "http", "https", "all" } do
    local proxy = self._proxies[name]
    names[#names + 1] = proxy and name .. " by " .. proxy.host
  end
  return names[1] and table.concat(names, ", ") or "none"
end)
class.seal(rules_mt)

local function new_rules(proxies, no, trusted)
  return setmetatable({ _proxies = proxies, _exceptions = exceptions.read(no or ""),
    _trusted = trusted or false }, rules_mt)
end

-- -- The environment ----------------------------------------------------------

local function variable(name)
  local value = env.env(name)
  return value ~= nil and ffi.string(value) or nil
end

--- The first of the variables that is set, and its name. CGI has a header there.
local function first_of(small, large)
  local value = variable(small)
  if value then
    return value, small
  elseif large == "HTTP_PROXY" and variable "REQUEST_METHOD" then
    return nil
  end
  return variable(large), large
end

--- What the environment says. Does not park.
-- @treturn ?green.http.proxy_rules; nil, err: EINVAL, with `variable`, whose value is no URL of
-- a proxy
function M.from_env()
  local proxies = {}
  for _, name in ipairs { "http", "https", "all" } do
    local text, from = first_of(name .. "_proxy", name:upper() .. "_PROXY")
    if text then
      local proxy, err = M.parse(text)
      if not proxy then
        err.variable, err.message = from, ("the variable %s: %s"):format(from, err.message)
        return nil, err
      end
      proxies[name] = proxy
    end
  end
  return new_rules(proxies, (first_of("no_proxy", "NO_PROXY")))
end

-- -- Options ------------------------------------------------------------------

--- A proxy of an option's value. It may have a password, so no message shows it.
local function proxy_of(value, where, name)
  if class.is(value, proxy_mt) then
    return value
  elseif type(value) ~= "string" then
    args.misuse("%s: %s must be the URL of a proxy, not a %s", where, name, type(value))
  end
  local proxy, err = M.parse(value)
  if not proxy then
    args.misuse("%s: %s must be the URL of a proxy, but %s", where, name, err.message)
  end
  return proxy
end

local known = { http = true, https = true, all = true, no = true, auth = true, trusted = true }

--- The rules of a table.
local function rules_of(value, where)
  options.check(value, known, where .. ": proxy")
  args.optional(value.no, "string", where, "no")
  local proxies = {}
  for _, name in ipairs { "http", "https", "all" } do
    local proxy = value[name] ~= nil and proxy_of(value[name], where, name)
    if proxy then
      proxies[name] = value.auth == nil and proxy or with_auth(proxy, value.auth, where)
    end
  end
  return new_rules(proxies, value.no, args.optional(value.trusted, "boolean", where, "trusted"))
end

--- Check the option `proxy` of a request, and make rules of it. Does not park.
-- @param value nil: as the environment says; false: none; a text (or what parse gave): this
-- one for everything; a table: `http`, `https`, `all`, each such a text, `no`, a text as
-- no_proxy has it: names (which mean what is below them, too), numeric addresses, blocks
-- ("10.0.0.0/8"), each but blocks perhaps with ":port", or "*"; `auth`, what HTTP proxies are
-- told of who asks, as the option of that name of a request; and `trusted`: they are good for
-- requests that have the option allow
-- @tparam string where the function's name, for misuse
-- @treturn ?green.http.proxy_rules; nil, err as from_env
function M.option(value, where)
  if value == nil then
    return M.from_env()
  elseif value == false then
    return new_rules({})
  elseif class.is(value, rules_mt) then
    return value
  elseif type(value) == "string" or class.is(value, proxy_mt) then
    return new_rules({ all = proxy_of(value, where, "proxy") })
  elseif type(value) ~= "table" then
    args.wrong(where, "proxy", "false, the URL of a proxy or a table", value)
  end
  return rules_of(value, where)
end

return M
