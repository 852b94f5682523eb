--- TCP and UNIX stream sockets: green.stream's methods over a descriptor.
--
-- What is said about errors and timeouts there holds here. The calls that a busy
-- server lives on try in one compiled call and come here to wait.
-- @module green.socket.stream

local core = require "green.core"
local addr = require "green.socket.addr"
local args = require "green.args"
local base = require "green.socket.base"
local connect = require "green.socket.connect"
local errors = require "green.error"
local stream = require "green.stream"
local thread = require "green.thread"
local gate = require "green.stream.gate"
local write = require "green.stream.write"

local ffi = require "ffi"
local sock = require "green.ffi.sock"
local show = require "green.args.show"

local turn, checkpoint = thread.turn, thread.checkpoint
local is_held, deadline_of, wait_read, wait_write =
  gate.is_held, gate.deadline, gate.read, gate.write
local recv, send, sendv, fill, accept = sock.recv, sock.send, sock.sendv, sock.fill, sock.accept
local ffi_string, ffi_cast, min = ffi.string, ffi.cast, math.min
local bytes_t = ffi.typeof("const char *")
local EAGAIN, ECONNRESET = core.codes.EAGAIN, core.codes.ECONNRESET
local LARGE = write.LARGE

local SCRATCH = 65536
local scratch = ffi.new("uint8_t[?]", SCRATCH) -- nothing parks between its fill and its use
local PIECES = 64
local iov = ffi.new("green_iov[?]", PIECES)
local peer = addr.new()

local BACKLOG, INT_MOST = 1024, 2 ^ 31 - 1
local timeout_only = { timeout = true }
local shared = stream.methods
local methods, mt = {}, nil

-- -- Primitives ---------------------------------------------------------------

function methods:_fill(want)
  return fill(self._s, want)
end

function methods:_send(ptr, n)
  return send(self._s, ptr, n)
end

function methods:_shutdown(mode)
  return sock.shutdown(self._s, mode)
end

-- -- Bytes --------------------------------------------------------------------

--- What read_some does when its first try came to nothing. Parks.
local function read_later(self, n, most, opts)
  local deadline = false
  while n == EAGAIN do
    if deadline == false then
      deadline = deadline_of(self, opts)
    end
    n = wait_read(self, deadline)
    if n == 0 then
      n = recv(self._s, scratch, most)
    elseif n == EAGAIN then
      break
    end
  end
  if n > 0 then
    return ffi_string(scratch, n)
  elseif n == 0 or n == ECONNRESET then
    return nil
  end
  return nil, errors.new(n, "read_some")
end

function methods:read_some(most, opts)
  if opts then
    gate.check(opts, timeout_only, "read_some")
  end
  if most == nil then
    most = SCRATCH
  elseif type(most) ~= "number" or not (most >= 1 and most <= SCRATCH) or most % 1 ~= 0 then
    most = min(args.size(most, 0, "read_some", "most"), SCRATCH)
    if most == 0 then
      return shared.read_some(self, most, opts)
    end
  end
  local budget = turn.budget
  if budget > 0 then
    turn.budget = budget - 1
  else
    checkpoint()
  end
  if self._reader and is_held(self, "_reader") then
    return gate.second_reader(self, "read_some", methods.read_some, most, opts)
  end
  local n = recv(self._s, scratch, most)
  if n > 0 then
    return ffi_string(scratch, n)
  end
  return read_later(self, n, most, opts)
end

methods.recv = methods.read_some

