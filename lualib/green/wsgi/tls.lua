--- TLS of an HTTP server: its context, what env tells of a connection's, and the stream
-- that a handler gets who takes one over. Only servers with TLS load it.
-- @module green.wsgi.tls

local args = require "green.args"
local contexts = require "green.tls.context"
local core = require "green.core"
local options = require "green.args.options"
local tls_env = require "green.wsgi.tls_env"
local tls_stream = require "green.tls.stream"

local ffi = require "ffi"
local httpd_api = require "green.ffi.httpd"

local pairs = pairs -- scripts may put their own there

local tls_t = ffi.typeof("green_tls *")

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

--- The value of a key of env. Does not park.
local function value(key, conn)
  local codec = codec_of(conn)
  if codec then
    return tls_env.value(key, codec)
  end
end

--- The stream for the connection that was taken over as this socket.
-- @return nil, status
local function stream_of(socket, context)
  return tls_stream.adopt(socket, context)
end

return { context_of = context_of, use = use, value = value, stream_of = stream_of }
