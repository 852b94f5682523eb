--- One connection of a client: bytes out, heads and bodies in. Private to green.http.
--
-- Where a call parks, whatever cancels the green thread closes the connection first, so
-- nobody else ever reads what was meant for that request.
-- @module green.http.conn

local bodies = require "green.http.conn_body"
local class = require "green.args.class"
local core = require "green.core"
local ffi = require "ffi"
local pool = require "green.http.pool"
local sending = require "green.http.sending"
local stream_socket = require "green.socket.stream"
local thread = require "green.thread"

local C = require "green.ffi.http_response"
local sock_api = require "green.ffi.sock"

-- Scripts may put their own in their places.
local huge, min = math.huge, math.min

local word = require("green.ffi.fork").word() -- differs in a child from what it was
local getpid = core.getpid
local now_of, waiter, failed, spend = core.now, core.waiter, thread.failed, thread.spend
local ffi_string = ffi.string
local READ = core.READ
local codes = core.codes
local EAGAIN, ECANCELED, EDEADLOCK = codes.EAGAIN, codes.ECANCELED, codes.EDEADLOCK
local ECLOSED, EEOF, ETIMEDOUT, ETOOBIG = codes.ECLOSED, codes.EEOF, codes.ETIMEDOUT, codes.ETOOBIG
local INTERIM_MOST = 32 -- heads of 1xx before an answer
local parse, fill = C.parse, sock_api.fill

local conn = {
  send = sending.send, send_body = sending.send_body, send_file = sending.send_file,
  end_body = sending.end_body, has_answer = sending.has_answer,
  begin_body = bodies.begin_body, keep_trailers = bodies.keep_trailers,
  read_span = bodies.read_span, read_body = bodies.read_body,
}
local mt = { __name = "green.http.conn", __index = conn }

--- The stream is connected: it belongs to the connection from here on.
function conn:open(stream)
  self.stream = stream
  self.buf = stream._in
  self.sock = class.is(stream, stream_socket.mt) and stream._s or false
  self.head = ffi.new("green_http_response")
  self.body = ffi.new("green_http_body")
  self.waits = 0 -- green threads that wait for it
  C.init(self.head)
end
pcall(jit.off, conn.open) -- once a connection; refused in a finalizer, which may load this

--- Is it another process's, of which this one is a child? What comes is not for us.
function conn:is_foreign()
  return word[0] ~= self.mark and self.pid ~= getpid()
end

--- Is there nothing to read, not even an end? Else nobody may use it.
function conn:is_quiet()
  local buf = self.buf
  return buf.tail == buf.head and self.stream:_fill(0) == EAGAIN
end

--- The same of a plain socket.
function conn:is_silent()
  local buf = self.buf
  return buf.tail == buf.head and fill(self.sock, 0) == EAGAIN
end

--- What cancels the green thread is raised, the connection being closed.
function conn:cancelled(status)
  pool.drop(self)
  failed(status)
end

-- -- Waiting ------------------------------------------------------------------

--- The checkpoint of calls that can finish without parking.
function conn:check()
  local status = spend()
  if status and status ~= 0 then
    self:cancelled(status)
  end
end

--- Wait for so many seconds at most, and no longer than the request may take in all. 0
-- or a negative status; what cancels the green thread is raised, the connection being closed.
-- Parks.
function conn:wait(mode, seconds, due)
  local deadline = seconds and now_of() + seconds or nil -- false: no limit
  if due then
    deadline = deadline and min(deadline, due) or due
  end
  waiter() -- raises where nobody can wait
  self.waits = self.waits + 1
  local status = self.stream:_wait(mode, deadline)
  self.waits = self.waits - 1
  if status == ECANCELED or status == EDEADLOCK then
    self:cancelled(status)
  end
  return status
end

--- More bytes. How many; 0 at the end; or a negative status: a server from which there is
-- always more does not keep anybody longer than the request may take. Parks.
function conn:fill(seconds, due)
  if due and now_of() >= due then
    return ETIMEDOUT
  end
  local stream = self.stream
  local n = self:is_foreign() and ECLOSED or stream:_fill(0)
  while n == EAGAIN do
    local status = self:wait(READ, seconds, due)
    if status ~= 0 then
      return status
    end
    n = stream:_fill(0)
  end
  return n
end

--- Drop bytes that were dealt with.
function conn:consume(n)
  local buf = self.buf
  if n == buf.tail - buf.head then
    buf.head, buf.tail = 0, 0
  else
    buf.head = buf.head + n
  end
end

-- -- Heads --------------------------------------------------------------------

--- Read one head, which stays in the buffer. Its length, or a negative status; EEOF: the
-- stream has ended. `seen`: something of the answer has come. Parks.
local function read_one(self, seconds, due)
  local buf, head, last = self.buf, self.head, 0
  while true do
    local len = buf.tail - buf.head
    if len > last then
      self.seen = true
      local n = parse(head, buf.data + buf.head, len, last)
      if n ~= EAGAIN then
        return n
      end
      last = len
    end
    local got = self:fill(seconds, due)
    if got <= 0 then
      return got == 0 and EEOF or got
    end
  end
end

--- Read the head of the answer. Its length, or a negative status. on_interim is told the
-- status of each 1xx; a true result ends the reading with that head. Parks.
function conn:read_head(seconds, due, on_interim)
  local head = self.head
  for _ = 1, INTERIM_MOST do
    local n = read_one(self, seconds, due)
    if n < 0 or not head.interim then
      return n
    end
    self:consume(n)
    if on_interim and on_interim(head.status) then
      return 0
    end
  end
  return ETOOBIG
end

--- The text of a head that read_head gave.
function conn:take_head(n)
  local buf = self.buf
  local text = ffi_string(buf.data + buf.head, n)
  self:consume(n)
  return text
end

-- -- Behind an answer ----------------------------------------------------------

--- Can the connection bring another answer, its body having been read? One in which another
-- green thread waits for more of that body cannot: it would get what is for somebody else.
function conn:is_reusable()
  local head = self.head
  return self.waits == 0 and head.keep_alive and head.keep_max ~= 0 and self.body.done
    and not self.ended and self.buf.tail == self.buf.head
end

--- How long the server says that it keeps the connection, from now on.
function conn:note_patience(now)
  local seconds = self.head.keep_timeout
  self.until_ = seconds >= 0 and now + seconds or huge
end

return { mt = mt }
