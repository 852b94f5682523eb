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

local CONN = env_module.CONN
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

--- See green.wsgi.take_over.
local function take_over(server, env)
  args.type(env, "table", "take_over", "env")
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
    server.log:request(conn, true)
  end
  local s = base.handle()
  local code = core.conn_detach(conn, s)
  if code == 0 or code == ECLOSED or code == ENOMEM then
    let_go(server, conn)
  end
  if code ~= 0 then
    return nil, errors.new(code, "take over")
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

return { take_over = take_over, set_idle = set_idle, limited = limited }
