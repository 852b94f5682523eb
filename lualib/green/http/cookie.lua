--- One cookie: read from a Set-Cookie header, and asked whom it is for (RFC 6265bis 5).
-- @module green.http.cookie

local date = require "green.http.date"
local ip = require "green.http.ip"

-- Scripts may put their own in their places.
local pairs, tonumber, type = pairs, tonumber, type
local max, min = math.max, math.min

local PAIR_MOST = 4096 -- bytes of name and value together
local ATTRIBUTE_MOST = 1024 -- bytes of an attribute's value; a longer one is passed over
local HEADER_MOST = 16384 -- bytes of a whole header
local AGE_MOST = 400 * 86400 -- seconds that a cookie may live

local M = { PAIR_MOST = PAIR_MOST }

-- -- Reading ------------------------------------------------------------------

local function trim(text)
  return text:match("^[ \t]*(.-)[ \t]*$")
end

--- Does it have a character that no cookie may have? A tab may stand in it.
local function is_spoilt(text)
  return text:find("[%z\1-\8\10-\31\127]") ~= nil
end

local function in_time(expires, now)
  return min(expires, now + AGE_MOST)
end

-- What each attribute puts into a cookie; the last one of a name counts.
local attributes = {}

function attributes.expires(cookie, value, now)
  local moment = date.cookie(value)
  if moment then
    cookie.expires_at = in_time(moment, now)
  end
end

attributes["max-age"] = function(cookie, value, now)
  if value:find("^%-?%d+$") then
    local seconds = tonumber(value)
    cookie.age_ends = seconds > 0 and in_time(now + seconds, now) or -math.huge
  end
end

function attributes.domain(cookie, value)
  cookie.domain = value:gsub("^%.", ""):lower()
end

function attributes.path(cookie, value)
  cookie.path = value:find("^/") and value or false
end

function attributes.secure(cookie)
  cookie.secure = true
end

function attributes.httponly(cookie)
  cookie.http_only = true
end

local SITES = { none = "None", strict = "Strict", lax = "Lax" }

function attributes.samesite(cookie, value)
  cookie.same_site = SITES[value:lower()] or nil
end

local function read_attribute(cookie, text, now)
  local name, value = text:match("^([^=]*)=(.*)$")
  name, value = trim(name or text):lower(), trim(value or "")
  local read = attributes[name]
  if read and #value <= ATTRIBUTE_MOST then
    read(cookie, value, now)
  end
end

--- What a Set-Cookie header says; nil: nothing that a cookie can be. Does not park.
-- @tparam string text
-- @tparam number now seconds since 1970
-- @treturn ?table `name`, `value`, `domain`, `path` (false: it said one that does not
-- begin with a slash), `secure`, `http_only`, `same_site`, `expires` (nil: at the end of the
-- session)
function M.parse(text, now)
  if #text > HEADER_MOST or is_spoilt(text) then
    return nil
  end
  local pair, rest = text:match("^([^;]*)(.*)$")
  local name, value = pair:match("^([^=]*)=(.*)$")
  name, value = trim(name or ""), trim(value or pair)
  if #name + #value > PAIR_MOST or name == "" and value == "" then
    return nil
  end
  local cookie = { name = name, value = value, secure = false, http_only = false }
  for attribute in rest:gmatch(";([^;]*)") do
    read_attribute(cookie, attribute, now)
  end
  cookie.expires = cookie.age_ends or cookie.expires_at
  cookie.age_ends, cookie.expires_at = nil, nil
  return cookie
end

-- -- Matching -----------------------------------------------------------------

--- Is the host the domain, or below it (5.1.3)? Nothing is below a numeric address.
function M.domain_matches(host, domain)
  return host == domain
    or host:sub(-#domain - 1) == "." .. domain and not ip.bytes(host)
end

--- Is the path the cookie's, or below it (5.1.4)?
function M.path_matches(path, own)
  return path == own
    or path:sub(1, #own) == own and (own:sub(-1) == "/" or path:sub(#own + 1, #own + 1) == "/")
end

--- The path that a cookie has which says none (5.1.4).
function M.default_path(path)
  return path:match("^(/.*)/[^/]*$") or "/"
end

--- Does the name promise more than the cookie keeps (5.4)? A cookie without a name
-- must not look like one that promises.
-- @tparam table cookie with `host_only`, and `whole_site`: it said Path=/
function M.breaks_promise(cookie)
  local name = (cookie.name ~= "" and cookie.name or cookie.value):lower()
  local is_secure, is_host = name:find("^__secure%-"), name:find("^__host%-")
  if cookie.name == "" then
    return is_secure ~= nil or is_host ~= nil
  end
  return (is_secure or is_host) and not cookie.secure
    or is_host and not (cookie.host_only and cookie.whole_site) or false
end

--- As it stands in a Cookie header.
function M.text(cookie)
  return cookie.name == "" and cookie.value or cookie.name .. "=" .. cookie.value
end

-- -- Saving -------------------------------------------------------------------

-- Field -> its type; those that may be nil say so.
local FIELDS = { name = "string", value = "string", domain = "string", path = "string",
  host_only = "boolean", secure = "boolean", http_only = "boolean", created = "number" }
local OPTIONAL = { expires = "number", same_site = "string" }

--- A copy with the fields that are for others.
function M.copy(cookie)
  local copy = {}
  for name in pairs(FIELDS) do
    copy[name] = cookie[name]
  end
  for name in pairs(OPTIONAL) do
    copy[name] = cookie[name]
  end
  return copy
end

local function is_number(value)
  return value == value and value > -math.huge and value < math.huge
end

--- Which field has the wrong type, in words; nil: none.
local function wrong_type(saved)
  for name, kind in pairs(FIELDS) do
    if type(saved[name]) ~= kind then
      return ("its %s must be a %s"):format(name, kind)
    end
  end
  for name, kind in pairs(OPTIONAL) do
    if saved[name] ~= nil and type(saved[name]) ~= kind then
      return ("its %s must be a %s"):format(name, kind)
    end
  end
end

local function wrong_letter(saved)
  for _, name in pairs { "name", "value", "domain", "path" } do
    if is_spoilt(saved[name]) or saved[name]:find(";", 1, true) then
      return ("its %s has a character that no cookie has"):format(name)
    end
  end
end

local function is_pair(name, value)
  return #name + #value <= PAIR_MOST and name .. value ~= "" and not name:find("=", 1, true)
end

local function is_place(domain, path)
  return max(#path, #domain) <= ATTRIBUTE_MOST and path:find("^/") and domain ~= ""
    and not domain:find("^%.") and not domain:find("[%u\128-\255]")
end

--- What is wrong with a saved cookie, in words; nil: nothing.
function M.fault(saved)
  if type(saved) ~= "table" then
    return "it is no table"
  end
  local fault = wrong_type(saved) or wrong_letter(saved)
  if fault then
    return fault
  elseif not is_pair(saved.name, saved.value) then
    return "its name and value are no cookie's"
  elseif not is_place(saved.domain, saved.path) then
    return "its domain or path is no cookie's"
  elseif not is_number(saved.created) or not is_number(saved.expires or 0) then
    return "its times are no times"
  end
end

return M
