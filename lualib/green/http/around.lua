--- The options of requests that say who asks, and by which way: cookies, credentials,
-- proxies. Private to green.http.
-- @module green.http.around

local addr = require "green.socket.addr"
local args = require "green.args"
local core = require "green.core"
local is_token = require("green.http.token").is

-- Scripts may put their own in their places.
local pairs, tostring, type = pairs, tostring, type
local concat, sort = table.concat, table.sort

local M = {}

local function is_jar(value)
  return type(value) == "table" and require("green.http.cookies").is(value)
end

--- The jar of a session: its own, one that is given, or false.
function M.jar(value, where)
  if value == nil or value == false then
    return false
  elseif value == true then
    return require("green.http.cookies").new()
  elseif is_jar(value) then
    return value
  end
  args.wrong(where, "cookies", "true or a jar", value)
end

--- One cookie as it is sent (RFC 6265, 4.1.1). Its value is not shown: it may be a secret.
local function pair_of(name, value, where)
  if not is_token(name) then
    args.wrong(where, "the name of a cookie", "a token", name)
  end
  value = type(value) == "number" and tostring(value) or value
  if type(value) ~= "string" or value:find('[%z\1-\31\127 ",;\\]') then
    args.misuse("%s: the cookie %s must be a text without blanks, commas, semicolons and control "
      .. "bytes", where, name)
  end
  return name .. "=" .. value
end