function methods:write(...)
  local s = ...
  if select("#", ...) ~= 1 or type(s) ~= "string" then
    return shared.write(self, ...)
  end
  local budget = turn.budget
  if budget > 0 then
    turn.budget = budget - 1
  else
    checkpoint()
  end
  if self._writer and is_held(self, "_writer") then
    return gate.second_writer(self, "write")
  end
  if #s > LARGE then
    return write.send_rest(self, s, 0, nil, "write")
  end
  local n = send(self._s, s, #s)
  if n == #s then
    return true
  elseif n < 0 and n ~= EAGAIN then
    return write.failed(self, n, "write", 0)
  end
  return write.send_rest(self, s, n > 0 and n or 0, nil, "write")
end

--- Point the vector at pieces i and following, without the first `skip` bytes.
local function gather(list, i, skip)
  local n = 0
  while n < PIECES and list[i + n] do
    local s = list[i + n]
    iov[n].ptr, iov[n].len = ffi_cast(bytes_t, s) + skip, #s - skip
    n, skip = n + 1, 0
  end
  return n
end

--- Where one is in the list after n more bytes.
local function advance(list, i, skip, n)
  skip = skip + n
  while list[i] and skip >= #list[i] do
    skip = skip - #list[i]
    i = i + 1
  end
  return i, skip
end

local function send_list(self, list, opts, total)
  if total > LARGE then
    core.waiter() -- as in write
  end
  local i, skip = advance(list, 1, 0, 0)
  local sent, deadline = 0, false
  while list[i] do
    local n = sendv(self._s, iov, gather(list, i, skip))
    if n >= 0 then
      sent = sent + n
      i, skip = advance(list, i, skip, n)
    elseif n == EAGAIN then
      if deadline == false then
        deadline = deadline_of(self, opts)
      end
      n = wait_write(self, deadline)
    end
    if n < 0 then
      return write.failed(self, n, "writev", sent)
    end
  end
  return true
end

function methods:writev(list, opts)
  args.list(list, "writev", "list", "strings and numbers")
  if opts then
    gate.check(opts, timeout_only, "writev")
  end
  local pieces, total = {}, 0
  for i = 1, #list do
    pieces[i] = write.text_of(list[i], i, "writev")
    total = total + #pieces[i]
  end
  checkpoint()
  if self._writer and is_held(self, "_writer") then
    return gate.second_writer(self, "writev")
  end
  return send_list(self, pieces, opts, total)
end

-- -- Connections --------------------------------------------------------------

--- Begin to take connections. Does not park.
-- @tparam[opt=1024] number backlog how many may wait to be accepted
-- @return true; or nil, err: EADDRINUSE, EINVAL, ECLOSED
function methods:listen(backlog)
  backlog = backlog == nil and BACKLOG or args.integer(backlog, 0, "listen", "backlog", INT_MOST)
  local status = sock.listen(self._s, backlog)
  if status < 0 then
    return nil, errors.new(status, "listen")
  end
  return true
end

--- Take the next connection. Parks while there is none.
-- @tparam[opt] table opts `timeout`
-- @return the connection, a socket without a timeout; and the peer's address
-- (green.socket.addr). Or nil, err: ETIMEDOUT, EAGAIN (the timeout is 0), EBUSY, ECLOSED;
-- EMFILE, ENFILE, ENOBUFS, ENOMEM: out of something, the listener is well
function methods:accept(opts)
  if opts then
    gate.check(opts, timeout_only, "accept")
  end
  checkpoint()
  if self._reader and is_held(self, "_reader") then
    return gate.second_reader(self, "accept", methods.accept, opts)
  end
  local s = self._spare or base.handle()
  self._spare = s -- for the next call, should this one fail
  local n, deadline = accept(self._s, s, peer), false
  while n == EAGAIN do
    if deadline == false then
      deadline = deadline_of(self, opts)
    end
    n = wait_read(self, deadline)
    if n == 0 then
      s = self._spare
      n = accept(self._s, s, peer)
    elseif n == EAGAIN then
      break
    end
  end
  if n < 0 then
    return nil, errors.new(n, "accept")
  end
  self._spare = nil
  return base.wrap(s, mt), addr.of(peer)
end

-- -- The class ----------------------------------------------------------------

local own = {}
for _, part in ipairs({ base.methods, connect.methods, methods }) do
  for name, method in pairs(part) do
    own[name] = method
  end
end

mt = show.kind(stream.class("green.socket", own), base.state_of)

return { mt = mt }
