--- Messages that are sent in parts: `ws:writer()`.
-- @module green.websocket.writer

local args = require "green.args"
local class = require "green.args.class"
local core = require "green.core"
local errors = require "green.error"
local exits = require "green.thread.exits"
local pipe = require "green.websocket.pipe"
local place = require "green.websocket.place"
local refused = require "green.websocket.refusal"
local show = require "green.args.show"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local setmetatable = setmetatable

local MORE, AGAIN, TEXT = 1, 2, 1 -- how a part stands (httpd/ws_conn.h); an opcode
local FAILED = 1011
local ECLOSED = core.codes.ECLOSED
local SET, HANDLE = place.SET, place.HANDLE

local M = {}

local writer = {}
local writer_mt = { __name = "green.websocket.writer", __index = writer }

local function finish(self)
  local ws = self._ws
  self._closed = true
  ws._writer = false
  exits.release(self)
  core.wake_all(self._queue)
end

--- Half a message cannot be taken back: the connection ends. Returns what ending it came to.
local function fail(ws)
  local code = core.ws_close(ws[SET].pointer, ws[HANDLE], FAILED, "")
  pipe.flush_soon(ws)
  return code
end

--- The green thread that has used it last has ended (green.thread.exits): nobody is there to
-- close it, and others would wait for ever.
local function owner_ends(self)
  finish(self)
  if self._begun then
    fail(self._ws)
  end
end

--- It is the running thread's from here on.
local function own(self)
  if self._owner ~= core.current() then
    exits.release(self)
    self._owner = exits.hold(self)
  end
end

--- Put a part of the message behind what waits. Bytes that wait then; or nil, err.
local function put(self, piece, how, op)
  local ws = self._ws
  if self._closed then
    return nil, errors.new("ECLOSED", op, "the message has ended")
  end
  how = how + (self._begun and AGAIN or 0)
  self._begun = true
  local n = core.ws_send(ws[SET].pointer, ws[HANDLE], self._opcode, piece, how)
  if n < 0 then
    finish(self)
    fail(ws)
    return nil, refused(n, op)
  end
  return n
end

--- Wait for room where the connection's own send does not: half a message cannot be refused.
-- Parks.
local function wait_room(ws, op)
  local pointer = core.ws_drained(ws[SET].pointer, ws[HANDLE])
  local status = pointer and core.park(pointer, nil, core.QUEUE) or 0
  if status == 0 then
    return true
  end
  return thread.failed(status, op)
end

--- What putting came to. Parks as the connection's send; in the light form, too.
local function settle(self, n, err, op)
  local ws = self._ws
  if not n then
    return nil, err
  elseif ws[SET].is_light and n > ws[SET].options.max_buffered then
    return wait_room(ws, op)
  end
  return self._sent(ws, n, nil, op)
end

--- Send a part of the message. Parks while more than `max_buffered` bytes wait, in the light form,
-- too.
-- @tparam string piece of a text: its characters may be cut
-- @treturn boolean true; or nil, err as send: then the connection is closed (1011), half a
-- message cannot be taken back
function writer:write(piece)
  args.type(piece, "string", "write", "the piece")
  thread.checkpoint()
  if not self._closed then
    own(self)
  end
  local n, err = put(self, piece, MORE, "write")
  return settle(self, n, err, "write")
end

--- The message ends here, whatever becomes of the wait for room. Idempotent. Parks as write.
-- @treturn boolean true; or nil, err as write
function writer:close()
  if self._closed then
    return true
  end
  local n, err = put(self, "", 0, "close")
  finish(self)
  return settle(self, n, err, "close")
end

show.kind(writer_mt, function(self)
  return (self._opcode == TEXT and "text" or "binary") .. (self._closed and ", closed" or "")
end)
class.seal(writer_mt)

--- Wait until nobody sends a message in parts. Parks.
-- @param ws
-- @tparam string op the function's name, for errors
-- @tparam[opt] number deadline
-- @treturn boolean true; or nil, err: EBUSY in the light form, and for the green thread that
-- sends it: it would wait for itself; ETIMEDOUT
function M.wait(ws, op, deadline)
  local at_work = ws._writer
  while at_work and not ws.closed do
    if ws[SET].is_light then
      return nil, errors.new("EBUSY", op, "a message is being sent in parts")
    elseif at_work._owner == core.current() then
      return nil, errors.new("EBUSY", op, "this green thread has a writer open: close that first")
    end
    local status = thread.stand(at_work._queue, deadline)
    if status ~= 0 then
      return thread.failed(status, op)
    end
    at_work = ws._writer
  end
  return true
end

--- Nothing is sent any more: who waits for the end of such a message waits in vain.
function M.leave(ws)
  if ws._writer then
    finish(ws._writer)
  end
end

--- Begin a message in parts. It is that green thread's which has used it last: when that ends,
-- or in the light form the function that it runs, and has not closed it, the connection is
-- closed (1011). Parks while another is sent so.
function M.new(ws, opcode, sent)
  local ok, err = M.wait(ws, "writer")
  if not ok then
    return nil, err
  elseif ws.closed then
    return nil, refused(ECLOSED, "writer")
  end
  local self = setmetatable({ _ws = ws, _opcode = opcode, _sent = sent, _begun = false,
    _closed = false, _owner = false, _queue = core.waitq(), _exit = owner_ends }, writer_mt)
  own(self)
  ws._writer = self
  return self
end

return M
