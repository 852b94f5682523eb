--- A worker's connection to its broker: registration, heartbeats both ways, coming back with longer
-- and longer pauses. Private to green.zmq.rpc; its methods are what rpc.worker gives to users.
-- @module green.zmq.rpc.worker

local args = require "green.args"
local class = require "green.args.class"
local core = require "green.core"
local envelope = require "green.zmq.rpc.envelope"
local errors = require "green.error"
local event = require "green.event"
local exits = require "green.thread.exits"
local jitter = require "green.net.jitter"
local jobs = require "green.zmq.rpc.job"
local mdp = require "green.zmq.rpc.mdp"
local open = require "green.zmq.rpc.open"
local options = require "green.zmq.rpc.options"
local show = require "green.args.show"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, format, min, pairs, pcall, setmetatable = error, string.format, math.min, pairs, pcall,
  setmetatable

local now_of = core.now

local methods = {}
local mt = { __name = "green.zmq.rpc.worker", __index = methods }
local M = {}

local AT_ONCE = { timeout = 0 }

--- A worker that does nothing so far. Does not park.
function M.new(opts)
  local settings = options.worker(opts, "rpc.worker")
  return setmetatable({
    service = settings.service,
    _settings = settings,
    _reply_options = { timeout = settings.heartbeat * settings.liveness },
    _conn = false, -- the connection it has now
    _thread = false,
    _stopping = false, -- an event: no job is there any more
    _jobs = {}, -- job -> true
    _running = 0,
    _counts = { requests = 0, connects = 0, returned = 0 },
  }, mt)
end

-- -- Requests -------------------------------------------------------------------------

--- Give a request back: it has not begun here.
local function give_back(self, conn, message, header)
  self._counts.returned = self._counts.returned + 1
  conn.socket:send_multipart(mdp.worker(nil, self._settings.version, "final", message.address,
    { envelope.write(envelope.RETURNED, header.id) }), AT_ONCE)
end

local function take(self, conn, message, frames)
  local header = envelope.read(frames[message.at])
  if header and (self._stopping or self._running >= self._settings.concurrency) then
    return give_back(self, conn, message, header)
  end
  self._counts.requests, self._running = self._counts.requests + 1, self._running + 1
  self._jobs[jobs.start(self, conn, message, frames, header)] = true
end

function methods:_job_ended(job)
  self._jobs[job], self._running = nil, self._running - 1
  if self._running == 0 and self._stopping and not self._stopping:ready() then
    self._stopping:send()
  end
end

-- -- One connection -------------------------------------------------------------------

--- What else than its service a worker says when it comes: only what MDP has no word for, and
-- nothing where a broker of 0.1 may be strict.
local function claim_of(settings)
  local text = format("concurrency=%d max_message=%d heartbeat=%.3f", settings.concurrency,
    settings.max_message, settings.heartbeat)
  return settings.version == 2 and text .. (settings.rate and format(" rate=%.3f", settings.rate)
    or "") or nil
end

local function connect(self)
  local settings = self._settings
  local socket, err = open.connected("DEALER", settings, {})
  if not socket then
    return nil, err
  end
  local now = now_of()
  local conn = { socket = socket, heard = now, beat_at = now + settings.heartbeat, is_new = true }
  local ok
  ok, err = socket:send_multipart(mdp.signal(nil, settings.version, "ready", settings.service,
    claim_of(settings)), AT_ONCE)
  if not ok then
    socket:close(0)
    return nil, err
  end
  self._conn, self._counts.connects = conn, self._counts.connects + 1
  return conn
end

local function beat(self, conn)
  conn.beat_at = now_of() + self._settings.heartbeat
  conn.socket:send_multipart(mdp.signal(nil, self._settings.version, "heartbeat"), AT_ONCE)
end

--- Something has come. true: the connection is of use no more.
local function hear(self, conn, frames)
  local message = mdp.read(frames, 1, "worker")
  if not message or message.kind == "disconnect" then
    return true
  end
  conn.heard, conn.is_new = now_of(), false
  if message.kind == "request" then
    take(self, conn, message, frames)
  end
