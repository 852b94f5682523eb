--- What people and other programs write for URLs, put right before it is read: as browsers
-- do (https://url.spec.whatwg.org), but for hosts, which are read as strictly as ever.
-- @module green.url.lenient

local encode = require("green.url.escape").encode
local resolving = require "green.url.resolve"

-- Scripts may put their own in their places.
local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match,
  string.sub

local M = {}

--- Schemes for which "\" is "/", and a host follows whatever slashes there are.
local special = { http = true, https = true, ws = true, wss = true, ftp = true }

-- -- Bytes --------------------------------------------------------------------

--- A "%" that is no escape becomes one; what the pattern finds, too.
local function escape(text, pattern)
  text = gsub(text, "%%(%x?%x?)", function(digits)
    return #digits < 2 and "%25" .. digits or nil
  end)
  return (gsub(text, pattern, encode))
end

local IN_USERINFO = "[^%w%-%._~!$&'()*+,;=:%%]"
local IN_PATH = "[^%w%-%._~!$&'()*+,;=:@/%%]"
local IN_QUERY = "[^%w%-%._~!$&'()*+,;=:@/?%%]"

--- "%2e" is a dot where browsers look for "..".
local function plain_dots(text)
  return (gsub("/" .. text .. "/", "/([%.%%2eE]+)%f[/]", function(segment)
    local dots = gsub(segment, "%%2[eE]", ".")
    return (dots == "." or dots == "..") and "/" .. dots or nil
  end):sub(2, -2))
end

-- -- Parts --------------------------------------------------------------------

--- Everything before the last "@" is user and password.
local function fix_authority(authority)
  local userinfo, place = match(authority, "^(.*)@(.*)$")
  if not userinfo then
    return authority
  end
  return (userinfo == "" and "" or escape(userinfo, IN_USERINFO) .. "@") .. place
end

--- Scheme in lower case, and what stands behind it; nil, text.
local function split_scheme(text)
  local scheme, rest = match(text, "^(%a[%w+%-.]*):(.*)$")
  if scheme then
    return lower(scheme), rest
  end
  return nil, text
end

--- The place of the host, and what stands behind it; nil, rest: there is none.
-- @tparam boolean follows a host follows whatever slashes there are
local function split_authority(rest, is_special, follows)
  local slashes = match(rest, "^/*")
  if not follows and #slashes < 2 then
    return nil, rest
  end
  return match(rest, "^([^/]*)(.*)$", is_special and #slashes + 1 or 3)
end

--- A path; dots go, unless it is a name of its own ("mailto:a") or relative.
local function fix_path(path, scheme, authority, is_special)
  local fixed = escape(path, IN_PATH)
  local is_rooted = authority or sub(path, 1, 1) == "/"
  if is_rooted or not scheme then
    fixed = plain_dots(fixed)
  end
  if is_special and authority and fixed == "" then
    return "/"
  end
  return is_rooted and scheme and resolving.remove_dots(fixed) or fixed
end

--- Scheme, slashes, host and path, where neither "?" nor "#" stands.
local function fix_place(text, base_scheme)
  local scheme, rest = split_scheme(text)
  local is_special = special[scheme or base_scheme] or false
  if is_special then
    rest = gsub(rest, "\\", "/")
  end
  if is_special and scheme and scheme == base_scheme and not find(rest, "^//") then
    scheme = nil -- "http:g" is "g" there, and "http:x:g" is no "x:g"
    rest = find(rest, "^[^/]*:") and "./" .. rest or rest
  end
  local authority, path = split_authority(rest, is_special, is_special and scheme)
  return (scheme and scheme .. ":" or "") .. (authority and "//" .. fix_authority(authority) or "")
    .. fix_path(path, scheme, authority, is_special)
end

--- A text that url.parse reads as browsers would read this one.
-- @tparam string text
-- @tparam[opt] string base_scheme of the base that it is joined to
function M.fix(text, base_scheme)
  text = match(text, "^[%z\1-\32]*(.-)[%z\1-\32]*$")
  text = gsub(text, "[\t\r\n]", "")
  local at = find(text, "[?#]") or #text + 1
  local place, rest = sub(text, 1, at - 1), sub(text, at)
  local query, fragment = match(rest, "^(%??[^#]*)#(.*)$")
  if not query then
    query, fragment = rest, nil
  end
  if query ~= "" then
    query = "?" .. escape(sub(query, 2), IN_QUERY)
  end
  return fix_place(place, base_scheme) .. query
    .. (fragment and "#" .. escape(fragment, IN_QUERY) or "")
end

return M
