--- Why there is no TLS (any more), as an error: a sentence, and fields.
-- @module green.tls.failure

local certificate = require "green.tls.certificate"
local core = require "green.core"
local errors = require "green.error"

local ffi = require "ffi"
local C = require "green.ffi.tls"

local tonumber = tonumber -- scripts may put their own there

local codes = core.codes
local ECERTHOST = codes.ECERTHOST

--- What a failure is about: `alert`, the number of the one that the peer sent, and
-- `alert_name`; `certificate`, the one that was refused, and `chain_index`, which one of the
-- chain it is (1: the peer's own).
local function fields_of(tls)
  local fields = {}
  local alert, place = tonumber(C.alert(tls)), tonumber(C.bad_cert(tls))
  if alert >= 0 then
    local name = C.alert_name(alert)
    fields.alert, fields.alert_name = alert, name ~= nil and ffi.string(name) or nil
  end
  if place >= 0 then
    fields.certificate, fields.chain_index = certificate.bad(tls), place + 1
  end
  return fields
end

--- The sentence and the fields of a connection's failure with that code; nil: the code is
-- none of TLS's.
local function why(tls, code)
  local said = tls ~= nil and C.failure(tls) or nil
  if said == nil or said.code ~= code then
    return nil
  end
  return ffi.string(said.text), fields_of(tls)
end

--- What the network says during a handshake, in words: code -> sentence.
local during = {
  [codes.ETIMEDOUT] = "the peer did not finish the TLS handshake in time",
  [codes.ECONNRESET] = "the peer reset the connection during the TLS handshake",
  [codes.EPIPE] = "the peer closed the connection during the TLS handshake",
}

--- nil and the error of a connection's handshake, which ended with that code.
local function of_handshake(conn, code, op)
  if conn._refusal then
    return nil, conn._refusal
  end
  local text, fields = conn:_why(code)
  if code == ECERTHOST then
    fields = fields or {}
    fields.host = conn._host or nil
  end
  return nil, errors.new(code, op, text or during[code], fields)
end

--- The error of a handshake of which no more is left than the code, the number of the
-- client's alert (-1: none) and a sentence ("": the code's).
local function told(code, alert, text)
  local name = alert >= 0 and C.alert_name(alert) or nil
  local fields = alert >= 0 and { alert = alert,
    alert_name = name ~= nil and ffi.string(name) or nil } or nil
  return errors.new(code, "handshake", text ~= "" and text or during[code], fields)
end

return { why = why, of_handshake = of_handshake, told = told }
