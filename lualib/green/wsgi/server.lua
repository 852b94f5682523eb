--- Server objects: their threads, and how they stop.
-- @module green.wsgi.server

local ffi = require "ffi"
local core = require "green.core"
local errors = require "green.error"
local app_module = require "green.wsgi.app"
local env_module = require "green.wsgi.env"
local log_module = require "green.wsgi.log"
local option_module = require "green.wsgi.options"
local stopping = require "green.wsgi.stopping"
local takeover = require "green.wsgi.takeover"
local thread = require "green.thread"
local timeout = require "green.timeout"
local workers = require "green.wsgi.worker"
local C = require "green.ffi.httpd"

local codes = core.codes
local READ, QUEUE = 1, 3 -- modes of core.park
local ACCEPT_BATCH = 64
local BACKOFF_FIRST, BACKOFF_MOST = 0.01, 1
local FULL_PAUSE = 0.05 -- seconds between looks when max_connections are open
-- What a killed serve_forever gives requests in hand, like every cleanup.
local KILL_GRACE, KILL_FORCE = 3, 1

local hub = ffi.cast("green_hub *", core.hub())

local methods = { take_over = takeover.take_over, set_idle = takeover.set_idle }
local mt = { __name = "green.wsgi.server", __index = methods }

-- -- Workers ------------------------------------------------------------------

--- A handler has taken its connection over: it counts as a worker no more.
function methods:worker_detaches(state)
  self.active[state] = nil
  self.detached[state] = true
  self.workers = self.workers - 1
  core.wake_cdata(self.shortage)
end

--- The last thing a worker does.
function methods:worker_ends(state)
  if self.detached[state] then
    self.detached[state] = nil
    return
  end
  if not self.active[state] then
    return -- abandoned by a forced stop
  end
  self.active[state] = nil
  self.workers = self.workers - 1
  if state.conn then
    core.http_close(state.conn)
  end
  if C.ready(self.httpd) > 0 then
    core.wake_cdata(self.shortage)
  end
end

local function spawn_worker(self)
  self.workers = self.workers + 1
  local pool = self.options.custom_pool
  if pool then
    pool:spawn(workers.run, self)
  else
    thread.spawn_n(workers.run, self)
  end
end

--- Makes workers when connections have bytes and nobody is free for them.
local function spawner(self)
  while not self.stopped do
    for _ = 1, math.min(C.ready(self.httpd), self.max_workers - self.workers) do
      spawn_worker(self)
    end
    if core.park(self.shortage, nil, QUEUE) ~= 0 then
      return
    end
  end
end

-- -- Accepting ----------------------------------------------------------------

--- Wait for what stands in the way of the next accept: 0, or why there is none.
local function wait_to_accept(self, n, pause)
  if n == codes.EAGAIN then
    local status = core.park(self.listener._s, nil, READ)
    return status -- no tail call: the socket must stay reachable meanwhile
  elseif n == codes.ECLOSED or n == codes.EBADF then
    return n
  elseif n ~= codes.EBUSY then
    self.log:error("accept: %s", tostring(errors.new(n)))
  end
  pause = n == codes.EBUSY and FULL_PAUSE or pause
  local status = core.park(self.accept_queue, core.now() + pause) -- a stop wakes it
  return status == codes.ETIMEDOUT and 0 or status
end

local function accept_loop(self)
  local sock, httpd = self.listener._s, self.httpd
  local pause, status = BACKOFF_FIRST, 0
  while status == 0 and not self.stopping do
    local n = C.accept(httpd, sock, ACCEPT_BATCH)
    if n >= 0 then
      pause = BACKOFF_FIRST
      thread.checkpoint()
    else
      status = wait_to_accept(self, n, pause)
      pause = math.min(pause * 2, BACKOFF_MOST)
    end
  end
  stopping.begin(self) -- the listener was closed
end

-- -- The public side ----------------------------------------------------------

--- Serve in the background. Does not park. Idempotent.
-- @return the server
function methods:start()
  if self.stopping then
    error("start: the server was stopped", 2)
  elseif not self.started then
    self.started = true
    thread.spawn_n(spawner, self)
    thread.spawn_n(accept_loop, self)
    self.log:info("serving on %s", self.url)
  end
  return self
end

