--- A client that connects again when its connection is lost.
--
-- The loop over its messages does everything: it connects, waits between two tries, and
-- reads. What was sent or missed while there was no connection is nobody's: `on_open` says
-- again what the server must know. Private to green.websocket.
-- @module green.websocket.reconnect

local args = require "green.args"
local class = require "green.args.class"
local core = require "green.core"
local errors = require "green.error"
local gate = require "green.stream.gate"
local retry = require "green.websocket.retry"
local show = require "green.args.show"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, setmetatable, tostring, xpcall = error, setmetatable, tostring, xpcall

local STEADY = 10 -- seconds after which a connection counts as one that has served

local methods = {}
local mt = { __name = "green.websocket.reconnecting", __index = methods }

-- -- Connections --------------------------------------------------------------

--- It is over. err: why, nil: somebody has closed it.
local function finish(self, err)
  self._over, self._err = true, err
  core.wake_all(self._sleepers)
  core.wake_all(self._senders)
  return false
end

--- There is no connection, or none any more. Is there to be another?
local function lost(self, err)
  self.ws, self.last_error = nil, err
  self._failures = self._failures + 1
  if self._over then
    return false
  elseif err and not self._pace.retry(err) then
    return finish(self, err)
  elseif self._failures > self._pace.tries then
    return finish(self, err or errors.new("EEOF", "websocket",
      "the server has ended the connection, and there is to be no other"))
  end
  return true
end

--- Wait until the next try is due. Is it worth going on? Parks.
local function pause(self)
  local seconds = retry.pause(self._failures, self.last_error, self._pace)
  local status = core.park(self._sleepers, core.now() + seconds)
  if status ~= core.codes.ETIMEDOUT and status ~= 0 then
    local _, err = thread.failed(status, "websocket")
    return finish(self, err)
  end
  return not self._over
end

--- Let the user say what the server must know. true; nil, err. Raises what he raises. Parks.
local function opened(self, ws)
  local on_open = self._pace.on_open
  if not on_open then
    return true
  end
  local ok, result, err = xpcall(on_open, thread.note_traceback, ws, self)
  if ok and not (err and not result) then
    return true
  end
  ws:abort()
  if not ok then
    error(result, 0)
  end
  return nil, err
end

--- Make a connection. Is it worth going on? Parks.
local function connect(self)
  if self._failures > 0 and not pause(self) then
    return false
  end
  local ws, err = self._open()
  if self._over then -- closed meanwhile
    if ws then
      ws:abort()
    end
    return false
  elseif not ws then
    return lost(self, err)
  end
  self._fresh = ws -- on_open may close the client
  local ok
  ok, err = opened(self, ws)
  self._fresh = nil
  if self._over then
    ws:abort()
    return false
  elseif not ok then
    return lost(self, errors.is_error(err) and err or errors.new("EPROTO", "on_open",
      tostring(err)))
  end
  self.ws, self._since = ws, core.now()
  core.wake_all(self._senders)
  return true
end

--- Read a message. It, and whether it is binary; nil: the connection is lost. Parks.
local function read(self)
  local ws = self.ws
  local text, more = ws:recv()
  if text then
    self._failures = 0
    return text, more
  end
  if core.now() - self._since >= STEADY then
    self._failures = 0
  end
  self.close_code, self.close_reason = ws.close_code, ws.close_reason
  ws:abort()
  lost(self, more)
end

local function advance(self)
  while not self._over do
    if self.ws then
      local text, is_binary = read(self)
      if text then
        return text, is_binary
      end
    else
      connect(self)
    end
  end
  return nil, self._err
end

local function done(self, ok, ...)
  self._reader = false
  if not ok then
    error(..., 0)
  end
  return ...
end

-- -- For users ----------------------------------------------------------------

--- The next message; connects when there is no connection. Parks.
-- @treturn ?string text, and whether it is binary; nil: the client was closed; nil, err: why
-- there will be no further connection, or EBUSY (another green thread waits for it). Raises
-- what `on_open` raises
function methods:recv()
  thread.checkpoint()
  if self._reader and gate.is_held(self, "_reader") then
    return nil, errors.new("EBUSY", "websocket")
  end
  self._reader = core.current()
  return done(self, xpcall(advance, thread.note_traceback, self))
end

--- For a loop over text, is_binary of all messages: it ends when the client is closed, and
-- raises when it gives up. The loop parks.
function methods:messages()
  return function()
    local text, more = self:recv()
    if not text and more then
      error(more, 0)
    end
    return text, more
  end
end

--- The connection, waited for as long as the option says. nil, err. Parks.
local function connection(self, op)
  local deadline = core.now() + self._pace.send_wait
  while not self.ws do
    if self._over then
      return nil, errors.new("ECLOSED", op)
    elseif core.now() >= deadline then
      return nil, errors.new("ENOTCONN", op, nil, { cause = self.last_error })
    end
    local status = core.park(self._senders, deadline)
    if status ~= core.codes.ETIMEDOUT and status ~= 0 then
      return thread.failed(status, op)
    end
  end
  return self.ws
end

--- Send a text over the connection that there is. Parks.
-- @tparam string text UTF-8
-- @tparam[opt] number timeout seconds until it has found room
-- @return true; or nil, err: ENOTCONN (there is no connection, and none came within
-- `send_wait`), ECLOSED, and the connection's own
function methods:send(text, timeout)
  args.type(text, "string", "send", "text")
  local ws, err = connection(self, "send")
  if not ws then
    return nil, err
  end
  return ws:send(text, timeout)
end

--- The same of a binary message. Parks.
function methods:send_binary(bytes, timeout)
  args.type(bytes, "string", "send_binary", "bytes")
  local ws, err = connection(self, "send_binary")
  if not ws then
    return nil, err
  end
  return ws:send_binary(bytes, timeout)
end

--- End it: the connection is closed as `ws:close` does, and there is to be no other; loops
-- over its messages end, and who waits to send gets ECLOSED. Parks for the server's close.
-- @tparam[opt] number code 1000
-- @tparam[opt] string reason
function methods:close(code, reason)
  if not self._over then
    finish(self)
  end
  local ws = self.ws or self._fresh
  if ws then
    ws:close(code, reason)
  end
end

show.kind(mt, function(self)
  return self._over and "closed" or self.ws and "connected" or "not connected"
end)
class.seal(mt)

-- -- Making -------------------------------------------------------------------

--- A client. Raises misuse. Does not park.
-- @tparam function open gives a connection; or nil, err. It may park
-- @tparam table opts those of green.websocket.retry
local function new(open, opts)
  return setmetatable({
    _open = open,
    _pace = retry.read(opts, "reconnecting"),
    _sleepers = core.waitq(),
    _senders = core.waitq(),
    _failures = 0,
    _over = false,
    _reader = false,
  }, mt)
end

return { new = new }
