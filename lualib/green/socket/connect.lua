--- Binding, connecting, and waiting for readiness: for all sockets.
-- @module green.socket.connect

local core = require "green.core"
local addr = require "green.socket.addr"
local errors = require "green.error"
local resolve = require "green.socket.resolve"
local thread = require "green.thread"
local gate = require "green.stream.gate"

local sock = require "green.ffi.sock"

local EAGAIN, EINPROGRESS = core.codes.EAGAIN, core.codes.EINPROGRESS
local ETIMEDOUT = core.codes.ETIMEDOUT
local timeout_only = { timeout = true }

-- A UNIX listener whose queue is full tells nobody when it is not any more.
local RETRY_FIRST, RETRY_MOST = 0.001, 0.05

local methods = {}
local M = { methods = methods }

-- -- Addresses ----------------------------------------------------------------

local families = {}
for name, number in pairs(addr.families) do
  families[number] = name
end

--- A green_addr for this socket of an address as users give it. Parks for names.
function M.resolve(self, target, port, opts, where)
  local number = sock.family(self._s)
  if number < 0 then
    return nil, errors.new(number, where)
  end
  local family = families[number]
  if family == "unix" and type(target) == "string" and not target:find("^unix:") then
    return addr.unix(target)
  end
  local spot, err = addr.read(target, port, where)
  if not spot or spot.raw then
    return spot and spot.raw, err
  end
  local list
  list, err = resolve.lookup(spot.host, spot.service, {
    family = family, type = opts.type, passive = opts.passive, timeout = opts.timeout,
  })
  return list and list[1], err
end

--- Bind to an address of this machine. Parks if its host is a name.
-- @param target, port see green.socket.addr; port 0: any free one
-- @return true; or nil, err: EADDRINUSE, EADDRNOTAVAIL, EACCES, EINVAL (it is
-- bound), EAFNOSUPPORT, ECLOSED, EAI_*
function methods:bind(target, port)
  local raw, err = M.resolve(self, target, port, { passive = true }, "bind")
  if not raw then
    return nil, err
  end
  local status = sock.bind(self._s, raw)
  if status < 0 then
    return nil, errors.new(status, "bind " .. addr.format(raw))
  end
  return true
end

-- -- Connecting ---------------------------------------------------------------

--- A UNIX listener's queue is full. 0 or a negative status. Parks.
local function connect_again(self, raw, deadline)
  local pause, status = RETRY_FIRST, EAGAIN
  while status == EAGAIN and deadline ~= 0 do
    local left = deadline and deadline - core.now() or pause
    if left <= 0 then
      return ETIMEDOUT
    end
    thread.sleep(math.min(pause, left))
    pause = math.min(2 * pause, RETRY_MOST)
    status = sock.connect(self._s, raw)
  end
  return status
end

--- Begin to connect to a green_addr. 0 or a negative status: EINPROGRESS, then M.finish
-- waits for the end. Does not park.
function M.begin(self, raw)
  return sock.connect(self._s, raw)
end

--- Wait for the end of what was begun. 0 or a negative status: ETIMEDOUT, and it may be waited
-- for again; EINPROGRESS where the deadline is 0. Parks.
function M.finish(self, deadline)
  local status = EINPROGRESS
  while status == EINPROGRESS and deadline ~= 0 do
    status = gate.write(self, deadline)
    if status == 0 then
      status = sock.connect_finish(self._s)
    end
  end
  return status
end

--- Connect to a green_addr. 0 or a negative status. Parks.
function M.connect(self, raw, deadline)
  thread.checkpoint()
  core.waiter() -- where that raises, no attempt has begun
  local status = sock.connect(self._s, raw)
  if status == EAGAIN then
    status = connect_again(self, raw, deadline)
  end
  if status == EINPROGRESS then
    status = M.finish(self, deadline)
  end
  return status
end

--- Connect to an address, to the first one of a name (green.connect tries all).
-- A socket whose connect failed is of no more use. Parks.
-- @param target, port see green.socket.addr
-- @tparam[opt] table opts `timeout`
-- @return true; or nil, err: ECONNREFUSED, ETIMEDOUT, ENETUNREACH,
-- EHOSTUNREACH, EADDRNOTAVAIL, ENOENT (no such UNIX path), EINPROGRESS (the
-- timeout is 0: `wait_writable`, then connect again), EISCONN, ECLOSED, EAI_*
function methods:connect(target, port, opts)
  if type(port) == "table" then
    port, opts = nil, port
  end
  if opts then
    gate.check(opts, timeout_only, "connect")
  end
  if self._writer and gate.is_held(self, "_writer") then
    return gate.second_writer(self, "connect")
  end
  local deadline = gate.deadline(self, opts)
  local left = thread.left(deadline)
  local raw, err = M.resolve(self, target, port, { timeout = left }, "connect")
  if not raw then
    return nil, err
  end
  local status = M.connect(self, raw, deadline)
  if status < 0 then
    return nil, errors.new(status, "connect " .. addr.format(raw))
  end
  return true
end

-- -- Readiness ----------------------------------------------------------------

local function finish(status, op)
  if status < 0 then
    return nil, errors.new(status, op)
  end
  return true
end

--- Wait until a read would not: there is input, a connection to accept, the end
-- of the stream, or an error. Parks, at least for a turn, unless input is
-- buffered.
-- @tparam[opt] table opts `timeout`; 0 looks once
-- @return true; or nil, err: ETIMEDOUT, EAGAIN (the timeout is 0), ECLOSED, EBUSY
function methods:wait_readable(opts)
  if opts then
    gate.check(opts, timeout_only, "wait_readable")
  end
  thread.checkpoint()
  if self._reader and gate.is_held(self, "_reader") then
    return gate.second_reader(self, "wait_readable", methods.wait_readable, opts)
  elseif self._in.tail > self._in.head then
    return true
  end
  return finish(gate.read(self, gate.deadline(self, opts)), "wait_readable")
end

--- Wait until a write would not. As wait_readable. Parks.
function methods:wait_writable(opts)
  if opts then
    gate.check(opts, timeout_only, "wait_writable")
  end
  thread.checkpoint()
  if self._writer and gate.is_held(self, "_writer") then
    return gate.second_writer(self, "wait_writable")
  end
  local deadline = gate.deadline(self, opts)
  local status = gate.write(self, deadline == 0 and core.now() or deadline)
  if status == ETIMEDOUT and deadline == 0 then
    status = EAGAIN
  end
  return finish(status, "wait_writable")
end

return M
