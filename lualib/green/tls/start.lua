--- How TLS begins over a stream: what the stream must be like, and the methods of a
-- connection that begin. Private, but for the methods.
-- @module green.tls.start

local addr = require "green.socket.addr"
local args = require "green.args"
local class = require "green.args.class"
local core = require "green.core"
local errors = require "green.error"
local failure = require "green.tls.failure"
local flow = require "green.tls.flow"
local gate = require "green.stream.gate"
local place = require "green.net.place"
local sessions = require "green.tls.sessions"
local shake = require "green.tls.shake"
local stream_socket = require "green.socket.stream"
local thread = require "green.thread"

local ffi = require "ffi"
local C = require "green.ffi.tls"

local type = type -- scripts may put their own there

local codes = core.codes
local EAGAIN, ECANCELED, EDEADLOCK = codes.EAGAIN, codes.ECANCELED, codes.EDEADLOCK
local EINVAL, ENOTCONN, ETIMEDOUT = codes.EINVAL, codes.ENOTCONN, codes.ETIMEDOUT
local SHOWN = 40 -- bytes of those that should not be there

local methods = {}
local M = { methods = methods }

-- -- The stream below -----------------------------------------------------------

--- Does it listen, rather than being a connection?
function M.is_listening(lower)
  return class.is(lower, stream_socket.mt) and lower:getoption("SO_ACCEPTCONN") == true
end

-- What reading gives that can never have been connected, or is not yet.
local before = { [ENOTCONN] = true, [EINVAL] = true, [EAGAIN] = true }

--- Is it a socket that is yet to be connected? One whose peer has reset it has no peer
-- either, but something to tell.
function M.is_unconnected(lower)
  if not class.is(lower, stream_socket.mt) then
    return false
  end
  local peer, err = lower:peername()
  return peer == nil and err.number == ENOTCONN and before[lower:_fill(0)] or false
end

local ways = { refuse = true, keep = true }

--- What may have come before TLS: "refuse" or "keep".
function M.check_buffered(value, where)
  if value ~= nil and not ways[value] then
    args.wrong(where, "buffered", '"refuse" or "keep"', value)
  end
end

--- An error if the stream has buffered bytes that must not be there, or nil. The stream
-- is closed then.
function M.refuse(lower, buffered, where)
  local buf = lower._in
  local n = flow.length(buf)
  if buffered == "keep" or n == 0 then
    return nil
  end
  local text = ffi.string(buf.data + buf.head, n < SHOWN and n or SHOWN)
  lower:close()
  return errors.new("ETLSPLAIN", where, ("the peer has sent %d bytes in plain text where TLS "
    .. "begins: %s%s"):format(n, args.shown(text), n > SHOWN and "..." or ""))
end

--- Can that be the host of a server?
function M.is_host(host)
  return not host:find("%z") and C.is_host(host)
end

--- Tell a client's codec whom it expects at the other end. false: it is no name.
function M.expect(conn, host)
  conn._host = host
  return C.set_host(conn._box.p, host) == 0
end

-- -- The handshake ------------------------------------------------------------

--- Do it. Parks.
-- @tparam ?number deadline 0: as far as it goes now
-- @return true; or nil, err
function M.shake(conn, deadline, op)
  local status = shake.finish(conn, deadline == 0 and core.now() or deadline)
  if status == 0 then
    return true
  elseif status == ECANCELED or status == EDEADLOCK then
    thread.failed(status)
  elseif status == ETIMEDOUT and deadline == 0 and not conn._late then
    status = EAGAIN
  end
  return failure.of_handshake(conn, status, op)
end

local timeout_only = { timeout = true }

--- Do the handshake, if it is not done: else it is done by the first read or write. Who
-- comes while another green thread does it waits for that. Parks.
-- @tparam[opt] table opts `timeout` in seconds; the connection's own limit holds besides
-- @return true; or nil, err as tls.client and tls.server. After ETIMEDOUT and EAGAIN (the
-- timeout is 0) it may be called again, until the connection's own limit is over
function methods:handshake(opts)
  if opts then
    gate.check(opts, timeout_only, "handshake")
  end
  thread.checkpoint()
  if self._begins then
    core.waiter()
  end
  return M.shake(self, gate.deadline(self, opts), "handshake")
end

-- -- Connecting ---------------------------------------------------------------

local function find_host(self, target, port)
  if self._unconnected.named then
    return nil
  end
  local host = place.host(target, port)
  if not host and addr.read(target, port, "connect") then -- else the socket says what it is
    args.misuse("connect: the target has no name that the server's certificate must have; "
      .. "give tls.client the host")
  end
  return host
end

--- Connect the socket below, and do the handshake: for one that was made TLS before it was
-- connected. When that fails, all is closed. Parks.
-- @param target see green.socket.addr; the name or address is what the server's
-- certificate must have, unless tls.client was given a `host`
-- @param[opt] port
-- @tparam[opt] table opts `timeout` in seconds for everything
-- @return true; or nil, err: EISCONN; as a socket's connect and as tls.client
function methods:connect(target, port, opts)
  if type(port) == "table" then
    port, opts = nil, port
  end
  if opts then
    gate.check(opts, timeout_only, "connect")
  end
  if self._box.p == nil or not self._unconnected then
    return nil, errors.new(self._box.p == nil and "ECLOSED" or "EISCONN", "connect")
  end
  local deadline = gate.deadline(self, opts)
  local host = find_host(self, target, port)
  local ok, err = self._below:connect(target, port, opts)
  if ok and host then
    M.expect(self, host)
  end
  if ok then
    if self._unconnected.sessions then
      sessions.offer(self)
    end
    self._unconnected = false
    ok, err = M.shake(self, deadline, "connect")
  end
  if not ok then
    self:close()
  end
  return ok, err
end

return M
