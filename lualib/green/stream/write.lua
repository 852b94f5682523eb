--- Writing to streams: the methods that all streams share.
-- @module green.stream.write

local core = require "green.core"
local args = require "green.args"
local thread = require "green.thread"
local gate = require "green.stream.gate"

local ffi = require "ffi"

local checkpoint, wait_write, deadline_of = thread.checkpoint, gate.write, gate.deadline
local ffi_cast = ffi.cast
local bytes_t = ffi.typeof("const char *")
local EAGAIN = core.codes.EAGAIN

local LARGE = 65536 -- bytes that are likely to be sent in several goes

local methods = {}
local timeout_only = { timeout = true }

--- The error of a write that failed; `written` if a part of it is gone.
local function failed(self, status, op, written)
  return gate.failure(self, status, op, { written = written })
end

--- What has been taken must leave, too: a stream that holds bytes back (TLS) says by
-- `_flush` whether it has. true; or nil, err. Parks.
local function flush(self, done, deadline, opts, op)
  while self._flush do
    local n = self:_flush()
    if n == EAGAIN then
      if deadline == false then
        deadline = deadline_of(self, opts)
      end
      n = wait_write(self, deadline)
    elseif n == 0 then
      break
    end
    if n < 0 then
      return failed(self, n, op, done)
    end
  end
  return true
end

--- Send s from offset `done` on. true; or nil, err with `written`. Parks.
-- Where nobody can wait a large write raises before anything has been sent.
local function send_rest(self, s, done, opts, op)
  if done == 0 and #s > LARGE then
    core.waiter()
  end
  local ptr, total = ffi_cast(bytes_t, s), #s
  local deadline = false
  while done < total do
    local n = self:_send(ptr + done, total - done)
    if n >= 0 then
      done = done + n
    elseif n == EAGAIN then
      if deadline == false then
        deadline = deadline_of(self, opts)
      end
      n = wait_write(self, deadline)
    end
    if n < 0 then
      return failed(self, n, op, done)
    end
  end
  return flush(self, done, deadline, opts, op)
end

local function text_of(value, i, where, name)
  local kind = type(value)
  if kind == "string" then
    return value
  elseif kind == "number" then
    return tostring(value)
  end
  args.wrong(where, name or "piece " .. i, "a string or a number", value)
end

--- One string of the pieces; and the options, if a table comes last.
local function gather(where, ...)
  local n = select("#", ...)
  local pieces, opts = { ... }, nil
  if n > 0 and type(pieces[n]) == "table" then
    opts, pieces[n], n = pieces[n], nil, n - 1
    if opts[1] ~= nil then
      args.misuse("%s: piece %d must be a string or a number, not a list; writev takes lists",
        where, n + 1)
    end
    gate.check(opts, timeout_only, where)
  end
  for i = 1, n do
    pieces[i] = text_of(pieces[i], i, where)
  end
  return table.concat(pieces, "", 1, n), opts
end

--- Send all of the strings and numbers. Parks while the peer is slow. A write
-- that is killed, or cannot wait where it is, may have sent a part; one of more
-- than 64 KB raises there before it begins.
-- @param ... strings and numbers; a table at the end: options, `timeout` in
-- seconds for the whole call
-- @return true; or nil, err: EPIPE or ECONNRESET (the peer is gone), ETIMEDOUT,
-- EAGAIN (the timeout is 0), ECLOSED, EBUSY (another green thread writes);
-- `err.written` bytes had been sent
function methods:write(...)
  local s, opts = gather("write", ...)
  checkpoint()
  if self._writer and gate.is_held(self, "_writer") then
    return gate.second_writer(self, "write")
  end
  return send_rest(self, s, 0, opts, "write")
end

--- Send all of a list of strings and numbers, as write does. Parks.
-- @tparam {string,...} list
-- @tparam[opt] table opts `timeout`
function methods:writev(list, opts)
  args.list(list, "writev", "list", "strings and numbers")
  local n = #list
  local pieces = {}
  for i = 1, n do
    pieces[i] = text_of(list[i], i, "writev")
  end
  if opts then
    gate.check(opts, timeout_only, "writev")
  end
  checkpoint()
  if self._writer and gate.is_held(self, "_writer") then
    return gate.second_writer(self, "writev")
  end
  return send_rest(self, table.concat(pieces, "", 1, n), 0, opts, "writev")
end

--- Send what can be sent at once, waiting only if that is nothing. Parks.
-- @tparam string s
-- @tparam[opt] table opts `timeout`
-- @treturn number how many bytes; or nil, err as write
function methods:send(s, opts)
  s = text_of(s, 1, "send", "s")
  if opts then
    gate.check(opts, timeout_only, "send")
  end
  checkpoint()
  if self._writer and gate.is_held(self, "_writer") then
    return gate.second_writer(self, "send")
  end
  local deadline = false
  while true do
    local n = self:_send(s, #s)
    if n == EAGAIN then
      deadline = deadline or deadline_of(self, opts)
      n = wait_write(self, deadline)
      if n < 0 then
        return failed(self, n, "send", 0)
      end
    elseif n < 0 then
      return failed(self, n, "send", 0)
    else
      local ok, err = flush(self, n, deadline, opts, "send")
      return ok and n, err
    end
  end
end

return {
  methods = methods,
  send_rest = send_rest,
  text_of = text_of,
  gather = gather,
  failed = failed,
  LARGE = LARGE,
}
