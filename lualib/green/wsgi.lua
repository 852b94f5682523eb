--- HTTP servers for WSAPI-shaped handlers.
--
-- A handler is `function(env) return status, headers, body end`. Connections
-- between requests hold no green thread; workers, which are green threads, take
-- requests as they are complete, so a handler may wait as it likes.
-- @module green.wsgi

local ffi = require "ffi"
local core = require "green.core"
local errors = require "green.error"
local options = require "green.options"
local thread = require "green.thread"
local env_module = require "green.wsgi.env"
local log_module = require "green.wsgi.log"
local responding = require "green.wsgi.respond"
local C = require "green.ffi.httpd"
local tpool = nil -- luacheck: ignore

local next_conn, finish, sock_of = C.next, C.httpconn_finish, C.httpconn_sock
local rollback, close_conn, detach = C.httpconn_rollback, C.httpconn_close, C.httpconn_detach
local core_park = core.park
local respond, close_body = responding.respond, responding.close_body
local turn = thread.turn
local env_mt = env_module.mt

local EAGAIN, EBUSY = core.codes.EAGAIN, core.codes.EBUSY
local QUEUE, READ, WRITE = 3, 1, 2
local REFUSED = 2
local ACCEPT_BATCH = 64
local WORKER_IDLE = 10 -- seconds until a worker that is not needed ends

local M = {}

-- -- Options ------------------------------------------------------------------

-- Eventlet's names where it has one; times in seconds, sizes in bytes.
local defaults = {
  log = false, -- file-like for both logs; nil: stderr
  access_log = false, -- file-like, or false: none
  error_log = false,
  log_output = true,
  log_format = false,
  debug = false,
  environ = {},
  max_size = 1024,
  max_connections = 4294967295,
  max_requests = 0,
  minimum_chunk_size = 4096,
  keepalive = 75,
  header_timeout = 30,
  body_timeout = 60,
  write_timeout = 60,
  handler_timeout = false,
  url_length_limit = 8192,
  max_header_line = 8192,
  max_header_size = 65536,
  max_headers = 100,
  max_body = 67108864,
  capitalize_response_headers = true,
  server_software = "greenlua/" .. core.version,
}

local function ns(seconds)
  return seconds and math.min(seconds * 1e9, 9e18) or 9e18
end

local function apply_options(httpd, o)
  httpd.keepalive = o.keepalive and o.keepalive ~= 0
  httpd.keepalive_timeout = ns(o.keepalive == true and 75 or o.keepalive or 0)
  httpd.header_timeout = ns(o.header_timeout)
  httpd.max_body = o.max_body or -1
  httpd.max_requests = o.max_requests
  httpd.max_connections = o.max_connections
  httpd.max_line = o.url_length_limit
  httpd.max_field = o.max_header_line
  httpd.max_head = o.max_header_size
  httpd.max_headers = o.max_headers
end

local function read_options(opts, where)
  opts = options.check(opts, defaults, where, 4)
  local o = {}
  for name, value in pairs(defaults) do
    o[name] = value
    if opts[name] ~= nil then
      o[name] = opts[name]
    end
  end
  return o
end

-- -- One request --------------------------------------------------------------

local function run_posthooks(server, env)
  local hooks = rawget(env, "posthooks") or rawget(env, "green.posthooks")
  for _, hook in ipairs(hooks or {}) do
    local ok, err = xpcall(hook[1], thread.note_traceback, env, unpack(hook, 2, table.maxn(hook)))
    if not ok then
      server.log:error("posthook: %s", tostring(err))
    end
  end
end

--- A handler failed: 500 if nothing has left yet, else the connection is cut.
local function answer_error(server, conn, err)
  local data = core.peek(core.current())
  local trace = data and data.inner and rawequal(data.inner.error, err) and data.inner.traceback
  if rollback(conn) ~= 0 then
    conn.close = true
    return
  end
  conn.close = true
  local text = "Internal Server Error\n"
  if server.options.debug then
    text = tostring(err) .. "\n" .. (trace or "") .. "\n"
  end
  respond(conn, server.options, 0, 500, { ["Content-Type"] = "text/plain" }, text)
