-- A server object of green.wsgi in this process, for a body: whatever the body does,
-- the server is stopped afterwards.

local green = require "green"
local wsgi = require "green.wsgi"

local M = {}

local function dechunked(text)
  local pieces, at = {}, 1
  while true do
    local size, from = text:match("^(%x+)\r\n()", at)
    if not size or tonumber(size, 16) == 0 then
      return table.concat(pieces)
    end
    at = from + tonumber(size, 16) + 2
    pieces[#pieces + 1] = text:sub(from, at - 3)
  end
end

--- Split an answer: status, headers (small letters), body with chunks put together.
function M.parse(text)
  local head, rest = text:match("^(.-)\r\n\r\n(.*)$")
  if not head then
    return nil, nil, text
  end
  local headers = {}
  for name, value in head:gmatch("\r\n([^:\r\n]+): ([^\r\n]*)") do
    headers[name:lower()] = value
  end
  if headers["transfer-encoding"] == "chunked" then
    rest = dechunked(rest)
  end
  return tonumber(head:match("^HTTP/1%.[01] (%d%d%d)")), headers, rest
end

local Client = {}
Client.__index = Client

--- A connection that has sent this.
function Client:connect(text)
  local conn = assert(green.connect(self.target))
  conn:settimeout(8)
  if text then
    assert(conn:write(text))
  end
  return conn
end

--- What comes back for these bytes until the server closes.
function Client:raw(text)
  local conn = self:connect(text)
  local answer = conn:read_all() or ""
  conn:close()
  return answer
end

--- Status, headers, body for one request; lines are further headers.
function Client:get(path, lines, body, method)
  local text = ("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"):format(
    method or (body and "POST" or "GET"), path)
  for _, line in ipairs(lines or {}) do
    text = text .. line .. "\r\n"
  end
  if body then
    text = text .. "Content-Length: " .. #body .. "\r\n"
  end
  return M.parse(self:raw(text .. "\r\n" .. (body or "")))
end

--- One answer with a Content-Length from a connection that stays open.
function M.read_answer(conn)
  local head = conn:read_until("\r\n\r\n")
  if not head then
    return nil
  end
  local status, headers = M.parse(head .. "\r\n\r\n")
  local n = tonumber(headers["content-length"]) or 0
  return status, headers, n > 0 and conn:read(n) or ""
end

--- Sleep for a minute: is it a kill that ends it?
function M.is_killed_asleep()
  local _, err = pcall(green.sleep, 60)
  return green.is_error(err, "ECANCELED")
end

--- Run body(client, server, log) while the app is served; log is the list of its
-- lines, unless the options say where they go.
function M.with(app, opts, body)
  if not body then
    opts, body = {}, opts
  end
  local log = {}
  local options = { log = log }
  for name, value in pairs(opts) do
    options[name] = value
  end
  local server = assert(wsgi.new(opts.at or "127.0.0.1:0", app, (function()
    options.at = nil
    return options
  end)()))
  server:start()
  local target = server.url:gsub("^http://", "")
  local client = setmetatable({ target = target }, Client)
  local ok, err = xpcall(body, debug.traceback, client, server, log)
  server:stop({ grace = 2, force_after = 0.1 })
  if not ok then
    error(err, 0)
  end
end

return M
