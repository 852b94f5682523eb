--- The stream below a TLS connection: where the codec's bytes come from and go to.
-- @module green.tls.below

local core = require "green.core"

local ffi = require "ffi"
local buf_api = require "green.ffi.buf"
local C = require "green.ffi.tls"

local tonumber = tonumber -- scripts may put their own there

local EAGAIN = core.codes.EAGAIN

local out = ffi.new("const char *[1]")

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

--- Give the codec what the stream below has. More than 0: it has something new, if only
-- the news that there is no more; EAGAIN; or why nothing can be read.
local function pull(self)
  local below = self._below
  local buf = below._in
  if buf.tail == buf.head then
    local n = below:_fill(0)
    if n == 0 then
      C.feed_end(self._box.p)
      return 1
    elseif n < 0 then
      return n
    end
  end
  local n = C.feed(self._box.p, buf.data + buf.head, buf.tail - buf.head)
  if n > 0 then
    buf_api.consume(buf, n)
  end
  return n == 0 and EAGAIN or n
end

return { push = push, pull = pull }
