--- TLS over any stream: a socket, a stream in memory, TLS itself.
--
-- OpenSSL is opened when this module first makes something. Clients verify the server's
-- certificate and name unless told `verify = false`.
-- @module green.tls

local args = require "green.args"
local belongs = require "green.tls.belongs"
local contexts = require "green.tls.context"
local endpoint = require "green.tls.endpoint"
local listeners = require "green.tls.listener"
local options = require "green.args.options"
local pool = require "green.tls.pool"
local serving = require "green.tls.serving"
local starting = require "green.tls.start"

local pairs = pairs -- scripts may put their own there

local M = {}

--- What connections have in common: certificates, authorities, versions. Reads its files
-- at once. Parks only if the function of a password does.
--
-- The context has the fields `server` (true or false) and `verify` (the option), and methods:
-- `context:reload()` reads its files again, for new connections: true, or nil, err;
-- `context:expires()` gives the Unix seconds when the first of its certificates expires, or nil.
-- @tparam table opts
--
--   * `server`: true for servers, which need a `cert`
--   * `cert`, `key`, `password`: a certificate with those that issued it behind it, and its
--     key, as paths or PEM texts; key may stand in cert. `cert` may be a list of such tables.
--     password may be a function, called when the key is encrypted; what it says instead of
--     a password is passed on
--   * `pkcs12`: a path for both, with `password`
--   * `ocsp`: servers: a path: what the authority says of the certificate, for clients that ask
--   * `pins`: keys that the peer's certificate may have, "sha256//..." as curl has them
--   * `reload`: "on_change": read files that have changed again when a connection begins
--   * `keylog`: a path that gets the secrets of connections
--   * `ca`, `ca_folder`: authorities: paths or PEM texts, or lists of them; a client
--     without any believes the system's, `system_ca = true` adds these
--   * `verify`: clients true (default) or false; servers false (default), "ask" or
--     "demand" for the client's certificate
--   * `depth`, `partial_chain`, `crl`
--   * `min_version` ("1.2"), `max_version`, `ciphers`, `ciphersuites`, `groups`
--   * `alpn`: protocols, the preferred first; servers: or a function(hello) that gives one
--   * `names`: servers: name ("a.example", "*.example") -> context
--   * `choose`: servers: a function(hello), which may park, that gives the context for a
--     client; hello has `server_name` and `alpn`. See the page of green.tls
--   * `handshakes_in_pool`: servers: sign in native threads: true, false; left out: where
--     one signature takes over half a millisecond
--   * `tickets`: session tickets a server gives (1); `ticket_lifetime`: seconds until a new
--     key for them (43,200); `ticket_keys`: keys of 80 bytes instead, a list or a path
-- @return the context; or nil, err: ENOENT, EACCES, ECERTINVALID, EKEYINVALID, EINVAL,
-- ENOLIBRARY (there is no OpenSSL 3)
function M.context(opts)
  args.type(opts, "table", "tls.context", "opts")
  return contexts.new(opts, "tls.context")
end

--- Be the client of a TLS connection over a stream, which belongs to it from here on and
-- is closed when that fails. Over a socket that is not connected no handshake is done yet:
-- the connection's `connect` does both. Parks.
-- @param stream
-- @tparam table opts `host`: the name or address that the server's certificate must have
-- (may be left out with verify = false); `timeout` for the handshake in seconds;
-- `sessions` false: do not go on with what an earlier connection had, nor keep it for later;
-- `buffered`: what is done with bytes that the stream has buffered: "refuse" (ETLSPLAIN;
-- the client speaks first) or "keep", they are the beginning of TLS;
-- `context`, or options of tls.context
-- @return the connection, a stream; or nil, err: ECERTHOST, ECERTEXPIRED, ECERTUNKNOWN,
-- ECERTREVOKED, ECERTPIN, ECERTINVALID, ETLSALERT, ETLSVERSION, ETLSPLAIN, ETLSTRUNCATED, ETLS,
-- ETIMEDOUT, and what the stream says; of its context as tls.context
function M.client(stream, opts)
  return endpoint.client(stream, opts, "tls.client")
end

--- Be the server of a TLS connection over a stream; as tls.client. Parks.
-- @param stream
-- @tparam table opts `context` or options of tls.context (a `cert` at least); `timeout`;
-- `buffered` as tls.client, but "keep" unless told otherwise
function M.server(stream, opts)
  return endpoint.server(stream, opts, "tls.server")
end

--- A handler for green.serve that does the handshake, in the client's own green thread, and
-- calls another with the TLS connection, which it closes. Clients that fail are
-- dropped, and told why by TLS. Does not park.
-- @tparam table opts of tls.server; `timeout` for the handshake (10 s); `on_failure`
-- (optional): called with the error and the address of a client whose handshake failed
-- @tparam function handler
-- @return the handler; or nil, err: as tls.context
function M.handler(opts, handler)
  return serving.handler(opts, handler, "tls.handler", "tls.handler: opts")
end

--- Numbers of the handshakes that sign in native threads, and their limits, of all
-- connections of the runtime. Does not park.
-- @tparam[opt] table opts sets `at_once`: in threads (2), `queue`: how many wait for
-- these (256); further ones are refused
-- @treturn table both, and `running`, `waiting`; so far `begun` and `refused`. nil, err:
-- ENOMEM
function M.pool(opts)
  return pool.numbers(opts)
end

--- Eventlet's and Python's names for the options of wrap_ssl.
local words = belongs.words
local of_wrap = { server_side = true }
for _, known in pairs { endpoint.of_client, endpoint.of_server, words } do
  for name in pairs(known) do
    of_wrap[name] = true
  end
end

--- A listener whose connections are TLS.
local function listener_of(stream, opts)
  local own, err = serving.new(opts, "wrap_ssl", "wrap_ssl: opts")
  return own and listeners.new(stream, own), err
end

--- tls.client or tls.server by Eventlet's name: `server_side` chooses; `certfile`,
-- `keyfile`, `ca_certs`, `server_hostname` are other words for `cert`, `key`, `ca`, `host`.
-- Of a socket that listens, with server_side, it makes a listener whose connections are
-- TLS, as green.listen with `tls`. Parks.
function M.wrap_ssl(stream, opts)
  local own = {}
  if opts ~= nil then
    args.type(opts, "table", "wrap_ssl", "opts")
  end
  for name, value in pairs(options.check(opts, of_wrap, "wrap_ssl", belongs.hint)) do
    own[words[name] or name] = value
  end
  local is_server = args.optional(own.server_side, "boolean", "wrap_ssl", "server_side")
  own.server_side = nil
  if is_server and starting.is_listening(stream) then
    return listener_of(stream, own)
  elseif is_server then
    return endpoint.server(stream, own, "wrap_ssl")
  end
  return endpoint.client(stream, own, "wrap_ssl")
end

return M
