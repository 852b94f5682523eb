--- UDP and UNIX datagram sockets.
-- @module green.socket.datagram

local core = require "green.core"
local addr = require "green.socket.addr"
local args = require "green.args"
local class = require "green.args.class"
local base = require "green.socket.base"
local connect = require "green.socket.connect"
local errors = require "green.error"
local thread = require "green.thread"
local gate = require "green.stream.gate"

local ffi = require "ffi"
local sock = require "green.ffi.sock"
local show = require "green.args.show"

local EAGAIN = core.codes.EAGAIN
local MOST = 65536 -- no UDP datagram is longer
local ROOM_MOST = 2 ^ 27 -- nor any other, by the limits of Linux
local scratch, room = nil, 0 -- grows for longer UNIX datagrams
local from = addr.new()
local whole = ffi.new("uint32_t[1]")
local timeout_only = { timeout = true }
local resolve_options = { type = "dgram" }

local methods = {}
for _, part in ipairs({ base.methods, connect.methods }) do
  for name, method in pairs(part) do
    methods[name] = method
  end
end
local mt = { __name = "green.socket.datagram", __index = methods }
show.kind(mt, base.state_of)

local function scratch_of(n)
  if n > room then
    scratch, room = ffi.new("uint8_t[?]", n), n
  end
  return scratch
end

local function most_of(value, where)
  return value == nil and MOST or args.integer(value, 0, where, "most", ROOM_MOST)
end

--- One datagram into the scratch: its count, or a negative status. Parks.
local function receive(self, most, opts)
  local n = sock.recvfrom(self._s, scratch_of(most), most, from, whole)
  local deadline = false
  while n == EAGAIN do
    if deadline == false then
      deadline = gate.deadline(self, opts)
    end
    n = gate.read(self, deadline)
    if n == 0 then
      n = sock.recvfrom(self._s, scratch_of(most), most, from, whole)
    elseif n == EAGAIN then
      break
    end
  end
  return n
end

--- A datagram and who sent it. Parks.
-- @tparam[opt=65536] number most bytes; the rest of a longer one is lost
-- @tparam[opt] table opts `timeout`
-- @treturn string the datagram
-- @return the sender's address (green.socket.addr)
-- @treturn number its length, before anything was lost. Or nil, err: ETIMEDOUT,
-- EAGAIN (the timeout is 0), ECONNREFUSED (an earlier one was), ECLOSED, EBUSY
function methods:recvfrom(most, opts)
  most = most_of(most, "recvfrom")
  if opts then
    gate.check(opts, timeout_only, "recvfrom")
  end
  thread.checkpoint()
  if self._reader and gate.is_held(self, "_reader") then
    return gate.second_reader(self, "recvfrom", methods.recvfrom, most, opts)
  end
  local n = receive(self, most, opts)
  if n < 0 then
    return nil, errors.new(n, "recvfrom")
  end
  return ffi.string(scratch, n), addr.of(from), whole[0]
end

--- A datagram. As recvfrom. Parks.
function methods:recv(most, opts)
  most = most_of(most, "recv")
  if opts then
    gate.check(opts, timeout_only, "recv")
  end
  thread.checkpoint()
  if self._reader and gate.is_held(self, "_reader") then
    return gate.second_reader(self, "recv", methods.recv, most, opts)
  end
  local n = receive(self, most, opts)
  if n < 0 then
    return nil, errors.new(n, "recv")
  end
  return ffi.string(scratch, n)
end

local function transmit(self, data, to, opts, op)
  args.type(data, "string", op, "data")
  thread.checkpoint()
  if self._writer and gate.is_held(self, "_writer") then
    return gate.second_writer(self, op)
  end
  local n, deadline = sock.sendto(self._s, data, #data, to), false
  while n == EAGAIN do
    if deadline == false then
      deadline = gate.deadline(self, opts)
    end
    n = gate.write(self, deadline)
    if n == EAGAIN then
      break
    elseif n == 0 then
      n = sock.sendto(self._s, data, #data, to)
    end
  end
  if n < 0 then
    return nil, errors.new(n, op)
  end
  return n
end

--- Send a datagram to the peer this socket is connected to. Parks while the
-- system cannot take it.
-- @tparam string data
-- @tparam[opt] table opts `timeout`
-- @treturn number its length; or nil, err: ECONNREFUSED, EDESTADDRREQ, EMSGSIZE,
-- ENOBUFS, ETIMEDOUT, EAGAIN (the timeout is 0), ECLOSED, EBUSY
function methods:send(data, opts)
  if opts then
    gate.check(opts, timeout_only, "send")
  end
  return transmit(self, data, nil, opts, "send")
end

local function is_options(value)
  return type(value) == "table" and not addr.is_address(value)
end

--- sendto(data, target[, port][, opts]): send a datagram to an address. Also
-- sendto(data, 0, target[, port]) without options, with flags of which there are none. Parks for
-- names, and while the system cannot take it.
-- @tparam string data
-- @param target see green.socket.addr
-- @param[opt] port
-- @tparam[opt] table opts as send
-- @return as send; EAI_*
function methods:sendto(data, target, port, opts)
  if type(target) == "number" and port ~= nil and not is_options(port) then
    if target ~= 0 then
      args.wrong("sendto", "flags", "0", target)
    end
    target, port, opts = port, opts, nil
  end
  if is_options(port) then
    port, opts = nil, port
  end
  if opts then
    gate.check(opts, timeout_only, "sendto")
  end
  local raw, err = connect.resolve(self, target, port, resolve_options, "sendto")
  if not raw then
    return nil, err
  end
  return transmit(self, data, raw, opts, "sendto")
end

class.seal(mt)

return { mt = mt }
