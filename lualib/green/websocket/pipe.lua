--- WebSocket connections over a stream that is no socket of ours (TLS of a client, a tunnel,
-- memory): its bytes go to C, and what C has to say goes to it.
-- @module green.websocket.pipe

local core = require "green.core"
local errors = require "green.error"
local exits = require "green.thread.exits"
local thread = require "green.thread"
local place = require "green.websocket.place"

-- Scripts may put their own in their places.
local error, max, min, pcall, sub, xpcall = error, math.max, math.min, pcall, string.sub, xpcall

local READ_MOST = 65536
local LOST, ECLOSED = 1006, core.codes.ECLOSED
local SET, HANDLE = place.SET, place.HANDLE

local M = {}

local function left(deadline)
  return deadline and max(0, deadline - core.now())
end

--- Is its time over? A stream says EAGAIN where there was none left.
local function is_late(err)
  return errors.is_error(err, "ETIMEDOUT") or errors.is_error(err, "EAGAIN")
end

--- Bytes that wait for the peer: those in C, and those in hand here.
function M.buffered(ws)
  return core.ws_buffered(ws[SET].pointer, ws[HANDLE]) + (ws._in_hand or 0)
end

local function wake(ws, code)
  if ws._written then
    core.wake_all(ws._written, code)
  end
end

--- What is to be written next; nil: nothing.
local function output(ws)
  local bytes = ws._rest
  ws._rest = false
  bytes = bytes or core.ws_output(ws[SET].pointer, ws[HANDLE])
  ws._in_hand = bytes and #bytes or false
  if ws._written and M.buffered(ws) <= ws[SET].options.max_buffered / 2 then
    wake(ws)
  end
  return bytes
end

--- Write what is there. true; nil, err. Parks.
local function write_all(ws, deadline)
  local patience = ws[SET].options.send_timeout
  local bytes = output(ws)
  while bytes do
    local stream = ws._stream
    if not stream then
      return nil, errors.new("ECLOSED", "write")
    end
    local ok, err = stream:write(bytes, { timeout = left(deadline) or patience })
    if not ok and deadline and is_late(err) and err.written then
      ws._rest = sub(bytes, err.written + 1) -- it leaves later
      ws._in_hand = #ws._rest
      return nil, errors.new("ETIMEDOUT", "write"), true
    elseif not ok then
      return nil, err
    end
    bytes = output(ws)
  end
  return true
end

--- Does another green thread write?
local function is_written(ws)
  local writing = ws._flusher
  return writing and writing ~= core.current()
end

--- Nobody writes any more. Those who wait go on with it, or are told that half a frame may
-- have left.
local function stop_writing(ws, is_good)
  ws._flusher = false
  if not is_good then
    ws._in_hand = false
    core.ws_abort(ws[SET].pointer, ws[HANDLE], LOST, 0)
  end
  wake(ws, not is_good and ECLOSED or nil)
end

--- The thread that writes was abandoned (green.thread.exits).
local function writing_ends(held)
  stop_writing(held.ws, false)
end

--- Write what waits. One green thread does it at a time, others leave it to that one. Parks.
-- @tparam[opt] number deadline
-- @treturn boolean true; or nil, err
function M.flush(ws, deadline)
  if is_written(ws) then
    return true
  end
  local held = { _exit = writing_ends, ws = ws }
  ws._flusher = exits.hold(held)
  local is_whole, ok, err, goes_on = xpcall(write_all, thread.note_traceback, ws, deadline)
  exits.release(held)
  stop_writing(ws, is_whole and (ok or goes_on))
  if not is_whole then
    error(ok, 0)
  end
  return ok, err
end

--- The same for who has sent something: while another writes, and more than `max_buffered`
-- bytes wait, until half of them have left. Parks.
-- @tparam ?number deadline
-- @tparam string op the function's name, for errors
-- @treturn boolean true; or nil, err
function M.send(ws, deadline, op)
  while is_written(ws) do
    if M.buffered(ws) <= ws[SET].options.max_buffered then
      return true
    end
    ws._written = ws._written or core.waitq()
    local status, code = thread.stand(ws._written, deadline)
    if status ~= 0 or code then
      return thread.failed(code or status, op)
    end
  end
  return M.flush(ws, deadline)
end

--- A thread that was to write has ended: before it began, if it is the one still.
local function never_wrote(held, writing)
  if held.ws._flusher == writing then
    stop_writing(held.ws, true)
  end
end

--- Have what waits written by a green thread of its own. Does not park.
function M.flush_soon(ws)
  if ws._stream and not is_written(ws) then
    ws._flusher = exits.make(1, { _exit = never_wrote, ws = ws }, false, M.flush, ws)
    core.start(ws._flusher)
  end
end

--- Wait until nobody else writes. Parks.
local function wait_written(ws, deadline)
  ws._written = ws._written or core.waitq()
  while is_written(ws) and thread.stand(ws._written, deadline) == 0 do end
end

--- When to look whether C has something to say, or has given the peer up: nobody tells.
local function look_due(ws)
  local o = ws[SET].options
  local least = min(o.ping_interval or 20, o.ping_timeout or 20, o.close_timeout or 20)
  return core.now() + max(least / 4, 0.01)
end

--- Read more, for a while at most. Parks.
-- @return 0, or a status
function M.fill(ws, deadline)
  local ok, err = M.flush(ws, deadline)
  if not ok then
    return core.codes[err.code] or core.codes.EPIPE
  elseif not ws._stream then
    return 0 -- another has ended it meanwhile
  end
  local due = look_due(ws)
  local is_look = not deadline or due < deadline
  local bytes
  bytes, err = ws._stream:read_some(READ_MOST, { timeout = left(is_look and due or deadline) })
  if not bytes and is_late(err) then
    return is_look and 0 or core.codes.ETIMEDOUT
  elseif not bytes and errors.is_error(err, "EBUSY") then
    return core.codes.EBUSY
  elseif not bytes and err then
    core.ws_abort(ws[SET].pointer, ws[HANDLE], LOST, core.codes[err.code] or 0)
    return 0
  end
  return core.ws_put(ws[SET].pointer, ws[HANDLE], bytes)
end

--- The connection has ended: the stream goes, when what is left has been written. Parks, but
-- not at once.
function M.finish(ws, at_once)
  local stream = ws._stream
  if not stream then
    return
  end
  if not at_once then
    local deadline = core.now() + (ws[SET].options.close_timeout or 5)
    pcall(wait_written, ws, deadline)
    pcall(M.flush, ws, deadline)
  end
  ws._stream = false
  ws[SET]:free(ws[HANDLE])
  stream:close()
end

return M
