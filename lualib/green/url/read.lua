--- Texts to URLs.
-- @module green.url.read

local errors = require "green.error"
local escape = require "green.url.escape"
local object = require "green.url.object"

local ffi = require "ffi"
local C = require "green.ffi.url"

-- Scripts may put their own in their places.
local find, format, lower, match, sub = string.find, string.format, string.lower, string.match,
  string.sub
local derive = object.derive

local G = ffi.C
local NO_HOST = G.GREEN_URL_HOST_NONE
local M = { RELATIVE = G.GREEN_URL_RELATIVE, GENERIC = G.GREEN_URL_GENERIC }

local out = ffi.new("green_url") -- what C found; read before anybody else calls it

-- -- Refusals -----------------------------------------------------------------

local MOST = 60 -- bytes of a text that a message shows

--- Where user and password stand, or may stand in what is no URL: from, to; or nil.
-- Too much is better than too little: passwords have "/" and "#" in them.
local function secret(text)
  local last = match(text, ".*()@")
  if not last then
    return nil
  end
  local from = match(text, "^%a[%w+.-]*://()") or match(text, "^//()")
    or match(text, "^%a[%w+.-]*:()") or 1
  return from <= last and from or 1, last - 1
end

--- The bytes of a text before the one at, without what nobody is to see.
local function visible(text, at)
  local from, to = secret(text)
  local shown
  if from and at > from then
    shown = sub(text, 1, from - 1) .. "***" .. sub(text, to + 1, at - 1)
  else
    shown = sub(text, 1, at - 1)
  end
  return (shown:gsub("[%z\1-\31\127]", "?"))
end

--- Their last ones.
local function before(text, at)
  local shown = visible(text, at)
  return #shown > MOST and "..." .. sub(shown, -MOST) or shown
end

--- A text that may be no URL, for messages: without user and password, so many bytes at most.
function M.redacted(text, most)
  local shown = visible(text, #text + 1)
  return #shown > most and sub(shown, 1, most) .. "..." or shown
end

--- nil, err for what is refused at a byte.
function M.refuse(code, op, text, why, at)
  local place = at == 1 and "at the beginning"
    or format('at byte %d, behind "%s"', at, before(text, at))
  return nil, errors.new(code, op, format("%s (%s)", why, place), { at = at })
end

-- -- Reading ------------------------------------------------------------------

local function part(text, p)
  return p.len >= 0 and sub(text, p.at + 1, p.at + p.len) or nil
end

--- User and password of "user:password"; what stands for them has been checked.
local function split_userinfo(u, userinfo)
  u.userinfo = userinfo
  local colon = find(userinfo, ":", 1, true)
  u.user = escape.unescape(sub(userinfo, 1, (colon or 0) - 1))
  u.password = colon and escape.unescape(sub(userinfo, colon + 1)) or nil
end

-- Without a substring of their own: one of these is in every request.
local schemes = { [G.GREEN_URL_HTTP] = "http", [G.GREEN_URL_HTTPS] = "https",
  [G.GREEN_URL_WS] = "ws", [G.GREEN_URL_WSS] = "wss" }

local function scheme_of(text)
  if out.known ~= 0 then
    return schemes[out.known]
  end
  local scheme = part(text, out.scheme)
  return scheme and lower(scheme)
end

--- What few URLs have stands in no slot of the table that all get.
local function of(text)
  local u = {
    scheme = scheme_of(text),
    host = out.kind ~= NO_HOST and ffi.string(out.name, out.name_len) or nil,
    port = out.port >= 0 and out.port or nil,
    path = part(text, out.path),
    query = part(text, out.query),
    authority = nil,
    origin = nil,
    unicode_host = nil,
  }
  if out.fragment.len >= 0 then
    u.fragment = part(text, out.fragment)
  end
  if out.userinfo.len >= 0 then
    split_userinfo(u, part(text, out.userinfo))
  end
  return derive(u)
end

--- The URL of a text; or nil, err.
-- @tparam number flags of C
-- @tparam string op for errors
function M.read(text, flags, op)
  local code = C.parse(out, text, #text, flags)
  if code < 0 then
    return M.refuse(code, op, text, ffi.string(out.why), out.wrong_at + 1)
  end
  return of(text)
end

return M
