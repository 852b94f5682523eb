--- Subscriptions: a connection on which messages come, and the green thread that reads them.
-- Private to green.redis.
--
-- That thread opens the connection again when it was lost, with all that is listened to, and asks
-- a silent server whether it is there. Messages stand in a queue until somebody takes them; while
-- that is full nothing is read.
-- @module green.redis.subscription

local changes = require "green.redis.changes"
local class = require "green.args.class"
local conns = require "green.redis.conn"
local core = require "green.core"
local gate = require "green.stream.gate"
local mailbox = require "green.redis.mailbox"
local show = require "green.args.show"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, ipairs, pairs, setmetatable, sort = error, ipairs, pairs, setmetatable, table.sort

local core_park = core.park

local M = {}
local methods = {}
local mt = { __name = "green.redis.subscription", __index = methods }

-- -- What is listened to -------------------------------------------------------

--- Listen to further channels. What comes meanwhile is kept for next. Parks.
-- @param ... names
-- @return true once the server has said so; or nil, err: EREDIS, ETIMEDOUT, ECLOSED, or why the
-- connection is lost for good
function methods:subscribe(...)
  return changes.add(self, "subscribe", ...)
end

--- The same for patterns. Parks.
function methods:psubscribe(...)
  return changes.add(self, "psubscribe", ...)
end

--- The same for sharded channels. Parks.
function methods:ssubscribe(...)
  return changes.add(self, "ssubscribe", ...)
end

--- Listen no more to these channels; to none, if no names are given. Parks.
-- @return true; or nil, err as subscribe
function methods:unsubscribe(...)
  return changes.remove(self, "unsubscribe", "subscribe", ...)
end

--- The same for patterns. Parks.
function methods:punsubscribe(...)
  return changes.remove(self, "punsubscribe", "psubscribe", ...)
end

--- The same for sharded channels. Parks.
function methods:sunsubscribe(...)
  return changes.remove(self, "sunsubscribe", "ssubscribe", ...)
end

local function sorted(...)
  local list = {}
  for _, set in ipairs { ... } do
    for name in pairs(set) do
      list[#list + 1] = name
    end
  end
  sort(list)
  return list
end

--- The channels that are listened to, sharded ones too, sorted. Does not park.
function methods:channels()
  return sorted(self._wanted.subscribe, self._wanted.ssubscribe)
end

--- The patterns, sorted. Does not park.
function methods:patterns()
  return sorted(self._wanted.psubscribe)
end

-- -- Messages -----------------------------------------------------------------

local of_next = { timeout = true }

--- The next message. Any number of green threads may wait: each message goes to one. Parks.
-- @tparam[opt] table opts `timeout` in seconds
-- @treturn ?table `channel`, `data`, and `pattern` if one matched; with the option gaps also
-- { gap = true, error = err } where a lost connection is there again. nil: closed; nil, err:
-- ETIMEDOUT, or why the connection is lost for good
function methods:next(opts)
  if opts then
    gate.check(opts, of_next, "next")
  end
  thread.checkpoint()
  local deadline = opts and thread.deadline(opts.timeout)
  local message = mailbox.take(self)
  while not message do
    if self._over then
      return nil, self._err
    end
    local status = core_park(self._arrivals, deadline)
    message = mailbox.take(self)
    if status ~= 0 and not message then
      return thread.failed(status, "next")
    end
  end
  return message
end

--- For a loop over messages: ends with close, raises errors. The loop parks.
function methods:messages()
  return function()
    local message, err = self:next()
    if err then
      error(err, 0)
    end
    return message
  end
end

--- Close: who waits for a message gets nil. Idempotent, never raises, does not park.
function methods:close()
  mailbox.finish(self)
end

show.kind(mt, function(self)
  return self._over and "closed" or ("%d channels, %d patterns"):format(#methods.channels(self),
    #methods.patterns(self))
end)
class.seal(mt)

--- One that is not open, with the connection for it.
-- @tparam table settings of its client, and its own
-- @tparam table own `max_pending`, `gaps`, `keepalive`
function M.new(settings, own)
  return setmetatable({
    _settings = settings,
    _conn = conns.new(settings.limits),
    _state = { failures = 0, not_before = 0, connects = 0, closed = false }, -- of green.redis.open
    _wanted = changes.none(),
    _heard = changes.none(), -- what the server has confirmed
    _line = {}, -- of green.redis.changes
    _awaited = 0, -- threads that wait for a confirmation
    _first = 1, _last = 0, -- of _queue
    _queue = {},
    _most = own.max_pending,
    _gaps = own.gaps,
    _keepalive = own.keepalive,
    _arrivals = core.waitq(), -- who waits for messages,
    _changes = core.waitq(), -- for a confirmation,
    _room = core.waitq(), -- the thread, for room in the queue
    _over = false,
    _is_greeted = false, -- the server knows who we are: commands may be sent
    _resuming = false, -- until when all must be confirmed again, on a new connection
    _writing = false,
  }, mt)
end

return M
