--- What becomes of a ZeroMQ socket's connections, event by event.
--
-- libzmq's own threads write the events, and would wait, with all connections, where there is no
-- room. So what they write has no limit, and a green thread takes it at once: what nobody reads is
-- bounded behind that.
-- @module green.zmq.monitor

local args = require "green.args"
local background = require "green.thread.background"
local class = require "green.args.class"
local core = require "green.core"
local errors = require "green.error"
local known_options = require "green.args.options"
local queues = require "green.queue"
local show = require "green.args.show"
local thread = require "green.thread"
local wait = require "green.zmq.wait"

local ffi = require "ffi"
local api = require "green.ffi.zmq_monitor"

local bor, format = bit.bor, string.format
local error, getmetatable, ipairs, newproxy, pcall, setmetatable, tonumber = error, getmetatable,
  ipairs, newproxy, pcall, setmetatable, tonumber

local M = {}

local MOST = 10000 -- events that wait for a reader

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

--- What goes wrong when an event is wanted.
local function failed(err)
  local fields = errors.is_error(err, "EAGAIN") and { is_timeout = true } or nil
  return nil, errors.new(err.code, "monitor recv", nil, fields)
end

--- Take the events as they come, until there will be none: the oldest make room.
local function take_all(kept)
  local reader, queue = kept.reader, kept.queue
  repeat
    local parts = reader:recv_multipart()
    if parts and queue:qsize() >= kept.most then
      queue:get_nowait()
      kept.dropped = kept.dropped + 1
    end
    local event = parts and event_of(parts)
    if event then
      queue:put_nowait(event)
    end
  until not event or event.name == "monitor_stopped"
end

--- Whoever reads is told of the end, also of one for lack of memory. It knows nothing of the
-- monitor, which may be forgotten.
local function drain(kept)
  local ok, err = pcall(take_all, kept)
  kept.queue:shutdown()
  if not ok then
    kept.reader:close(0)
    error(err, 0)
  end
end

--- Something that closes the reader when it is collected.
local function guard_of(reader)
  local guard = newproxy(true)
  getmetatable(guard).__gc = function()
    reader:close(0)
  end
  return guard
end

--- The next event; at 0 one that has been taken already. Parks.
-- @tparam[opt] number timeout seconds
-- @treturn table `name`; `value`, a number that libzmq has for it: a descriptor, milliseconds
-- until the next attempt (connect_retried), an errno, a status code; `address`, the endpoint;
-- `reason`, words for what failed. nil alone: the socket was closed. Or nil, err: ETIMEDOUT;
-- EAGAIN (the timeout is 0); ECLOSED, the monitor was
function methods:recv(timeout)
  args.timeout(timeout, "recv")
  if self._ended and not self.closed then
    return nil
  end
  local event, err
  if timeout == 0 then
    thread.checkpoint()
    event, err = self._kept.queue:get_nowait()
  else
    event, err = self._kept.queue:get(timeout)
  end
  if not event then
    return failed(err)
  end
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
  self._kept.reader:close(0)
  self._kept.queue:shutdown(true)
end

--- How many events nobody has read in time. Does not park.
-- @treturn number
function methods:dropped()
  return self._kept.dropped
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

local of_monitors = { most = true }

--- See what becomes of the socket's connections: from here on, and until it, or the monitor, is
-- closed. Does not park.
-- @tparam[opt] table events names of those that are wanted; all, if nothing is said
-- @tparam[opt] table opts `most`: events that are kept until somebody reads them (10,000); the
-- oldest make room for others, and the monitor's `dropped()` counts them
-- @return the monitor (green.zmq.monitor); or nil, err: EBUSY (it has one already), EMFILE, ETERM,
-- ECLOSED
function of_sockets:monitor(events, opts)
  local mask = mask_of(events)
  local most = args.integer(known_options.check(opts, of_monitors, "monitor").most or MOST, 1,
    "monitor", "most")
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
  local kept = { reader = reader, queue = queues.LightQueue(), most = most, dropped = 0 }
  local made = setmetatable({ closed = false, _kept = kept, _guard = guard_of(reader),
    _of = self.type, _ended = false }, mt)
  background[core.spawn(drain, kept)] = true
  return made
end

M.methods = of_sockets
return M
