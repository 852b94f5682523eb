-- What specs of green.http share: servers that say exactly what a spec wants, and sessions
-- that are closed at the end.

local green = require "green"
local http = require "green.http"
local testing = require "green.testing"

local M = {}

--- The head of a request, or nil.
function M.read_head(conn)
  return conn:read_until("\r\n\r\n", { include = true })
end

--- Answer each request, which has no body, with that.
function M.answers(text)
  return function(conn)
    while M.read_head(conn) do
      conn:write(text)
    end
  end
end

--- A server whose connections are what fn(conn, number) does with them.
function M.serve(fn)
  local listener = assert(green.listen("127.0.0.1:0"))
  local _, port = listener:sockname()
  local self = { listener = listener, connections = 0, port = port,
    url = "http://127.0.0.1:" .. port .. "/" }
  self.thread = green.spawn(green.serve, listener, function(conn)
    self.connections = self.connections + 1
    fn(conn, self.connections)
  end)
  function self.close()
    listener:close()
    self.thread:kill()
    testing.settle_io()
  end
  return self
end

--- An `it` whose body gets a function that serves and a session.
function M.its(it, opts)
  return function(title, fn)
    it(title, function()
      local servers, session = {}, http.session(opts)
      local ok, err = pcall(fn, function(what)
        servers[#servers + 1] = M.serve(what)
        return servers[#servers]
      end, session)
      session:close()
      for _, server in ipairs(servers) do
        server.close()
      end
      if not ok then
        error(err, 0)
      end
    end)
  end
end

return M
