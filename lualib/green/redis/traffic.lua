--- What goes through the stream of a connection: bytes out and in, and what becomes of the
-- connection where that fails. Private to green.redis.
--
-- A connection's fields are those of green.redis.conn. It may have been closed, and opened again
-- by the next who uses it, while somebody waits here: then it is left alone.
-- @module green.redis.traffic

local buf_api = require "green.ffi.buf"
local core = require "green.core"
local errors = require "green.error"
local gate = require "green.stream.gate"
local thread = require "green.thread"
local write = require "green.stream.write"

local left, checkpoint = thread.left_for_step, thread.checkpoint
local codes = core.codes
local EAGAIN, ECONNRESET, EPIPE = codes.EAGAIN, codes.ECONNRESET, codes.EPIPE
local EEOF, EPROTO, ETIMEDOUT = codes.EEOF, codes.EPROTO, codes.ETIMEDOUT

local M = {}

-- -- Failures -----------------------------------------------------------------

--- The connection is over. nil, err. `sent`: what was asked for may have been done.
-- @tparam table self
-- @tparam number status 0: it has ended
-- @tparam ?string message
-- @tparam string op
local function lost(self, status, message, op)
  local code = status
  if status == 0 or status == EPIPE or status == EEOF then
    code = ECONNRESET
    message = message or "the connection was lost"
  end
  local err = errors.new(code, op, message, { sent = self.sent })
  self.is_deaf = self.buf.tail == self.buf.head -- nothing of an answer had come
  self:close()
  return nil, err
end
M.lost = lost

--- The stream is not the connection's any more. nil, err.
local function closed(op, is_sent)
  return nil, errors.new("ECLOSED", op, "the connection was closed", { sent = is_sent })
end

--- What an object says that is no stream of ours.
local function foreign(self, stream, err, op)
  if self.stream ~= stream then
    return closed(op, true)
  end
  local status = err and codes[err.code] or err and EPROTO or 0
  return lost(self, status, err and err.message, op)
end

M.closed = closed

-- -- Out ----------------------------------------------------------------------

--- Send commands to which so many replies will come. true; or nil, err, the connection being
-- closed. Parks.
function M.send(self, bytes, replies, deadline, op)
  local stream = self.stream
  self.owed = self.owed + replies -- nobody else may ask from here on
  checkpoint()
  if self.stream ~= stream then
    return closed(op, false)
  end
  self.sent = true
  if not self.is_ours then
    local ok, err = stream:write(bytes, { timeout = left(deadline) })
    if not ok then
      return foreign(self, stream, err, op)
    end
    return true
  end
  local n = stream:_send(bytes, #bytes)
  if n == #bytes and not stream._flush then
    return true
  elseif n < 0 and n ~= EAGAIN then
    self.sent = false
    return lost(self, n, nil, op)
  end
  local ok, err = write.send_rest(stream, bytes, n > 0 and n or 0, { timeout = left(deadline) }, op)
  if self.stream ~= stream then
    return closed(op, true)
  elseif not ok then
    self.sent = err.written ~= 0
    return lost(self, codes[err.code], err.message, op)
  end
  return true
end

-- -- In -----------------------------------------------------------------------

--- Get more bytes of an object that is no stream of ours. Parks.
local function fill_foreign(self, deadline, op)
  local stream = self.stream
  local chunk, err = stream:read_some(nil, { timeout = left(deadline) })
  if not chunk or self.stream ~= stream then
    return foreign(self, stream, err, op)
  end
  local status = buf_api.append(self.input, chunk, #chunk)
  if status < 0 then
    return lost(self, status, nil, op)
  end
  return true
end

--- Get more bytes: true; or nil, err, the connection being closed. A peer that never pauses keeps
-- nobody else waiting. Parks.
-- @tparam ?boolean is_patient a time that is over is no failure: false
function M.fill(self, deadline, op, is_patient)
  local stream = self.stream
  checkpoint()
  if self.stream ~= stream then
    return closed(op, true)
  elseif not self.is_ours then
    return fill_foreign(self, deadline, op)
  end
  local n = stream:_fill(0)
  while n == EAGAIN do
    n = gate.read(stream, deadline)
    if self.stream ~= stream then
      return closed(op, true)
    elseif n == ETIMEDOUT and is_patient then
      return false
    elseif n ~= 0 then
      return lost(self, n, nil, op)
    end
    n = stream:_fill(0)
  end
  if n <= 0 then
    return lost(self, n, nil, op)
  end
  return true
end

return M
