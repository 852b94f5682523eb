--- Certificates of a TLS peer, as tables.
-- @module green.tls.certificate

local errors = require "green.error"

local ffi = require "ffi"
local buf_api = require "green.ffi.buf"
local C = require "green.ffi.tls"

local tonumber = tonumber -- scripts may put their own there

local G = ffi.C
local FIELDS = { der = "GREEN_TLS_DER", subject = "GREEN_TLS_SUBJECT",
  issuer = "GREEN_TLS_ISSUER", serial = "GREEN_TLS_SERIAL",
  not_before = "GREEN_TLS_NOT_BEFORE", not_after = "GREEN_TLS_NOT_AFTER" }

--- One field of the i-th certificate. Raises when memory is short.
local function text(tls, i, what, buf)
  buf_api.reset(buf)
  local code = C.peer_text(tls, i, G[what], buf)
  if code < 0 then
    error(errors.new(code, "peer_certificate"), 0)
  end
  return buf.tail > buf.head and ffi.string(buf.data + buf.head, buf.tail - buf.head) or ""
end

local function one(tls, i, buf)
  local cert = {}
  for name, what in pairs(FIELDS) do
    cert[name] = text(tls, i, what, buf)
  end
  cert.names = {}
  for name in text(tls, i, "GREEN_TLS_ALT_NAMES", buf):gmatch("[^\n]+") do
    cert.names[#cert.names + 1] = name
  end
  return cert
end

--- The peer's certificate with the `chain` behind it; nil: it has shown none.
local function of(tls)
  local n = tonumber(C.peer_count(tls))
  if n <= 0 then
    return nil
  end
  local buf = ffi.gc(ffi.new("green_buf"), buf_api.reset)
  local cert = one(tls, 0, buf)
  cert.chain = {}
  for i = 1, n - 1 do
    cert.chain[i] = one(tls, i, buf)
  end
  return cert
end

--- The certificate that was refused; nil: none was.
local function bad(tls)
  if C.bad_cert(tls) < 0 then
    return nil
  end
  return one(tls, G.GREEN_TLS_BAD_CERT, ffi.gc(ffi.new("green_buf"), buf_api.reset))
end

return { of = of, bad = bad }
