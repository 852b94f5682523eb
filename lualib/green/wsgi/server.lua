--- HTTP server objects: what wsgi.new returns.
-- @module green.wsgi.server

local ffi = require "ffi"
local args = require "green.args"
local class = require "green.args.class"
local core = require "green.core"
local accept = require "green.wsgi.accept"
local addr = require "green.socket.addr"
local app_module = require "green.wsgi.app"
local authors = require "green.wsgi.author"
local env_module = require "green.wsgi.env"
local errors = require "green.error"
local exchange = require "green.wsgi.exchange"
local gone = require "green.wsgi.gone"
local guests = require "green.wsgi.guests"
local log_module = require "green.wsgi.log"
local register = require "green.wsgi.register"
local option_module = require "green.wsgi.options"
local spawn = require "green.wsgi.spawn"
local stop = require "green.wsgi.stop"
local takeover = require "green.wsgi.takeover"
local thread = require "green.thread"
local timeout = require "green.timeout"
local workers = require "green.wsgi.worker"
local C = require "green.ffi.httpd"
local show = require "green.args.show"

local httpd_t = ffi.typeof("green_httpd *")
-- What a killed serve_forever gives requests in hand, like every cleanup.
local KILL_GRACE, KILL_FORCE = 3, 1

local methods = { take_over = takeover.take_over, set_idle = takeover.set_idle, _gone = gone.of,
  _give = takeover.give }
local mt = { __name = "green.wsgi.server", __index = methods }

--- A handler has taken its connection over: it counts as a worker no more.
function methods:_worker_detaches(state)
  self.active[state] = nil
  self.detached[state] = true
  self.workers = self.workers - 1
  self.httpd.full = false
  stop.look(self)
end

-- -- The public side ----------------------------------------------------------

--- Serve in the background. Does not park. Idempotent; an error once the server
-- was stopped.
-- @return the server
function methods:start()
  if self.stopping then
    args.misuse("start: the server was stopped")
  elseif not self.started then
    self.started = true
    self.pid = core.getpid()
    self.spawner = spawn.start(self)
    self.teller = self.tls and self.tls.tell_failed(self, self.on_failure)
    accept.start(self)
    self.log:info("serving on %s", self.url)
  end
  return self
end

--- Stop: accept no more, close connections between requests at once, let requests
-- in hand finish, each with "Connection: close". After the grace, or when stop is
-- called again meanwhile, those that are left are killed, and after a further
-- force_after seconds abandoned. Handlers that have taken their connection over
-- are killed. Returns when all is over. A handler may not call it. Parks.
-- @tparam[opt] table opts `grace` seconds for requests in hand (the option
-- stop_grace, 30), false for no limit; `force_after` seconds (5)
-- @treturn boolean true
function methods:stop(opts)
  return stop.stop(self, opts)
end

--- Serve until the server is stopped, its listener is closed, or this thread is
-- killed; then requests in hand get three seconds. Parks.
-- @treturn boolean true, at once if the server was stopped before
function methods:serve_forever()
  core.waiter() -- where that raises, nothing has started
  if not self.stopping then
    self:start()
  end
  local unwatch = self.options.signals and stop.watch_signals(self)
  local status = 0
  while status == 0 and not self.ended do
    status = core.park(self.end_queue)
  end
  local raised
  if status ~= 0 then
    raised = { pcall(thread.failed, status, "serve") }
    timeout.shield(KILL_GRACE + KILL_FORCE + 1, stop.stop, self,
      { grace = KILL_GRACE, force_after = KILL_FORCE })
  end
  if unwatch then
    unwatch()
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
-- `accepted`, `requests`, `refused` (bad ones), `timeouts`, `evicted` (idle ones
-- closed to make room), `failed` (handlers that raised), `workers`, `busy` of them,
-- `taken_over` now, `websockets` now, `log_lines`, `log_dropped`; with TLS `handshakes` that
-- were done, `handshakes_failed`, `handshakes_refused` (there were too many), `handshaking`
-- now, and `handshakes_in_pool`, steps of them in native threads
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
    evicted = tonumber(h.evicted),
    failed = self.failed,
    workers = self.workers,
    busy = busy,
    taken_over = taken,
    websockets = guests.count(self),
    log_lines = self.log:lines(),
    log_dropped = self.log:dropped(),
    handshakes = self.tls and tonumber(h.handshakes) or nil,
    handshakes_failed = self.tls and tonumber(h.handshakes_failed) or nil,
    handshakes_refused = self.tls and tonumber(h.handshakes_refused) or nil,
    handshaking = self.tls and h.handshaking or nil,
    handshakes_in_pool = self.tls and tonumber(h.handshakes_pooled) or nil,
  }
