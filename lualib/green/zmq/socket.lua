--- ZeroMQ sockets: opening, endpoints, closing.
-- @module green.zmq.socket

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local draft = require "green.zmq.draft"
local exits = require "green.thread.exits"
local exposed = require "green.zmq.exposed"
local message = require "green.zmq.message"
local monitor = require "green.zmq.monitor"
local poll = require "green.zmq.poll"
local recv = require "green.zmq.recv"
local send = require "green.zmq.send"
local setting = require "green.zmq.setting"
local show = require "green.args.show"
local value_of = require "green.zmq.option_value"
local wait = require "green.zmq.wait"

local zmq = require "green.ffi.zmq"

local EINVAL, ENODEV = core.codes.EINVAL, core.codes.ENODEV
local PARTS = 1024 -- of a message that is received

--- libzmq's numbers.
local types = {
  PAIR = 0, PUB = 1, SUB = 2, REQ = 3, REP = 4, DEALER = 5, ROUTER = 6, PULL = 7, PUSH = 8,
  XPUB = 9, XSUB = 10, STREAM = 11, SERVER = 12, CLIENT = 13, RADIO = 14, DISH = 15, GATHER = 16,
  SCATTER = 17, DGRAM = 18, PEER = 19, CHANNEL = 20,
}
local names = {}
for name, number in pairs(types) do
  names[number] = name
end

--- What a socket begins with, unless it is told otherwise: a stranger can neither fill the
-- memory nor keep a connection that does nothing.
local defaults = {
  maxmsgsize = 64 * 1024 * 1024,
  handshake_ivl = 10,
  heartbeat_ivl = 10,
  heartbeat_timeout = 30,
  heartbeat_ttl = 30,
}

local methods = {}
for _, part in ipairs { draft.methods, message.methods, monitor.methods, poll.methods,
  recv.methods, send.methods, setting.methods } do
  for name, method in pairs(part) do
    methods[name] = method
  end
end
local mt = { __name = "green.zmq.socket", __index = methods }

-- -- Endpoints ----------------------------------------------------------------

local function endpoint_of(value, where)
  if args.type(value, "string", where, "endpoint"):find("\0", 1, true) then
    args.wrong(where, "endpoint", "a text without a zero byte", value)
  end
  return value
end

local PORT_MOST = 65535 -- libzmq takes what is left of a larger one
local says = {
  [EINVAL] = 'no endpoint: "tcp://ADDRESS:PORT", "ipc://PATH", "inproc://NAME"',
  [ENODEV] = "it takes an address, the name of an interface or *, but no host's name",
}

local function is_endpoint(text)
  local port = text:match "^tcp://.*:(%d+)$"
  return not port or tonumber(port) <= PORT_MOST
end

local function act(self, fn, endpoint, op)
  if endpoint_of(endpoint, op):find "^norm://" then -- libzmq ends the process where it fails
    return wait.failed("EPROTONOSUPPORT", op .. " " .. endpoint, nil, "protocol not supported")
  end
  local status = is_endpoint(endpoint) and fn(self._s, endpoint) or EINVAL
  if status < 0 then
    return wait.failed(status, op .. " " .. endpoint, nil, says[status])
  end
  return true
end

local ZAP, of_zap = "inproc://zeromq.zap.01", { REP = true, ROUTER = true }

