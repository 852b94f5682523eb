--- How a connection sends: strings, and bodies whose answer may come before they have left.
-- Private to green.http.
--
-- Who is about to wait for room to send more of a body waits for the answer, too: two green
-- threads do so for it, one of which stays until the body has left. Where the socket takes
-- what it is given, none is started.
-- @module green.http.sending

local core = require "green.core"
local crowds = require "green.net.crowd"
local exits = require "green.thread.exits"
local places = require "green.http.places"

local ffi = require "ffi"
local C = require "green.ffi.http_response"
local sock_api = require "green.ffi.sock"

-- Scripts may put their own in their places.
local min, setmetatable = math.min, setmetatable

local now_of, file_number, codes = core.now, core.file_number, core.codes
local READ_LATER, WRITE = core.WATCH, core.WRITE
local EAGAIN, ECANCELED, ECLOSED = codes.EAGAIN, codes.ECANCELED, codes.ECLOSED
local ETIMEDOUT, EBADF, EINVAL = codes.ETIMEDOUT, codes.EBADF, codes.EINVAL
local EOPNOTSUPP = codes.EOPNOTSUPP
local ffi_cast, parse = ffi.cast, C.parse
local bytes_t = ffi.typeof("const char *")
local INTERIM_MOST = 32 -- heads of 1xx before an answer

local M = {}

-- -- The answer ---------------------------------------------------------------

--- Has the server said something already, while the request is still being sent, that makes
-- the rest of no use: an answer of 300 or more, the end, nonsense? Heads of 1xx are dropped;
-- behind another answer the server may go on reading, so it is left for later (`is_answered`).
-- Does not park.
function M.has_answer(self)
  local buf, head, left = self.buf, self.head, INTERIM_MOST
  if self:is_foreign() then
    return true -- of the parent process: whatever comes next says so
  end
  while not self.is_answered do
    local got = self.stream:_fill(0)
    local len = buf.tail - buf.head
    self.seen = self.seen or len > 0
    local n = len > 0 and parse(head, buf.data + buf.head, len, 0) or EAGAIN
    if n > 0 and head.interim then
      self:consume(n)
      left = left - 1
      if left == 0 then
        return true -- read_head is to say so
      end
    elseif n > 0 and head.status < 300 then
      self.is_answered = true
    elseif n ~= EAGAIN then
      return true
    elseif got <= 0 then
      return got ~= EAGAIN
    end
  end
  return false
end

-- -- Waiting for two things -----------------------------------------------------

local methods = {}
local mt = { __index = methods }

local function wait_for_room(self)
  return self.conn.stream:_wait(WRITE)
end

local function wait_for_news(self)
  return self.conn.stream:_wait(READ_LATER)
end

local function room_ends(self, status)
  self.waits, self.room = false, status or ECANCELED
end

local function news_end(self, status)
  self.watches, self.news = false, true
  self.is_blind = not status or status < 0 -- never twice: it would go round in circles
end

--- Start the threads that are missing.
function methods:start()
  if not self.waits then
    self.waits = true
    self.crowd:add(wait_for_room, room_ends, self)
  end
  if not self.watches and not self.is_blind and not self.conn.is_answered then
    self.watches = true
    self.crowd:add(wait_for_news, news_end, self)
  end
end

--- Wait for room, or for an answer. 0: there is room; 1: the rest is of no use; or a negative
-- status. Parks.
function methods:wait(deadline)
  self.room = false
  repeat
    self:start()
    self.crowd:wait(deadline)
    if self.news then
      self.news = false
      if self.conn:has_answer() then
        return 1
      end
    end
    if self.room then
      return self.room
    end
  until deadline and now_of() >= deadline
  return ETIMEDOUT
end

function methods:close()
  self.crowd:close()
  exits.release(self)
end

--- The thread that sent was abandoned.
function methods:_exit()
  self.crowd:close()
  places.drop(self.conn)
end

local function new(conn)
  local self = setmetatable({ conn = conn, crowd = crowds.new(), waits = false, watches = false,
    room = false, news = false, is_blind = false }, mt)
  exits.hold(self)
  return self
end

--- As the connection's wait for room, for a body. Parks.
local function wait_twice(conn, seconds, due)
  local deadline = seconds and now_of() + seconds
  if due then
    deadline = deadline and min(deadline, due) or due
  end
  core.waiter() -- where that raises, no thread is started
  conn.duplex = conn.duplex or new(conn)
  return conn.duplex:wait(deadline)
end

--- The body has left, or will not. Does not park. Idempotent.
function M.end_body(conn)
  local duplex = conn.duplex
  if duplex then
    conn.duplex = false
    duplex:close()
  end
end

-- -- Sending ------------------------------------------------------------------

local function wait_once(conn, seconds, due)
  return conn:wait(WRITE, seconds, due)
end

--- What was taken must leave, where a stream holds it back (TLS).
local function flush(conn, seconds, due, wait)
  local stream = conn.stream
  while stream._flush do
    local n = stream:_flush()
    local status = n
    if n == EAGAIN then
      status = wait(conn, seconds, due)
    elseif n == 0 then
      break
    end
    if status < 0 or n == EAGAIN and status == 1 then
      return status
    end
  end
  return 0
end

local function send_rest(conn, s, done, seconds, due, wait)
  local stream, ptr, total = conn.stream, ffi_cast(bytes_t, s), #s
  while done < total do
    local n = stream:_send(ptr + done, total - done)
    local status = n
    if n >= 0 then
      done = done + n
      conn.sent = conn.sent + n
    elseif n == EAGAIN then
      status = wait(conn, seconds, due)
    end
    if status < 0 or n == EAGAIN and status == 1 then
      return status
    end
  end
  return flush(conn, seconds, due, wait)
end

local function send(conn, s, seconds, due, wait)
  local stream = conn.stream
  local n = conn:is_foreign() and ECLOSED or stream:_send(s, #s)
  if n > 0 then
    conn.sent = conn.sent + n
  end
  if n == #s and not stream._flush then
    return 0
  elseif n < 0 and n ~= EAGAIN then
    return n
  end
  return send_rest(conn, s, n > 0 and n or 0, seconds, due, wait)
end

--- Send all of a string. 0 or a negative status; `sent` counts what has left. Parks.
function M.send(conn, s, seconds, due)
  return send(conn, s, seconds, due, wait_once)
end

--- The same for a part of a body; 1: the server has answered, and the rest was not sent.
-- Behind the last part call end_body. Parks.
function M.send_body(conn, s, seconds, due)
  return send(conn, s, seconds, due, wait_twice)
end

--- Send at most so many bytes of a file, from there on. 0, and how many: none where the file
-- ends; nil: the system cannot; or as send_body. For plain sockets alone. Parks.
function M.send_file(conn, file, at, most, seconds, due)
  while true do
    local fd = file_number(file) -- each time: it may have been closed meanwhile
    local n = fd and sock_api.sendfile(conn.sock, fd, at, most) or EBADF
    local status = n
    if n >= 0 then
      conn.sent = conn.sent + n
      return 0, n
    elseif n == EAGAIN then
      status = wait_twice(conn, seconds, due)
    elseif n == EINVAL or n == EBADF or n == EOPNOTSUPP then
      return nil
    end
    if status ~= 0 then
      return status
    end
  end
end

return M