--- The option of a request: false, a jar, or a table of names and values, which go beside
-- those of the session's jar.
function M.cookies(req, value, where)
  if value == nil then
    return
  elseif value == false then
    req.jar = false
  elseif is_jar(value) then
    req.jar = value
  else
    if type(value) ~= "table" or core.class_of(value) then
      args.wrong(where, "cookies", "a jar, false or a table of names and values", value)
    end
    local pairs_ = {}
    for name, one in pairs(value) do
      pairs_[#pairs_ + 1] = pair_of(name, one, where)
    end
    sort(pairs_)
    req.own_cookies = concat(pairs_, "; ")
  end
end

local function cookie_line(req)
  local jar, own = req.jar, req.own_cookies
  if req.fields.has.cookie or not jar and not own then
    return ""
  end
  local text = jar and jar:header(req.target.url)
  text = text and own and text .. "; " .. own or text or own
  return text and "Cookie: " .. text .. "\r\n" or ""
end

-- -- Credentials --------------------------------------------------------------

--- The authentication of a session or a request; false: none. Raises misuse.
function M.auth(value, where)
  return value and require("green.http.auth").option(value, where) or false
end

--- That of a request without an option: the URL's, or the session's.
function M.auth_of(session, target)
  if target.user then
    return require("green.http.auth").basic(target.user, target.password or "")
  end
  return session._auth
end

--- What green.http.auth wants to know of a request.
local function seen_by_auth(req)
  return { method = req.method, target = req.target.target, origin = req.target.origin,
    url = req.url, sent = req.auth_sent, attempt = req.auth_attempt }
end

--- What an authentication gives for a request, where a message calls it that.
local function value_of(auth, seen, where)
  local value = auth:header(seen)
  if value ~= nil and (type(value) ~= "string" or value:find("[%z\r\n]")) then
    args.misuse("request: the function of %s must give a string without CR, LF and NUL", where)
  end
  return value
end

local function auth_line(req)
  if not req.auth or req.fields.has.authorization then
    return ""
  end
  req.auth_sent = value_of(req.auth, seen_by_auth(req), "auth")
  return req.auth_sent and "Authorization: " .. req.auth_sent .. "\r\n" or ""
end

-- How a server and a proxy ask who it is, and what they say when they know.
local SERVER = { status = 401, asks = "www-authenticate", tells = "authentication-info" }
local PROXY = { status = 407, asks = "proxy-authenticate", tells = "proxy-authentication-info" }

--- Tell an authentication of an answer. Is the request to be sent again?
local function hear(auth, seen, resp, side)
  if resp.status == side.status then
    return (auth:challenged(seen, resp.headers:all(side.asks)))
  end
  local info = resp.headers:get(side.tells)
  if info then
    auth:answered(seen, info)
  end
  return false
end

--- Is a request that was answered so to be sent again, with what the server or the proxy of
-- plain HTTP wants?
function M.is_challenged(req, resp)
  local proxy_auth = req.form and req.proxy and req.proxy.auth
  local again = false
  if resp.status == SERVER.status then
    req.auth_attempt = (req.auth_attempt or 0) + 1
  elseif resp.status == PROXY.status then
    req.proxy_attempt = (req.proxy_attempt or 0) + 1
  end
  if proxy_auth then
    again = hear(proxy_auth, M.seen_by_proxy(req), resp, PROXY)
  end
  return req.auth and hear(req.auth, seen_by_auth(req), resp, SERVER) or again
end

-- -- Proxies ------------------------------------------------------------------

--- The rules of a session that has an option; false: what the environment says, asked when
-- the first request comes.
function M.rules(value, where)
  return value ~= nil and require("green.http.proxy").option(value, where) or false
end

--- The proxy for a request, or nil; or nil, err.
function M.proxy(session, req)
  local settings, target = req.settings, req.target
  local rules = settings.proxy or session._proxy
  if settings.unix or settings.allow and not rules then
    return nil -- strangers' requests do not go where the environment says
  end
  rules = rules or session._env_proxy
  if not rules then
    local err
    rules, err = require("green.http.proxy").from_env()
    if not rules then
      return nil, err
    end
    session._env_proxy = rules
  end
  return rules:choose(target.scheme, target.host, target.port)
end

local function place_of(proxy)
  return proxy.scheme .. "://" .. addr.text(proxy.host, proxy.port)
end

--- What green.http.auth wants to know of a request for the proxy of plain HTTP.
function M.seen_by_proxy(req)
  return { method = req.method, target = req.form, origin = place_of(req.proxy), url = req.url,
    sent = req.proxy_sent, attempt = req.proxy_attempt }
end

local function proxy_line(req)
  local auth = req.form and req.proxy and req.proxy.auth
  if not auth then
    return ""
  end
  req.proxy_sent = value_of(auth, M.seen_by_proxy(req), "proxy.auth")
  return req.proxy_sent and "Proxy-Authorization: " .. req.proxy_sent .. "\r\n" or ""
end

-- -- Tunnels ------------------------------------------------------------------

--- What a proxy is asked to connect to, for M.tunnel_headers.
function M.tunnel_asked(proxy, target, url)
  return { method = "CONNECT", target = target, origin = place_of(proxy), url = url, attempt = 0 }
end

--- The headers of a CONNECT that say who asks; nil: none. Parks if a function of auth does.
function M.tunnel_headers(proxy, asked)
  asked.sent = proxy.auth and value_of(proxy.auth, asked, "proxy.auth")
  return asked.sent and { { "Proxy-Authorization", asked.sent } } or nil
end

--- Is the proxy to be asked again, over another connection, for it wants to know who asks?
-- @tparam table answer of green.http.tunnel, or its error
function M.is_tunnel_challenged(proxy, asked, answer)
  local headers, auth = answer.headers, proxy.auth
  if not auth or not headers then
    return false
  elseif answer.status == PROXY.status then
    asked.attempt = asked.attempt + 1
    return (auth:challenged(asked, headers[PROXY.asks] or {}))
  elseif headers[PROXY.tells] then
    auth:answered(asked, headers[PROXY.tells][1])
  end
  return false
end

--- The lines of the head that say who asks; nil: none. Parks if a function of auth does.
function M.lines(req)
  local text = auth_line(req) .. cookie_line(req) .. proxy_line(req)
  return text ~= "" and text or nil
end

return M
