--- What env tells of a connection's TLS: mod_ssl's names, and what it writes for them.
-- @module green.wsgi.tls_env

local certificate = require "green.tls.certificate"

local ffi = require "ffi"
local bit = require "bit"
local C = require "green.ffi.tls"

-- Scripts may put their own in their places.
local tonumber = tonumber
local concat, byte, format, gsub, sub = table.concat, string.byte, string.format, string.gsub,
  string.sub
local band, rshift = bit.band, bit.rshift

local info = ffi.new("green_tls_info")

local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
  "Dec" }
local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function digit(n)
  local i = band(n, 63) + 1
  return sub(DIGITS, i, i)
end

--- Bytes in base64, without line ends.
local function base64(bytes)
  local out = {}
  for i = 1, #bytes, 3 do
    local a, b, c = byte(bytes, i, i + 2)
    local n = a * 65536 + (b or 0) * 256 + (c or 0)
    out[#out + 1] = digit(rshift(n, 18)) .. digit(rshift(n, 12))
      .. (b and digit(rshift(n, 6)) or "=") .. (c and digit(n) or "=")
  end
  return concat(out)
end

local function pem(der)
  local lines = gsub(base64(der), ("."):rep(64), "%0\n")
  lines = gsub(lines, "\n$", "")
  return "-----BEGIN CERTIFICATE-----\n" .. lines .. "\n-----END CERTIFICATE-----\n"
end

--- "2026-01-31T12:00:00Z" as "Jan 31 12:00:00 2026 GMT".
local function time(iso)
  local year, month, day, clock = iso:match("^(%d+)-(%d+)-(%d+)T(.*)Z$")
  return year and format("%s %2d %s %s GMT", MONTHS[tonumber(month)], tonumber(day), clock, year)
    or iso
end

--- What was agreed, by name; nil: nothing.
local function agreed(name)
  return function(codec)
    C.get_info(codec, info)
    local text = info[name]
    return text ~= nil and ffi.string(text) or nil
  end
end

--- Of the client's certificate; nil: it has shown none.
local function of_client(name, as)
  return function(codec)
    local cert = certificate.of(codec)
    local text = cert and cert[name]
    return text and as and as(text) or text
  end
end

-- A client whose certificate is not accepted does not come so far.
local known = {
  HTTPS = function()
    return "on"
  end,
  SSL_PROTOCOL = agreed "version",
  SSL_CIPHER = agreed "cipher",
  SSL_TLS_SNI = agreed "name",
  SSL_SESSION_RESUMED = function(codec)
    C.get_info(codec, info)
    return info.resumed and "Resumed" or "Initial"
  end,
  SSL_CLIENT_VERIFY = function(codec)
    return C.peer_count(codec) > 0 and "SUCCESS" or "NONE"
  end,
  SSL_CLIENT_S_DN = of_client "subject",
  SSL_CLIENT_I_DN = of_client "issuer",
  SSL_CLIENT_M_SERIAL = of_client "serial",
  SSL_CLIENT_V_START = of_client("not_before", time),
  SSL_CLIENT_V_END = of_client("not_after", time),
  SSL_CLIENT_CERT = of_client("der", pem),
}

--- The value of a key of env. Does not park.
local function value(key, codec)
  return known[key](codec)
end

return { value = value }
