--- Clients and servers of TLS connections, under the name of the function that was called.
-- @module green.tls.endpoint

local args = require "green.args"
local belongs = require "green.tls.belongs"
local contexts = require "green.tls.context"
local errors = require "green.error"
local exits = require "green.thread.exits"
local options = require "green.args.options"
local sessions = require "green.tls.sessions"
local starting = require "green.tls.start"
local streams = require "green.stream"
local thread = require "green.thread"
local tls_stream = require "green.tls.stream"

local core = require "green.core"
local C = require "green.ffi.tls"

-- Scripts may put their own in their places.
local error, pairs, setmetatable, xpcall = error, pairs, setmetatable, xpcall

local M = {}

-- -- Connections --------------------------------------------------------------

-- What the functions know; wrap_ssl and handler know more.
local of_connection = { context = true, host = true, timeout = true, buffered = true }
local of_client, of_server = { server = false }, { host = false }
for name in pairs(contexts.known) do
  of_client[name], of_server[name] = true, true
end
for name in pairs(of_connection) do
  of_client[name], of_server[name] = true, true
end
of_client.server, of_client.names, of_client.tickets, of_server.host = nil, nil, nil, nil
of_client.choose, of_client.handshakes_in_pool = nil, nil
of_client.ocsp, of_client.ticket_keys, of_client.ticket_lifetime = nil, nil, nil
of_client.sessions = true
of_server.server = nil

--- The options that are a context's.
local function context_options(opts, is_server)
  local own = { server = is_server or nil }
  for name, value in pairs(opts) do
    if contexts.known[name] then
      own[name] = value
    end
  end
  return own
end

local function context_of(opts, is_server, where)
  local context = opts.context
  if context == nil then
    return contexts.new(context_options(opts, is_server), where)
  elseif not contexts.is(context) then
    args.wrong(where, "context", "a context of tls.context", context)
  elseif context.server ~= is_server then
    args.misuse("%s: the context is for %s", where, is_server
      and "clients: make one with server = true" or "servers: make one without server = true")
  end
  for name in pairs(opts) do
    if contexts.known[name] then
      args.misuse("%s: %s belongs into the context", where, name)
    end
  end
  return context
end

local function host_is_missing(where)
  args.wrong(where, "host", "the name that the server's certificate must have", nil)
end

--- Tell the connection whom it expects at the other end.
local function expect(conn, opts, where)
  if opts.host ~= nil then
    if not starting.expect(conn, opts.host) then
      error(errors.new("ENOMEM", where), 0)
    end
  elseif conn._context.verify == false then
    C.set_any_host(conn._box.p)
  elseif not conn._unconnected then
    host_is_missing(where)
  end
end

--- Those of a connection, as far as they can be looked at without one.
local function check_options(opts, known, where)
  if opts ~= nil then
    args.type(opts, "table", where, "opts")
  end
  opts = options.check(opts, known, where, belongs.hint)
  args.timeout(opts.timeout, where)
  args.optional(opts.sessions, "boolean", where, "sessions")
  starting.check_buffered(opts.buffered, where)
  if opts.host ~= nil and not starting.is_host(args.type(opts.host, "string", where, "host")) then
    args.wrong(where, "host", "a name or an address", opts.host)
  end
  return opts
end

local function check(lower, opts, known, where)
  opts = check_options(opts, known, where)
  if not (streams.is_stream(lower) and lower._fill and lower._send) then
    args.wrong(where, "stream", "a stream", lower)
  end
  if starting.is_listening(lower) then
    args.misuse("%s: stream must be a connection, not a listener; green.listen has the option tls",
      where)
  end
  thread.checkpoint()
  core.waiter()
  return opts
end

local function finish(conn, ok, done, err)
  if ok and done then
    return conn
  end
  conn:close()
  if not ok then
    error(done, 0)
  end
  return nil, err
end

local function release(record, ...)
  exits.release(record)
  return ...
end

local function drop(record)
  record.conn:close()
end

--- fn(conn, ...) in protected mode, as xpcall. The connection is this green thread's alone:
-- should that be abandoned, it is closed.
local function protected(fn, conn, ...)
  local record = { _exit = drop, conn = conn }
  exits.hold(record)
  return release(record, xpcall(fn, thread.note_traceback, conn, ...))
end

--- With the handshake done, under its own timeout.
local function start(conn, opts, where)
  return finish(conn, protected(starting.shake, conn, thread.deadline(opts.timeout), where))
end

--- A client over a socket that is to be connected is not begun.
local function client_of(lower, opts, context, where)
  contexts.look_before(context, lower)
  local conn = tls_stream.new(lower, context)
  if not conn then
    return nil, errors.new("ENOMEM", where)
  end
  if starting.is_unconnected(lower) then
    conn._unconnected = { named = opts.host ~= nil or context.verify == false,
      sessions = opts.sessions ~= false }
    conn._limit = opts.timeout or false
  end
  expect(conn, opts, where)
  if conn._unconnected then
    return conn
  end
  if opts.sessions ~= false then
    sessions.offer(conn)
  end
  return start(conn, opts, where)
end

--- See green.tls.client. Parks.
function M.client(lower, opts, where)
  opts = check(lower, opts, of_client, where)
  local context, err = context_of(opts, false, where)
  if not context then
    return nil, err
  end
  err = starting.refuse(lower, opts.buffered, where)
  if err then
    return nil, err
  end
  return client_of(lower, opts, context, where)
end

--- The same options, for one connection.
local function with_timeout(opts, seconds)
  return setmetatable({ timeout = seconds }, { __index = opts })
end

--- A client's options, looked at before there is a stream for it: a function(stream, seconds)
-- that is green.tls.client with them, and with that timeout if they have none; or nil, err
-- as tls.context. Parks only if the function of a password does.
function M.planned(opts, where)
  opts = check_options(opts, of_client, where)
  local context, err = context_of(opts, false, where)
  if not context then
    return nil, err
  elseif opts.host == nil and context.verify ~= false then
    host_is_missing(where)
  end
  return function(lower, seconds)
    local refused = starting.refuse(lower, opts.buffered, where)
    if refused then
      return nil, refused
    end
    return client_of(lower, opts.timeout and opts or with_timeout(opts, seconds), context, where)
  end
end

--- See green.tls.server. Parks.
function M.server(lower, opts, where)
  opts = check(lower, opts, of_server, where)
  local context, err = context_of(opts, true, where)
  if not context then
    return nil, err
  end
  err = starting.refuse(lower, opts.buffered or "keep", where)
  if err then
    return nil, err
  end
  contexts.look_before(context, lower)
  local conn = tls_stream.new(lower, context)
  if not conn then
    return nil, errors.new("ENOMEM", where)
  end
  return start(conn, opts, where)
end

--- Options that are a context alone.
function M.with_context(opts)
  return contexts.is(opts) and { context = opts } or opts
end

M.of_client, M.of_server = of_client, of_server
M.context_of, M.protected = context_of, protected

return M
