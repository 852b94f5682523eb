--- What a subscription has heard: messages until somebody takes them, and its end. Private to
-- green.redis.
-- @module green.redis.mailbox

local changes = require "green.redis.changes"
local conns = require "green.redis.conn"
local core = require "green.core"

-- Scripts may put their own in their places.
local gsub, pairs, type = string.gsub, pairs, type

local wake_all = core.wake_all

local M = {}

-- -- The queue ----------------------------------------------------------------

--- A message has come. Does not park.
function M.put(self, message)
  self._last = self._last + 1
  self._queue[self._last] = message
  if not self._resuming then
    wake_all(self._arrivals)
  end
end

--- The next message; nil: there is none, or what is there must wait until all is listened to
-- again. Does not park.
function M.take(self)
  local first = self._first
  local message = self._queue[first]
  if not message or self._resuming then
    return nil
  end
  self._queue[first], self._first = nil, first + 1
  wake_all(self._room)
  return message
end

--- The end, for good. Idempotent, does not park.
-- @param err why; nil: it was closed
function M.finish(self, err)
  if self._over then
    return
  end
  self._over, self._err, self._resuming = true, err, false
  self._state.closed = true
  self._conn:close()
  if not err then
    self._queue, self._first, self._last = {}, 1, 0
  end
  wake_all(self._arrivals)
  wake_all(self._changes)
  if self._thread and self._thread ~= core.current() then
    self._thread:kill_soon()
  end
end

-- -- What comes ---------------------------------------------------------------

local kinds = {}

function kinds.message(self, m)
  M.put(self, { channel = m[2], data = m[3] })
end
kinds.smessage = kinds.message

function kinds.pmessage(self, m)
  M.put(self, { pattern = m[2], channel = m[3], data = m[4] })
end

for _, kind in pairs { "subscribe", "psubscribe", "ssubscribe" } do
  kinds[kind] = function(self, m)
    changes.confirm(self, kind, m[2], true)
  end
  kinds[(gsub(kind, "subscribe", "unsubscribe"))] = function(self, m)
    changes.confirm(self, kind, m[2], false)
  end
end

--- Something has come. nil; or an error after which there is no going on.
function M.dispatch(self, value)
  self._asked = false
  if conns.is_error(value) then
    if self._resuming then
      return value
    end
    changes.refused(self, value)
  elseif type(value) == "table" and kinds[value[1]] then
    kinds[value[1]](self, value)
  elseif value == "PONG" or type(value) == "table" and value[1] == "pong" then
    changes.answered(self)
  end
end

return M