end

local function is_gone(err)
  return errors.is_error(err) and err.op == "write response"
end

local function fail(server, conn, env, err)
  if is_gone(err) then
    conn.close = true
    server.log:debug("client went away: %s", tostring(err))
    return
  end
  server.log:failure(env, err)
  answer_error(server, conn, err)
end

local function send(server, conn, env, status, headers, body)
  if status == M.ALREADY_HANDLED or env["green.conn"] == nil then
    return
  end
  local least = rawget(env, "green.minimum_write_chunk_size")
    or rawget(env, "eventlet.minimum_write_chunk_size") or server.options.minimum_chunk_size
  respond(conn, server.options, least, status, headers, body)
end

-- Called with what xpcall(app) gave.
local function answer(server, conn, env, ok, status, headers, body)
  if not ok then
    fail(server, conn, env, status)
    return
  end
  local sent, err = true, nil
  if type(body) == "string" then
    sent, err = pcall(respond, conn, server.options, 0, status, headers, body)
  else
    sent, err = xpcall(send, thread.note_traceback, server, conn, env, status, headers, body)
    local closed, close_err = pcall(close_body, body)
    if sent and not closed then
      server.log:failure(env, close_err)
    end
  end
  if not sent then
    fail(server, conn, env, err)
  end
end

local function call_app(server, env)
  local timeout = server.options.handler_timeout
  if timeout then
    return xpcall(require("green.timeout").with_timeout, thread.note_traceback, timeout,
      server.app, env)
  end
  return xpcall(server.app, thread.note_traceback, env)
end

local function handle(server, conn)
  local env = setmetatable({ ["green.conn"] = conn, ["green.server"] = server }, env_mt)
  if server.has_environ then
    for key, value in pairs(server.options.environ) do
      env[key] = value
    end
  end
  local started = server.log.wants_time and core.now() or 0
  answer(server, conn, env, call_app(server, env))
  local taken = rawget(env, "green.conn") == nil
  if rawget(env, "posthooks") or rawget(env, "green.posthooks") then
    if not taken then
      responding.drain(conn, server.options.write_timeout)
    end
    run_posthooks(server, env)
  end
  if server.log.access then
    server.log:request(env, conn, started)
  end
  local input = rawget(env, "input")
  if input then
    input.conn = nil
  end
  env["green.conn"] = nil
  if turn.touched ~= 0 then
    core.reset()
  end
  return taken
end

-- -- Workers ------------------------------------------------------------------

local function finish_slowly(server, conn)
  local deadline = thread.deadline(server.options.write_timeout)
  while true do
    local status = core_park(sock_of(conn), deadline, WRITE)
    if status ~= 0 then
      close_conn(conn)
      if status == core.codes.ECANCELED then
        thread.raise()
      end
      return 0
    end
    local r = finish(conn)
    if r ~= EAGAIN then
      return r
    end
  end
end

--- Serve requests of one connection until it has none at hand.
local function serve_conn(server, conn)
  repeat
    local taken
    if conn.found == REFUSED then
      server.log:refused(conn)
    else
      taken = handle(server, conn)
    end
    if taken then
      return
    end
    local r = finish(conn)
    if r == EAGAIN then
      r = finish_slowly(server, conn)
    end
  until r ~= 1
end

local function worker_loop(server)
  local httpd, queue = server.httpd, server.queue
  while true do
    local conn = next_conn(httpd)
    if conn ~= nil then
      serve_conn(server, conn)
    elseif server.stopped then
      return
    else
      local status = core_park(queue, core.now() + WORKER_IDLE, QUEUE)
      if status == core.codes.ECANCELED then
        thread.raise()
      elseif status ~= 0 and next_conn == nil then
        return
      end
    end
  end
