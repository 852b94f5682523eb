--- The broker's socket and its green thread, around green.zmq.rpc.state. Private to green.zmq.rpc;
-- its methods are what rpc.broker gives to users.
-- @module green.zmq.rpc.broker

local args = require "green.args"
local class = require "green.args.class"
local core = require "green.core"
local digest = require "green.digest"
local errors = require "green.error"
local exits = require "green.thread.exits"
local guard = require "green.zmq.guard"
local open = require "green.zmq.rpc.open"
local options = require "green.zmq.rpc.options"
local show = require "green.args.show"
local states = require "green.zmq.rpc.state"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, ipairs, pairs, pcall, setmetatable = error, ipairs, pairs, pcall, setmetatable

local now_of = core.now

local methods = {}
local mt = { __name = "green.zmq.rpc.broker", __index = methods }
local M = {}

local AT_ONCE = { timeout = 0 } -- a peer that takes nothing is not waited for
local WHERE = "a message to a broker of green.zmq.rpc"
local PAUSE = 0.05 -- seconds after a failure of the socket that is none of a message

--- A broker that does nothing so far. Does not park.
function M.new(opts)
  local settings = options.broker(opts, "rpc.broker")
  return setmetatable({
    endpoint = nil, -- the first one that it listens at
    endpoints = {},
    _settings = settings,
    _socket = false, _thread = false, _state = false,
  }, mt)
end

-- -- The thread ---------------------------------------------------------------------

--- The socket had no message. false: it will have none any more. Parks.
local function missed(state, err)
  if errors.is_error(err, "ECLOSED") or errors.is_error(err, "ETERM") then
    return false
  elseif errors.is_error(err, "EMSGSIZE") then
    state.counts.garbage = state.counts.garbage + 1
  elseif not errors.is_timeout(err) then
    thread.sleep(PAUSE)
  end
  return true
end

--- One message, or the time of the next tick. false: the socket has been closed, or its context
-- ended. Parks.
local function turn(socket, state)
  local left = state.due - now_of()
  if left > 0 then
    local frames, err = socket:recv_multipart(left)
    if frames then
      guard.run(WHERE, state.receive, state, frames, now_of())
    elseif not missed(state, err) then
      return false
    end
  end
  if now_of() >= state.due then
    guard.run(WHERE, state.tick, state, now_of())
  end
  return true
end

local function serve(self, socket, state)
  while self._socket == socket and turn(socket, state) do
    thread.checkpoint()
  end
end

local function ended(record)
  local self = record.broker
  if self._socket == record.socket then
    self._socket, self._thread = false, false
  end
  record.socket:close()
end

-- -- Start and stop -------------------------------------------------------------------

--- Bind to all endpoints: as they are called then. nil, err.
local function bind(socket, list)
  local endpoints = {}
  for i, endpoint in ipairs(list) do
    local ok, err = socket:bind(endpoint)
    if not ok then
      return nil, err
    end
    endpoints[i] = socket.last_endpoint
  end
  return endpoints
end

--- All of a broker that can fail: its endpoints, its state, and a thread that has not started. nil,
-- err.
local function prepare(self, socket)
  local settings = self._settings
  local endpoints, err = bind(socket, settings.bind)
  if not endpoints then
    return nil, err
  end
  local state = states.new(settings, function(frames)
    return socket:send_multipart(frames, AT_ONCE)
  end, digest.random(4) or "", now_of())
  return endpoints, state, exits.make(4, { _exit = ended, broker = self, socket = socket }, false,
    serve, self, socket, state)
end

--- Bind, and take requests in a green thread. Does not park.
-- @return the broker; or nil, err: EADDRINUSE and what else green.zmq's bind gives
function methods:start()
  if self._socket then
    args.misuse("start: the broker has been started already")
  end
  local socket, err = open.socket("ROUTER", self._settings,
    { router_mandatory = true, sndhwm = self._settings.max_pending + 1000, rcvhwm = 1000 })
  if not socket then
    return nil, err
  end
  local ok, endpoints, state, running = pcall(prepare, self, socket)
  if not ok or not endpoints then
    socket:close(0)
    if not ok then
      error(endpoints, 0)
    end
    return nil, state
  end
  self.endpoint, self.endpoints = endpoints[1], endpoints
  self._socket, self._state, self._thread = socket, state, running
  core.start(running)
  return self
end

--- End: workers are told, and callers whose calls are not answered (what no worker has is known
-- not to have begun). Idempotent, does not park.
function methods:stop()
  local socket, running = self._socket, self._thread
  if not socket then
    return
  end
  self._socket, self._thread = false, false
  pcall(self._state.close, self._state)
  if running ~= core.current() then
    running:kill_soon()
  end
  socket:close()
end

--- Figures: `services`, `workers`, `waiting` requests, `bytes` of all (max_bytes), `clients` with
-- them, and counts since the start: `requests`, `answered`, `refused`, `expired`, `repeated` (given
-- to another worker), `unsent` (answers to clients that had gone), `garbage`; workers that were
-- lost: `silent`, `gone`, `flood`, and those that `left`. Does not park.
function methods:stats()
  local state, stats = self._state, {}
  if not state then
    return { services = 0, workers = 0, waiting = 0, bytes = 0, clients = 0 }
  end
  for name, n in pairs(state.counts) do
    stats[name] = n
  end
  local clients = 0
  for _ in pairs(state.clients) do
    clients = clients + 1
  end
  stats.services, stats.workers, stats.clients = state.n_services, state.n_workers, clients
  stats.waiting, stats.bytes = state.waiting, state.bytes
  return stats
end

show.kind(mt, function(self)
  local state = self._state
  return self._socket and ("%s, %d workers, %d waiting"):format(self.endpoint, state.n_workers,
    state.waiting) or "stopped"
end)
class.seal(mt)

return M
