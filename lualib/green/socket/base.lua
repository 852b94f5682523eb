--- What all sockets can do, whatever their type: names, options, descriptors.
-- @module green.socket.base

local core = require "green.core"
local addr = require "green.socket.addr"
local errors = require "green.error"
local socket_options = require "green.socket.options"
local stream = require "green.stream"

local ffi = require "ffi"
local sock = require "green.ffi.sock"

local raw_addr = addr.new()

local M = {}
local methods = {
  close = stream.methods.close,
  settimeout = stream.methods.settimeout,
  gettimeout = stream.methods.gettimeout,
  setoption = socket_options.methods.setoption,
  getoption = socket_options.methods.getoption,
}
M.methods = methods

-- -- Making -------------------------------------------------------------------

--- A closed green_sock, as an object of green.core: it closes when it is collected.
function M.handle()
  return core.object("sock")
end

--- The object around a handle.
function M.wrap(s, mt)
  return setmetatable({
    _s = s,
    _in = sock.input(s),
    _timeout = false,
    _reader = false,
    _writer = false,
  }, mt)
end

--- A new socket, or nil, err.
function M.open(family, kind, mt, op)
  local s = M.handle()
  local status = sock.open(s, family, kind)
  if status < 0 then
    return nil, errors.new(status, op)
  end
  return M.wrap(s, mt)
end

-- -- Primitives ---------------------------------------------------------------

function methods:_wait(mode, deadline)
  local status = core.park(self._s, deadline, mode)
  return status -- no tail call: self must stay reachable meanwhile
end

function methods:_close()
  sock.close(self._s)
end

-- -- Names --------------------------------------------------------------------

local function names(self, ask, op)
  local status = ask(self._s, raw_addr)
  if status < 0 then
    return nil, errors.new(status, op)
  end
  return addr.names(raw_addr)
end

--- Our own address. Does not park.
-- @return host, port; a UNIX socket: its path ("" for none, "\0name" abstract);
-- or nil, err: ECLOSED
function methods:sockname()
  return names(self, sock.sockname, "sockname")
end

--- The peer's address. Does not park.
-- @return as sockname; or nil, err: ENOTCONN, ECLOSED
function methods:peername()
  return names(self, sock.peername, "peername")
end

local function text(s, ask)
  return ask(s, raw_addr) == 0 and addr.format(raw_addr) or "-"
end

--- For tostring.
function M.state_of(self)
  local s = self._s
  if sock.fileno(s) < 0 then
    return "closed"
  end
  return ("%d, %s -> %s"):format(sock.fileno(s), text(s, sock.sockname), text(s, sock.peername))
end

-- -- The descriptor -----------------------------------------------------------

--- The descriptor's number; it stays the socket's. Does not park.
-- @treturn number or nil, err: ECLOSED
function methods:fileno()
  local fd = sock.fileno(self._s)
  if fd < 0 then
    return nil, errors.new(fd, "fileno")
  end
  return fd
end

--- Hand the descriptor over: the socket is closed from here on, the number stays
-- open and is the caller's. Does not park.
-- @treturn number the descriptor, non-blocking
-- @treturn string input that was read and not taken; or nil, err: ECLOSED
function methods:detach()
  local buf = self._in
  local rest = buf.tail > buf.head and ffi.string(buf.data + buf.head, buf.tail - buf.head) or ""
  local fd = sock.detach(self._s)
  if fd < 0 then
    return nil, errors.new(fd, "detach")
  end
  return fd, rest
end

--- A second socket for the same connection, with the same timeout; buffered
-- input stays with this one. Does not park.
-- @return the socket; or nil, err: EMFILE, ENFILE, ECLOSED
function methods:dup()
  local s = M.handle()
  local status = sock.dup(self._s, s)
  if status < 0 then
    return nil, errors.new(status, "dup")
  end
  local copy = M.wrap(s, getmetatable(self))
  copy._timeout = self._timeout
  return copy
end

local cred = ffi.new("int32_t[3]")

--- Who is at the other end of a UNIX socket, as of its connect or listen. Does
-- not park.
-- @treturn table `pid`, `uid`, `gid`; or nil, err: ECLOSED
function methods:peercred()
  local status = sock.peercred(self._s, cred)
  if status < 0 then
    return nil, errors.new(status, "peercred")
  end
  return { pid = cred[0], uid = cred[1], gid = cred[2] }
end

return M
