--- TLS of an HTTP server: its context, what the context's functions choose, what env tells
-- of a connection's, and the stream that a handler gets who takes one over. Only servers
-- with TLS load it.
-- @module green.wsgi.tls

local args = require "green.args"
local choice = require "green.tls.choice"
local conns = require "green.wsgi.conn"
local contexts = require "green.tls.context"
local core = require "green.core"
local errors = require "green.error"
local options = require "green.args.options"
local pool = require "green.tls.pool"
local thread = require "green.thread"
local tls_env = require "green.wsgi.tls_env"
local tls_stream = require "green.tls.stream"

local ffi = require "ffi"
local httpd_api = require "green.ffi.httpd"

local error, pairs, tostring, xpcall = error, pairs, tostring, xpcall -- scripts may change theirs

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
  local p, code = pool.pointer()
  local status = p and httpd_api.set_tls_pool(httpd, p) or code
  return status < 0 and status or httpd_api.set_tls(httpd, context._box.p)
end

local function codec_of(conn)
  local pointer = core.conn_tls(conn)
  return pointer and ffi.cast(tls_t, pointer)
end

-- -- Choices ------------------------------------------------------------------

local function is_cancel(err)
  return errors.is_error(err, "ECANCELED")
end

--- What the context's functions raised, or took too long for, the log tells.
local function tell(server, ok, done, err)
  if not ok then
    local trace = thread.traceback_of(done)
    server.log:error("TLS handshake: %s%s", tostring(done), trace and "\n" .. trace or "")
  elseif not done then
    server.log:error("TLS handshake: %s", tostring(err))
  end
end

--- Let the functions of the server's context choose for a connection whose handshake
-- waits for that. Like who waits for a slow client it does not count against max_size.
-- Parks if they do.
local function choose(server, conn)
  local function codec()
    return core.conn_is_open(conn) and codec_of(conn) or nil
  end
  local deadline = thread.deadline(server.options.header_timeout)
  local held = conns.leave_room(server)
  local ok, done, err = xpcall(choice.make, thread.note_traceback, server.tls_context, codec,
    deadline, "choose")
  conns.take_room(held)
  if not ok and is_cancel(done) then
    error(done, 0)
  end
  tell(server, ok, done, err)
end

-- -- What env tells ------------------------------------------------------------

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

return {
  context_of = context_of,
  use = use,
  choose = choose,
  look = contexts.look,
  value = value,
  stream_of = stream_of,
}
