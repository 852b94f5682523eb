--- What a websocket says: messages, one in parts, one that many get, and signs of life.
-- @module green.websocket.send

local args = require "green.args"
local core = require "green.core"
local ended = require "green.websocket.ended"
local errors = require "green.error"
local frames = require "green.websocket.frame"
local refused = require "green.websocket.refusal"
local writers = require "green.websocket.writer"
local pipe = require "green.websocket.pipe"
local thread = require "green.thread"
local place = require "green.websocket.place"

-- Scripts may put their own in their places.
local type = type

local ws_say, ws_send = core.ws_say, core.ws_send
local core_park, QUEUE = core.park, core.QUEUE
local checkpoint, deadline_of, failed = thread.checkpoint, thread.deadline, thread.failed
local TEXT, BINARY, PING, PONG = 1, 2, 9, 10 -- opcodes
local EBUSY, ECLOSED, ENOBUFS = core.codes.EBUSY, core.codes.ECLOSED, core.codes.ENOBUFS
local SET, HANDLE = place.SET, place.HANDLE

local methods = {}

--- Wait until the peer has taken half of what waits for it. Parks.
local function wait_drained(self, seconds, op)
  local deadline = deadline_of(args.timeout(seconds, op))
  local pointer = core.ws_drained(self[SET].pointer, self[HANDLE])
  if not pointer then
    return true
  end
  local status = core_park(pointer, deadline, QUEUE)
  if status == 0 then
    return true
  end
  return failed(status, op)
end

--- What sending came to: n bytes wait, or it failed. Parks where there is too much.
local function sent(self, n, seconds, op)
  if n < 0 then
    if n == ECLOSED then
      ended.look(self)
    end
    return nil, refused(n, op)
  elseif self._stream then
    return pipe.send(self, deadline_of(args.timeout(seconds, op)), op)
  elseif n > self[SET].options.max_buffered and not self[SET].is_light then
    if seconds == 0 then
      return nil, errors.new("ETIMEDOUT", op)
    end
    return wait_drained(self, seconds, op)
  end
  return true
end

--- What the quick way could not do: there is something to do first, or afterwards. Parks.
local function send_slowly(self, opcode, text, n, seconds, op)
  local deadline = deadline_of(args.timeout(seconds, op))
  while n == nil or n == EBUSY do
    if type(text) ~= "string" then
      args.wrong(op, "the message", "a string", text)
    end
    checkpoint()
    local ok, err = writers.wait(self, op, deadline)
    if not ok then
      return nil, err
    end
    n = ws_say(self[SET].pointer, self[HANDLE], opcode, text)
  end
  if n == true then
    return true
  elseif n == ENOBUFS then
    return nil, errors.new(n, op, "the peer is too slow")
  end
  return sent(self, n, seconds, op)
end

--- Many a library has "is it binary?" or options in this place.
local function check_seconds(seconds, op)
  if type(seconds) ~= "number" then
    args.misuse("%s: seconds must be a number, not %s; ws:send sends a text, ws:send_binary bytes",
      op, args.shown(seconds))
  end
  args.timeout(seconds, op)
end

local function send(self, opcode, text, seconds, op)
  if seconds ~= nil then
    check_seconds(seconds, op)
  end
  local n = ws_say(self[SET].pointer, self[HANDLE], opcode, text)
  if n == true then
    return true
  end
  return send_slowly(self, opcode, text, n, seconds, op)
end

--- Send a text. Parks while more than `max_buffered` bytes wait; in the light form it does
-- not: see `buffered` and the function `drain`.
-- @tparam string text UTF-8
-- @tparam[opt] number seconds how long to wait at most; the message leaves all the same
-- @treturn boolean true; or nil, err: ECLOSED (its end has begun), EILSEQ (no UTF-8),
-- ENOBUFS (light form: more than `max_buffered` bytes wait already), ETIMEDOUT
function methods:send(text, seconds)
  return send(self, TEXT, text, seconds, "send")
end

--- Send bytes. Parks as send.
-- @tparam string bytes
-- @tparam[opt] number seconds
-- @treturn boolean true; or nil, err as send
function methods:send_binary(bytes, seconds)
  return send(self, BINARY, bytes, seconds, "send_binary")
end

--- Send a message that was encoded for many (`websocket.frame`). Parks while more than
-- `max_buffered` bytes wait, as send; with 0 seconds it never does.
-- @param frame
-- @tparam[opt] number seconds
-- @treturn boolean true; or nil, err as send, and EBUSY (a message is being sent in parts)
function methods:send_frame(frame, seconds)
  local n = core.ws_send_frame(self[SET].pointer, self[HANDLE], frames.pointer_of(frame))
  if n == 0 and not self._stream then
    return true
  elseif n >= 0 and (seconds == 0 or n <= self[SET].options.max_buffered) then
    pipe.flush_soon(self)
    return true
  end
  return sent(self, n, seconds, "send_frame")
end

--- Send a message in parts. Nobody else's messages come between them.
-- @tparam[opt] boolean is_binary
-- @treturn green.websocket.writer with `write(piece)` and `close()`; or nil, err: EBUSY
-- (light form: another writer is open)
function methods:writer(is_binary)
  args.optional(is_binary, "boolean", "writer", "is_binary")
  return writers.new(self, is_binary and BINARY or TEXT, sent)
end

local function send_control(self, opcode, data, op)
  data = args.optional(data, "string", op, "data") or ""
  return sent(self, ws_send(self[SET].pointer, self[HANDLE], opcode, data), nil, op)
end

--- Ask for a sign of life. What the peer answers is not told. Parks as send.
-- @tparam[opt] string data at most 125 bytes
-- @treturn boolean true; or nil, err: ECLOSED, EMSGSIZE
function methods:ping(data)
  return send_control(self, PING, data, "ping")
end

--- Say that one is there, unasked. Pings are answered without it. Parks as send.
-- @tparam[opt] string data at most 125 bytes
-- @treturn boolean true; or nil, err: ECLOSED, EMSGSIZE
function methods:pong(data)
  return send_control(self, PONG, data, "pong")
end

return { methods = methods }
