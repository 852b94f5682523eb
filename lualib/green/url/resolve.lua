--- References against a base, and one text for all that mean the same (RFC 3986, 5 and 6).
-- @module green.url.resolve

local object = require "green.url.object"

-- Scripts may put their own in their places.
local byte, char, find, gmatch, gsub, match, sub, tonumber, upper = string.byte, string.char,
  string.find, string.gmatch, string.gsub, string.match, string.sub, tonumber, string.upper
local concat = table.concat
local derive = object.derive

local M = {}

-- -- Dots ---------------------------------------------------------------------

--- Take "." and ".." at the beginning away, behind which stands no segment.
local function skip_dots(path)
  local at = 1
  while true do
    local behind = match(path, "^%.%.?/()", at)
    if not behind then
      break
    end
    at = behind
  end
  local rest = sub(path, at)
  return (rest == "." or rest == "..") and "" or rest
end

--- A path without the segments "." and ".." (RFC 3986, 5.2.4).
local function remove_dots(path)
  if not find(path, ".", 1, true) then
    return path
  end
  local rest = skip_dots(path)
  local first = match(rest, "^[^/]*")
  local out, n = { first }, first == "" and 0 or 1
  for segment, behind in gmatch(sub(rest, #first + 1), "/([^/]*)()") do
    local is_last = behind > #rest - #first
    local is_dots = segment == "." or segment == ".."
    if segment == ".." and n > 0 then
      n = n - 1
    end
    if not is_dots or is_last then
      n = n + 1
      out[n] = is_dots and "/" or "/" .. segment
    end
  end
  return concat(out, "", 1, n)
end
M.remove_dots = remove_dots

--- Without a host, "//" at the beginning would begin one.
local function fit(path, host)
  return not host and sub(path, 1, 2) == "//" and "/." .. path or path
end

-- -- References ---------------------------------------------------------------

local function merge(base, path)
  if base.host and base.path == "" then
    return "/" .. path
  end
  return (match(base.path, "^.*/") or "") .. path
end

--- The parts of a URL that say who is asked.
local function at_host_of(u, scheme)
  return { scheme = scheme, userinfo = u.userinfo, user = u.user, password = u.password,
    host = u.host, port = u.port }
end

--- What a reference means at a base that has a scheme (RFC 3986, 5.2.2).
function M.resolve(base, ref)
  local u
  if ref.scheme or ref.host then
    u = at_host_of(ref, ref.scheme or base.scheme)
    u.path, u.query = remove_dots(ref.path), ref.query
  else
    u = at_host_of(base, base.scheme)
    if ref.path == "" then
      u.path, u.query = base.path, ref.query or base.query
    else
      local is_absolute = sub(ref.path, 1, 1) == "/"
      u.path = remove_dots(is_absolute and ref.path or merge(base, ref.path))
      u.query = ref.query
    end
  end
  u.path, u.fragment = fit(u.path, u.host), ref.fragment
  return derive(u)
end

-- -- Normal form --------------------------------------------------------------

--- "%7e" is "~", "%2f" is "%2F".
local function plain_escape(digits)
  local c = char(tonumber(digits, 16))
  return find(c, "[%w%-%._~]") and c or "%" .. upper(digits)
end

local function plain(text)
  return text and gsub(text, "%%(%x%x)", plain_escape) or nil
end

--- The normal form of a URL.
function M.normalise(from)
  local u = at_host_of(from, from.scheme)
  u.userinfo = plain(from.userinfo)
  if u.port == object.ports[u.scheme] then
    u.port = nil
  end
  local path = plain(from.path)
  if byte(path) == 47 then
    path = remove_dots(path)
  end
  u.path = path == "" and u.host and "/" or fit(path, u.host)
  u.query, u.fragment = plain(from.query), plain(from.fragment)
  return derive(u)
end

return M
