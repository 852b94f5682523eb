--- How a connection reads the body of an answer. Private to green.http.conn.
-- @module green.http.conn_body

local core = require "green.core"
local ffi = require "ffi"

local body_api = require "green.ffi.http_body"

local tonumber, ffi_string = tonumber, ffi.string -- scripts may put their own there

local EAGAIN, ECLOSED = core.codes.EAGAIN, core.codes.ECLOSED
local CHUNKED = tonumber(ffi.C.GREEN_BODY_CHUNKED)

local methods = {}

--- The body that the head says begins; trailers: keep what comes behind its chunks.
function methods:begin_body(trailers)
  local head = self.head
  body_api.init(self.body, head.framing, head.content_length)
  self.trailers = trailers and ""
  self.keeps = trailers and head.framing == CHUNKED
end

--- Keep what of the bytes at ptr belongs to the trailer section.
function methods:keep_trailers(ptr)
  local body = self.body
  local n = body.chunk.trailer_len
  if n > 0 then
    self.trailers = self.trailers .. ffi_string(ptr + body.used - n, n)
  end
end

--- Bytes of the body where they are: a pointer and how many, good until the next call; nil
-- at its end; or nil and a negative status. Parks.
function methods:read_span(seconds, due)
  local body, buf = self.body, self.buf
  self:check()
  if self:is_foreign() then
    return nil, ECLOSED
  end
  while not body.done do
    local n = body_api.gather(body, buf.data + buf.head, buf.tail - buf.head)
    if self.keeps then
      self:keep_trailers(buf.data + buf.head)
    end
    if n == 1 then
      local ptr = buf.data + buf.head + body.data_off
      self:consume(body.used)
      return ptr, body.data_len
    elseif n == EAGAIN then
      self:consume(body.used)
      n = self:fill(seconds, due)
      if n == 0 then
        n = body_api.eof(body)
        if n == 0 then
          self.ended = true
          return nil
        end
      end
    elseif n == 0 then
      self:consume(body.used)
    end
    if n < 0 then
      return nil, n
    end
  end
  return nil
end

--- The same as a string. Parks.
function methods:read_body(seconds, due)
  local ptr, n = self:read_span(seconds, due)
  if ptr then
    return ffi_string(ptr, n)
  end
  return nil, n
end

return methods
