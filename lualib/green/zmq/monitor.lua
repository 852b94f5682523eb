--- What becomes of a ZeroMQ socket's connections, event by event.
-- @module green.zmq.monitor

local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"
local known_options = require "green.args.options"
local show = require "green.args.show"
local wait = require "green.zmq.wait"

local ffi = require "ffi"
local api = require "green.ffi.zmq_monitor"

local bor, format = bit.bor, string.format
local ipairs, setmetatable, tonumber = ipairs, setmetatable, tonumber

local M = {}

-- -- Events -------------------------------------------------------------------

--- libzmq's bits.
local bits = {
  connected = 0x1, connect_delayed = 0x2, connect_retried = 0x4, listening = 0x8,
    bind_failed = 0x10,
  accepted = 0x20, accept_failed = 0x40, closed = 0x80, close_failed = 0x100, disconnected = 0x200,
  monitor_stopped = 0x400, handshake_failed_no_detail = 0x800, handshake_succeeded = 0x1000,
  handshake_failed_protocol = 0x2000, handshake_failed_auth = 0x4000,
}
local ALL = 0xffff
M.bits = bits

local names = {}
for name, number in pairs(bits) do
  names[number] = name
end

--- libzmq's numbers of what may be wrong with what the peer, or the authenticator, sends.
local faults = {
  [0x10000000] = "ZMTP: unspecified",
  [0x10000001] = "ZMTP: unexpected command",
  [0x10000002] = "ZMTP: invalid sequence of nonces",
  [0x10000003] = "ZMTP: key exchange",
  [0x10000011] = "ZMTP: malformed command",
  [0x10000012] = "ZMTP: malformed MESSAGE",
  [0x10000013] = "ZMTP: malformed HELLO",
  [0x10000014] = "ZMTP: malformed INITIATE",
  [0x10000015] = "ZMTP: malformed ERROR",
  [0x10000016] = "ZMTP: malformed READY",
  [0x10000017] = "ZMTP: malformed WELCOME",
  [0x10000018] = "ZMTP: invalid metadata",
  [0x11000001] = "ZMTP: wrong key, or altered on the way",
  [0x11000002] = "ZMTP: another mechanism",
  [0x20000000] = "ZAP: unspecified",
  [0x20000001] = "ZAP: malformed reply",
  [0x20000002] = "ZAP: another request's id",
  [0x20000003] = "ZAP: another version",
  [0x20000004] = "ZAP: invalid status code",
  [0x20000005] = "ZAP: invalid metadata",
  [0x30000000] = "WS: unspecified",
}
M.faults = faults

--- The system's name and words for an errno.
local function of_errno(value)
  local err = errors.new(-value, "")
  return format("%s (%s)", err.message, err.code)
end

local reasons = { bind_failed = of_errno, accept_failed = of_errno, close_failed = of_errno,
  connect_delayed = of_errno, handshake_failed_no_detail = of_errno }

function reasons.handshake_failed_protocol(value)
  return faults[value] or format("protocol error %#x", value)
end

function reasons.handshake_failed_auth(value)
  return format("the authenticator said %d", value)
end

local head_t = ffi.typeof(
  "struct { uint16_t event; uint32_t value; } __attribute__((packed)) const *")

--- An event of the two parts that it comes in.
local function event_of(parts)
  local head = ffi.cast(head_t, parts[1])
  local number, value = tonumber(head.event), tonumber(head.value)
  local name = names[number] or format("event_%#x", number)
  local reason = reasons[name]
  return { name = name, value = value, address = parts[2] or "", reason = reason and reason(value) }
end

-- -- Monitors -----------------------------------------------------------------

local methods = {}
local mt = { __name = "green.zmq.monitor", __index = methods }

--- The next event. Parks.
-- @tparam[opt] number timeout seconds
-- @treturn table `name`; `value`, a number that libzmq has for it: a descriptor, milliseconds
-- until the next attempt (connect_retried), an errno, a status code; `address`, the endpoint;
-- `reason`, words for what failed. nil alone: the socket was closed. Or nil, err: ETIMEDOUT;
-- ECLOSED, the monitor was
function methods:recv(timeout)
  args.timeout(timeout, "recv")
  if self._ended and not self.closed then
    return nil
  end
  local parts, err = self._reader:recv_multipart(timeout)
  if not parts then
    return nil, err
  end
  local event = event_of(parts)
  self._ended = event.name == "monitor_stopped"
  return event
end

--- An iterator over events: `for event in monitor:events() do`. It ends behind "monitor_stopped",
-- when the socket is closed, and when the monitor is. Parks.
function methods:events()
  return function()
    return (self:recv())
  end
end

--- Watch no more. Idempotent, does not park.
function methods:close()
  self.closed = true
  self._reader:close(0)
end

show.kind(mt, function(self)
  return self.closed and "closed" or "of a " .. self._of
end)
class.seal(mt)

local function mask_of(events)
  if events == nil then
    return ALL
  end
  local mask = 0
  for _, name in ipairs(args.list(events, "monitor", "events", "names")) do
    if not bits[name] then
      known_options.unknown("event", name, bits, "monitor")
    end
    mask = bor(mask, bits[name])
  end
  return mask
end

local of_sockets = {} -- methods

--- See what becomes of the socket's connections: from here on, and until it, or the monitor, is
-- closed. Read the events: those that nobody reads are kept. Does not park.
-- @tparam[opt] table events names of those that are wanted; all, if nothing is said
-- @return the monitor (green.zmq.monitor); or nil, err: EBUSY (it has one already), EMFILE, ETERM,
-- ECLOSED
function of_sockets:monitor(events)
  local mask = mask_of(events)
  if self.closed then
    return nil, errors.new("ECLOSED", "monitor")
  end
  -- Without a limit: at one, libzmq's own thread would wait, and with it all connections.
  local reader, err = self._state.context:socket("PAIR", { rcvhwm = 0, linger = 0 })
  if not reader then
    return nil, err
  end
  local status = api.start(self._s, reader._s, mask)
  if status < 0 then
    reader:close(0)
    return wait.failed(status, "monitor")
  end
  return setmetatable({ closed = false, _reader = reader, _of = self.type, _ended = false }, mt)
end

M.methods = of_sockets
return M
