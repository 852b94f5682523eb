-- A server of green.wsgi in this process, and clients that send raw bytes.

local green = require "green"
local testing = require "green.testing"
local wsgi = require "green.wsgi"

local M = {}

local Server = {}
Server.__index = Server

--- Serve an app on a free port. `log` collects what the server writes.
function M.serve(app, opts)
  local self = setmetatable({ log = {}, clients = {} }, Server)
  local options = { access_log = false, error_log = { write = function(_, text)
    if not text:find("http://", 1, true) then -- where it serves, and that it stopped
      self.log[#self.log + 1] = text
    end
  end } }
  for name, value in pairs(opts or {}) do
    options[name] = value
  end
  self.listener = assert(green.listen("127.0.0.1:0"))
  self.port = select(2, self.listener:sockname())
  self.server = wsgi.new(self.listener, app, options):start()
  return self
end

--- End the clients and the server. pass(s) lets time pass.
function Server:close(pass)
  for _, conn in ipairs(self.clients) do
    conn:close()
  end
  testing.settle()
  local stopper = green.spawn(self.server.stop, self.server, { grace = 0, force_after = 0.01 })
  for _ = 1, 1000 do
    if stopper:dead() then
      break
    end
    pass(0.01)
  end
  testing.settle()
end

--- A client that has sent these bytes.
function Server:connect(text)
  local conn = assert(green.connect("127.0.0.1", self.port))
  self.clients[#self.clients + 1] = conn
  if text then
    assert(conn:write(text))
  end
  return conn
end

--- All that comes back for these bytes until the server closes. Parks.
function Server:raw(text)
  local conn = self:connect(text)
  local got, err = conn:read_all()
  conn:close()
  return got or "", err
end

--- The same, the client ending its side first: for answers that keep the
-- connection.
function Server:ended(text)
  local conn = self:connect(text)
  conn:shutdown("write")
  local got = conn:read_all() or ""
  conn:close()
  return got
end

--- One answer of a connection: { status, reason, headers, body }. Parks.
function M.answer(conn, method)
  local line = conn:read_line()
  if not line then
    return nil
  end
  local a = { headers = {}, raw = {} }
  a.version, a.status, a.reason = line:match("^HTTP/(1%.[01]) (%d%d%d) ?(.-)\r?\n?$")
  a.status = assert(tonumber(a.status), line)
  for field in conn:lines() do
    field = field:gsub("\r?\n$", "")
    if field == "" then
      break
    end
    a.raw[#a.raw + 1] = field
    local name, value = field:match("^([^:]+): ?(.*)$")
    a.headers[name:lower()] = value
  end
  if method == "HEAD" or a.status < 200 or a.status == 204 or a.status == 304 then
    a.body = ""
  elseif a.headers["content-length"] then
    a.body = assert(conn:read(tonumber(a.headers["content-length"]) or 0) or "")
  elseif a.headers["transfer-encoding"] == "chunked" then
    a.body, a.chunks, a.whole = M.chunks(conn)
  else
    a.body = conn:read_all() or ""
  end
  return a
end

--- A chunked body: its text, its pieces, and whether it had its end.
function M.chunks(conn)
  local pieces = {}
  while true do
    local size = tonumber((conn:read_line() or ""):match("^%x+") or "", 16)
    if not size then
      return table.concat(pieces), pieces, false
    end
    local piece = size > 0 and conn:read(size) or ""
    conn:read(2)
    if size == 0 then
      return table.concat(pieces), pieces, true
    end
    pieces[#pieces + 1] = piece
  end
end

--- Ask on a connection, and the answer.
function M.ask(conn, text)
  assert(conn:write(text))
  return M.answer(conn, text:match("^%u+"))
end

--- Close with a reset, whatever has been read.
function M.reset(conn)
  assert(conn:setoption("SO_LINGER", 0))
  conn:close()
end

--- A request without a body.
function M.get(path, headers, method)
  return ("%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n"):format(method or "GET", path, headers or "")
end

--- A request with one.
function M.post(path, body, headers)
  return ("POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%s\r\n%s"):format(path, #body,
    headers or "", body)
end

--- A request with the pieces as chunks.
function M.post_chunks(path, pieces, headers)
  local out = { ("POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n%s\r\n"):format(
    path, headers or "") }
  for _, piece in ipairs(pieces) do
    out[#out + 1] = ("%x\r\n%s\r\n"):format(#piece, piece)
  end
  return table.concat(out) .. "0\r\n\r\n"
end

--- How often a plain text occurs.
function M.count(text, part)
  local n, at = 0, 1
  while true do
    local from, to = text:find(part, at, true)
    if not from then
      return n
    end
    n, at = n + 1, to + 1
  end
end

--- An `it` whose body gets a function that serves; servers are closed at the end.
-- pass: testing.advance on a virtual clock.
function M.its(it, pass)
  pass = pass or green.sleep
  return function(title, fn)
    it(title, function()
      local servers = {}
      local ok, err = pcall(fn, function(app, opts)
        servers[#servers + 1] = M.serve(app, opts)
        return servers[#servers]
      end)
      for _, server in ipairs(servers) do
        server:close(pass)
      end
      if not ok then
        error(err, 0)
      end
    end)
  end
end

return M
