--- What a URL says of a request: whom to ask, and for what. Private to green.http.
--
-- One parser decides who is meant: the host that is checked is the host that is connected to.
-- @module green.http.target

local addr = require "green.socket.addr"
local args = require "green.args"
local errors = require "green.error"
local is_url = require("green.url.object").is
local reader = require "green.url.read"
local urls = require "green.url"

-- Scripts may put their own in their places.
local find, match, type = string.find, string.match, type

local PORTS = { http = 80, https = 443 }

local SHOWN = 200 -- bytes of what is no URL, in a message

local M = {}

--- What stands for a URL in a message: without user and password. Of a text that is none,
-- what stands behind "?" or "#" is left out, too; "" if nobody can tell where a password ends.
function M.shown(value)
  local u = type(value) ~= "string" and value or urls.parse(value)
  if u and u.host then
    return u:redacted()
  end
  local text = match(reader.redacted(value, SHOWN), "^[^?#]*")
  return find(text, "@", 1, true) and not find(text, "//***@", 1, true) and "" or text
end

--- Bytes that would end a line of the request raise.
function M.check_line(text, where, name)
  if find(text, "[%z\r\n]") then
    args.misuse("%s: %s must not have CR, LF or NUL in it", where, name)
  end
end

--- The host as it stands in Host: IPv6 in brackets, no zone.
local function host_field(host)
  return addr.bracketed((host:gsub("%%.*", "")))
end

local function of_object(u)
  local port = u.port or PORTS[u.scheme]
  local authority = host_field(u.host)
  local place = authority .. ":" .. port
  if port ~= PORTS[u.scheme] then
    authority = authority .. ":" .. port
  end
  local target = u:target()
  local plain = u.scheme .. "://" .. authority .. target
  return {
    url = u,
    scheme = u.scheme,
    host = u.host,
    port = port,
    authority = authority,
    place = place, -- for CONNECT
    target = target,
    text = plain, -- without credentials and fragment
    origin = u.scheme .. "://" .. u.host .. ":" .. port,
    user = u.user,
    password = u.password,
  }
end

--- Can user and password be told to a server (RFC 7617, 2)? They may be a stranger's, so what
-- is wrong with them is no mistake of the caller's.
local function are_tellable(user, password)
  return not find(user, "[%z\1-\31:\127]") and not find(password, "[%z\1-\31\127]")
end

local function refused(why)
  return nil, errors.new("EINVAL", nil, why)
end

--- A URL is a text or an object of green.url. Anything else raises.
function M.check(value, where)
  if type(value) == "string" then
    M.check_line(value, where, "url")
  elseif not is_url(value) then
    args.wrong(where, "url", "a URL or the text of one", value)
  end
end

--- The URL object of a text or an object, at a base if there is one.
local function parse(value, base, where, how)
  M.check(value, where)
  if base then
    return urls.join(base, value, how)
  elseif type(value) ~= "string" then
    return value
  elseif not find(value, "^%a[%w+.-]*:") then
    return refused("it must begin with http:// or https://; one that is relative needs a session "
      .. "with a base_url")
  end
  return urls.parse(value)
end

--- Add params to the query.
local function with_params(u, params)
  local query = type(params) == "string" and params or urls.query(params)
  if query == "" then
    return u
  end
  return u:with { query = u.query and u.query ~= "" and u.query .. "&" .. query or query }
end

--- Take a URL apart. CR, LF and NUL raise. Does not park.
-- @param value a text or what green.url made
-- @param ?base what a relative one is meant at
-- @tparam ?{table,...} params what is added to its query
-- @tparam string where the function's name, for misuse
-- @tparam[opt] table how `lenient`: with a base, it is read as browsers read it
-- @return a table; or nil, err: EINVAL (it is no URL, or not of http or https), ENOLIBRARY
function M.read(value, base, params, where, how)
  local u, err = parse(value, base, where, how)
  for i = 1, u and #params or 0 do
    u, err = with_params(u, params[i])
    if not u then
      break
    end
  end
  if not u then
    return nil, err
  elseif not u.scheme or not PORTS[u.scheme] then
    return refused(u.scheme and "the scheme " .. u.scheme .. " is not http or https"
      or "the URL has no scheme")
  elseif not u.host or u.host == "" then
    return refused("the URL has no host")
  elseif u.port == 0 then
    return refused("the port must not be 0")
  elseif u.user and not are_tellable(u.user, u.password or "") then
    return refused("its user must have no colon, and it and the password no control characters")
  end
  return of_object(u)
end

return M
