--- The backend of a hub that is for one process: nothing leaves it, and nothing waits but
-- a publisher whose messages stand in line.
--
-- A backend has publish(topic, text, opts); attend(sub, channel, since), which puts a
-- subscription into a channel; shut(channel), when none is left in it; join, leave,
-- leave_soon and members; sweep and close. What may fail returns nil, err.
-- @module green.pubsub.memory

local channels = require "green.pubsub.channel"
local delivery = require "green.pubsub.delivery"
local histories = require "green.pubsub.history"
local topics = require "green.pubsub.topics"

local next, pairs = next, pairs

local SWEEP = 4 -- topics that have grown old, looked at in each publish

local methods = {}
local mt = { __index = methods }

local function new(hub)
  local opts = hub._options
  local self = setmetatable({
    hub = hub,
    history = histories.new(opts.history, opts.history_seconds),
  }, mt)
  function self.gone(topic)
    topics.release(hub, topic)
  end
  return self
end

-- -- Messages -----------------------------------------------------------------

--- A message of this process.
local function record_of(self, topic, text, opts)
  local history = self.history
  local number = history.number + 1
  history.number = number
  return {
    text = text,
    topic = topic,
    id = histories.id(history, number),
    number = number,
    key = opts.key or topic,
    binary = opts.binary or false,
    frame = false,
  }
end

--- Forget what is too old.
-- @tparam[opt] number most topics (default: all)
function methods:sweep(most)
  if self.history.seconds then
    histories.sweep(self.history, most or math.huge, self.gone)
  end
end

local function send(self, list, topic, text, opts)
  local kept
  if self.history.limit > 0 then
    local err
    kept, err = topics.need(self.hub, topic, "publish")
    if not kept then
      return nil, err
    end
  end
  local record = record_of(self, topic, text, opts)
  if kept then
    histories.add(self.history, kept, record)
  end
  return record.id, delivery.post_all(self.hub, list, record)
end

function methods:publish(topic, text, opts)
  self:sweep(SWEEP)
  local list, err = delivery.channels_of(self.hub, topic)
  if not list then
    return nil, err
  elseif self.hub._closed then -- while it waited
    return topics.closed("publish")
  end
  return send(self, list, topic, text, opts)
end

--- Put a subscription where messages come, behind what it has missed.
function methods:attend(sub, channel, since)
  local list, err
  if since then
    list, err = histories.since(self.history, channel.name, channel, since)
    if not list then
      return nil, err
    end
  end
  channels.add(channel, sub)
  if list then
    sub:_replay(list)
  end
  return true
end

function methods:shut()
end

-- -- Members ------------------------------------------------------------------

local no_options = {}

--- What is to be told of members does not wait in any line.
local function tell(self, what, topic, member, info)
  local text = self.hub:_event(what, topic, member, info)
  if text then
    send(self, topics.channels_of(self.hub, topic), topic, text, no_options)
  end
end

function methods:join(name, member, info)
  local topic, err = topics.need(self.hub, name, "join")
  if not topic then
    return nil, err
  end
  local members = topic.members or {}
  topic.members = members
  local entry = members[member]
  if entry then
    entry.count, entry.info = entry.count + 1, info or entry.info
    return false
  end
  members[member] = { count = 1, info = info or "" }
  tell(self, "join", name, member, info or "")
  return true
end

local function remove(self, topic, member, info)
  topic.members[member] = nil
  if not next(topic.members) then
    topic.members = nil
  end
  tell(self, "leave", topic.name, member, info)
  topics.release(self.hub, topic)
end

function methods:leave(name, member)
  local topic = self.hub._topics[name]
  local entry = topic and topic.members and topic.members[member]
  if not entry then
    return false
  end
  entry.count = entry.count - 1
  if entry.count > 0 then
    return false
  end
  remove(self, topic, member, entry.info)
  return true
end

--- The same where nothing may wait.
methods.leave_soon = methods.leave

function methods:members(name)
  local topic, list = self.hub._topics[name], {}
  for member, entry in pairs(topic and topic.members or {}) do
    list[member] = entry.info
  end
  return list
end

--- Forget all history and members.
function methods:close()
  local list = {}
  for _, topic in pairs(self.hub._topics) do
    list[#list + 1] = topic
  end
  for i = 1, #list do
    histories.drop(self.history, list[i])
    list[i].members = nil
    topics.release(self.hub, list[i])
  end
end

return { new = new }
