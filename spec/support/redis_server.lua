-- A real redis-server for specs, on loopback and a UNIX socket of its own, without a file on disk
-- but these. It comes with tools/install-deps.
local certs = require "spec.support.certs"
local green = require "green"
local peers = require "spec.support.http_peers"
local program = require "spec.support.program"

local M = {}

local function folder()
  local pipe = io.popen "mktemp -d"
  local path = pipe:read "*l"
  pipe:close()
  return path
end

local function argv(self, more)
  local words = { "redis-server", "--bind", "127.0.0.1", "--port", tostring(self.port),
    "--unixsocket", self.unix, "--dir", self.dir, "--save", "", "--appendonly", "no",
    "--daemonize", "no", "--databases", "4" }
  if self.tls_port then
    for _, word in ipairs { "--tls-port", tostring(self.tls_port), "--tls-cert-file",
      certs.path "a.pem", "--tls-key-file", certs.path "a.key", "--tls-ca-cert-file",
      certs.path "ca.pem", "--tls-auth-clients", "no" } do
      words[#words + 1] = word
    end
  end
  for _, word in ipairs(more or {}) do
    words[#words + 1] = word
  end
  return words
end

local server = {}
server.__index = server

--- Start it, again if it was stopped. It answers when this returns. Parks.
function server:start()
  self.program = program.start(argv(self, self.words))
  repeat
    local conn = green.connect("unix:" .. self.unix)
    if conn then
      return conn:close()
    end
    green.sleep(0.01) -- between two looks; the condition is the connect
  until self.program:poll()
  error("redis-server has ended: " .. self.program.out .. self.program.err, 0)
end

--- Kill it, with all connections.
function server:stop()
  self.program:kill(program.KILL)
  self.program:wait()
end

function server:url(db)
  return ("redis://127.0.0.1:%d/%d"):format(self.port, db or 0)
end

--- Stop it for good.
function server:remove()
  self:stop()
  os.execute("rm -rf '" .. self.dir .. "'")
end

--- Start one. Parks.
-- @tparam[opt] table opts `tls` true: there is a tls_port; `words` for its command line
function M.new(opts)
  peers.need("redis-server", "redis-server")
  opts = opts or {}
  local dir = folder()
  local self = setmetatable({ dir = dir, unix = dir .. "/socket", port = peers.free_port(),
    tls_port = opts.tls and peers.free_port() or nil, words = opts.words }, server)
  self:start()
  return self
end

return M
