--- Which options of TLS belong where: for who gives one in another place.
-- @module green.tls.belongs

local pairs = pairs -- scripts may put their own there

local CLIENTS = "tls.client, wrap_ssl and the option tls of green.connect"
local SERVERS = "tls.server, wrap_ssl, and of tls.context with server = true"
local LISTENERS = "the option tls of green.listen, green.serve and an HTTP server, and of "
  .. "tls.handler"
local CONNECTIONS = "tls.client, tls.server, wrap_ssl, and the option tls of green.connect, "
  .. "green.listen and green.serve"

-- What a context knows, of whatever kind.
local of_contexts = {}
for name in ([[cert key password pkcs12 ca ca_folder system_ca crl verify depth partial_chain
  min_version max_version ciphers ciphersuites groups alpn pins keylog reload]]):gmatch "%S+" do
  of_contexts[name] = "tls.context, and wherever there is an option tls"
end

local known = {
  host = CLIENTS,
  sessions = CLIENTS,
  on_failure = LISTENERS,
  timeout = CONNECTIONS,
  context = CONNECTIONS,
  buffered = "tls.client, tls.server and wrap_ssl",
  server = "tls.context alone",
  server_side = "wrap_ssl alone",
}
for name in ([[names choose handshakes_in_pool ocsp tickets ticket_lifetime
  ticket_keys]]):gmatch "%S+" do
  known[name] = SERVERS
end
for name, text in pairs(of_contexts) do
  known[name] = text
end

local words = { certfile = "cert", keyfile = "key", ca_certs = "ca", server_hostname = "host" }

local M = { known = known, words = words }

--- What to say of an option that a call with TLS does not know, or nil.
function M.hint(name)
  if words[name] then
    return ("that is wrap_ssl's word for '%s'"):format(words[name])
  end
  return known[name] and "it is one of " .. known[name]
end

--- The same of a call that has an option tls, where it should be.
function M.hint_of_tls(name)
  local own = words[name] or name
  local is_one = known[own] and own ~= "timeout" and own ~= "server_side" and own ~= "server"
  return is_one and ("it belongs into the option tls: tls = { %s = ... }"):format(own) or nil
end

return M
