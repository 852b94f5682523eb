--- Channels: bounded queues between native threads.
--
-- A channel is handed to a thread as an argument or an upvalue of a job, through another
-- channel, or to green.workers as one of the args: all copies are the same channel.
-- @module green.tpool.channel

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"
local exits = require "green.thread.exits"
local show = require "green.args.show"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, pcall, select, setmetatable = error, pcall, select, setmetatable

local EAGAIN, ECLOSED = core.codes.EAGAIN, core.codes.ECLOSED
local QUEUE = core.QUEUE -- a mode of core.park
local CAPACITY = 100
local MOST = 2 ^ 31 - 1

local methods = {}
local mt = { __name = "green.channel", __index = methods, __cross = "green.tpool.channel" }

show.kind(mt, function(self)
  local size, capacity, closed = core.channel_state(self._channel)
  return ("%d of %d%s"):format(size, capacity, closed and ", closed" or "")
end)

-- -- Waiting ------------------------------------------------------------------

local function release_wait(held)
  core.release(held.wait)
end

--- Stand in line until a try is worth it: 0, or a status of the wait. Parks.
local function stand_in_line(self, wait, puts, deadline)
  if core.channel_wait(wait, self._channel, puts) ~= 0 then
    return 0
  end
  return core.park(core.channel_line(wait), deadline, QUEUE)
end

--- Wait until try() is worth it, and try: what it gives, or a status of the wait. try gives
-- EAGAIN while there is nothing to be had; what it raises is raised when the wait is over. Parks.
local function wait_and_try(self, puts, deadline, try, message)
  core.waiter() -- where that raises, nothing has begun
  local held = { _exit = release_wait, wait = core.object "channel_wait" }
  exits.hold(held)
  local ok, code, value = true
  repeat
    code = stand_in_line(self, held.wait, puts, deadline)
    if code == 0 then
      ok, code, value = pcall(try, self._channel, message)
    end
  until code ~= EAGAIN
  exits.release(held)
  core.release(held.wait)
  if not ok then
    error(code, 0)
  end
  return code, value
end

--- What a call says when it was not 0.
local function failed(code, op)
  if code == ECLOSED or code == EAGAIN then
    return nil, errors.new(code, op)
  end
  return thread.failed(code, op)
end

-- -- Putting ------------------------------------------------------------------

--- The value as a message; raises what cannot cross.
local function pack(value, where)
  local message = core.object "message"
  local problem = core.channel_pack(message, value)
  if problem then
    args.misuse("%s: %s", where, problem)
  end
  return message
end

--- Put a copy of a value in; wait while the channel is full. What cannot cross to another
-- thread raises, and the text says where it stands in the value. Parks.
-- @param value whatever crosses (see docs/modules/tpool.md)
-- @tparam[opt] number timeout seconds
-- @return true; or nil, err: ECLOSED, ETIMEDOUT
function methods:put(value, timeout)
  args.timeout(timeout, "put")
  local message = pack(value, "put")
  thread.checkpoint()
  local code = core.channel_put(self._channel, message)
  if code == EAGAIN then
    code = wait_and_try(self, true, thread.deadline(timeout), core.channel_put, message)
  end
  if code ~= 0 then
    core.release(message)
    return failed(code, "put")
  end
  return true
end

--- The same without waiting. Does not park.
-- @return true; or nil, err: EAGAIN (it is full), ECLOSED
function methods:put_nowait(value)
  local message = pack(value, "put_nowait")
  local code = core.channel_put(self._channel, message)
  if code ~= 0 then
    core.release(message)
    return failed(code, "put_nowait")
  end
  return true
end

-- -- Getting ------------------------------------------------------------------

--- Take the oldest value out; wait while there is none. A closed channel gives what is left
-- in it first. Parks.
-- @tparam[opt] number timeout seconds
-- @return the value; or nil, err: ECLOSED, ETIMEDOUT
function methods:get(timeout)
  args.timeout(timeout, "get")
  thread.checkpoint()
  local code, value = core.channel_get(self._channel)
  if code == EAGAIN then
    code, value = wait_and_try(self, false, thread.deadline(timeout), core.channel_get)
  end
  if code ~= 0 then
    return failed(code, "get")
  end
  return value
end

--- The same without waiting. Does not park.
-- @return the value; or nil, err: EAGAIN (it is empty), ECLOSED
function methods:get_nowait()
  local code, value = core.channel_get(self._channel)
  if code ~= 0 then
    return failed(code, "get_nowait")
  end
  return value
end

local function next_value(self)
  return (self:get())
end

--- An iterator over the values, until the channel is closed and empty, or gives a nil. Each
-- step parks.
function methods:values()
  return next_value, self
end

-- -- The channel --------------------------------------------------------------

--- Nothing more is put in: whoever waits to do so is told, and getters when it is empty.
-- Idempotent, does not park.
function methods:close()
  core.channel_close(self._channel)
end

--- How many values are in it at this moment. Does not park.
-- @treturn number
function methods:size()
  return (core.channel_state(self._channel))
end

--- How many there is room for. Does not park.
-- @treturn number
function methods:capacity()
  return (select(2, core.channel_state(self._channel)))
end

class.seal(mt)

--- A channel between the threads of this process. In a child of a fork it is closed and
-- empty. Does not park.
-- @tparam[opt=100] number capacity values that may be in it, 1 or more
local function channel(capacity)
  if capacity ~= nil then
    args.integer(capacity, 1, "channel", "capacity", MOST)
  end
  return setmetatable({ _channel = core.object("channel", capacity or CAPACITY) }, mt)
end

return { channel = channel, mt = mt }
