--- Sending: the methods of ZeroMQ sockets that give messages.
--
-- A message goes as a whole: parts that a thread sends with `more` are kept until its last
-- one, so that two threads' never mix, and nothing is left of the message of one that ends.
-- @module green.zmq.send

local core = require "green.core"
local args = require "green.args"
local exits = require "green.thread.exits"
local thread = require "green.thread"
local wait = require "green.zmq.wait"

local ffi = require "ffi"
local zmq = require "green.ffi.zmq"

local turn, checkpoint, current = thread.turn, thread.checkpoint, core.current
local send, sendv, send_long = zmq.send, zmq.sendv, core.zmq_send
local ffi_cast, select, type = ffi.cast, select, type
local bytes_t = ffi.typeof("const char *")
local OUT, EAGAIN = wait.OUT, core.codes.EAGAIN

local PARTS, LENT = 1024, tonumber(ffi.C.GREEN_ZMQ_LENT)
local iov = ffi.new("green_iov[?]", PARTS) -- nothing parks between its fill and its use
local of_send, of_multipart = { timeout = true, more = true }, { timeout = true }

local methods = {}

-- -- Whole messages -----------------------------------------------------------

local function try(self, list, n, told)
  local is_long = false
  for i = 1, n do
    local text = list[i]
    iov[i - 1].ptr, iov[i - 1].len = ffi_cast(bytes_t, text), #text
    is_long = is_long or #text > LENT
  end
  if is_long then
    return send_long(self._s, list, told)
  end
  return sendv(self._s, iov, n, told)
end

--- Wait until there is room, and send. 0 or a negative status. Parks.
local function send_later(self, timeout, list, n)
  if timeout == 0 then
    return EAGAIN
  end
  local deadline, told = wait.deadline(timeout), false
  while true do
    local status = wait.wait(self, OUT, told, deadline)
    if status ~= 0 then
      return status
    end
    status = try(self, list, n, 1)
    if status ~= EAGAIN then
      return status
    end
    told = true
  end
end

--- Send a list of strings as one message. true; or nil, err. Parks.
local function transmit(self, list, timeout, op)
  local n = #list
  checkpoint()
  local status = try(self, list, n, 0)
  if status == EAGAIN then
    status = send_later(self, timeout, list, n)
  end
  if status < 0 then
    return wait.failed(status, op)
  end
  return true
end

-- -- Part by part -------------------------------------------------------------

local function forget(record)
  record.socket._begun[record.thread] = nil
end

--- Add a part to the message of the running thread.
local function add(self, text)
  local me = current()
  self._begun = self._begun or {}
  local record = self._begun[me]
  if not record then
    record = { socket = self, thread = me, list = {}, _exit = forget }
    exits.hold(record, me)
    self._begun[me] = record
  elseif #record.list == PARTS - 1 then
    args.misuse("send: a message of more than %d parts", PARTS)
  end
  record.list[#record.list + 1] = text
end

--- The parts that the running thread has kept, with the last one; nil: there are none.
local function finish(self, text)
  local record = self._begun[current()]
  if not record then
    return nil
  end
  exits.release(record)
  forget(record)
  local list = record.list
  list[#list + 1] = text
  return list
end

-- -- Methods ------------------------------------------------------------------

local function send_options(self, text, opts)
  local timeout = wait.timeout(opts, self._sndtimeo, of_send, "send")
  local more = type(opts) == "table" and opts.more
  if not more then
    return timeout
  end
  checkpoint()
  if zmq.is_closed(self._s) ~= 0 then
    return nil, core.codes.ECLOSED
  end
  add(self, text)
  return nil, 0
end

--- Send one part. Parks while there is no room for it, where the socket's type does not drop
-- messages then.
-- @tparam string text
-- @param[opt] opts `timeout`, or that number of seconds itself, 0: at once; `more` true: another
-- part follows, and nothing is sent before the last one
-- @treturn true or nil, err: ETIMEDOUT; EAGAIN (the timeout is 0; `is_timeout`); EHOSTUNREACH (a
-- ROUTER that is told to be strict knows no such peer); EFSM (a REQ that waits for its answer, a
-- REP that has nothing to answer); ETERM, ECLOSED
function methods:send(text, opts)
  if type(text) ~= "string" then
    args.wrong("send", "text", "a string", text)
  end
  local timeout = self._sndtimeo
  if opts ~= nil then
    local kept
    timeout, kept = send_options(self, text, opts)
    if kept then
      if kept < 0 then
        return wait.failed(kept, "send")
      end
      return true
    end
  end
  local list = self._begun and finish(self, text)
  if list then
    return transmit(self, list, timeout, "send")
  end
  local budget = turn.budget
  if budget > 0 then
    turn.budget = budget - 1
  else
    checkpoint()
  end
  local size, status = #text
  if size > LENT then
    status = send_long(self._s, text, 0)
  else
    status = send(self._s, text, size, 0)
  end
  if status == EAGAIN then
    status = send_later(self, timeout, { text }, 1)
  end
  if status < 0 then
    return wait.failed(status, "send")
  end
  return true
end

local function check_part(text, i)
  if type(text) ~= "string" then
    args.misuse("send_multipart: parts must be strings, but part %d is %s", i, args.shown(text))
  end
end

local function check_parts(list)
  local n = #args.list(list, "send_multipart", "parts", "strings")
  if n == 0 or n > PARTS then
    args.misuse("send_multipart: parts must be 1 to %d strings, not a table of %d", PARTS, n)
  end
  for i = 1, n do
    check_part(list[i], i)
  end
  return list
end

--- The parts that are arguments: nil is none, wherever it stands.
local function listed(...)
  for i = 1, select("#", ...) do
    check_part((select(i, ...)), i)
  end
  return check_parts { ... }
end

--- send_multipart(parts [, opts]) or send_multipart("a", "b", ...): send a message of several
-- parts, whole: never mixed with another thread's. Parks as send.
-- @param parts a list of strings, or the first of them
-- @param[opt] opts `timeout`, or that number of seconds itself
-- @treturn true or nil, err: as send
function methods:send_multipart(parts, ...)
  local timeout = self._sndtimeo
  if type(parts) ~= "table" then
    parts = listed(parts, ...)
  else
    check_parts(parts)
    if ... ~= nil then
      timeout = wait.timeout(..., timeout, of_multipart, "send_multipart")
    end
  end
  return transmit(self, parts, timeout, "send_multipart")
end

return { methods = methods }
