-- What specs of green.websocket's handshakes share: a request as an env and as text, and a
-- server's answer to one.

local digest = require "green.digest"

local M = {}

-- The example of RFC 6455, 1.2, without what is optional.
local KEYS = {
  REQUEST_METHOD = "GET",
  SERVER_PROTOCOL = "HTTP/1.1",
  REQUEST_URI = "/",
  ["wsgi.url_scheme"] = "http",
  HTTP_HOST = "server.example.com",
  HTTP_CONNECTION = "Upgrade",
  HTTP_UPGRADE = "websocket",
  HTTP_SEC_WEBSOCKET_KEY = "dGhlIHNhbXBsZSBub25jZQ==",
  HTTP_SEC_WEBSOCKET_VERSION = "13",
}

--- The env of a handshake; a change to false takes a key away.
function M.env_of(changes)
  local env = {}
  for key, value in pairs(KEYS) do
    env[key] = value
  end
  for key, value in pairs(changes or {}) do
    env[key] = value or nil
  end
  return env
end

local FIELDS = {
  { "Host", "server.example.com" },
  { "Connection", "Upgrade" },
  { "Upgrade", "websocket" },
  { "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==" },
  { "Sec-WebSocket-Version", "13" },
}

--- The same as a request's text.
function M.request(changes, method, path)
  local text, rest = (method or "GET") .. " " .. (path or "/") .. " HTTP/1.1\r\n", {}
  for name, value in pairs(changes or {}) do
    rest[name] = value
  end
  for _, field in ipairs(FIELDS) do
    local value = rest[field[1]]
    rest[field[1]] = nil
    if value == nil then
      value = field[2]
    end
    if value then
      text = text .. field[1] .. ": " .. value .. "\r\n"
    end
  end
  for name, value in pairs(rest) do
    text = text .. name .. ": " .. value .. "\r\n"
  end
  return text .. "\r\n"
end

-- -- Servers that say what a spec wants ----------------------------------------

--- The value of a field in a head's text; nil: it has none.
function M.field(head, name)
  return head:match("\r\n" .. name:gsub("%-", "%%-") .. ": ([^\r\n]*)")
end

--- What a server answers to a key (RFC 6455, 1.3).
function M.accept_of(key)
  return digest.base64(digest.sha1(key .. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
end

--- The text of an answer that grants a handshake. Changes: a field's name -> its value, a list
-- of values, or false; behind it stands what the server sends next.
function M.granting(head, changes)
  local fields = {
    Upgrade = "websocket",
    Connection = "Upgrade",
    ["Sec-WebSocket-Accept"] = M.accept_of(M.field(head, "Sec-WebSocket-Key") or ""),
  }
  for name, value in pairs(changes or {}) do
    fields[name] = value
  end
  local text = "HTTP/1.1 101 Switching Protocols\r\n"
  for name, value in pairs(fields) do
    for _, one in ipairs(type(value) == "table" and value or value and { value } or {}) do
      text = text .. name .. ": " .. one .. "\r\n"
    end
  end
  return text .. "\r\n"
end

return M
