--- The short way for plain requests over plain sockets, whose answers have come as a whole
-- when there is something to read. Private to green.http.
--
-- What runs before and behind the wait has no loops and no calls that Lua cannot compile, so
-- each is compiled as a whole. Where something is not as it mostly is, the long way
-- (green.http.exchange) goes on from there.
-- @module green.http.quick

local core = require "green.core"
local exchange = require "green.http.exchange"
local pool = require "green.http.pool"
local responses = require "green.http.response"

local ffi = require "ffi"
local C = require "green.ffi.http_response"
local sock_api = require "green.ffi.sock"

local huge, tonumber = math.huge, tonumber -- scripts may put their own there

local core_park, now_of, codes = core.park, core.now, core.codes
local READ = core.READ
local EAGAIN, ECANCELED, EDEADLOCK = codes.EAGAIN, codes.ECANCELED, codes.EDEADLOCK
local parse, send, recv, sock_now = C.parse, sock_api.send, sock_api.recv, sock_api.now
local append, ffi_string = require("green.ffi.buf").append, ffi.string
local take_quick, put = pool.take_quick, pool.put
local run, conclude, new_whole = exchange.run, exchange.conclude, responses.whole
local LENGTH = tonumber(ffi.C.GREEN_BODY_LENGTH)
local CONTENT_ENCODING = tonumber(ffi.C.GREEN_H_CONTENT_ENCODING)

local SCRATCH = 65536
-- Of what is handed on: longer bodies go past us, and what was read of them would be copied.
local FORWARDED = 32768
local scratch = ffi.new("char[?]", SCRATCH) -- nothing parks between its fill and its use

--- Send a request. How many bytes have left, or a negative status.
local function send_quick(self, bytes, max_head)
  self.sent, self.seen, self.is_cut = 0, false, false
  self.head.asked, self.head.max_head = 0, max_head
  local n = send(self.sock, bytes, #bytes)
  if n > 0 then
    self.sent = n
  end
  return n
end

--- Wait for the answer until then. As the connection's wait.
local function wait_quick(self, deadline)
  local status = core_park(self.sock, deadline, READ)
  if status == ECANCELED or status == EDEADLOCK then
    self:cancelled(status)
  end
  return status
end

--- The texts of an answer's head and body, if all of it is there and nothing else, it has a
-- length of at most that many bytes and no coding, and the connection stays open; else nil, and
-- what has come is in the connection's buffer, which was empty; or nil and an error code, or the
-- length of the head, if it is there. `room`: no more than that is read.
local function answer_quick(self, most, room)
  local head, len = self.head, recv(self.sock, scratch, room)
  if len <= 0 then
    return nil
  end
  local n = parse(head, scratch, len, 0)
  self.seen = true
  if n <= 0 or head.framing ~= LENGTH or head.content_length ~= len - n or len - n > most
    or not head.keep_alive or head.keep_max == 0 or head.interim or head.tunnel
    or head.fields.first[CONTENT_ENCODING] ~= 0 then
    local status = append(self.buf, scratch, len)
    return nil, status < 0 and status or n > 0 and not head.interim and n or nil
  end
  return ffi_string(scratch, n), n < len and ffi_string(scratch + n, len - n) or ""
end

--- What has not left yet leaves; then the answer's head. Parks.
local function go_on(conn, req, n)
  local settings, bytes = req.settings, req.bytes
  local status = n < 0 and n ~= EAGAIN and n or 0
  if status == 0 and n < #bytes then
    status = conn:send(n > 0 and bytes:sub(n + 1) or bytes, settings.between)
  end
  if status < 0 then
    return status, "send"
  end
  return conn:read_head(settings.first), "head"
end

--- The response, if all of it is there; else nil, or nil and an error code, or the length of its
-- head.
local function complete(conn, req, started)
  local text, body = answer_quick(conn, req.settings.max_body or huge,
    req.is_forwarded and FORWARDED or SCRATCH)
  if not text then
    return nil, body
  end
  local now = sock_now(conn.sock)
  local resp = new_whole(req, conn.head.status, text, body, started, now)
  conn.used = conn.used + 1
  conn:note_patience(now)
  put(conn, now)
  return resp
end

--- As exchange's run, for a request without a body and a total time, whose bytes are ready.
-- Where something is not as it mostly is, its way goes on from there. Parks.
-- @tparam ?number started now, if that is known
local function quick(session, req, started)
  started = started or now_of()
  local conn = take_quick(session._pool, req.key, started)
  if not conn then
    return run(session, req)
  end
  local n, status = send_quick(conn, req.bytes, req.settings.max_head), 0
  if n == #req.bytes then
    status = wait_quick(conn, started + req.settings.first)
    local resp, got
    if status == 0 then
      resp, got = complete(conn, req, started)
    end
    if resp then
      return resp
    end
    status = got or status
  end
  if status ~= 0 then
    return conclude(session, conn, req, nil, started, started, false, status, "head")
  end
  return conclude(session, conn, req, nil, started, started, false, go_on(conn, req, n))
end

return { run = quick }
