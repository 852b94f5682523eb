--- One connection to a server: bytes out, replies in. Private to green.redis.
--
-- Whoever uses it has it for himself. `owed` counts the replies that are still to come: a
-- connection that is left with some is closed, whatever the reason, so nobody gets a reply
-- to what another has asked.
-- @module green.redis.conn

local core = require "green.core"
local errors = require "green.error"
local thread = require "green.thread"
local traffic = require "green.redis.traffic"

local ffi = require "ffi"
local C = require "green.ffi.resp"
local buf_api = require "green.ffi.buf"

-- Scripts may put their own in their places.
local getmetatable, setmetatable, type = getmetatable, setmetatable, type

local resp_take, now_of = core.resp_take, core.now
local checkpoint = thread.checkpoint
local closed, fill, lost = traffic.closed, traffic.fill, traffic.lost
local EAGAIN, ETIMEDOUT = core.codes.EAGAIN, core.codes.ETIMEDOUT
local resp_t, resp_ptr_t = ffi.typeof("green_resp"), ffi.typeof("green_resp *")
local buf_ptr_t = ffi.typeof("green_buf *")
local error_mt = errors.mt
local word = require("green.ffi.fork").word() -- differs in a child from what it was

local null = setmetatable({}, { __name = "redis.null", __tostring = function()
  return "null"
end })

local M = { null = null }
local conn = { send = traffic.send }
local mt = { __name = "green.redis.conn", __index = conn }

--- A connection that is not open. Does not park.
-- @tparam table limits `max_bulk`, `max_elements`, `max_reply`
function M.new(limits)
  return setmetatable({
    limits = limits,
    stream = false,
    owed = 0,
    replies = {}, -- of calls with one
    used = 0, -- replies that it brought
    since = 0, -- when it was used last
    is_marked = false, -- something of the last user's is left in it: a watch
    user = false, -- who has it: a value of his own
  }, mt)
end

--- The stream is connected: it belongs to the connection from here on. Does not park.
function conn:attach(stream)
  local resp = resp_t()
  C.init(resp)
  for name, value in pairs(self.limits) do
    resp[name] = value
  end
  self.is_ours = type(stream._fill) == "function" -- else it is an object of somebody's
  self.input = self.is_ours and stream._in or ffi.gc(ffi.new("green_buf"), buf_api.reset)
  self.resp, self.resp_ptr = resp, ffi.cast(resp_ptr_t, resp)
  self.buf = ffi.cast(buf_ptr_t, self.input)
  self.stream, self.owed, self.used, self.is_marked = stream, 0, 0, false
  self.mark = word[0]
  self.since = now_of()
end

--- Close; may be opened again. In a child process that has it from its parent nothing is
-- said to the peer. Idempotent, does not park.
function conn:close()
  local stream = self.stream
  self.stream, self.owed = false, 0
  if not stream then
    return
  end
  while self.mark ~= word[0] and stream._below do
    stream = stream._below
  end
  stream:close()
end

--- Is it open, and was nothing heard from it that nobody asked for, not even its end? Else it
-- is closed. Does not park.
-- @tparam number oldest it must have been used since then
function conn:is_good(oldest)
  local buf = self.buf
  if not self.stream then
    return false
  elseif self.since >= oldest and self.mark == word[0] and not self.is_marked
    and buf.tail == buf.head and (not self.is_ours or self.stream:_fill(0) == EAGAIN) then
    return true
  end
  self:close()
  return false
end

-- -- Replies ------------------------------------------------------------------

--- The next replies: list[from + 1] to list[from + n]. Pushes, which nobody asked for, are passed
-- over. true; or nil, err, the connection being closed. Parks.
function conn:receive(list, from, n, deadline, op)
  local stream, have, fills = self.stream, 0, 0
  while have < n do
    local got, status, push = resp_take(self.resp_ptr, self.buf, list, from + have, n - have, null,
      error_mt)
    have = have + got
    self.owed, self.used = self.owed - got, self.used + got
    if status == EAGAIN then
      if fills > 0 and deadline and now_of() >= deadline then -- nothing that comes now is in time
        return lost(self, ETIMEDOUT, nil, op)
      end
      fills = fills + 1
      local ok, err = fill(self, deadline, op)
      if not ok then
        return nil, err
      end
    elseif status ~= 0 then
      return lost(self, status, ffi.string(self.resp.reason), op)
    elseif push then
      checkpoint() -- any number of them may come
      if self.stream ~= stream then
        return closed(op, true)
      end
    end
  end
  return true
end

--- The next reply or push of a connection on which they come unasked. nil, err, the connection
-- being closed; nil: that time is over. Parks.
function conn:next(deadline, op)
  local list = self.replies
  while true do
    local got, status, push = resp_take(self.resp_ptr, self.buf, list, 0, 1, null, error_mt)
    if push or got == 1 then
      return push or list[1]
    elseif status ~= EAGAIN then
      return lost(self, status, ffi.string(self.resp.reason), op)
    end
    local ok, err = fill(self, deadline, op, true)
    if not ok then
      return nil, err
    end
  end
end

--- Send bytes of one command, and give its reply as users get it: nil for null. nil, err, where
-- the second is for errors of the server's, too: these have a `kind`. Parks.
function conn:ask(bytes, deadline, op)
  local ok, err = self:send(bytes, 1, deadline, op)
  if ok then
    ok, err = self:receive(self.replies, 0, 1, deadline, op)
  end
  if not ok then
    return nil, err
  end
  local value = self.replies[1]
  if type(value) ~= "table" then
    return value
  elseif value == null then
    return nil
  elseif getmetatable(value) == error_mt then
    value.op = op
    return nil, value
  end
  return value
end

--- Send n commands and give a list of what comes, errors in their places. nil, err. Parks.
function conn:ask_all(bytes, n, deadline, op)
  local list = {}
  local ok, err = self:send(bytes, n, deadline, op)
  if ok then
    ok, err = self:receive(list, 0, n, deadline, op)
  end
  if not ok then
    return nil, err
  end
  return list
end

--- Is it an error of the server's?
function M.is_error(value)
  return type(value) == "table" and getmetatable(value) == error_mt
end

return M
