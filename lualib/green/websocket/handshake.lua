--- The server's side of the opening handshake (RFC 6455, 4.2): a request is read, and what
-- is to be answered comes out. Nothing is sent here, nothing is waited for.
--
-- A handshake that is granted is a table: `version` (13; with `legacy` 8, 76 or 75 too),
-- `origin`, `protocol` and `offered` (the sub-protocols that the client has named), `offer`
-- (permessage-deflate as it was agreed, or nil), `status_line`, `headers` (a list of
-- { name, value }), `wants` (bytes that the client sends behind its head and that
-- `finish` needs: draft 76's 8), `body` (what is sent behind the head, or nil).
-- Private to green.websocket.
-- @module green.websocket.handshake

local args = require "green.args"
local deflate = require "green.websocket.deflate"
local digest = require "green.digest"
local origins = require "green.websocket.origin"
local words = require "green.websocket.words"

-- Scripts may put their own in their places.
local find, ipairs, match, tonumber = string.find, ipairs, string.match, tonumber

local GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" -- RFC 6455, 1.3

local M = {}

-- -- Options ------------------------------------------------------------------

local function protocols_of(value, where)
  local set = {}
  for i, name in ipairs(args.list(value or {}, where, "protocols", "strings")) do
    local place = "protocols[" .. i .. "]"
    if #(words.tokens(args.type(name, "string", where, place)) or {}) ~= 1 then
      args.wrong(where, place, "a sub-protocol's name, which is a token", name)
    end
    set[name] = true
  end
  return set
end

--- Options of a handler as `read` wants them. Raises misuse. Does not park.
-- @tparam table opts `origins`, `hosts`, `protocols`, `legacy`, `compression`, `light`
-- (the form of the connections: they keep no window of permessage-deflate)
-- @tparam string where the function's name, for messages
function M.options(opts, where)
  return {
    origins = origins.rule(opts.origins, where),
    hosts = origins.hosts(opts.hosts, where),
    protocols = protocols_of(opts.protocols, where),
    legacy = args.optional(opts.legacy, "boolean", where, "legacy") or false,
    compression = deflate.options(opts.compression, where),
    light = opts.light or false,
  }
end

-- -- Refusals -----------------------------------------------------------------

-- For who has opened it in a browser, or by a client that does not say what it sends.
local reasons = {
  [400] = "This is a WebSocket, and that was no handshake of one.\n",
  [403] = "No pages of that Origin, or not by that Host.\n",
  [405] = "This is a WebSocket: it begins with GET.\n",
  [426] = "That version of the WebSocket protocol is not spoken.\n",
}

--- nil and what a handler returns. The connection ends with it: what follows a handshake
-- that is none may be anything.
local function refuse(status, headers)
  headers = headers or {}
  headers.Connection = headers.Connection or "close"
  headers["Content-Type"] = "text/plain"
  return nil, { status, headers, reasons[status] }
end

--- RFC 6455, 4.4; RFC 9110, 15.5.22.
local function unknown_version(options)
  return refuse(426, {
    Connection = "upgrade, close",
    Upgrade = "websocket",
    ["Sec-WebSocket-Version"] = options.legacy and "13, 8" or "13",
  })
end

-- -- What all versions share --------------------------------------------------

--- Is there a body? Nobody sends one with a handshake but who has us take it for frames.
-- Proxies count the bytes behind the head of draft 76.
local function has_body(env)
  local length = env.CONTENT_LENGTH
  return env.HTTP_TRANSFER_ENCODING ~= nil or length ~= nil and tonumber(length) ~= 0
    and not (env.HTTP_SEC_WEBSOCKET_KEY1 and tonumber(length) == 8)
end

--- The request may be a handshake of some version; nil, refusal.
local function check_request(env)
  if env.REQUEST_METHOD ~= "GET" then
    return refuse(405, { Allow = "GET" })
  elseif env.SERVER_PROTOCOL ~= "HTTP/1.1" or not env.HTTP_HOST
    or not words.has(env.HTTP_CONNECTION, "upgrade")
    or not words.has(env.HTTP_UPGRADE, "websocket") or has_body(env) then
    return refuse(400)
  end
  return true
end

--- May that page, or that client without a page, come in by that name? True; nil, refusal.
-- Parks if the function of the option does.
local function check_origin(env, options, origin)
  if not options.hosts(env) or origin and not options.origins(origin, env) then
    return refuse(403)
  end
  return true
end

--- The first sub-protocol of the client's that we know.
local function choose_protocol(offered, known)
  for _, name in ipairs(offered) do
    if known[name] then
      return name
    end
  end
end

--- A handshake that is granted, but for its headers. nil, refusal.
local function granted(env, options, version, origin)
  local offered = words.unique(version == 75 and env.HTTP_WEBSOCKET_PROTOCOL
    or env.HTTP_SEC_WEBSOCKET_PROTOCOL)
  if not offered then
    return refuse(400)
  end
  local ok, refusal = check_origin(env, options, origin)
  if not ok then
    return nil, refusal
  end
  return { version = version, origin = origin, offered = offered,
    protocol = choose_protocol(offered, options.protocols),
    status_line = "101 Switching Protocols" }
end

-- -- RFC 6455, and draft 8 before it ------------------------------------------

--- What proves that a server has read the handshake (RFC 6455, 4.2.2). Does not park.
-- @tparam string key Sec-WebSocket-Key
-- @treturn string Sec-WebSocket-Accept
function M.accept_of(key)
  return digest.base64(digest.sha1(key .. GUID))
end

--- 16 bytes as base64: that is all that is asked of it.
local function is_key(text)
  return text ~= nil and #text == 24 and find(text, "^[A-Za-z0-9+/]+==$") ~= nil
end

local function headers_of(shake, key, extensions)
  local headers = {
    { "Upgrade", "websocket" },
    { "Connection", "Upgrade" },
    { "Sec-WebSocket-Accept", M.accept_of(key) },
  }
  if shake.protocol then
    headers[4] = { "Sec-WebSocket-Protocol", shake.protocol }
  end
  if extensions then
    headers[#headers + 1] = { "Sec-WebSocket-Extensions", extensions }
  end
  return headers
end

local function read_hybi(env, options, version)
  local origin = env.HTTP_ORIGIN
  if version == 8 then
    origin = env.HTTP_SEC_WEBSOCKET_ORIGIN or origin
  end
  local key = env.HTTP_SEC_WEBSOCKET_KEY
  local offer, extensions = deflate.answer(env.HTTP_SEC_WEBSOCKET_EXTENSIONS, options.compression,
    options.light)
  if not is_key(key) or offer == false then
    return refuse(400)
  end
  local shake, refusal = granted(env, options, version, origin)
  if shake then
    shake.offer, shake.headers = offer, headers_of(shake, key, extensions)
  end
  return shake, refusal
end

-- -- All ----------------------------------------------------------------------

--- The version that the request names: 8 or 13; nil, refusal.
local function version_of(env, options)
  local version = tonumber(match(env.HTTP_SEC_WEBSOCKET_VERSION or "", "^[1-9]?%d?%d$"))
  if not version then
    return refuse(400)
  elseif version == 13 or version == 8 and options.legacy then
    return version
  end
  return unknown_version(options)
end

--- Is it a handshake of the time before versions had numbers?
local function is_numberless(env)
  return not (env.HTTP_SEC_WEBSOCKET_VERSION or env.HTTP_SEC_WEBSOCKET_KEY)
end

--- Read a request. Parks only if a function of the option `origins` does, and raises what
-- that raises.
-- @tparam table env of green.wsgi, or with the same keys
-- @tparam table options what `options` gave
-- @treturn the handshake; or nil, refusal: { status, headers, body }, which a handler may
-- return: 400 (it is malformed), 403 (origins, hosts), 405 (no GET), 426 (a version that is
-- not spoken)
function M.read(env, options)
  local ok, refusal = check_request(env)
  if not ok then
    return nil, refusal
  elseif options.legacy and is_numberless(env) then
    return require("green.websocket.legacy").read(env, options, granted, refuse)
  end
  local version
  version, refusal = version_of(env, options)
  if not version then
    return nil, refusal
  end
  return read_hybi(env, options, version)
end

--- Take another sub-protocol than the first that is known: `accept` may know better.
-- Does not park.
-- @tparam table shake
-- @tparam ?string protocol one of `shake.offered`; nil: none
-- @treturn boolean false: the client has not named it, and nothing is changed
function M.choose(shake, protocol)
  local name = shake.version == 75 and "WebSocket-Protocol" or "Sec-WebSocket-Protocol"
  local kept, is_offered = {}, protocol == nil
  for _, offered in ipairs(shake.offered) do
    is_offered = is_offered or offered == protocol
  end
  if not is_offered then
    return false
  end
  for _, header in ipairs(shake.headers) do
    if header[1] ~= name then
      kept[#kept + 1] = header
    end
  end
  if protocol then
    kept[#kept + 1] = { name, protocol }
  end
  shake.headers, shake.protocol = kept, protocol
  return true
end

--- The bytes that `shake.wants` have come: make `shake.body` of them. Does not park.
-- @tparam table shake
-- @tparam string bytes as many as were wanted
function M.finish(shake, bytes)
  shake.body = require("green.websocket.legacy").answer(shake.numbers, bytes)
end

return M
