--- What hub:subscribe returns.
-- @module green.pubsub.subscription

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"
local inbox = require "green.pubsub.inbox"
local outlet = require "green.pubsub.outlet"
local show = require "green.args.show"
local thread = require "green.thread"
local watch = require "green.wait.watch"

local core_park = core.park

local methods = {}
watch.watchable(methods)

local function state_of(self)
  return ("%s%s%s"):format(self.topic, self.closed and ", closed" or "",
    self._getters and (", %d wait"):format(self._backlog.all) or "")
end

local mt = show.kind({ __name = "green.pubsub.subscription", __index = methods }, state_of)

--- For the hub.
-- @tparam table fields `_hub`, `_channel`, `_limits`, `topic`
-- @param receiver an object, a function, or nil
local function new(fields, receiver)
  local self = setmetatable(fields, mt)
  self.skipped = 0
  self.closed = false
  self._at, self._backlog, self._getters = false, false, false
  if receiver == nil or args.callee(receiver) and not outlet.is_object(receiver) then
    inbox.init(self, receiver)
  else
    outlet.init(self, receiver)
  end
  return self
end

-- -- Taking messages ----------------------------------------------------------

local function want_queue(self, where)
  if not self._getters or self._receiver then
    args.misuse("%s: its receiver gets the messages; subscribe without one", where)
  end
end

local function ended(self)
  return nil, self.error
end

local function unpack_record(record)
  return record.text, record.topic, record.id, record.binary
end

local function got(self, status, record)
  if status ~= 0 then
    return thread.failed(status, "recv")
  elseif not record then
    return ended(self)
  end
  return unpack_record(record)
end

--- The next message. Parks while there is none.
-- @tparam[opt] number timeout seconds
-- @return its text, topic, id, and whether it is binary; nil alone: closed; or nil, err:
-- ETIMEDOUT, ENOBUFS (it was too slow: after all that it had), ECLOSED (the hub was
-- closed)
function methods:recv(timeout)
  want_queue(self, "recv")
  args.timeout(timeout, "recv")
  thread.checkpoint()
  local record = self._backlog:pop()
  if record then
    return unpack_record(record)
  elseif self.closed then
    return ended(self)
  end
  return got(self, core_park(self._getters, thread.deadline(timeout)))
end

local function raising(text, topic, ...)
  if text == nil and topic then
    error(topic, 0)
  end
  return text, topic, ...
end

--- For a loop over messages: text, topic, id, binary. It ends when the subscription is
-- closed, and raises what else ends that. The loop parks.
function methods:messages()
  want_queue(self, "messages")
  return function()
    return raising(self:recv())
  end
end

--- A message was given to a green thread that has ended without having run.
function methods:_lost(_, record)
  if record and (self.error or not self.closed) and not core.wake(self._getters, record) then
    self._backlog:unpop(record)
    watch.notify(self)
  end
end

function methods:_ready()
  return self.closed or self._getters and self._backlog.all > 0
end

--- How many messages wait in it, or for its receiver.
function methods:waiting()
  return self._backlog and self._backlog.all or 0
end

--- Send now what waits for a receiver that has drained: for a websocket's `drain`. The
-- hub looks by itself some times a second. Does not park.
function methods:drain()
  if not self._getters then
    outlet.drain(self)
  end
end

-- -- The end ------------------------------------------------------------------

--- It gets no messages from now on; err: why.
function methods:_end(err)
  if self.closed then
    return false
  end
  self.closed, self.error = true, err
  self._hub:_unsubscribe(self)
  if self._getters then
    core.wake_all(self._getters)
  end
  watch.notify(self)
  return true
end

--- Its receiver cannot go on.
function methods:_fail(err)
  if not errors.is_error(err) then
    err = errors.new("EIO", "subscribe " .. self.topic, tostring(err), { cause = err })
  end
  if self:_end(err) and not self._getters then
    outlet.fail(self)
  end
end

--- No more messages, not even those that wait in it. Idempotent. Does not park.
function methods:close()
  self:_end(nil)
  if self._backlog then
    self._backlog:clear()
  end
end

function methods:_replay(records)
  local part = self._getters and inbox or outlet
  part.replay(self, records)
end

-- -- While its past is fetched --------------------------------------------------

local function keep_back(self, record)
  self._held[#self._held + 1] = record
end

--- Keep back what comes. What is due it gets by _resume.
function methods:_hold()
  self._held, self._given, self._give = {}, self._give, keep_back
end

--- What was replayed may come once more, by the way that messages come.
local function give_newer(self, record)
  if self._is_newer(record.id, self._after) then
    self._give, self._given = self._given, nil
    self:_give(record)
  end
end

--- Give it a list of messages, then those that were kept back and come after them.
-- @tparam table list
-- @tparam string since what came before the list
-- @tparam function is_newer is_newer(a, b), of ids
function methods:_resume(list, since, is_newer)
  local held, n = self._held, #list
  self._after = n > 0 and list[n].id or since
  self._is_newer, self._held = is_newer, nil
  for i = 1, #held do
    if is_newer(held[i].id, self._after) then
      list[#list + 1] = held[i]
    end
  end
  self._give = give_newer
  if not self.closed then
    self:_replay(list)
  end
end

class.seal(mt)

return { new = new, mt = mt }