end

--- One message, or a heartbeat. true: the connection is of use no more. Parks.
local function turn(self, conn)
  local settings = self._settings
  local silent_at = conn.heard + settings.heartbeat * settings.liveness
  local left = min(conn.beat_at, silent_at) - now_of()
  if left > 0 then
    local frames, err = conn.socket:recv_multipart(left)
    if frames then
      return hear(self, conn, frames)
    elseif errors.is_error(err, "EMSGSIZE") then -- from another broker: ours sends no such request
      conn.heard, conn.is_new = now_of(), false
    elseif not errors.is_timeout(err) then
      return true
    end
  elseif now_of() >= silent_at then
    return true
  else
    beat(self, conn)
  end
end

local function drop(self, conn, linger)
  if self._conn == conn then
    self._conn = false
  end
  conn.socket:close(linger)
end

--- Serve until the connection is lost. Returns whether a broker was there. Parks.
local function live(self)
  local conn = self._conn or connect(self)
  if not conn then
    return false
  end
  while not turn(self, conn) do
    thread.checkpoint()
  end
  drop(self, conn, 0)
  return not conn.is_new
end

local function run(self)
  local settings = self._settings
  local pause = settings.backoff
  while true do
    pause = live(self) and settings.backoff or min(pause * 2, settings.max_backoff)
    thread.sleep(pause * (1 - jitter.fraction() / 2))
  end
end

-- -- Start and stop -------------------------------------------------------------------

local function ended(record)
  local self = record.worker
  if self._thread ~= record.thread then
    return -- it was stopped, and may have been started again
  end
  self._thread = false
  if self._conn then
    drop(self, self._conn)
  end
end

--- Connect, and serve in green threads. It goes on for as long as it is not stopped: where the
-- broker is away, it comes back when that does. Does not park.
-- @return the worker; or nil, err: what green.zmq.socket and connect give
function methods:start()
  if self._thread then
    args.misuse("start: the worker has been started already")
  end
  local record = { _exit = ended, worker = self, thread = false }
  local conn, err = connect(self)
  if not conn then
    return nil, err
  end
  local ok, running = pcall(exits.make, 3, record, false, run, self)
  if not ok then
    drop(self, conn, 0)
    error(running, 0)
  end
  record.thread, self._thread = running, running
  core.start(running)
  return self
end

local function await_jobs(self, seconds)
  self._stopping = event.Event()
  if self._running > 0 then
    self._stopping:wait(seconds)
  end
end

local function say_goodbye(self)
  local conn = self._conn
  if conn then
    pcall(conn.socket.send_multipart, conn.socket, mdp.signal(nil, self._settings.version,
      "disconnect"), AT_ONCE)
    drop(self, conn)
  end
end

--- Take no more requests (what comes is given back to the broker), let those that run finish, kill
-- those that do not, and leave. Idempotent. Parks.
-- @tparam[opt] number seconds for those that run (the option `ending`, 5)
function methods:stop(seconds)
  args.timeout(seconds, "stop")
  local running = self._thread
  if not running or self._stopping then
    return
  end
  local ok, err = pcall(await_jobs, self, seconds or self._settings.ending)
  for job in pairs(self._jobs) do
    job.thread:kill_soon()
  end
  say_goodbye(self)
  self._thread, self._stopping = false, false
  if running ~= core.current() then
    running:kill_soon()
  end
  if not ok then
    error(err, 0)
  end
end

--- Figures: `running` requests; counts: `requests`, `returned` (given back unbegun), `connects`;
-- and `connected`: has the broker said something on this connection? Does not park.
function methods:stats()
  local counts, conn = self._counts, self._conn
  return { running = self._running, requests = counts.requests, returned = counts.returned,
    connects = counts.connects, connected = conn and not conn.is_new or false }
end

show.kind(mt, function(self)
  return format("%s at %s, %d running%s", self.service, self._settings.broker, self._running,
    self._thread and "" or ", stopped")
end)
class.seal(mt)

return M
