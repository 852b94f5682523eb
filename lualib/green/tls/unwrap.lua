--- Taking TLS off a stream that goes on in plain.
-- @module green.tls.unwrap

local core = require "green.core"
local errors = require "green.error"
local flow = require "green.tls.flow"
local gate = require "green.stream.gate"
local thread = require "green.thread"

local ffi = require "ffi"
local buf_api = require "green.ffi.buf"
local C = require "green.ffi.tls"

local codes = core.codes
local EAGAIN, EBUSY, ECLOSED, EMSGSIZE = codes.EAGAIN, codes.EBUSY, codes.ECLOSED, codes.EMSGSIZE

local PATIENCE = 10 -- seconds for the peer's word, where nobody says how many
local SCRATCH = 16384
local scratch = ffi.new("uint8_t[?]", SCRATCH) -- nothing parks between its fill and its use

local methods = {}

--- Wait until all has left. 0 or a negative status. Parks.
local function send_all(self, deadline)
  local status = flow.push(self)
  while status == EAGAIN do
    status = gate.write(self, deadline)
    if status == 0 then
      status = self._box.p == nil and ECLOSED or flow.push(self)
    end
  end
  return status
end

--- Read on. 0: the peer has ended TLS; EAGAIN: wait; or a negative status, EMSGSIZE for
-- bytes that nobody has read.
local function look(self)
  local n = EAGAIN
  while n == EAGAIN do
    n = C.read(self._box.p, scratch, SCRATCH)
    flow.push(self)
    if n > 0 then
      local status = buf_api.append(self._in, scratch, n)
      return status < 0 and status or EMSGSIZE
    elseif n == EAGAIN then
      local got = flow.pull(self)
      if got < 0 then
        return got
      end
    end
  end
  return n
end

--- Wait for the peer's close_notify. As look, without EAGAIN. Parks.
local function hear_end(self, deadline)
  local status = look(self)
  while status == EAGAIN do
    if self._reader and gate.is_held(self, "_reader") then
      return EBUSY
    end
    status = gate.read(self, deadline)
    if status == 0 then
      status = self._box.p == nil and ECLOSED or look(self)
    end
  end
  return status
end

local function failure(self, status)
  local why = self:_why(status)
  if status == EMSGSIZE then
    status = codes.ETLS
    why = ("the peer has sent %d bytes over TLS that nobody has read: read them first"):format(
      flow.length(self._in))
  end
  return nil, errors.new(status, "unwrap", why)
end

--- End TLS in both directions, and wait until that is done. 0 or a negative status. Parks.
local function take_off(self, deadline)
  if flow.length(self._in) > 0 then
    return EMSGSIZE
  end
  local status = look(self)
  if status < 0 and status ~= EAGAIN then
    return status
  end
  self._ended = true
  C.close(self._box.p)
  status = send_all(self, deadline)
  if status == 0 then
    status = hear_end(self, deadline)
  end
  return status == 0 and flow.give_back(self) or status
end

local timeout_only = { timeout = true }

--- End TLS, and go on in plain: say so (close_notify), wait until the peer has said so,
-- too, and give back the stream below. It has the bytes that came behind the peer's word;
-- the connection is closed. Parks.
-- @tparam[opt] table opts `timeout` in seconds (10, unless settimeout has set another)
-- @return the stream below; or nil, err: ETLS (the peer has sent something that nobody
-- has read: nothing has changed, or what one reads next is that), ETIMEDOUT (may be called
-- again), ETLSTRUNCATED (the peer has closed), EAGAIN (the handshake is not done), EBUSY
-- (another green thread reads or writes), ECLOSED
function methods:unwrap(opts)
  if opts then
    gate.check(opts, timeout_only, "unwrap")
  end
  thread.checkpoint()
  if self._reader and gate.is_held(self, "_reader") then
    return gate.second_reader(self, "unwrap", methods.unwrap, opts)
  elseif self._writer and gate.is_held(self, "_writer") then
    return gate.second_writer(self, "unwrap")
  elseif self._box.p == nil then
    return nil, errors.new("ECLOSED", "unwrap")
  elseif self._begins then
    return nil, errors.new("EAGAIN", "unwrap", "the handshake is not done")
  end
  core.waiter()
  local deadline = gate.deadline(self, opts) or core.now() + PATIENCE
  local status = take_off(self, deadline)
  if status < 0 then
    return failure(self, status)
  end
  return self:_give_up()
end

return { methods = methods }
