--- The green thread of a subscription: it reads, opens the connection again when that was lost,
-- and asks a silent server whether it is there. Private to green.redis.
-- @module green.redis.listener

local background = require "green.thread.background"
local changes = require "green.redis.changes"
local command = require "green.redis.command"
local core = require "green.core"
local errors = require "green.error"
local exits = require "green.thread.exits"
local mailbox = require "green.redis.mailbox"
local opening = require "green.redis.open"
local thread = require "green.thread"
local timeouts = require "green.timeout"

-- Scripts may put their own in their places.
local concat, error, min, pairs, tostring, xpcall = table.concat, error, math.min, pairs, tostring,
  xpcall

local now_of, core_park, wake_all = core.now, core.park, core.wake_all
local finish = mailbox.finish

local M = {}

-- -- A connection that was lost -------------------------------------------------

--- When something that begins now must be over; nil: never.
local function due(self)
  local timeout = self._settings.timeout
  return timeout and now_of() + timeout or nil
end

--- Send all that is wanted; where that fails the connection is closed. Parks.
local function listen_again(self)
  local list = {}
  changes.start_anew(self)
  for kind, names in pairs(self._wanted) do
    for name in pairs(names) do
      list[#list + 1] = command.encode(kind, kind:upper(), name)
    end
  end
  self._resuming = #list > 0 and (due(self) or math.huge)
  if #list == 0 then
    return wake_all(self._arrivals)
  end
  changes.write(self, concat(list), { left = #list }, due(self), "subscribe")
end

--- Open the connection again. nil, or why that is not possible. Parks.
local function reopen(self, why)
  local state = self._state
  if self._resuming then -- it was lost before it was of use
    self._quick = (self._quick or 0) + 1
    state.failures = self._quick - 1
    opening.note_failure(state, self._settings, why)
    if self._quick >= self._settings.tries then
      return why
    end
  elseif self._gaps then
    self._resuming = math.huge -- nobody sees it before all is well
    mailbox.put(self, { gap = true, error = why })
  end
  self._resuming, self._is_greeted = math.huge, false
  local ok, err = opening.open(self._conn, self._settings, state, nil)
  if not ok then
    return err
  end
  self._is_greeted = true
  listen_again(self)
  wake_all(self._changes)
end

-- -- The thread ---------------------------------------------------------------

local PING = command.encode("subscribe", "PING")

--- Nothing has come for long: ask, and wait again; nor did an answer: close. Parks.
local function ask_for_life(self)
  if self._asked or self._resuming then
    self._conn:close()
    return errors.new("ETIMEDOUT", "subscribe", "the server is silent")
  end
  self._asked = true
  if not self._writing then
    local _, err = changes.write(self, PING, { left = 1, names = {} }, due(self), "PING")
    return err
  end
end

--- Wait while there is no room for messages, and nothing else is waited for. Parks.
local function wait_for_room(self)
  while self._last - self._first + 1 >= self._most and not self._resuming
    and self._awaited == 0 do
    local status = core_park(self._room)
    if status ~= 0 then
      thread.failed(status)
    end
  end
end

--- One turn: nil; or why the connection was lost. Parks.
local function turn(self)
  wait_for_room(self)
  thread.checkpoint()
  local now = now_of()
  local deadline = now + (self._asked and self._settings.timeout or self._keepalive)
  local value, err = self._conn:next(self._resuming and min(self._resuming, deadline) or deadline,
    "subscribe")
  if value == nil and not err then
    return ask_for_life(self)
  elseif value == nil then
    return err
  end
  local fatal = mailbox.dispatch(self, value)
  if fatal then
    finish(self, fatal)
  end
end

local function run(self)
  while not self._over do
    local why = turn(self)
    while (why or not self._conn.stream) and not self._over do
      local fatal = reopen(self, why or errors.new("ECONNRESET", "subscribe"))
      why = nil
      if fatal then
        finish(self, fatal)
      end
    end
  end
end

local function guarded(self)
  local ok, err = xpcall(run, thread.note_traceback, self)
  if not ok and not self._over then
    finish(self, errors.is_error(err) and err or errors.new("ECLOSED", "subscribe", tostring(err)))
    error(err, 0)
  end
end

--- Whoever was opening it has ended amidst.
local function give_up(held)
  finish(held.subscription)
end

local function drop(held)
  if exits.release(held) then
    give_up(held)
  end
end

local function begin(self, first)
  local timeout = self._settings.timeout
  local ok, err = opening.open(self._conn, self._settings, self._state,
    timeout and now_of() + timeout or nil)
  if not ok then
    return nil, err
  end
  self._is_greeted = true
  self._thread = thread.spawn(guarded, self)
  background[self._thread] = true
  return first()
end

local function begun(self, held, _guard, ok, done, err)
  exits.release(held)
  if ok and done then
    return self
  end
  finish(self)
  if not ok then
    error(done, 0)
  end
  return nil, err
end

--- Open the connection, start the thread, and call first(). The subscription; nil, err, all being
-- closed again. Parks.
function M.start(self, first)
  local held = { _exit = give_up, subscription = self }
  exits.hold(held)
  return begun(self, held, timeouts.guard_of(drop, held),
    xpcall(begin, thread.note_traceback, self, first))
end

return M
