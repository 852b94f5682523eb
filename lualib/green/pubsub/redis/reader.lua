--- The green thread of a hub that reads what Redis sends: messages for its channels, and gaps
-- where the connection was lost.
-- @module green.pubsub.redis.reader

local delivery = require "green.pubsub.delivery"
local errors = require "green.error"
local glob = require "green.pubsub.glob"
local kinds = require "green.pubsub.redis.kinds"
local past = require "green.pubsub.redis.past"
local thread = require "green.thread"
local wire = require "green.pubsub.redis.wire"

local error, pairs, xpcall = error, pairs, xpcall

local M = {}

--- A message that comes by its topic and by patterns is one.
local function record_of(self, topic, bytes)
  local record = wire.read(topic, bytes)
  local recent = self.recent
  if record and recent and recent.id == record.id and recent.topic == topic then
    return recent
  end
  self.recent = record or recent
  return record
end

local function is_known(self, channel, record)
  if self.history == 0 or channel.tokens then
    return false
  elseif channel.latest and not wire.is_newer(record.id, channel.latest) then
    return true
  end
  channel.latest = record.id
  return false
end

local function arrive(self, message)
  local topic = message.channel:sub(#self.prefix + 1)
  local name = message.pattern
    and message.pattern:sub(#glob.literal(self.prefix) + 1)
  local channel = name and self.hub._patterns[name] or not name and self.hub._topics[topic]
  local record = channel and record_of(self, topic, message.data)
  if record and not is_known(self, channel, record) then
    delivery.wait(self.hub, channel)
    delivery.post(self.hub, channel, record)
  end
end

--- The server listens to us no more: so does nobody here.
local function lose(self, subscription, err)
  if self.subscription ~= subscription then
    return
  end
  self.subscription, self.heard = nil, { topics = {}, patterns = {} }
  for _, kind in pairs(kinds) do
    for _, channel in pairs(self.hub[kind.all]) do
      channel.heard = false
    end
  end
  self.hub:_end_all(err)
end

local function read_all(self, subscription)
  local message, err = subscription:next()
  while message do
    if message.gap then
      past.catch_up(self)
    else
      arrive(self, message)
    end
    message, err = subscription:next()
  end
  if err then
    lose(self, subscription, err)
  end
end

--- Read until the subscription ends, or this does: then nobody here is subscribed any more.
-- Parks.
-- @tparam table what the backend, and the subscription
function M.read(what)
  local self, subscription = what[1], what[2]
  local ok, err = xpcall(read_all, thread.note_traceback, self, subscription)
  if not ok then
    subscription:close()
    lose(self, subscription, errors.new("ECLOSED", "subscribe", "the hub's reader has ended"))
    error(err, 0)
  end
end

return M
