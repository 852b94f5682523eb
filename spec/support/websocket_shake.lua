-- Opening handshakes of websockets for specs, from both ends and in raw bytes: RFC 6455 4.

local green = require "green"
local digest = require "green.digest"
local kit = require "spec.support.websocket_kit"

local M = {}

-- RFC 6455's own example: whoever answers anything else has not computed it.
local KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
M.KEY, M.ACCEPT = KEY, ACCEPT

--- The bytes of a request that is right, but for what is changed.
-- @tparam[opt] table opts `path`, `host`; `lines`, further header lines; `fields`: other values of
-- the five fields by name, false: without it; `method`, `version` of HTTP
function M.request(opts)
  opts = opts or {}
  local fields = opts.fields or {}
  local out = { ("%s %s %s"):format(opts.method or "GET", opts.path or "/",
    opts.version or "HTTP/1.1") }
  for _, field in ipairs { { "Host", opts.host or "127.0.0.1" }, { "Upgrade", "websocket" },
    { "Connection", "Upgrade" }, { "Sec-WebSocket-Key", KEY },
    { "Sec-WebSocket-Version", "13" } } do
    local value = fields[field[1]]
    if value == nil then
      value = field[2]
    end
    out[#out + 1] = value and field[1] .. ": " .. value or nil
  end
  for _, line in ipairs(opts.lines or {}) do
    out[#out + 1] = line
  end
  return table.concat(out, "\r\n") .. "\r\n\r\n"
end

--- Status and headers (small letters) of a head.
function M.parse(head)
  local headers = {}
  for name, value in head:gmatch "\r\n([^:\r\n]+):[ \t]*([^\r\n]*)" do
    name = name:lower()
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
  return tonumber(head:match "^HTTP/1%.1 (%d%d%d)"), headers
end

--- Read an answer's head; nil at the end. Parks.
function M.read_answer(stream)
  local head = stream:read_until("\r\n\r\n", { include = true })
  if not head then
    return nil
  end
  return M.parse(head)
end

local function check_answer(status, headers)
  if status ~= 101 then
    error("status " .. tostring(status) .. " instead of 101", 0)
  end
  assert(headers.upgrade and headers.upgrade:lower() == "websocket", "no Upgrade")
  assert(headers.connection and headers.connection:lower():find "upgrade", "no Connection")
  assert(headers["sec-websocket-accept"] == ACCEPT, "a wrong Sec-WebSocket-Accept")
end

--- A client of a server at host:port that has shaken hands, and the answer's headers. Parks.
-- @tparam[opt] table opts as M.request; `deflate`: see kit.peer, once the answer agrees to it
function M.open(target, opts)
  local stream = assert(green.connect(target))
  stream:settimeout(kit.PATIENCE)
  assert(stream:write(M.request(opts)))
  local status, headers = M.read_answer(stream)
  check_answer(status, headers or {})
  return kit.peer(stream, "client"), headers
end

--- The 101 to a request's headers.
function M.answer(headers, lines)
  local accept = digest.base64(digest.sha1((headers["sec-websocket-key"] or "")
    .. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    .. "Sec-WebSocket-Accept: " .. accept .. "\r\n"
    .. (lines and table.concat(lines, "\r\n") .. "\r\n" or "") .. "\r\n"
end

--- A server's side of a stream on which a client asks: the peer, the request's headers. Parks.
-- @tparam[opt] function lines lines(headers) gives further header lines
function M.accept(stream, lines)
  stream:settimeout(kit.PATIENCE)
  local head = assert(stream:read_until("\r\n\r\n", { include = true }))
  local _, headers = M.parse(head)
  assert(stream:write(M.answer(headers, lines and lines(headers))))
  return kit.peer(stream, "server"), headers
end

return M
