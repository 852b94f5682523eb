--- Whose pages may open a websocket, and under which names the server is called.
--
-- A browser lets a page of any site connect to any server, and sends the user's cookies
-- along (RFC 6455, 10.2): it only says whose page it is. So an Origin must be the server's
-- own unless told otherwise. Who is no browser can say what it likes, and may say nothing.
-- Private to green.websocket.
-- @module green.websocket.origin

local args = require "green.args"

-- Scripts may put their own in their places.
local ipairs, tonumber, type = ipairs, tonumber, type
local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match,
  string.sub

local M = {}

local DEFAULT = { http = 80, https = 443, ws = 80, wss = 443 }

-- -- Reading ------------------------------------------------------------------

--- Host and port of a text without scheme; the port is nil when it says none, and "*"
-- where that is let stand. nil: it is no such text.
local function place_of(text, stars)
  local host, port = match(text, "^(%[[%x:.]+%])(.*)$")
  if not host then
    host, port = match(text, "^([^%z\1-\32\127/?#@:%[%],]+)(.*)$")
  end
  if not host then
    return nil
  elseif port == "" or port == ":" then
    return lower(host)
  elseif stars and port == ":*" then
    return lower(host), "*"
  end
  port = tonumber(match(port, "^:(%d+)$"))
  if port and port <= 65535 then
    return lower(host), port
  end
end

--- An origin's scheme, host and port (its scheme's, if it names none; RFC 6454, 6.2). nil:
-- it is none, or nobody's ("null").
local function origin_of(text, stars)
  local scheme, rest = match(text, "^(%a[%w+.-]*)://(.*)$")
  if not scheme then
    return nil
  end
  scheme = lower(scheme)
  local host, port = place_of(rest, stars)
  if host then
    return scheme, host, port or DEFAULT[scheme]
  end
end

-- -- The rule unless told otherwise -------------------------------------------

--- Is the origin that of the server, as the client calls it? Behind a proxy that speaks TLS
-- for us the client's scheme may be https although ours is http; never the other way round:
-- who can change what http brings must not speak for https.
local function is_same(origin, env)
  local scheme, host, port = origin_of(origin)
  if scheme ~= "https" and (scheme ~= "http" or env["wsgi.url_scheme"] == "https") then
    return false
  end
  local own_host, own_port = place_of(env.HTTP_HOST or "")
  return host == own_host and port == (own_port or DEFAULT[scheme])
end

-- -- Rules of lists -----------------------------------------------------------

--- Does a host fit one that may begin with "*."?
local function fits(host, wanted)
  if sub(wanted, 1, 2) == "*." then
    return #host >= #wanted and sub(host, 1 - #wanted) == sub(wanted, 2)
  end
  return host == wanted
end

local function port_fits(port, wanted)
  return wanted == "*" or port == wanted
end

--- Has it a star anywhere but in front, as "*."?
local function has_odd_star(host)
  return find(gsub(host, "^%*%.(.)", "%1"), "*", 1, true) ~= nil
end

local WANTED = 'an origin such as "https://example.com", "https://*.example.com" or '
  .. '"http://localhost:*", "same", "null" or "*"'

--- A function(origin, env) for one entry. Raises misuse.
local function one_origin(entry, where, name)
  args.type(entry, "string", where, name)
  if entry == "*" then
    return function() return true end
  elseif entry == "same" then
    return is_same
  elseif entry == "null" then
    return function(origin) return origin == "null" end
  end
  local scheme, host, port = origin_of(entry, true)
  if not scheme or scheme == "ws" or scheme == "wss" or has_odd_star(host) then
    args.wrong(where, name, WANTED, entry) -- a page has no such scheme: it is http, https, ...
  end
  return function(origin)
    local its_scheme, its_host, its_port = origin_of(origin)
    return its_scheme == scheme and fits(its_host, host) and port_fits(its_port, port)
  end
end

--- A function(host) for one entry: a port that it does not name is any.
local function one_host(entry, where, name)
  args.type(entry, "string", where, name)
  local host, port = place_of(entry, true)
  if not host or has_odd_star(host) then
    args.wrong(where, name, 'a host such as "example.com", "example.com:8080", "*.example.com" or '
      .. '"[::1]"', entry)
  end
  port = port or "*"
  return function(its_host, its_port)
    return fits(its_host, host) and port_fits(its_port, port)
  end
end

local function rules_of(list, where, name, make)
  local rules = {}
  if type(list) == "string" then
    list = { list }
  end
  for i, entry in ipairs(args.list(list, where, name, "strings")) do
    rules[i] = make(entry, where, name .. "[" .. i .. "]")
  end
  return rules
end

local function any(rules, ...)
  for i = 1, #rules do
    if rules[i](...) then
      return true
    end
  end
  return false
end

--- What the option `origins` comes to. Raises misuse. Does not park.
-- @param value nil: the server's own; a text; a list of them; a function(origin, env)
-- @treturn function(origin, env) whether a page of that origin may connect
function M.rule(value, where)
  if value == nil then
    return is_same
  elseif type(value) ~= "string" and type(value) ~= "table" or args.is_callable(value) then
    if not args.is_callable(value) and type(value) ~= "function" then
      args.wrong(where, "origins", '"*", an origin, a list of them or a function', value)
    end
    return value
  end
  local rules = rules_of(value, where, "origins", one_origin)
  return function(origin, env)
    return any(rules, origin, env)
  end
end

--- What the option `hosts` comes to. Raises misuse. Does not park.
-- @param value nil: any; a text; a list of them
-- @treturn function(env) whether the client calls the server by one of these names
function M.hosts(value, where)
  if value == nil then
    return function() return true end
  end
  local rules = rules_of(value, where, "hosts", one_host)
  return function(env)
    local host, port = place_of(env.HTTP_HOST or "")
    port = port or DEFAULT[env["wsgi.url_scheme"]] or DEFAULT.http
    return host ~= nil and any(rules, host, port)
  end
end

return M
