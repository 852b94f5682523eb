--- The buffer of a stream that is read: how more comes into it, and bytes out of it. Private to
-- green.stream.
-- @module green.stream.input

local core = require "green.core"
local errors = require "green.error"
local gate = require "green.stream.gate"

local ffi = require "ffi"

local wait_read, deadline_of, ffi_string = gate.read, gate.deadline, ffi.string
local EAGAIN, ECONNRESET = core.codes.EAGAIN, core.codes.ECONNRESET

local function length(buf)
  return buf.tail - buf.head
end

local function drop(buf, n)
  if n == buf.tail - buf.head then
    buf.head, buf.tail = 0, 0
  else
    buf.head = buf.head + n
  end
end

--- The first n bytes, without the last skip ones; all n leave the buffer.
--
-- self is used behind the string, not the buffer alone: should this be the last
-- use of the stream, its memory must stay until the string has been made.
-- ffi.string copies before the collector may run; lua_pushlstring runs it first.
local function take(self, n, skip)
  local buf = self._in
  local s = ffi_string(buf.data + buf.head, n - (skip or 0))
  drop(self._in, n)
  return s
end

--- Get more bytes. How many; 0: the end of the stream; or a negative status.
-- Second result: the deadline, false while none was needed. Parks.
local function fill(self, want, deadline, opts)
  while true do
    local n = self:_fill(want)
    if n ~= EAGAIN then
      return n, deadline
    end
    if deadline == false then
      deadline = deadline_of(self, opts)
    end
    local status = wait_read(self, deadline)
    if status ~= 0 then
      return status, deadline
    end
  end
end

--- The result of a read for which fill gave 0 or a negative status. A reset by
-- the peer between messages is an end like another.
local function ended(self, status, op)
  local buf = self._in
  if status ~= 0 and status ~= ECONNRESET then
    return gate.failure(self, status, op)
  elseif length(buf) == 0 then
    return nil
  end
  local code = status == 0 and "EEOF" or "ECONNRESET"
  return nil, errors.new(code, op, nil, { partial = take(self, length(buf)) })
end

local function too_big(op, limit)
  return nil, errors.new("ETOOBIG", op, ("more than %d bytes"):format(limit))
end

return { length = length, take = take, fill = fill, ended = ended, too_big = too_big }
