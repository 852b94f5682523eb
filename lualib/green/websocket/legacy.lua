--- Handshakes of the drafts before version numbers: draft-hixie-thewebsocketprotocol-75
-- and -76. Private to green.websocket.
-- @module green.websocket.legacy

local bit = require "bit"
local digest = require "green.digest"

-- Scripts may put their own in their places.
local char, gsub, match, tonumber = string.char, string.gsub, string.match, tonumber
local band, rshift = bit.band, bit.rshift

local M = {}

local MOST = 2 ^ 32 - 1

-- -- Draft 76's challenge -----------------------------------------------------

--- The number in a key: its digits, divided by how many blanks it has (draft 76, 5.2). nil:
-- it is no key.
local function number_of(key)
  local digits = gsub(key, "%D", "")
  local _, blanks = gsub(key, " ", "")
  local number = #digits <= 15 and tonumber(digits)
  if number and blanks > 0 and number % blanks == 0 and number / blanks <= MOST then
    return number / blanks
  end
end

local function big_endian(n)
  return char(band(rshift(n, 24), 255), band(rshift(n, 16), 255), band(rshift(n, 8), 255),
    band(n, 255))
end

--- What proves that the server has read both keys and what stands behind the head.
-- Does not park.
-- @tparam {number,number} numbers of the keys
-- @tparam string bytes 8 of them
-- @treturn string 16 bytes
function M.answer(numbers, bytes)
  return digest.md5(big_endian(numbers[1]) .. big_endian(numbers[2]) .. bytes)
end

-- -- Both ---------------------------------------------------------------------

--- The URL that was asked for, with its query as it came: the client compares.
local function location_of(env)
  local scheme = env["wsgi.url_scheme"] == "https" and "wss" or "ws"
  local uri = env.REQUEST_URI or "/"
  local path = match(uri, "^%a[%w+.-]*://[^/?]*(.*)$") or uri
  if match(path, "^/") == nil then
    path = "/" .. path
  end
  return scheme .. "://" .. env.HTTP_HOST .. path
end

local function headers_of(env, shake, prefix)
  local headers = {
    { "Upgrade", "WebSocket" },
    { "Connection", "Upgrade" },
    { prefix .. "WebSocket-Origin", shake.origin },
    { prefix .. "WebSocket-Location", location_of(env) },
  }
  if shake.protocol then
    headers[5] = { prefix .. "WebSocket-Protocol", shake.protocol }
  end
  return headers
end

local function read_75(env, options, granted)
  local shake, refusal = granted(env, options, 75, env.HTTP_ORIGIN)
  if not shake then
    return nil, refusal
  end
  shake.status_line = "101 Web Socket Protocol Handshake"
  shake.headers = headers_of(env, shake, "")
  return shake
end

local function read_76(env, options, granted, refuse)
  local first = number_of(env.HTTP_SEC_WEBSOCKET_KEY1 or "")
  local second = number_of(env.HTTP_SEC_WEBSOCKET_KEY2 or "")
  if not (first and second) then
    return refuse(400)
  end
  local shake, refusal = granted(env, options, 76, env.HTTP_ORIGIN)
  if not shake then
    return nil, refusal
  end
  shake.status_line = "101 WebSocket Protocol Handshake"
  shake.headers = headers_of(env, shake, "Sec-")
  shake.numbers, shake.wants = { first, second }, 8
  return shake
end

--- Read a request of one of these: the keys tell which. Like green.websocket.handshake.read.
function M.read(env, options, granted, refuse)
  if not env.HTTP_ORIGIN then
    return refuse(400)
  elseif env.HTTP_SEC_WEBSOCKET_KEY1 or env.HTTP_SEC_WEBSOCKET_KEY2 then
    return read_76(env, options, granted, refuse)
  end
  return read_75(env, options, granted)
end

return M
