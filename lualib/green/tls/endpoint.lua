--- Clients and servers of TLS connections, under the name of the function that was called.
-- @module green.tls.endpoint

local args = require "green.args"
local contexts = require "green.tls.context"
local errors = require "green.error"
local options = require "green.args.options"
local sessions = require "green.tls.sessions"
local streams = require "green.stream"
local thread = require "green.thread"
local tls_stream = require "green.tls.stream"

local C = require "green.ffi.tls"

local error, pairs, xpcall = error, pairs, xpcall -- scripts may put their own there

local HANDSHAKE = 10 -- seconds, for servers that are told nothing else

local M = {}

-- -- Connections --------------------------------------------------------------

-- What the functions know; wrap_ssl and handler know more.
local of_connection = { context = true, host = true, timeout = true }
local of_client, of_server = { server = false }, { host = false }
for name in pairs(contexts.known) do
  of_client[name], of_server[name] = true, true
end
for name in pairs(of_connection) do
  of_client[name], of_server[name] = true, true
end
of_client.server, of_client.names, of_client.tickets, of_server.host = nil, nil, nil, nil
of_client.sessions = true
of_client.choose, of_client.handshakes_in_pool = nil, nil
of_client.ocsp, of_client.ticket_keys, of_client.ticket_lifetime = nil, nil, nil
of_server.server = nil
local of_handler = { on_failure = true }
for name in pairs(of_server) do
  of_handler[name] = true
end

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
    args.misuse("%s: the context is for %s", where, is_server and "clients" or "servers")
  end
  for name in pairs(opts) do
    if contexts.known[name] then
      args.misuse("%s: %s belongs into the context", where, name)
    end
  end
  return context
end

--- Tell the connection whom it expects at the other end.
local function expect(conn, opts, where)
  if opts.host ~= nil then
    args.type(opts.host, "string", where, "host")
    if C.set_host(conn._box.p, opts.host) < 0 then
      args.wrong(where, "host", "a name or an address", opts.host)
    end
  elseif conn._context.verify == false then
    C.set_any_host(conn._box.p)
  else
    args.wrong(where, "host", "the name that the server's certificate must have", nil)
  end
end

local function check(lower, opts, known, where)
  if opts ~= nil then
    args.type(opts, "table", where, "opts")
  end
  opts = options.check(opts, known, where)
  if not (streams.is_stream(lower) and lower._fill and lower._send) then
    args.wrong(where, "stream", "a stream", lower)
  end
  args.timeout(opts.timeout, where)
  args.optional(opts.sessions, "boolean", where, "sessions")
  return opts
end

local function finish(conn, host, ok, done, err)
  if ok and done then
    return conn
  end
  conn:close()
  if not ok then
    error(done, 0)
  elseif err:is("ECERTHOST") then
    err.host = host
  end
  return nil, err
end

--- With the handshake done, under its own timeout.
local function start(lower, opts, context, is_server, where)
  contexts.look(context)
  local conn = tls_stream.new(lower, context)
  if not conn then
    return nil, errors.new("ENOMEM", where)
  end
  if not is_server then
    expect(conn, opts, where)
    if opts.sessions ~= false then
      sessions.offer(conn)
    end
  end
  local deadline = thread.deadline(opts.timeout)
  return finish(conn, opts.host,
    xpcall(tls_stream.handshake, thread.note_traceback, conn, deadline, where))
end

--- See green.tls.client. Parks.
function M.client(lower, opts, where)
  opts = check(lower, opts, of_client, where)
  local context, err = context_of(opts, false, where)
  if not context then
    return nil, err
  end
  return start(lower, opts, context, false, where)
end

--- See green.tls.server. Parks.
function M.server(lower, opts, where)
  opts = check(lower, opts, of_server, where)
  local context, err = context_of(opts, true, where)
  if not context then
    return nil, err
  end
  return start(lower, opts, context, true, where)
end

local function served(handler, conn, address)
  local ok, err = xpcall(handler, thread.note_traceback, conn, address)
  conn:close()
  if not ok then
    error(err, 0)
  end
end

--- See green.tls.handler. name is that of opts in messages. Does not park.
function M.handler(opts, handler, where, name)
  local own = {}
  for key, value in pairs(options.check(opts, of_handler, where)) do
    own[key] = value
  end
  if own.cert == nil and own.pkcs12 == nil and own.context == nil then
    args.wrong(where, name, "a table with a cert or a context", opts)
  end
  args.callable(handler, where, "handler")
  args.timeout(own.timeout, where)
  if own.on_failure ~= nil then
    args.callable(own.on_failure, where, "on_failure")
  end
  local failed, timeout = own.on_failure, own.timeout or HANDSHAKE
  own.on_failure, own.timeout = nil, nil
  local context, err = context_of(own, true, where)
  if not context then
    return nil, err
  end
  return function(lower, address)
    local conn, why = M.server(lower, { context = context, timeout = timeout }, where)
    if conn then
      served(handler, conn, address)
    elseif failed then
      failed(why, address)
    end
  end
end

M.of_client, M.of_server = of_client, of_server

return M
