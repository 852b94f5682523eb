--- Streams in memory: two ends that are connected, with no descriptor anywhere.
--
-- They have every method of green.stream, so what is written for streams can be
-- tested without sockets, on the virtual clock.
-- @module green.testing.stream

local core = require "green.core"
local args = require "green.args"
local options = require "green.args.options"
local stream = require "green.stream"

local ffi = require "ffi"
local buf_api = require "green.ffi.buf"
local show = require "green.args.show"

local EAGAIN, ECLOSED, EPIPE = core.codes.EAGAIN, core.codes.ECLOSED, core.codes.EPIPE
local READ, WRITE = stream.READ, stream.WRITE
local CAPACITY = 65536

local function length(buf)
  return buf.tail - buf.head
end

local function new_buf()
  return ffi.gc(ffi.new("green_buf"), buf_api.reset)
end

--- One direction: what one end has written and the other has not read.
local function new_pipe(capacity)
  return {
    buf = new_buf(),
    capacity = capacity,
    ended = false, -- nothing more will be written
    refused = false, -- nothing more will be read
    readers = core.waitq(),
    writers = core.waitq(),
  }
end

local own = {}

function own:_fill()
  local pipe = self._rx
  if self._closed then
    return ECLOSED
  elseif pipe.refused then
    return 0
  end
  local n = length(pipe.buf)
  if n == 0 then
    return pipe.ended and 0 or EAGAIN
  end
  local status = buf_api.append(self._in, pipe.buf.data + pipe.buf.head, n)
  if status < 0 then
    return status
  end
  buf_api.consume(pipe.buf, n)
  core.wake_all(pipe.writers)
  return n
end

function own:_send(ptr, n)
  local pipe = self._tx
  if self._closed then
    return ECLOSED
  elseif pipe.ended or pipe.refused then
    return EPIPE
  end
  n = math.min(n, pipe.capacity - length(pipe.buf))
  if n <= 0 then
    return EAGAIN
  end
  local status = buf_api.append(pipe.buf, ptr, n)
  if status < 0 then
    return status
  end
  core.wake_all(pipe.readers)
  return n
end

local function is_readable(self)
  local pipe = self._rx
  return self._closed or pipe.ended or pipe.refused or length(pipe.buf) > 0
end

function own:_wait(mode, deadline)
  if mode == stream.WATCH and is_readable(self) then
    return 0
  end
  local queue = mode ~= WRITE and self._rx.readers or self._tx.writers
  local status = core.park(queue, deadline)
  return status, queue -- which must outlive the wait
end

local function wake_ends(pipe)
  core.wake_all(pipe.readers)
  core.wake_all(pipe.writers)
end

function own:_shutdown(mode)
  if self._closed then
    return 0
  end
  if mode ~= READ then
    self._tx.ended = true
    wake_ends(self._tx)
  end
  if mode ~= WRITE then
    self._rx.refused = true
    wake_ends(self._rx)
  end
  return 0
end

function own:_close()
  if self._closed then
    return
  end
  self:_shutdown(READ + WRITE)
  self._closed = true
  buf_api.reset(self._in)
end

local mt = stream.class("green.testing.stream", own)

show.kind(mt, function(self)
  return self._name .. (self._closed and ", closed" or "")
end)

local function new_end(name, rx, tx)
  return setmetatable({ _name = name, _in = new_buf(), _rx = rx, _tx = tx, _closed = false }, mt)
end

local known = { capacity = true }

--- Two connected streams: what is written to one is read from the other. A
-- writer waits while `capacity` bytes stand unread. Does not park.
-- @tparam[opt] table opts `capacity` in bytes (65536), for each direction
-- @return both ends
local function stream_pair(opts)
  opts = options.check(opts, known, "stream_pair")
  local capacity = opts.capacity
  capacity = capacity == nil and CAPACITY or args.size(capacity, 1, "stream_pair", "capacity")
  local there, back = new_pipe(capacity), new_pipe(capacity)
  return new_end("a", back, there), new_end("b", there, back)
end

return { stream_pair = stream_pair }
