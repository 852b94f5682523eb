--- Encrypted bytes between a TLS connection's codec and the stream below it. Private.
-- @module green.tls.flow

local core = require "green.core"

local ffi = require "ffi"
local buf_api = require "green.ffi.buf"
local C = require "green.ffi.tls"

local tonumber = tonumber -- scripts may put their own there

local codes = core.codes
local EAGAIN, ECONNRESET = codes.EAGAIN, codes.ECONNRESET
local out = ffi.new("const char *[1]")

local function length(buf)
  return buf.tail - buf.head
end

--- Send what the codec has for the peer. 0; EAGAIN: wait for WRITE; or why it cannot
-- be sent.
local function push(self)
  local tls, below = self._box.p, self._below
  while true do
    local n = tonumber(C.output(tls, out))
    if n == 0 then
      return 0
    end
    local sent = below:_send(out[0], n)
    if sent < 0 then
      return sent
    end
    C.sent(tls, sent)
  end
end

--- How many bytes the codec has for the peer.
local function unsent(self)
  return tonumber(C.output(self._box.p, out))
end

--- Give the codec what the stream below has. More than 0: it has something new, if only
-- the news that there is no more; EAGAIN; or why nothing can be read. A reset is no end
-- that the peer has told by TLS, whoever has made it.
local function pull(self)
  local below = self._below
  local buf = below._in
  if length(buf) == 0 then
    local n = below:_fill(0)
    if n == 0 or n == ECONNRESET and not self._begins then
      C.feed_end(self._box.p)
      return 1
    elseif n < 0 then
      return n
    end
  end
  local n = C.feed(self._box.p, buf.data + buf.head, length(buf))
  if n > 0 then
    buf_api.consume(buf, n)
  end
  return n == 0 and EAGAIN or n
end

--- Back to the stream below: what followed the peer's end of TLS, before what it has
-- itself. 0, or ENOMEM.
local function give_back(self)
  local n = tonumber(C.rest(self._box.p, out))
  if n == 0 then
    return 0
  end
  local buf = self._below._in
  local behind = length(buf) > 0 and ffi.string(buf.data + buf.head, length(buf)) or ""
  local text = ffi.string(out[0], n) .. behind
  buf_api.consume(buf, #behind)
  return buf_api.append(buf, text, #text)
end

return { length = length, unsent = unsent, push = push, pull = pull, give_back = give_back }
