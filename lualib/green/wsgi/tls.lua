--- TLS of an HTTP server: its context, what env tells of a connection's, and the stream
-- that a handler gets who takes one over. Only servers with TLS load it.
-- @module green.wsgi.tls

local args = require "green.args"
local certificate = require "green.tls.certificate"
local contexts = require "green.tls.context"
local core = require "green.core"
local options = require "green.args.options"
local tls_stream = require "green.tls.stream"

local ffi = require "ffi"
local C = require "green.ffi.tls"
local httpd_api = require "green.ffi.httpd"

local pairs = pairs -- scripts may put their own there

local tls_t = ffi.typeof("green_tls *")
local info = ffi.new("green_tls_info")

--- The option's context: one as it is, or made of options. Raises misuse.
-- @return the context; or nil, err as green.tls.context
local function context_of(option, where)
  if contexts.is(option) then
    if not option.server then
      args.misuse("%s: the option 'tls' has a context for clients", where)
    end
    return option
  end
  local own = {}
  for name, value in pairs(option) do
    own[name] = value
  end
  own.server = true
  options.check(own, contexts.known, where .. ": tls")
  if own.cert == nil and own.pkcs12 == nil then
    args.wrong(where, "option 'tls'", "a table with cert and key, or a context", option)
  end
  return contexts.new(own, where .. ": tls")
end

--- Connections that the server accepts from here on speak TLS of that context.
-- @return status
local function use(httpd, context)
  return httpd_api.set_tls(httpd, context._box.p)
end

-- -- What env tells -------------------------------------------------------------

local function codec_of(conn)
  local pointer = core.conn_tls(conn)
  return pointer and ffi.cast(tls_t, pointer)
end

--- What was agreed, by name; nil: nothing.
local function agreed(name)
  return function(codec)
    C.get_info(codec, info)
    local text = info[name]
    return text ~= nil and ffi.string(text) or nil
  end
end

-- The names are mod_ssl's. A client whose certificate is not accepted does not come so far.
local known = {
  HTTPS = function()
    return "on"
  end,
  SSL_PROTOCOL = agreed "version",
  SSL_CIPHER = agreed "cipher",
  SSL_TLS_SNI = agreed "name",
  SSL_CLIENT_VERIFY = function(codec)
    return C.peer_count(codec) > 0 and "SUCCESS" or "NONE"
  end,
  SSL_CLIENT_S_DN = function(codec)
    local cert = certificate.of(codec)
    return cert and cert.subject
  end,
}

--- The value of a key of env. Does not park.
local function value(key, conn)
  local codec = codec_of(conn)
  if codec then
    return known[key](codec)
  end
end

--- The stream for the connection that was taken over as this socket.
-- @return nil, status
local function stream_of(socket, context)
  return tls_stream.adopt(socket, context)
end

return {
  context_of = context_of,
  use = use,
  look = contexts.look,
  value = value,
  stream_of = stream_of,
}
