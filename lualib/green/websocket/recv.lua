--- Messages of a websocket: one, all of them, or one in parts.
-- @module green.websocket.recv

local args = require "green.args"
local core = require "green.core"
local ended = require "green.websocket.ended"
local errors = require "green.error"
local readers = require "green.websocket.reader"
local pipe = require "green.websocket.pipe"
local thread = require "green.thread"
local place = require "green.websocket.place"

-- Scripts may put their own in their places.
local type = type

local ws_read, ws_recv = core.ws_read, core.ws_recv
local core_park, now = core.park, core.now
local checkpoint, deadline_of, failed = thread.checkpoint, thread.deadline, thread.failed
local READ, LOST = core.READ, 1006
local ECLOSED, ETIMEDOUT = core.codes.ECLOSED, core.codes.ETIMEDOUT
local SET, HANDLE = place.SET, place.HANDLE

local methods = {}
local M = { methods = methods }

--- Wait until there may be more. Returns 0, or a status. Parks.
local function wait_more(self, text, pointer, is_closing, deadline)
  if text then
    thread.sleep(0) -- this peer has had its share
    return 0
  end
  local due = is_closing and (self._due or now() + (self[SET].options.close_timeout or 1e9))
  self._due = due or false
  local last = due and (not deadline or due < deadline) and due or deadline
  local status = 0 -- without either another has ended it
  if self._stream then
    status = pipe.fill(self, last)
  elseif pointer then
    status = core_park(pointer, last, READ)
  end
  if status == ETIMEDOUT and due and now() >= due then
    core.ws_abort(self[SET].pointer, self[HANDLE], LOST) -- no close has come in time
    return 0
  end
  return status == ECLOSED and 0 or status
end

--- The next message, or with parts what there is of its beginning; "more": of what follows.
-- Parks.
local function read(self, seconds, parts, op)
  checkpoint()
  local deadline = deadline_of(args.timeout(seconds, op))
  local pointer, handle = self[SET].pointer, self[HANDLE]
  local goes_on = parts == "more"
  local text, a, b, c = ws_read(pointer, handle, parts, goes_on)
  while text == false or text == true do
    local status = wait_more(self, text, a, b, deadline)
    if status ~= 0 then
      return failed(status, op)
    end
    text, a, b, c = ws_read(pointer, handle, parts, goes_on)
  end
  if self._stream then
    pipe.flush(self) -- pongs, and the answer to a close
  end
  if text then
    return text, a, b, c
  elseif a then
    return nil, errors.new(a, op)
  end
  return ended.result(self, op)
end
M.read = read

--- What recv's quick way could not do. Parks.
local function recv_slowly(self, status, op)
  if status == true then
    local text, binary = read(self, nil, false, op)
    return text, binary
  elseif status == false then
    return ended.result(self, op)
  elseif status == ETIMEDOUT then
    core.ws_abort(self[SET].pointer, self[HANDLE], LOST) -- no close has come in time
    return ended.result(self, op)
  elseif status == ECLOSED then
    return ended.result(self, op)
  end
  return failed(status, op)
end

--- The next message, whenever it comes. Parks.
local function recv(self, op)
  local pointer, handle = self[SET].pointer, self[HANDLE]
  local text, binary
  repeat
    text, binary = ws_recv(pointer, handle)
  until text ~= 0 and text ~= nil
  if type(text) == "string" then
    return text, binary
  end
  return recv_slowly(self, text, op)
end

--- The next message. Parks.
-- @tparam[opt] number seconds how long to wait at most
-- @treturn string the message
-- @treturn boolean is it binary? Or nil: the connection has ended (`close_code`,
-- `close_reason`); or nil, err: ETIMEDOUT (nothing came in time, it goes on), EBUSY (another
-- green thread reads it), and what has broken the connection
function methods:recv(seconds)
  if seconds == nil then
    return recv(self, "recv")
  end
  local text, binary = read(self, seconds, false, "recv")
  return text, binary
end

--- The same; Eventlet's name. Parks.
methods.wait = methods.recv

--- All messages, to its end: `for text, is_binary in ws:messages() do`. Each step parks.
-- @tparam[opt] number seconds how long to wait at most for each; then the loop ends
function methods:messages(seconds)
  if seconds == nil then
    return function()
      return recv(self, "messages")
    end
  end
  return function()
    local text, binary = read(self, seconds, false, "messages")
    return text, binary
  end
end

--- The next message as a stream, for those that are too long to be held. Parks until it
-- begins. What is not read of it when the next message is asked for is passed over.
-- @tparam[opt] number seconds
-- @treturn green.websocket.reader or nil, as recv
function methods:reader(seconds)
  return readers.new(self, seconds, read)
end

return M