end

--- Write logs to newly opened files, after a rotation. Does not park.
function methods:reopen_logs()
  self.log:reopen()
end

show.kind(mt, function(self)
  local state = self.ended and ", ended" or self.stopping and ", stopping"
    or not self.started and ", not started" or ""
  return self.url .. state
end)

--- host, port, URL, and what CGI calls name and port.
local function describe(listener, scheme)
  local host, port = listener:sockname()
  if type(port) ~= "number" then
    return { host = host, url = "unix:" .. tostring(host), name = "unix", env_port = "" }
  end
  return {
    host = host,
    port = port,
    url = scheme .. "://" .. addr.text(host, port),
    name = host,
    env_port = tostring(port),
  }
end

--- What can be made without a listener. Raises misuse; and what the application's
-- module raises. Parks if that does.
-- @param app
-- @param opts
-- @tparam string where the function's name, for messages
-- @return nil, err when there can be no TLS
local function plan(app, opts, where)
  local o = option_module.read(opts, where)
  local tls = o.tls and require "green.wsgi.tls"
  local context, on_failure = false, nil
  if tls then
    context, on_failure = tls.read(o.tls, where)
  end
  if tls and not context then
    return nil, on_failure
  end
  local fn, handler = app_module.read(app, o, where)
  return {
    where = where,
    options = o,
    tls = tls,
    tls_context = context,
    on_failure = on_failure,
    app = o.handler_timeout and takeover.limited(fn, o.handler_timeout) or fn,
    handler = handler,
  }
end

--- A server for a listener, which it owns from here on. Raises as plan.
-- @return nil, err when a log cannot be opened: the listener is the caller's still
local function new(listener, planned)
  local o = planned.options
  local object = core.object("httpd")
  local httpd = ffi.cast(httpd_t, object)
  local status = planned.tls and planned.tls.use(httpd, planned.tls_context) or 0
  if status < 0 then
    return nil, errors.new(status, planned.where)
  end
  local log, err = log_module.new(o, planned.where)
  if not log then
    return nil, err
  end
  local scheme = planned.tls and "https" or "http"
  local self = describe(listener, scheme)
  self.options, self.listener, self.log = o, listener, log
  self.app = o.cancel_on_disconnect and gone.watched(self, planned.app, env_module.CONN)
    or planned.app
  self.handler = planned.handler -- what app calls, for messages
  authors.begin(self)
  self.errors = self.log.stream
  self.scheme, self.software = scheme, o.server_software
  self.tls, self.tls_context = planned.tls, planned.tls_context
  self.on_failure, self.teller = planned.on_failure, false -- who tells of failed handshakes
  self.failed_lines = {} -- that the log has of them
  self.capitalize = o.capitalize_response_headers
  self.environ = next(o.environ) ~= nil and o.environ
  self.httpd_object = object -- keeps what the next ones point to
  self.httpd, self.httpd_pointer = httpd, core.pointer(object)
  exchange.attach(self)
  self.queue, self.shortage = core.pointer(C.queue(httpd)), core.pointer(C.shortage(httpd))
  self.departures = core.pointer(C.departures(httpd)) -- who accepts waits here, and a stop
  self.workers, self.max_workers = 0, o.custom_pool and math.huge or o.max_size
  self.worker_idle = o.custom_pool and 0 or workers.WORKER_IDLE
  self.active, self.detached = {}, {} -- sets of workers' states
  self.guests = {} -- a set, of whoever has connections of ours (guests.lua)
  self.gone_listener = false -- who hears of clients that go
  self.gone_objects = setmetatable({}, { __mode = "v" }) -- connection -> its green.gone
  self.slow = 0 -- workers that wait for their clients
  self.failed = 0
  self.evicted, self.evicted_told = 0, -math.huge -- connections, and when the log said so
  self.crowded, self.crowded_told = 0, -math.huge -- handshakes refused, likewise
  self.started, self.stopping, self.stopped, self.ended = false, false, false, false
  self.pid = false -- of the process that it serves in
  self.end_queue = core.waitq()
  option_module.apply(self.httpd, o)
  setmetatable(self, mt)
  self.env_mt = env_module.metatable(self)
  register.add(self)
  return self
end

class.seal(mt)

return { plan = plan, new = new }
