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

local http_next, http_finish, http_sock = core.http_next, core.http_finish, core.http_sock
local core_park, core_now, http_respond = core.park, core.now, core.http_respond
local respond, close_body = responding.respond, responding.close_body
local note_traceback, turn = thread.note_traceback, thread.turn
local CONN = env_module.CONN

local EAGAIN, EBUSY, ECANCELED = core.codes.EAGAIN, core.codes.EBUSY, core.codes.ECANCELED
local READ, WRITE, QUEUE = 1, 2, 3 -- modes of core.park
local REFUSED = 2 -- GREEN_HTTPD_REFUSED
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

local function run_posthooks(server, env, hooks)
  for _, hook in ipairs(hooks) do
    local ok, err = xpcall(hook[1], note_traceback, env, unpack(hook, 2, table.maxn(hook)))
    if not ok then
      server.log:error("posthook: %s", tostring(err))
    end
  end
end

--- A handler failed: 500 if nothing has left yet, else the connection is cut.
local function answer_error(server, conn, err)
  if core.http_rollback(conn) ~= 0 then
    return
  end
  local text = "Internal Server Error\n"
  if server.options.debug then
    text = ("%s\n%s\n"):format(tostring(err), thread.traceback_of(err) or "")
  end
  respond(conn, server.options, 0, 500, { ["Content-Type"] = "text/plain" }, text)
end

local function fail(server, conn, env, err)
  if errors.is_error(err) and err.op == "write response" then
    core.http_set_close(conn)
    server.log:debug("client went away: %s", tostring(err))
    return
  end
  server.log:failure(env, err)
  answer_error(server, conn, err)
end

local function least_chunk(server, env)
  return rawget(env, "green.minimum_write_chunk_size")
    or rawget(env, "eventlet.minimum_write_chunk_size") or server.options.minimum_chunk_size
end

--- An answer whose body is not a string: it may park, and is closed in any case.
local function answer_slowly(server, conn, env, status, headers, body)
  local least = least_chunk(server, env)
  local ok, err = xpcall(respond, note_traceback, conn, server.options, least, status, headers,
    body)
  local closed, close_err = pcall(close_body, body)
  if not ok then
    fail(server, conn, env, err)
  elseif not closed then
    server.log:failure(env, close_err)
  end
end

--- With what xpcall(app) gave.
local function answer(server, conn, env, ok, status, headers, body)
  if not ok then
    fail(server, conn, env, status)
  elseif rawget(env, CONN) == nil then
    return -- the handler has taken the connection over
  elseif type(body) == "string" or body == nil then
    local done, problem = http_respond(conn, server.capitalize, status, headers, body)
    if not done then
      fail(server, conn, env, problem)
    end
  else
    answer_slowly(server, conn, env, status, headers, body)
  end
end

local function with_timeout(server, env)
  return xpcall(require("green.timeout").with_timeout, note_traceback,
    server.options.handler_timeout, server.app, env)
end

local function after(server, conn, env, started)
  local hooks = rawget(env, "posthooks")
  if hooks then
    if rawget(env, CONN) then
      responding.drain(conn, server.options.write_timeout)
    end
    run_posthooks(server, env, hooks)
  end
  if server.log.access then
    server.log:request(env, conn, started)
  end
  local input = rawget(env, "input")
  if input then
    input.conn = nil
  end
end

--- One request. Returns whether the handler took the connection over.
local function handle(server, conn)
  local env = setmetatable({ [CONN] = conn }, server.env_mt)
  local started = 0
  if server.is_special then
    for key, value in pairs(server.options.environ) do
      env[key] = value
    end
    started = core_now()
  end
  if server.options.handler_timeout then
    answer(server, conn, env, with_timeout(server, env))
  else
    answer(server, conn, env, xpcall(server.app, note_traceback, env))
  end
  after(server, conn, env, started)
  local taken = rawget(env, CONN) == nil
  env[CONN] = nil
  if turn.touched ~= 0 then
    core.reset()
  end
  return taken
end

-- -- Workers ------------------------------------------------------------------

--- The client does not read: wait for it as long as write_timeout says.
local function finish_slowly(server, conn)
  local deadline = thread.deadline(server.options.write_timeout)
  while true do
    local status = core_park(http_sock(conn), deadline, WRITE)
    if status == ECANCELED then
      thread.raise() -- worker closes the connection
    elseif status ~= 0 then
      core.http_close(conn)
      return 0
    end
    local r, found = http_finish(conn)
    if r ~= EAGAIN then
      return r, found
    end
  end
end

--- Serve requests of one connection until it has none at hand.
local function serve_conn(server, conn, found)
  local r
  repeat
    if found == REFUSED then
      server.log:refused(conn)
    elseif handle(server, conn) then
      return
    end
    r, found = http_finish(conn)
    if r == EAGAIN then
      r, found = finish_slowly(server, conn)
    end
  until r ~= 1
end

local function worker_loop(server, state)
  local httpd, queue = server.httpd, server.queue
  while true do
    local conn, found = http_next(httpd)
    if conn then
      state.conn = conn
      serve_conn(server, conn, found)
      state.conn = nil
    elseif server.stopped then
      return
    else
      local status = core_park(queue, core_now() + WORKER_IDLE, QUEUE)
      if status == ECANCELED then
        thread.raise()
      elseif status ~= 0 and http_next(httpd) == nil then
        return
      end
    end
  end
end

local function worker(server)
  local state = { conn = nil } -- the connection in hand
  local ok, err = xpcall(worker_loop, note_traceback, server, state)
  server.workers = server.workers - 1
  if state.conn then
    core.http_close(state.conn)
  end
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
    if core_park(server.shortage, nil, QUEUE) ~= 0 then
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
    if status == ECANCELED then
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
  local server = setmetatable({
    listener = listener,
    app = app,
    env_mt = nil, -- set below: it knows the server
    capitalize = o.capitalize_response_headers,
    is_special = next(o.environ) ~= nil,
    options = o,
    httpd = httpd,
    queue = C.queue(httpd),
    shortage = C.shortage(httpd),
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
  server.env_mt = env_module.metatable(server)
  return server
end

--- Serve until the listener is closed or this thread is killed. Parks.
function server_methods:serve_forever()
  thread.spawn_n(spawner, self)
  local ok, err = xpcall(accept_loop, note_traceback, self)
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

M.fill = env_module.fill_all

return M
