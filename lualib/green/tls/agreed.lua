--- What the two sides of a TLS connection have agreed on: methods of its stream.
-- @module green.tls.agreed

local args = require "green.args"
local certificate = require "green.tls.certificate"
local errors = require "green.error"

local ffi = require "ffi"
local C = require "green.ffi.tls"

local MOST = 16384 -- bytes that may be exported at once

local methods = {}

local info = ffi.new("green_tls_info")

local EARLY = "the handshake is not done; handshake() does it"

local function open_or_nil(self)
  return self._box.p == nil and errors.new("ECLOSED", "tls") or nil
end

local function text_or_nil(text)
  return text ~= nil and ffi.string(text) or nil
end

--- What the two sides have agreed on. Does not park.
-- @treturn table `version` ("TLSv1.3"), `cipher`, `alpn` (nil: none), `server_name` (what
-- the client asked for; nil: nothing), `resumed`; or nil, err: ECLOSED, EAGAIN (the
-- handshake is not done)
function methods:info()
  local closed = open_or_nil(self)
  if closed then
    return nil, closed
  end
  local code = C.get_info(self._box.p, info)
  if code < 0 then
    return nil, errors.new(code, "info", EARLY)
  end
  return {
    version = text_or_nil(info.version),
    cipher = text_or_nil(info.cipher),
    alpn = info.alpn_len > 0 and ffi.string(info.alpn, info.alpn_len) or nil,
    server_name = text_or_nil(info.name),
    resumed = info.resumed,
  }
end

--- The peer's certificate. Does not park.
-- @treturn ?table `subject`, `issuer`, `serial`, `not_before`, `not_after` (ISO 8601),
-- `names` (a list: "DNS:example.org", "IP:192.0.2.1"), `der`, and `chain`: such tables of
-- the certificates behind it. nil: it has shown none; nil, err: ECLOSED, EAGAIN (the
-- handshake is not done)
function methods:peer_certificate()
  local closed = open_or_nil(self)
  if closed then
    return nil, closed
  elseif not C.is_done(self._box.p) then
    return nil, errors.new("EAGAIN", "peer_certificate", EARLY)
  end
  return certificate.of(self._box.p)
end

local binding = ffi.new("uint8_t[?]", ffi.C.GREEN_TLS_BINDING)

--- What ties a login to this connection (RFC 9266, RFC 5929). Does not park.
-- @tparam[opt="tls-exporter"] string kind or "tls-server-end-point"
-- @treturn string bytes; or nil, err: EOPNOTSUPP, ECLOSED
function methods:channel_binding(kind)
  kind = kind == nil and "tls-exporter" or args.type(kind, "string", "channel_binding", "kind")
  local closed = open_or_nil(self)
  if closed then
    return nil, closed
  end
  local n = C.binding(self._box.p, kind, binding)
  if n < 0 then
    return nil, errors.new(n, "channel_binding")
  end
  return ffi.string(binding, n)
end

--- Bytes that both sides can make, and nobody else (RFC 5705). Does not park.
-- @tparam string label
-- @tparam number n how many bytes
-- @tparam[opt] string context
-- @treturn string; or nil, err: EINVAL, ECLOSED
function methods:export_keying_material(label, n, context)
  args.type(label, "string", "export_keying_material", "label")
  args.integer(n, 1, "export_keying_material", "n", MOST)
  args.optional(context, "string", "export_keying_material", "context")
  local closed = open_or_nil(self)
  if closed then
    return nil, closed
  end
  local bytes = ffi.new("uint8_t[?]", n)
  local code = C.export(self._box.p, label, context, context and #context or 0, bytes, n)
  if code < 0 then
    return nil, errors.new(code, "export_keying_material")
  end
  return ffi.string(bytes, n)
end

return methods