--- Be reached at an endpoint: "tcp://127.0.0.1:5555" ("tcp://127.0.0.1:*": any free port, see
-- `s.last_endpoint`), "ipc://path" (the file is the user's alone), "inproc://name". Once in a
-- program it is told on standard error that anybody may connect: neither loopback, nor CURVE,
-- PLAIN or a `zap_domain`. Does not park.
-- @tparam string endpoint
-- @treturn true or nil, err: EINVAL (no such endpoint), EADDRINUSE, EADDRNOTAVAIL, ENODEV, EACCES,
-- EPROTONOSUPPORT, ENOCOMPATPROTO, ETERM, ECLOSED
function methods:bind(endpoint)
  if endpoint == ZAP and not of_zap[self.type] then
    return wait.failed(EINVAL, "bind " .. endpoint) -- libzmq would end the process
  end
  setting.guard(self)
  local ok, err = act(self, zmq.bind, endpoint, "bind")
  if ok then
    self.last_endpoint = self:get("last_endpoint")
    exposed.look(self, self.last_endpoint)
  end
  return ok, err
end

--- Connect to an endpoint, which may come to be later: libzmq tries until then, and again when
-- the connection is lost. Does not park.
-- @tparam string endpoint as bind
-- @treturn true or nil, err: EINVAL, EPROTONOSUPPORT, ENOCOMPATPROTO, ETERM, EMTHREAD, ECLOSED
function methods:connect(endpoint)
  setting.guard(self)
  local ok, err = act(self, zmq.connect, endpoint, "connect")
  if ok then
    self.last_endpoint = self:get("last_endpoint")
  end
  return ok, err
end

--- Undo a bind; connections that came by it stay. Does not park.
-- @tparam string endpoint as `last_endpoint` was after the bind
-- @treturn true or nil, err: ENOENT (not bound there), EINVAL, ETERM, ECLOSED
function methods:unbind(endpoint)
  return act(self, zmq.unbind, endpoint, "unbind")
end

--- Undo a connect. Does not park.
-- @tparam string endpoint as it was connected
-- @treturn true or nil, err: ENOENT (not connected there), EINVAL, ETERM, ECLOSED
function methods:disconnect(endpoint)
  return act(self, zmq.disconnect, endpoint, "disconnect")
end

-- -- Life ---------------------------------------------------------------------

--- What threads have begun to receive or to send is nothing that they hold any more.
local function release_all(records)
  if records then
    for _, record in pairs(records) do
      exits.release(record)
    end
  end
end

--- Close the socket: who waits for it gets ECLOSED. Messages that are still to be sent are sent
-- in the background, as long as the program runs or the option `linger` says. Give that when the
-- socket is made: connections that libzmq is ending already have what was said before, and hold
-- the context's end up for that long. Idempotent, never
-- raises for a socket, does not park.
-- @tparam[opt] number linger seconds for these messages; 0: drop them
function methods:close(linger)
  local ms = -2
  if linger ~= nil then
    args.number(linger, 0, "close", "linger")
    ms = linger > 2147483 and -1 or math.floor(linger * 1000 + 0.5)
  end
  self.closed = true
  release_all(self._rests)
  release_all(self._begun)
  self._rests, self._begun = nil, nil
  zmq.close(self._s, ms)
end

show.kind(mt, function(self)
  local state = self.closed and "closed" or self.last_endpoint or "no endpoint"
  return ("%s, %s"):format(self.type, state)
end)
class.seal(mt)

-- -- Opening ------------------------------------------------------------------

--- The number of a type, given as that or as a name.
local function type_of(value, where)
  local number = type(value) == "string" and types[value:upper()] or value
  if not names[number] then
    args.wrong(where, "kind", "a type of sockets: zmq.REQ, \"REQ\", ...", value)
  end
  return number
end

local function configure(self, opts, where)
  for name, value in pairs(defaults) do
    if opts[name] == nil then
      setting.set(self, name, value, where)
    end
  end
  for _, name in ipairs(value_of.ordered(opts)) do
    local value = opts[name]
    local ok, err = true, nil
    if name == "max_parts" then
      self._max_parts = value
    else
      ok, err = setting.set(self, name, value, where)
    end
    if not ok then
      return nil, err
    end
  end
  return true
end

-- A socket of a context, a pointer to a green_zmq_context; or nil, err. state: what others have
-- put into the context.
local function open(context, kind, opts, where, state)
  local number = type_of(kind, where)
  if opts == nil then
    opts = {}
  else
    args.plain(opts, where, "options")
    for name, value in pairs(opts) do
      if name == "max_parts" then
        args.count(value, 1, where, "max_parts")
      else
        value_of.encode(name, value, where)
      end
    end
  end
  local s = core.object("zmq")
  local status = zmq.open(s, context, number)
  if status < 0 then
    return wait.failed(status, where .. " " .. names[number])
  end
  local self = setmetatable({
    type = names[number], closed = false, last_endpoint = nil,
    _s = s, _part = zmq.input(s),
    _rcvtimeo = false, _sndtimeo = false, _max_parts = PARTS,
    _rests = nil, _begun = nil,
    _state = state, _zap_domain = nil,
  }, mt)
  local ok, err = configure(self, opts, where)
  if not ok then
    self:close(0)
    return nil, err
  end
  return self
end

return { mt = mt, types = types, open = open, methods = methods }
