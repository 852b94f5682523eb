--- What both ends have agreed on in the opening handshake, as C wants it
-- (green_ws_terms in httpd/wsd.h).
-- @module green.websocket.terms

local M = {}

--- Of a server. Does not park.
-- @tparam table shake what handshake.read gave
-- @tparam boolean is_light
function M.of_server(shake, is_light)
  local offer = shake.offer
  return {
    client = false,
    light = is_light,
    legacy = shake.version > 13, -- 75, 76
    deflate = offer ~= nil,
    out_takeover = offer and not offer.server_no_takeover or false,
    in_takeover = offer and not offer.client_no_takeover or false,
    out_bits = offer and offer.server_bits or 0,
    in_bits = offer and offer.client_bits or 0,
  }
end

--- Of a client. Does not park.
-- @tparam ?table offer what the server has answered
function M.of_client(offer)
  return {
    client = true,
    light = false,
    legacy = false,
    deflate = offer ~= nil,
    out_takeover = offer and not offer.client_no_takeover or false,
    in_takeover = offer and not offer.server_no_takeover or false,
    out_bits = offer and offer.client_bits or 0,
    in_bits = offer and offer.server_bits or 0,
  }
end

--- What the object of a server's connection shows (green.websocket.conn's `new`): fields that
-- most have are left out.
-- @tparam table shake
-- @tparam table env
-- @tparam ?table packed the env, if it is kept
function M.known(shake, env, packed)
  return {
    path = env.PATH_INFO,
    origin = shake.origin,
    protocol = shake.protocol,
    version = shake.version ~= 13 and shake.version or nil,
    compressed = shake.offer ~= nil or nil,
    packed = packed,
  }
end

return M