end

local function worker(server)
  local ok, err = xpcall(worker_loop, thread.note_traceback, server)
  server.workers = server.workers - 1
  if not ok and not errors.is_error(err, "ECANCELED") then
    server.log:failure(nil, err)
  end
end

--- Makes workers when connections have bytes and nobody is free for them.
local function spawner(server)
  while not server.stopped do
    local n = math.min(C.ready(server.httpd), server.options.max_size - server.workers)
    for _ = 1, n do
      server.workers = server.workers + 1
      thread.spawn_n(worker, server)
    end
    local status = core_park(server.shortage, nil, QUEUE)
    if status ~= 0 then
      return
    end
  end
end

-- -- Servers ------------------------------------------------------------------

local function accept_loop(server)
  local sock, httpd = server.listener._s, server.httpd
  local pause = 0.01
  while not server.stopped do
    local n = C.accept(httpd, sock, ACCEPT_BATCH)
    local status = 0
    if n == EAGAIN then
      status = core_park(sock, nil, READ)
    elseif n == EBUSY then
      thread.sleep(0.05)
    elseif n < 0 then
      if n == core.codes.ECLOSED or n == core.codes.EBADF then
        return
      end
      server.log:error("accept: %s", tostring(errors.new(n)))
      thread.sleep(pause)
      pause = math.min(pause * 2, 1)
    else
      pause = 0.01
      thread.checkpoint()
    end
    if status == core.codes.ECANCELED then
      thread.raise()
    elseif status ~= 0 then
      return
    end
  end
end

local server_methods = {}
local server_mt = { __name = "green.wsgi.server", __index = server_methods }

local function describe_listener(listener)
  local host, port = listener:sockname()
  if type(port) ~= "number" then
    return { host = "unix", port = "", text = "unix:" .. tostring(host) }
  end
  local shown = host:find(":", 1, true) and "[" .. host .. "]" or host
  return { host = host, port = tostring(port), text = ("http://%s:%d"):format(shown, port) }
end

local function new_server(listener, app, opts, where)
  local o = read_options(opts, where)
  local where_at = describe_listener(listener)
  local httpd = ffi.gc(C.new(core.hub()), C.free)
  apply_options(httpd, o)
  return setmetatable({
    listener = listener,
    app = app,
    options = o,
    httpd = httpd,
    queue = C.queue(httpd),
    shortage = C.shortage(httpd),
    has_environ = next(o.environ) ~= nil,
    workers = 0,
    stopped = false,
    name = where_at.host,
    port = where_at.port,
    url = where_at.text,
    scheme = "http",
    software = o.server_software,
    log = log_module.new(o),
    errors = log_module.errors(o),
  }, server_mt)
end

--- Serve until the listener is closed or this thread is killed. Parks.
function server_methods:serve_forever()
  thread.spawn_n(spawner, self)
  local ok, err = xpcall(accept_loop, thread.note_traceback, self)
  self.stopped = true
  self.httpd.closing = true
  C.close_idle(self.httpd, false)
  core.wake_cdata(self.shortage)
  self.listener:close()
  if not ok then
    error(err, 0)
  end
end

--- Serve HTTP on a listening socket until it is closed or the calling thread is
-- killed. Parks.
-- @param listener what green.listen returned
-- @param app a handler
-- @tparam[opt] table opts see docs/modules/wsgi.md
function M.server(listener, app, opts)
  return new_server(listener, app, opts, "wsgi.server"):serve_forever()
end

--- Listen at an address and serve. Parks.
-- @return nil, err if it cannot listen there
function M.serve(address, app, opts)
  local listener, err = require("green.server").listen(address)
  if not listener then
    return nil, err
  end
  return M.server(listener, app, opts)
end

M.ALREADY_HANDLED = setmetatable({}, { __name = "green.wsgi.ALREADY_HANDLED" })
M.detach = detach

return M
