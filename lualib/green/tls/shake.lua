--- The handshake of a TLS connection: whoever reads, writes or asks for it first does
-- it, and others who come meanwhile wait for that. Private.
--
-- Fields of the connection: `_begins`: it is not done yet; `_unconnected`: it cannot be,
-- before the socket below is connected; `_limit`: seconds that it may take in all (false:
-- any number); `_due`: when they are over, once somebody has begun; `_late`: they were;
-- `_driver`: the record of who does it; `_others`: the queue of those who wait; `_refusal`:
-- the error of a function of the server's that let there be none, or of a full native pool.
-- @module green.tls.shake

local chooser = require "green.tls.chooser"
local core = require "green.core"
local exits = require "green.thread.exits"
local flow = require "green.tls.flow"
local pool = require "green.tls.pool"
local stream = require "green.stream"
local thread = require "green.thread"

local C = require "green.ffi.tls"

local error, xpcall = error, xpcall -- scripts may put their own there

local codes = core.codes
local EAGAIN, ECLOSED, EINPROGRESS = codes.EAGAIN, codes.ECLOSED, codes.EINPROGRESS
local ENOBUFS, ENOTCONN, EPIPE = codes.ENOBUFS, codes.ENOTCONN, codes.EPIPE
local ETIMEDOUT = codes.ETIMEDOUT
local READ, WRITE = stream.READ, stream.WRITE
local SOMEBODY = 2 * (READ + WRITE) -- what is waited for: a function, a native thread

--- All that can be done without waiting. 0: it is done; READ, WRITE or SOMEBODY: wait for
-- that; or why there will be no TLS.
local function advance(self)
  while true do
    local code = C.handshake(self._box.p)
    local status = flow.push(self)
    if status == EPIPE then -- the peer takes no more, but may have said why before it went
      status = 0
    end
    if code == 0 and status == 0 then
      self._begins = false
      return 0
    elseif code == EINPROGRESS then
      return SOMEBODY
    elseif code < 0 and code ~= EAGAIN and code ~= ENOBUFS then
      return code
    elseif status == EAGAIN then
      return WRITE
    elseif status == 0 then
      status = flow.pull(self)
      if status == EAGAIN then
        return READ
      end
    end
    if status < 0 then
      return status
    end
  end
end

--- Why it cannot go on, if so: a negative status, or 0.
local function hindrance(self)
  if self._box.p == nil then
    return ECLOSED
  elseif self._unconnected then
    return ENOTCONN
  end
  return self._late and ETIMEDOUT or 0
end

--- Do what can be done at once, for those who read and write without waiting. 0: it is
-- done; EAGAIN: wait; or why there will be no TLS.
local function try(self)
  local status = hindrance(self)
  if status < 0 or self._driver then
    return status < 0 and status or EAGAIN
  end
  status = advance(self)
  return status > 0 and EAGAIN or status
end

-- -- Waiting ------------------------------------------------------------------

--- The handshake waits for a native thread. 0 or a negative status. Parks.
local function wait_for_pool(self, deadline)
  self._refusal = nil
  local ok, err = pool.go(self, deadline, "handshake")
  if ok then
    return 0
  elseif err.number ~= ETIMEDOUT then -- the thread goes on, and another may wait
    self._refusal = err
  end
  return err.number
end

--- The handshake waits for a function of the server's, or for a native thread. 0 or a
-- negative status. Parks.
local function wait_for_somebody(self, deadline)
  if pool.has(self._box.p) then
    return wait_for_pool(self, deadline)
  end
  return chooser.wait(self, deadline)
end

local function drive(self, deadline)
  while true do
    chooser.raise(self)
    local status = hindrance(self)
    if status < 0 then
      return status
    end
    local need = self._begins and advance(self) or 0
    if need <= 0 then
      return need
    end
    status = need == SOMEBODY and wait_for_somebody(self, deadline)
      or self._below:_wait(need, deadline)
    if status ~= 0 then
      return status
    end
  end
end

--- Whoever did it stops, in whatever way: another goes on.
local function step_down(driver)
  local self = driver.conn
  self._driver = false
  core.wake_all(self._others)
end

local function earlier(a, b)
  return a and b and (a < b and a or b) or a or b or nil
end

--- Wait until it is done, or has failed, or might be done by another try. 0 or a negative
-- status, as core.park. Parks.
-- @tparam ?number deadline
local function wait(self, deadline)
  if self._limit and not self._due then
    self._due = core.now() + self._limit
  end
  local till = earlier(deadline, self._due)
  if self._driver then
    return (core.park(self._others, till))
  end
  self._others = self._others or core.waitq()
  local driver = { _exit = step_down, conn = self }
  exits.hold(driver)
  self._driver = driver
  local ok, status = xpcall(drive, thread.note_traceback, self, till)
  exits.release(driver)
  step_down(driver)
  if not ok then
    error(status, 0)
  elseif status == ETIMEDOUT and self._due and core.now() >= self._due then
    self._late = true
  end
  return status
end

--- Do it. 0 or a negative status, as core.park; EAGAIN is none of them. Parks.
local function finish(self, deadline)
  local status = self._begins and 0 or hindrance(self)
  while self._begins and status == 0 do
    status = try(self)
    if status == EAGAIN then
      status = wait(self, deadline)
    end
  end
  return status
end

return { try = try, wait = wait, finish = finish }
