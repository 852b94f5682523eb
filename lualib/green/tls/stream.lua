--- A TLS connection over another stream: what is read and written is plain text, what
-- the stream below carries is not.
--
-- The codec (greenc/io/tls.h) never waits and knows no stream. Here its input is
-- filled from the stream below and its output sent there, by that stream's own
-- primitives; so TLS runs over sockets, streams in memory, and over TLS.
-- @module green.tls.stream

local agreed = require "green.tls.agreed"
local lower_side = require "green.tls.below"
local boxes = require "green.tls.box"
local core = require "green.core"
local errors = require "green.error"
local failure = require "green.tls.failure"
local handshake = require "green.tls.handshake"
local sessions = require "green.tls.sessions"
local show = require "green.args.show"
local stream = require "green.stream"

local ffi = require "ffi"
local buf_api = require "green.ffi.buf"
local sock_api = require "green.ffi.tls_sock"
local C = require "green.ffi.tls"

local setmetatable, type = setmetatable, type -- scripts may put their own there

local codes = core.codes
local EAGAIN, ECLOSED, ECONNRESET = codes.EAGAIN, codes.ECLOSED, codes.ECONNRESET
local ENOBUFS, EPIPE, ETLSALERT = codes.ENOBUFS, codes.EPIPE, codes.ETLSALERT
local READ, WRITE, WATCH = stream.READ, stream.WRITE, stream.WATCH

local SCRATCH = 16384 -- a record's most
local WRITE_MOST = 65536 -- encrypted in one go
local scratch = ffi.new("uint8_t[?]", SCRATCH) -- nothing parks between its fill and its use

local box, unbox = boxes.kind("green_tls *", C.free)
local box_io = boxes.kind("green_tls_io *", C.io_free)

local own = {}
local push, pull = lower_side.push, lower_side.pull

local function length(buf)
  return buf.tail - buf.head
end

-- -- Primitives ---------------------------------------------------------------

--- Plain bytes, once: the count, 0 at the end, or a negative status. What that had the
-- codec answer leaves as far as it can.
local function read_once(self)
  local n = C.read(self._box.p, scratch, SCRATCH)
  push(self)
  if n <= 0 then
    return n
  end
  local status = buf_api.append(self._in, scratch, n)
  if self._sessions then
    sessions.keep(self)
  end
  return status < 0 and status or n
end

function own:_fill()
  local n = ECLOSED
  while self._box.p ~= nil do
    if self._refused then
      return 0
    end
    n = read_once(self)
    if n ~= EAGAIN then
      return n
    end
    local got = pull(self)
    if got == ECONNRESET then -- no end like another: anybody between can make one
      C.feed_end(self._box.p)
    elseif got < 0 then
      return got
    end
  end
  return n
end

--- Sending failed: the peer may have said why before it went. Who reads finds out himself.
local function reason_of(self, status)
  if status ~= EPIPE and status ~= ECONNRESET or self._reader then
    return status
  end
  local n
  for _ = 1, 4 do -- what comes before the alert stays in the buffer
    n = self:_fill()
    if n <= 0 then break end
  end
  return n == ETLSALERT and n or status
end

function own:_send(ptr, n)
  if self._box.p == nil then
    return ECLOSED
  elseif self._ended then
    return EPIPE
  end
  local status = push(self)
  if status < 0 then
    return reason_of(self, status)
  end
  local taken = C.write(self._box.p, ptr, n < WRITE_MOST and n or WRITE_MOST)
  status = push(self)
  if taken == ENOBUFS then
    return EAGAIN
  elseif taken >= 0 and status < 0 and status ~= EAGAIN then
    return reason_of(self, status)
  end
  return taken
end

--- Has all that was written left? 0; EAGAIN: wait for WRITE.
function own:_flush()
  return self._box.p == nil and ECLOSED or reason_of(self, push(self))
end

function own:_wait(mode, deadline)
  if mode == WATCH and self._box.p ~= nil
    and (C.pending(self._box.p) or length(self._below._in) > 0) then
    return 0
  end
  return (self._below:_wait(mode, deadline))
end

function own:_shutdown(mode)
  if self._box.p == nil then
    return 0
  end
  if mode ~= READ and not self._ended then
    push(self) -- that makes room for the end
    if C.close(self._box.p) == ENOBUFS then
      return EAGAIN
    end
    self._ended = true
    push(self)
  end
  if mode ~= WRITE then
    self._refused = true
  end
  return self._below:_shutdown(mode)
end

--- What the codec knows of a failure.
function own:_why(status)
  if self._box.p ~= nil then
    return failure.why(self._box.p, status)
  end
end

function own:_close()
  if self._box.p ~= nil then
    if self._sessions and C.is_done(self._box.p) then
      sessions.keep(self)
    end
    push(self)
    C.close(self._box.p)
    push(self)
    unbox(self._box)
  end
  buf_api.reset(self._in)
  self._below:_close()
end

-- -- The class ----------------------------------------------------------------

--- The addresses of the stream below.
local function below(name)
  return function(self)
    local lower = self._below
    if type(lower[name]) ~= "function" then
      return nil, errors.new("EOPNOTSUPP", name)
    end
    return lower[name](lower)
  end
end

own.sockname, own.peername, own.peercred = below "sockname", below "peername", below "peercred"
for name, method in pairs(agreed) do
  own[name] = method
end

local mt = stream.class("green.tls", own)

show.kind(mt, function(self)
  if self._box.p == nil then
    return "closed"
  end
  local told = self:info()
  return told and told.version or "in its handshake"
end)

-- -- Making -------------------------------------------------------------------

-- What connections share that are not each other's stream below: one a level, since the
-- output of a connection is good only until the next call for another one.
local shared = {}

local function io_of(level)
  local io = shared[level]
  if not io or io.p == nil then
    io = box_io(C.io_new())
    shared[level] = io
  end
  return io.p
end

--- The object around a codec in its box, which a collection frees if this raises.
local function wrap(lower, held, context, level)
  return setmetatable({
    _box = held, -- empty: closed
    _below = lower,
    _context = context,
    _level = level,
    _in = ffi.gc(ffi.new("green_buf"), buf_api.reset),
    _timeout = false,
    _reader = false,
    _writer = false,
    _sessions = false, -- a client's: where its session belongs until it is kept
    _ended = false, -- we have said that we write no more
    _refused = false, -- nothing more will be read
  }, mt)
end

--- An object that is yet to do its handshake; nil: out of memory.
local function new(lower, context)
  local level = (lower._level or 0) + 1
  local io, ctx = io_of(level), context._box.p
  local held = box(nil)
  if io ~= nil and ctx ~= nil then
    held.p = C.new(io, ctx)
  end
  return held.p ~= nil and wrap(lower, held, context, level) or nil
end

--- An object for the TLS that C has begun on a socket, and for the plain bytes that the
-- socket has buffered. The socket is the stream below it from here on.
-- @return nil, status: ENOMEM; the socket is closed
local function adopt(socket, context)
  local buf = socket._in
  local held = box(nil)
  held.p = sock_api.take(socket._s)
  local self = wrap(socket, held, context, 1)
  local status = buf_api.append(self._in, buf.data + buf.head, length(buf))
  buf_api.reset(buf)
  if status < 0 then
    self:close()
    return nil, status
  end
  return self
end

return { new = new, adopt = adopt, handshake = handshake, mt = mt }
