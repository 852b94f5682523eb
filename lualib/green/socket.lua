--- Sockets that let the other green threads run while they wait.
--
-- Failures are nil, err. The calls that wait take a `timeout` in their options;
-- `settimeout` sets one for all of them. One green thread may read a socket while
-- another one writes to it; a second reader or writer gets EBUSY.
-- @module green.socket

local args = require "green.args"
local class = require "green.args.class"
local addr = require "green.socket.addr"
local base = require "green.socket.base"
local datagram = require "green.socket.datagram"
local errors = require "green.error"
local options = require "green.args.options"
local resolve = require "green.resolve"
local socket_options = require "green.socket.options"
local stream = require "green.stream"
local stream_socket = require "green.socket.stream"

local sock = require "green.ffi.sock"

local STREAM, DGRAM = 1, 2
local UNIX = addr.families.unix

local classes = { [STREAM] = stream_socket.mt, [DGRAM] = datagram.mt }

local M = {
  allow_multiple_readers = stream.allow_multiple_readers,
  getaddrinfo = resolve.getaddrinfo,
}

local function family_of(name, where)
  local family = addr.families[name == nil and "inet" or name]
  if not family or family == UNIX then
    options.unknown("family", name, { "inet", "inet6" }, where)
  end
  return family
end

--- A TCP socket, not connected. Does not park.
-- @tparam[opt="inet"] string family "inet" or "inet6"
-- @return the socket; or nil, err: EMFILE, ENFILE, EAFNOSUPPORT
function M.tcp(family)
  return base.open(family_of(family, "tcp"), STREAM, stream_socket.mt, "tcp")
end

--- A UDP socket. As tcp.
function M.udp(family)
  return base.open(family_of(family, "udp"), DGRAM, datagram.mt, "udp")
end

--- A UNIX stream socket. As tcp.
function M.unix()
  return base.open(UNIX, STREAM, stream_socket.mt, "unix")
end

--- A UNIX datagram socket. As tcp.
function M.unix_dgram()
  return base.open(UNIX, DGRAM, datagram.mt, "unix_dgram")
end

--- Two connected UNIX sockets. Does not park.
-- @tparam[opt="stream"] string kind "stream" or "dgram"
-- @return both; or nil, err: EMFILE, ENFILE
function M.pair(kind)
  local types = { stream = STREAM, dgram = DGRAM }
  local number = types[kind == nil and "stream" or kind]
  if not number then
    options.unknown("kind", kind, types, "pair")
  end
  local a, b = base.handle(), base.handle()
  local status = sock.pair(a, b, number)
  if status < 0 then
    return nil, errors.new(status, "pair")
  end
  return base.wrap(a, classes[number]), base.wrap(b, classes[number])
end

--- A socket around an open descriptor, which is the socket's from here on:
-- non-blocking, and closed with it. Does not park.
-- @tparam number fd
-- @return the socket; or nil, err: EBADF, or what is not a socket gives. The
-- descriptor is the caller's then.
function M.from_fd(fd)
  args.integer(fd, -1, "from_fd", "fd", 2 ^ 31 - 1)
  local s = base.handle()
  local status = sock.adopt(s, fd)
  if status < 0 then
    return nil, errors.new(status, "from_fd " .. fd)
  end
  return base.wrap(s, classes[sock.type(s)] or stream_socket.mt)
end

--- Is it one of these sockets?
function M.is_socket(value)
  return class.is(value, stream_socket.mt) or class.is(value, datagram.mt)
end

--- All options that setoption and getoption know: name -> kind (see
-- green.socket.options). Does not park.
function M.options()
  local copy = {}
  for name, kind in pairs(socket_options.names()) do
    copy[name] = kind
  end
  return copy
end

--- The address object of "host:port" or "unix:path"; hosts must be numeric. Does
-- not park.
-- @return the address (green.socket.addr); or nil, err: EAI_NONAME, EINVAL
function M.address(target, port)
  local spot, err = addr.read(target, port, "address")
  if not spot then
    return nil, err
  elseif not spot.raw then
    return nil, errors.new("EAI_NONAME", "address " .. addr.text(target, port))
  end
  return addr.of(spot.raw)
end

return M
