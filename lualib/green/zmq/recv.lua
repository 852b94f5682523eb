--- Receiving: the methods of ZeroMQ sockets that take messages.
--
-- A message is taken as a whole: what a thread leaves of it, because it takes part by part,
-- waits for that thread alone, and goes when it ends.
-- @module green.zmq.recv

local core = require "green.core"
local args = require "green.args"
local exits = require "green.thread.exits"
local thread = require "green.thread"
local wait = require "green.zmq.wait"

local ffi = require "ffi"
local zmq = require "green.ffi.zmq"

local turn, checkpoint, current = thread.turn, thread.checkpoint, core.current
local recv, recv_more, drop = zmq.recv, zmq.recv_more, zmq.drop
local ffi_string, ffi_copy, min, tonumber = ffi.string, ffi.copy, math.min, tonumber
local IN, EAGAIN, EMSGSIZE = wait.IN, core.codes.EAGAIN, core.codes.EMSGSIZE

local KEPT = 8192 -- a longer part is freed at once, not with the next one
local MOST = 2 ^ 31 - 1 -- what a call can say of a part's size; the part knows
local timeout_only = { timeout = true }

local methods = {}

-- -- One part -----------------------------------------------------------------

--- The first part of a message, where the first try found none. Its size, or a status. Parks.
local function recv_later(self, timeout)
  if timeout == 0 then
    return EAGAIN
  end
  local deadline, told = wait.deadline(timeout), false
  while true do
    local status = wait.wait(self, IN, told, deadline)
    if status ~= 0 then
      return status
    end
    local n = recv(self._s, 1)
    if n ~= EAGAIN then
      return n
    end
    told = true
  end
end

--- The first part of the next message: its size, or a negative status. Parks.
local function first(self, opts, where)
  local timeout = self._rcvtimeo
  if opts ~= nil then
    timeout = wait.timeout(opts, timeout, timeout_only, where)
  end
  local budget = turn.budget
  if budget > 0 then
    turn.budget = budget - 1
  else
    checkpoint()
  end
  local n = recv(self._s, 0)
  if n == EAGAIN then
    n = recv_later(self, timeout)
  end
  return n
end

--- The part of n bytes that was received last, as a string. self is used behind it: its memory
-- must stay until the string has been made.
local function take(self, n)
  local part = self._part
  local text = ffi_string(part.data, n < MOST and n or tonumber(part.size))
  if n > KEPT then
    drop(self._s)
  end
  return text, self._part
end

--- What follows the first part, behind it in a list. The list; or nil, a status.
local function rest(self, list)
  local n, most = #list, self._max_parts
  while self._part.more ~= 0 do
    local status = recv_more(self._s)
    if status < 0 then
      return nil, status
    elseif n == most then
      drop(self._s)
      return nil, EMSGSIZE
    end
    n = n + 1
    local part = self._part
    list[n] = ffi_string(part.data, tonumber(part.size))
  end
  if n > 0 and #list[n] > KEPT then
    drop(self._s)
  end
  return list
end

-- -- What a thread has left ---------------------------------------------------

local function forget(record)
  record.socket._rests[record.thread] = nil
end

--- What the running thread has left of a message. nil: nothing, or the socket was closed.
local function kept_of(self)
  checkpoint()
  return self._rests and self._rests[current()]
end

--- Keep the parts behind the first one for the running thread.
local function keep(self)
  local list, status = rest(self, {})
  if not list then
    return status
  end
  local me = current()
  self._rests = self._rests or {}
  local record = { socket = self, thread = me, list = list, at = 1, _exit = forget }
  exits.hold(record, me)
  self._rests[me] = record
  return 0
end

--- The next part of a message that the running thread has begun: text, more; nil: there is
-- none. Parks as a checkpoint.
local function next_kept(self)
  local record = kept_of(self)
  if not record then
    return nil
  end
  local at = record.at
  record.at = at + 1
  local more = at < #record.list
  if not more then
    exits.release(record)
    forget(record)
  end
  return record.list[at], more
end

--- The rest of the message that the running thread has begun; nil: there is none. Parks as a
-- checkpoint.
local function all_kept(self)
  local record = kept_of(self)
  if not record then
    return nil
  end
  exits.release(record)
  forget(record)
  local list = {}
  for i = record.at, #record.list do
    list[#list + 1] = record.list[i]
  end
  return list
end

-- -- Methods ------------------------------------------------------------------

--- Receive one part. A message's other parts are for the thread that got its first one. Parks
-- while there is nothing.
-- @param[opt] opts `timeout`, or that number of seconds itself; 0: at once
-- @treturn string the part
-- @treturn boolean whether more of the same message follow. Or nil, err: ETIMEDOUT; EAGAIN (the
-- timeout is 0; `is_timeout`); EFSM (a REQ that has not sent, a type that only
-- sends: EOPNOTSUPP); EMSGSIZE (more parts than allowed); ETERM, ECLOSED
function methods:recv(opts)
  if self._rests then
    local text, more = next_kept(self)
    if text then
      return text, more
    end
  end
  local n = first(self, opts, "recv")
  if n < 0 then
    return wait.failed(n, "recv")
  elseif self._part.more == 0 then
    return (take(self, n)), false
  end
  local part = self._part
  local text = ffi_string(part.data, tonumber(part.size))
  local status = keep(self)
  if status < 0 then
    return wait.failed(status, "recv")
  end
  return text, true
end

--- Receive a whole message. Parks while there is none.
-- @param[opt] opts as recv
-- @treturn table its parts, strings; or nil, err: as recv
function methods:recv_multipart(opts)
  local list = self._rests and all_kept(self)
  if list then
    return list
  end
  local n = first(self, opts, "recv_multipart")
  if n < 0 then
    return wait.failed(n, "recv_multipart")
  elseif self._part.more == 0 then
    return { (take(self, n)) }
  end
  local part, status = self._part
  list, status = rest(self, { (ffi_string(part.data, tonumber(part.size))) })
  if not list then
    return wait.failed(status, "recv_multipart")
  end
  return list
end

--- Receive one part into memory of the caller's. Parks while there is nothing.
-- @tparam cdata buffer
-- @tparam number n its size in bytes; the rest of a longer part is lost
-- @param[opt] opts as recv
-- @treturn number how many bytes the part has, which may be more than n
-- @treturn boolean whether more follow. Or nil, err: as recv
function methods:recv_into(buffer, n, opts)
  args.type(buffer, "cdata", "recv_into", "buffer")
  if not pcall(ffi_copy, buffer, "", 0) then
    args.wrong("recv_into", "buffer", "memory to write to", buffer)
  end
  args.size(n, 0, "recv_into", "n")
  if self._rests then
    local text, more = next_kept(self)
    if text then
      ffi_copy(buffer, text, min(n, #text))
      return #text, more
    end
  end
  local got = first(self, opts, "recv_into")
  if got < 0 then
    return wait.failed(got, "recv_into")
  end
  local part = self._part
  local size, more = tonumber(part.size), part.more ~= 0
  ffi_copy(buffer, part.data, min(n, size))
  if more then
    local status = keep(self)
    if status < 0 then
      return wait.failed(status, "recv_into")
    end
  elseif size > KEPT then
    drop(self._s)
  end
  return size, more
end

--- An iterator over whole messages: `for parts in s:messages() do`. It ends when the socket is
-- closed, or none came in time; the second result tells. Parks.
-- @tparam[opt] number timeout seconds for each message
function methods:messages(timeout)
  args.timeout(timeout, "messages")
  return function()
    return self:recv_multipart(timeout)
  end
end

return { methods = methods, first = first }
