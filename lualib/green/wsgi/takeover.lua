--- Taking a request's connection over: from here on it is a stream of the handler's.
-- @module green.wsgi.takeover

local args = require "green.args"
local core = require "green.core"
local base = require "green.socket.base"
local env_module = require "green.wsgi.env"
local errors = require "green.error"
local gone = require "green.wsgi.gone"
local answer = require "green.wsgi.answer"
local stream = require "green.socket.stream"
local states = require "green.wsgi.state"
local stop = require "green.wsgi.stop"
local thread = require "green.thread"
local timeout = require "green.timeout"

-- Scripts may put their own in their places.
local error, pcall, setmetatable, type = error, pcall, setmetatable, type

local CONN = env_module.CONN
local SWITCHING = 101
local LIMIT = "green.handler_timeout" -- where an env keeps its handler's Timeout
-- Connection -> the same: a middleware may have handed on another env. Weak: the handler
-- may be abandoned.
local limits = setmetatable({}, { __mode = "v" })
local ECLOSED, ENOMEM = core.codes.ECLOSED, core.codes.ENOMEM

--- The connection is the server's no more.
local function let_go(server, conn)
  local state = states.of(server, conn)
  state.taken, state.conn = true, false
  gone.ends(server, conn)
  local limit = limits[conn]
  if limit then
    limit:cancel()
  end
  server:_worker_detaches(state)
end

--- The socket of a request's connection, an object of green.core, which is the server's no
-- more. Parks while answers before it leave.
-- @tparam[opt] number status what the log says that it was answered with
local function detach(server, env, status)
  thread.checkpoint()
  local conn = env[CONN]
  if not (conn and core.conn_is_open(conn)) then
    return nil, errors.new("ECLOSED", "take over")
  elseif core.answer_rollback(conn) ~= 0 then
    return nil, errors.new("EBUSY", "take over", "the answer has begun to leave")
  end
  local ok, err = answer.drain(server, conn)
  if not ok then
    return nil, err
  end
  if server.log.access then
    server.log:request(conn, true, status)
  end
  local s = base.handle()
  local code = core.conn_detach(conn, s)
  if code == 0 or code == ECLOSED or code == ENOMEM then
    let_go(server, conn)
  end
  if code ~= 0 then
    return nil, errors.new(code, "take over")
  end
  return s
end

--- Give a guest (green.wsgi.guests) the connection of a request. Parks while answers before
-- it leave.
-- @tparam function guest_of guest_of(server): the guest, one for each server
-- @return its socket, an object of green.core, and the guest; or nil, err: ECLOSED, EBUSY (the
-- answer has begun to leave)
local function give(server, env, guest_of)
  args.callable(guest_of, "green.give", "guest_of")
  local guest = guest_of(server)
  if type(guest) ~= "table" or type(guest.servers) ~= "table" then
    args.wrong("green.give", "what guest_of gives", "a guest", guest)
  end
  local state = states.of(server, env[CONN])
  if state then
    state.guest = true -- before it is one of those that a stop kills
  end
  local ok, socket, err = pcall(detach, server, env, SWITCHING)
  if ok and socket then
    server.guests[guest] = true
    guest.servers[server] = true
    return socket, guest
  elseif state then
    state.guest = false
  end
  if not ok then
    error(socket, 0)
  end
  return nil, err
end

--- See green.wsgi.take_over.
local function take_over(server, env)
  args.type(env, "table", "take_over", "env")
  local s, err = detach(server, env)
  if not s then
    return nil, err
  end
  local socket = base.wrap(s, stream.mt)
  if not server.tls then
    return socket
  end
  local secure, status = server.tls.stream_of(socket, server.tls_context)
  return secure, not secure and errors.new(status, "take over") or nil
end

--- This request's handler does not hold up a graceful stop: it is killed at once.
local function set_idle(server, env)
  args.type(env, "table", "set_idle", "env")
  local state = states.of(server, env[CONN])
  if state then
    state.idle = true
    stop.look(server)
  end
end

local function finish(conn, limit, ok, ...)
  limits[conn] = nil
  limit:cancel()
  if not ok then
    error((...), 0)
  end
  return ...
end

--- The app with a limit to its time: seconds until it has returned, or has
-- taken its connection over. What it does with that takes as long as it takes.
local function limited(app, seconds)
  return function(env)
    local conn, limit = env[CONN], timeout.Timeout(seconds)
    limits[conn] = limit
    rawset(env, LIMIT, limit)
    return finish(conn, limit, xpcall(app, thread.note_traceback, env))
  end
end

return { give = give, take_over = take_over, set_idle = set_idle, limited = limited }