--- Stop: accept no more, close connections between requests at once, let requests
-- in hand finish, each with "Connection: close". After the grace, or when stop is
-- called again meanwhile, those that are left are killed, and after a further
-- force_after seconds abandoned. Handlers that have taken their connection over
-- are killed. Returns when all is over. Parks.
-- @tparam[opt] table opts `grace` seconds for requests in hand (the option
-- stop_grace, 30), false for no limit; `force_after` seconds (5)
-- @treturn boolean true
function methods:stop(opts)
  return stopping.stop(self, opts)
end

--- Serve until the server is stopped, its listener is closed, or this thread is
-- killed; then requests in hand get three seconds. Parks.
-- @treturn boolean true
function methods:serve_forever()
  self:start()
  local signals = self.options.signals and stopping.watch_signals(self)
  local status = 0
  while status == 0 and not self.ended do
    status = core.park(self.end_queue)
  end
  local raised
  if status ~= 0 then
    raised = { pcall(thread.failed, status, "serve") }
    timeout.shield(KILL_GRACE + KILL_FORCE + 1, stopping.stop, self,
      { grace = KILL_GRACE, force_after = KILL_FORCE })
  end
  for _, handler in ipairs(signals or {}) do
    handler:cancel()
  end
  if raised then
    error(raised[2], 0)
  end
  return true
end

--- Where it listens. Does not park.
-- @return host, port; or the path of a UNIX socket. Also in the fields `url`,
-- `host`, `port`
function methods:address()
  return self.host, self.port
end

--- Numbers. Does not park.
-- @treturn table `connections` open now, `idle` of them between requests,
-- `accepted`, `requests`, `refused` (bad ones), `timeouts`, `failed` (handlers
-- that raised), `workers`, `busy` of them, `taken_over` now, `log_lines`,
-- `log_dropped`
function methods:stats()
  local h = self.httpd
  local busy, taken = 0, 0
  for state in pairs(self.active) do
    busy = busy + (state.conn and 1 or 0)
  end
  for _ in pairs(self.detached) do
    taken = taken + 1
  end
  return {
    connections = h.connections,
    idle = h.idle,
    accepted = tonumber(h.accepted),
    requests = tonumber(h.requests),
    refused = tonumber(h.refused),
    timeouts = tonumber(h.timeouts),
    failed = self.failed,
    workers = self.workers,
    busy = busy,
    taken_over = taken,
    log_lines = self.log:lines(),
    log_dropped = self.log:dropped(),
  }
end

--- Write logs to newly opened files, after a rotation. Does not park.
function methods:reopen_logs()
  self.log:reopen()
end

function mt:__tostring()
  return ("green.wsgi.server{%s}"):format(self.url)
end

--- host, port, URL, and what CGI calls name and port.
local function describe(listener)
  local host, port = listener:sockname()
  if type(port) ~= "number" then
    return { host = host, url = "unix:" .. tostring(host), name = "unix", env_port = "" }
  end
  local shown = host:find(":", 1, true) and "[" .. host .. "]" or host
  return {
    host = host,
    port = port,
    url = ("http://%s:%d"):format(shown, port),
    name = host,
    env_port = tostring(port),
  }
end

--- A server for a listener, which it owns from here on.
local function new(listener, app, opts, where, level)
  local o = option_module.read(opts, where, level + 1)
  local self = describe(listener)
  self.options = o
  self.listener = listener
  self.app = app_module.read(app, o, where, level + 1)
  self.log = log_module.new(o, where)
  self.errors = self.log.stream
  self.scheme, self.software = "http", o.server_software
  self.handler_timeout = o.handler_timeout
  self.capitalize = o.capitalize_response_headers
  self.is_special = next(o.environ) ~= nil or self.log.access ~= nil
  self.httpd = ffi.gc(C.new(hub), C.free)
  self.queue, self.shortage = C.queue(self.httpd), C.shortage(self.httpd)
  self.workers, self.max_workers = 0, o.custom_pool and math.huge or o.max_size
  self.worker_idle = o.custom_pool and 0 or workers.WORKER_IDLE
  self.active, self.detached = {}, {} -- sets of workers' states
  self.failed = 0
  self.started, self.stopping, self.stopped, self.ended = false, false, false, false
  self.accept_queue, self.end_queue, self.hurry = core.waitq(), core.waitq(), core.waitq()
  option_module.apply(self.httpd, o)
  setmetatable(self, mt)
  self.env_mt = env_module.metatable(self)
  return self
end

return { new = new }
