--- A client of server-sent events (WHATWG HTML 9.2): it reads, and connects again when the
-- connection is lost, from the last event on.
-- @module green.http.events

local args = require "green.args"
local class = require "green.args.class"
local core = require "green.core"
local errors = require "green.error"
local gate = require "green.stream.gate"
local jitter = require "green.net.jitter"
local options = require "green.args.options"
local parser = require "green.http.event_parser"
local show = require "green.args.show"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, pairs, setmetatable, xpcall = error, pairs, setmetatable, xpcall
local huge, max, min = math.huge, math.max, math.min

local RETRY = 3 -- seconds until the next connection, until the server says another number
local RETRY_LEAST = 0.1 -- no server makes us connect in a circle
local RETRY_MOST = 3600
local BACKOFF_MOST = 60 -- seconds more, after many failures

local methods = {}
local mt = { __name = "green.http.events", __index = methods }

-- -- Connections --------------------------------------------------------------

--- Seconds until the next connection: what the server wants, and more and more of it when
-- one after the other fails.
local function pause_of(self)
  local base = max(RETRY_LEAST, min(self._parser.retry or self._retry, self._max_retry))
  local more = min(BACKOFF_MOST, base * (2 ^ min(self._failures, 64) - 1))
  return base + more * self._random()
end

--- Wait until the next connection is due. true; or nil, err: ECLOSED. Parks.
local function pause(self)
  local status = core.park(self._sleepers, core.now() + pause_of(self))
  if status ~= core.codes.ETIMEDOUT and status ~= 0 then
    return thread.failed(status, "events")
  end
  return true
end

local function drop(self)
  local stream = self._stream
  self._stream = nil
  if stream then
    stream:close()
  end
end

--- It is over. err: why, nil: the server says that there is no more.
local function finish(self, err)
  drop(self)
  self._over, self._err = true, err
  return false
end

--- A connection could not be made, or was lost. Is there to be another?
local function lost(self, err)
  drop(self)
  self._failures = self._failures + 1
  self.last_error = err
  if self._failures > self._tries then
    return finish(self, err or errors.new("EEOF", "events",
      "the server has ended the connection, and there is to be no other"))
  end
  return true
end

--- Open the next stream. Is it worth going on?
local function connect(self)
  if self._opened then
    local ok, err = pause(self)
    if not ok or self._over then
      return finish(self, err or self._err)
    end
  end
  self._opened = true
  self._parser:restart()
  local stream, err = self._open(self._parser.last_id)
  if self._over then -- closed meanwhile
    if stream then
      stream:close()
    end
    return false
  elseif stream then
    self._stream = stream
    return true
  elseif stream == nil and err ~= nil then
    return lost(self, err)
  end
  return finish(self, err)
end

--- Read what comes next. Is it worth going on?
local function read(self)
  local chunk, err = self._stream:read_some()
  if self._over then
    return false
  elseif not chunk then
    return lost(self, err)
  end
  self._failures = 0
  self._events, err = self._parser:feed(chunk)
  if not self._events then
    self._events = {}
    return finish(self, err)
  end
  self._at = 0
  return true
end

--- The next event that was read; nil: none.
local function take(self)
  local event = self._events[self._at + 1]
  if event then
    self._at = self._at + 1
    self.last_id = event.id
  end
  return event
end

local function advance(self)
  local event = take(self)
  while not event and not self._over do
    if self._stream then
      read(self)
    else
      connect(self)
    end
    event = take(self)
  end
  if event then
    return event
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

--- The next event; connects when there is no connection. Parks.
-- @treturn ?table `type` ("message" unless it says another), `data`, `id`; nil: the server
-- says that there are no more; nil, err: what the connection failed with for good, EEOF (it
-- ended, and `tries` are over), ETOOBIG, ECLOSED, EBUSY (another green thread waits for it)
function methods:next()
  thread.checkpoint()
  if self._reader and gate.is_held(self, "_reader") then
    return nil, errors.new("EBUSY", "events")
  end
  self._reader = core.current()
  return done(self, xpcall(advance, thread.note_traceback, self))
end

--- For a loop over the events: ends with them, raises errors. The loop parks.
function methods:events()
  return function()
    local event, err = self:next()
    if err then
      error(err, 0)
    end
    return event
  end
end

--- End it: who waits for an event gets ECLOSED. Idempotent, never raises, does not park.
function methods:close()
  if not self._over then
    self._events, self._at = {}, 0
    finish(self, errors.new("ECLOSED", "events"))
    core.wake_all(self._sleepers)
  end
end

show.kind(mt, function(self)
  return self._over and "closed" or self._stream and "connected" or "not connected"
end)
class.seal(mt)

local numbers = { retry = RETRY, max_retry = RETRY_MOST, tries = huge }
local known = { last_id = true, max_line = true, max_event = true, random = true }
for name in pairs(numbers) do
  known[name] = true
end

--- Events of a stream that can be opened again. Does not park.
-- @tparam function open open(last_id) gives an object with `read_some` and `close`, as
-- streams have them; nil, err: it failed, and is tried again; false, err: it failed for good;
-- nil: there are no more events. last_id, if it is not "", is for the header Last-Event-ID.
-- It may park.
-- @tparam[opt] table opts `retry` seconds until another connection, unless the server says
-- another number (3); `max_retry`, what it may say at most (3600); `tries` connections that
-- may fail one after the other (no limit); `last_id` of the last event that was seen (""),
-- `max_line` (65536) and `max_event` (1 MB) in bytes
-- @treturn green.http.events its `last_id` is the last event's, `last_error` why a connection
-- was lost (nil: it ended)
local function new(open, opts)
  args.callable(open, "events", "open")
  opts = options.check(opts, known, "events")
  local self = setmetatable({
    last_id = opts.last_id or "",
    _open = open,
    _parser = parser.new({ last_id = opts.last_id, max_line = opts.max_line,
      max_event = opts.max_event }, "events"),
    _random = opts.random == nil and jitter.fraction
      or args.callable(opts.random, "events", "random"),
    _sleepers = core.waitq(),
    _events = {},
    _at = 0,
    _failures = 0,
    _opened = false,
    _over = false,
    _reader = false,
  }, mt)
  for name, default in pairs(numbers) do
    local value = opts[name]
    self["_" .. name] = value == nil and default or args.number(value, 0, "events", name)
  end
  return self
end

return { new = new }
