--- A TLS connection over another stream: what is read and written is plain text, what
-- the stream below carries is not.
--
-- The codec (greenc/io/tls.h) never waits and knows no stream. Here its input is
-- filled from the stream below and its output sent there, by that stream's own
-- primitives; so TLS runs over sockets, streams in memory, and over TLS.
-- @module green.tls.stream

local agreed = require "green.tls.agreed"
local boxes = require "green.tls.box"
local close = require "green.tls.close"
local core = require "green.core"
local ending = require "green.tls.unwrap"
local errors = require "green.error"
local failure = require "green.tls.failure"
local flow = require "green.tls.flow"
local sessions = require "green.tls.sessions"
local shake = require "green.tls.shake"
local show = require "green.args.show"
local start = require "green.tls.start"
local stream = require "green.stream"

local ffi = require "ffi"
local buf_api = require "green.ffi.buf"
local sock_api = require "green.ffi.tls_sock"
local C = require "green.ffi.tls"

-- Scripts may put their own in their places.
local pairs, setmetatable, type = pairs, setmetatable, type
local length, push, pull = flow.length, flow.push, flow.pull

local codes = core.codes
local EAGAIN, ECLOSED, ECONNRESET = codes.EAGAIN, codes.ECLOSED, codes.ECONNRESET
local ENOBUFS, ENOTCONN, EPIPE = codes.ENOBUFS, codes.ENOTCONN, codes.EPIPE
local ETIMEDOUT, ETLSALERT = codes.ETIMEDOUT, codes.ETLSALERT
local WATCH = stream.WATCH

local SCRATCH = 16384 -- a record's most
local WRITE_MOST = 65536 -- encrypted in one go
local scratch = ffi.new("uint8_t[?]", SCRATCH) -- nothing parks between its fill and its use

local box_io = boxes.kind("green_tls_io *", C.io_free)

local own = {}

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
  local n = self._begins and self._box.p ~= nil and shake.try(self) or ECLOSED
  if self._begins then
    return n
  end
  while self._box.p ~= nil do
    if self._read_shut then
      return 0
    end
    n = read_once(self)
    if n ~= EAGAIN then
      return n
    end
    local got = pull(self)
    if got < 0 then
      return got
    end
  end
  return n
end

--- Sending failed: the peer may have said why before it went. The next read finds out.
local function reason_of(self, status)
  if status ~= EPIPE and status ~= ECONNRESET or self._reader or self._begins then
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
  local status = self._begins and shake.try(self) or push(self)
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

--- A sentence and fields for a call that failed with that status, if there is one.
function own:_why(status)
  if self._refusal then
    return self._refusal.message
  elseif self._late and status == ETIMEDOUT then
    return ("the peer was too slow in its TLS handshake: %g s are over"):format(self._limit)
  elseif self._unconnected and status == ENOTCONN then
    return "not connected: call connect(target, port) first"
  end
  return failure.why(self._box.p, status)
end

function own:_wait(mode, deadline)
  if self._begins then
    return shake.wait(self, deadline)
  elseif mode == WATCH and self._box.p ~= nil
    and (C.pending(self._box.p) or length(self._below._in) > 0) then
    return 0
  end
  return (self._below:_wait(mode, deadline))
end

-- -- The class ----------------------------------------------------------------

--- What the socket below answers.
local function ask(self, name, ...)
  local lower = self._below
  if type(lower[name]) ~= "function" then
    return nil, errors.new(lower == close.gone and "ECLOSED" or "EOPNOTSUPP", name)
  end
  return lower[name](lower, ...)
end

for _, name in ipairs { "sockname", "peername", "peercred", "fileno" } do
  own[name] = function(self)
    return ask(self, name)
  end
end

function own:setoption(name, value)
  return ask(self, "setoption", name, value)
end

function own:getoption(name)
  return ask(self, "getoption", name)
end

for _, part in ipairs { agreed, close.methods, start.methods, ending.methods } do
  for name, method in pairs(part) do
    own[name] = method
  end
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
    _host = false, -- a client's: whom it wants at the other end
    _sessions = false, -- a client's: where its session belongs until it is kept
    _ended = false, -- we have said that we write no more: green.tls.close
    _read_shut = false, -- nothing more will be read
    _begins = false, -- the handshake is to be done: green.tls.shake
    _driver = false,
    _limit = false,
  }, mt)
end

--- An object that is yet to do its handshake, in so many seconds (false: any number); nil:
-- out of memory.
local function new(lower, context, limit)
  local level = (lower._level or 0) + 1
  local io, ctx = io_of(level), context._box.p
  local held = close.box(nil)
  if io ~= nil and ctx ~= nil then
    held.p = C.new(io, ctx)
  end
  if held.p == nil then
    return nil
  end
  local self = wrap(lower, held, context, level)
  self._begins, self._limit = true, limit or false
  return self
end

--- An object for the TLS that C has begun on a socket, and for the plain bytes that the
-- socket has buffered. The socket is the stream below it from here on.
-- @return nil, status: ENOMEM; the socket is closed
local function adopt(socket, context)
  local buf = socket._in
  local held = close.box(nil)
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

return { new = new, adopt = adopt, wrap = wrap, io_of = io_of, mt = mt }
