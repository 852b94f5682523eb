--- The handshake of a TLS stream, and whom it waits for: the stream below, a function of
-- the server's, a native thread.
-- @module green.tls.handshake

local below = require "green.tls.below"
local choice = require "green.tls.choice"
local core = require "green.core"
local failure = require "green.tls.failure"
local gate = require "green.stream.gate"
local pool = require "green.tls.pool"
local thread = require "green.thread"

local C = require "green.ffi.tls"

local error, xpcall = error, xpcall -- scripts may put their own there

local codes = core.codes
local EAGAIN, EINPROGRESS, ENOBUFS = codes.EAGAIN, codes.EINPROGRESS, codes.ENOBUFS
local EPIPE = codes.EPIPE
local push, pull = below.push, below.pull

--- What the functions of the context raise is raised when the client knows.
local function choose(self, codec, deadline, op)
  local ok, done, err = xpcall(choice.make, thread.note_traceback, self._context, codec,
    deadline, op)
  if not (ok and done) and self._box.p ~= nil then
    C.handshake(self._box.p)
    push(self)
  end
  if not ok then
    error(done, 0)
  end
  return done, err
end

--- The handshake waits for somebody else. Parks.
local function wait_for_others(self, deadline, op)
  local function codec()
    return self._box.p
  end
  if C.wants_pool(self._box.p) then
    return pool.go(codec, deadline, op)
  end
  return choose(self, codec, deadline, op)
end

--- Do the handshake. Parks.
-- @tparam ?number deadline
-- @return true; or nil, err: the stream below is of no use any more
local function handshake(self, deadline, op)
  while true do
    local code = C.handshake(self._box.p)
    local status = push(self)
    if status == EPIPE then -- the peer takes no more, but may have said why before it went
      status = 0
    end
    if code == 0 and status == 0 then
      return true
    elseif code == EINPROGRESS then
      local ok, err = wait_for_others(self, deadline, op)
      if not ok then
        return nil, err
      end
      status = 0
    elseif code < 0 and code ~= EAGAIN and code ~= ENOBUFS then
      return failure.of_handshake(self._box.p, code, op)
    elseif status == EAGAIN then
      status = gate.write(self, deadline)
    elseif status == 0 then
      status = pull(self)
      if status == EAGAIN then
        status = gate.read(self, deadline)
      end
    end
    if status < 0 then
      return failure.of_handshake(self._box.p, status, op)
    end
  end
end

return handshake
