--- TLS of an HTTP server: its context, what the context's functions choose, what env tells
-- of a connection's, and the stream that a handler gets who takes one over. Only servers
-- with TLS load it.
-- @module green.wsgi.tls

local args = require "green.args"
local belongs = require "green.tls.belongs"
local choice = require "green.tls.choice"
local conns = require "green.wsgi.conn"
local contexts = require "green.tls.context"
local core = require "green.core"
local errors = require "green.error"
local failed = require "green.wsgi.failed"
local options = require "green.args.options"
local pool = require "green.tls.pool"
local thread = require "green.thread"
local tls_env = require "green.wsgi.tls_env"
local tls_stream = require "green.tls.stream"

local ffi = require "ffi"
local httpd_api = require "green.ffi.httpd"

local error, pairs, tostring, xpcall = error, pairs, tostring, xpcall -- scripts may change theirs

local tls_t = ffi.typeof("green_tls *")

--- What an HTTP server's option knows besides a context's.
local known = { context = true, on_failure = true }
for name in pairs(contexts.known) do
  known[name] = true
end

--- The time of a handshake is another option's: more is told than that it is not known.
local function hint(name)
  return name == "timeout" and "handshakes have the time of the server's option 'header_timeout'"
    or belongs.hint(name)
end

local function context_of(context, where)
  if not contexts.is(context) or not context.server then
    args.misuse("%s: the option 'tls' has a context for clients", where)
  end
  return context
end

--- One that is given besides: no other option may be one of a context's.
local function given_context(own, where)
  for name in pairs(own) do
    if contexts.known[name] and name ~= "server" then
      args.misuse("%s: tls: %s belongs into the context", where, name)
    end
  end
  return context_of(args.type(own.context, "table", where .. ": tls", "context"), where)
end

--- The option: a context, or a table with one or with options of one. Raises misuse.
-- @return the context, and its on_failure or nil; or nil, err as green.tls.context
local function read(option, where)
  if contexts.is(option) then
    return context_of(option, where)
  end
  local own, on_failure = {}, option.on_failure
  for name, value in pairs(options.check(option, known, where .. ": tls", hint)) do
    own[name] = value
  end
  if on_failure ~= nil then
    args.callable(on_failure, where .. ": tls", "on_failure")
  end
  own.on_failure, own.server = nil, true
  if own.context ~= nil then
    return given_context(own, where), on_failure
  elseif own.cert == nil and own.pkcs12 == nil then
    args.wrong(where, "option 'tls'", "a table with cert and key, or a context", option)
  end
  local context, err = contexts.new(own, where .. ": tls")
  return context, context and on_failure or err
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

--- What the context's functions raised, or took too long for, the log tells: any client can
-- have it happen, so not all of it.
local function tell(server, ok, done, err)
  if not ok then
    local trace = thread.traceback_of(done)
    failed.log(server, "error", "TLS handshake: %s%s", tostring(done),
      trace and "\n" .. trace or "")
  elseif not done then
    failed.log(server, "error", "TLS handshake: %s", tostring(err))
  end
end

local function open_codec_of(conn)
  return core.conn_is_open(conn) and codec_of(conn) or nil
end

--- Let the functions of the server's context choose for a connection whose handshake
-- waits for that. Like who waits for a slow client it does not count against max_size.
-- Parks if they do.
local function choose(server, conn)
  local deadline = thread.deadline(server.options.header_timeout)
  local held = conns.leave_room(server)
  local ok, done, err = xpcall(choice.make, thread.note_traceback, server.tls_context,
    open_codec_of, conn, deadline, "choose")
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
  read = read,
  use = use,
  choose = choose,
  look = contexts.look,
  tell_failed = failed.start,
  value = value,
  stream_of = stream_of,
}
