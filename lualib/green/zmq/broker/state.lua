--- The broker without its sockets: messages in, messages out, by a clock that is given.
--
-- It numbers all messages, keeps the newest of each topic, and knows which topics somebody
-- hears. What is to go out on the feed stands in `feed`, in order. Whatever is wrong with a
-- message has no effect, and counts.
-- @module green.zmq.broker.state

local histories = require "green.pubsub.history"
local presence = require "green.zmq.broker.presence"
local wire = require "green.zmq.broker.wire"

local max, pairs, setmetatable, sub = math.max, pairs, setmetatable, string.sub

local SWEEP = 4 -- topics that have grown old, looked at with each message
local BESIDE = 256 -- bytes that a message takes beside its text and its key

local methods = {}
local mt = { __index = methods }

--- What a kept message counts as: else small ones, or large keys, would fill the memory.
local function cost(record)
  return #record.text + #record.key + BESIDE
end

--- @tparam table opts of green.zmq.broker, with all defaults
-- @tparam function clock seconds
local function new(opts, clock)
  local self = setmetatable({
    options = opts,
    clock = clock,
    history = histories.new(opts.history, opts.history_seconds, clock, cost),
    presence = presence.new(clock, opts.max_members),
    topics = {}, -- name -> { name, newest, subs, past }
    n = 0,
    feed = {}, -- { key, head, text }
    keys = 0, -- subscriptions
    counts = { published = 0, asked = 0, malformed = 0, refused = 0 },
  }, mt)
  self.epoch = self.history.name
  function self.gone(topic)
    self:_release(topic)
  end
  return self
end

-- -- Topics -------------------------------------------------------------------

function methods:_need(name)
  local topic = self.topics[name]
  if not topic and self.n < self.options.max_topics then
    topic = { name = name, newest = self.history.floor, subs = 0, past = nil }
    self.topics[name], self.n = topic, self.n + 1
  end
  return topic
end

--- Forget a topic that nobody hears, and that has no history.
function methods:_release(topic)
  if topic.subs == 0 and not topic.past and self.topics[topic.name] == topic then
    self.topics[topic.name], self.n = nil, self.n - 1
    self.history.floor = max(self.history.floor, topic.newest)
  end
end

--- Forget what is too old. Does not park.
-- @tparam[opt] number most topics
function methods:sweep(most)
  if self.history.seconds then
    histories.sweep(self.history, most or math.huge, self.gone)
  end
  if not most then
    presence.sweep(self.presence)
  end
end

-- -- Messages -----------------------------------------------------------------

local function put_out(self, topic, record)
  self.feed[#self.feed + 1] = { wire.key(topic.name), wire.head(self.epoch, record), record.text }
end

--- What is wrong with a topic or a message? A code; nil: nothing.
local function wrong(self, name, text)
  if name == "" or wire.is_reserved(name) then
    return "EINVAL"
  elseif #name > self.options.max_topic then
    return "ENAMETOOLONG"
  elseif #text > self.options.max_message then
    return "EMSGSIZE"
  end
end

--- A message has come. Its id, and how many hear it; or nil, and a code.
-- @tparam number keep messages of its topic to keep, at most
function methods:publish(name, flags, key, text, keep)
  self:sweep(SWEEP)
  local code = wrong(self, name, text)
  local topic = not code and self:_need(name)
  if not topic then
    return nil, code or "ENOSPC"
  end
  local number = self.history.number + 1
  local record = { text = text, number = number, previous = topic.newest, flags = flags, key = key }
  self.history.number = number
  self.counts.published = self.counts.published + 1
  put_out(self, topic, record)
  if (keep > 0 or topic.past) and self.options.history > 0 then
    histories.add(self.history, topic, record, keep > 0 and keep or nil)
  end
  topic.newest = number
  histories.shrink(self.history, self.options.max_bytes, self.gone)
  self:_release(topic)
  return wire.id(self.epoch, number), topic.subs
end

--- A message of a plain publisher: two frames, its topic and its text.
function methods:take(frames)
  local ok = #frames == 2
    and self:publish(frames[1], "t", "", frames[2], self.options.history)
  if not ok then
    self.counts.malformed = self.counts.malformed + 1
  end
end

-- -- Subscriptions ------------------------------------------------------------

local function give_last(self, topic)
  local past = topic and topic.past
  if past and past[past.last] then
    put_out(self, topic, past[past.last])
  end
end

local function count_subscriber(self, name, by)
  local topic = by > 0 and self:_need(name) or self.topics[name]
  if topic then
    topic.subs = max(topic.subs + by, 0)
    self:_release(topic)
  end
end

--- What XPUB tells: a byte 1 or 0, and the key that somebody has subscribed to, or no more. All
-- else is a message that an XSUB has sent: nobody is meant by that.
function methods:hear(bytes)
  local is_on, key = sub(bytes, 1, 1) == "\1", sub(bytes, 2)
  if not is_on and sub(bytes, 1, 1) ~= "\0" then
    self.counts.malformed = self.counts.malformed + 1
    return
  elseif wire.is_reserved(key) then
    if is_on and wire.is_fence(key) then
      self.feed[#self.feed + 1] = { key, wire.id(self.epoch, self.history.number), "" }
    end
    return
  end
  local name = wire.topic_of(key)
  self.keys = max(self.keys + (is_on and 1 or -1), 0)
  if name and #name <= self.options.max_topic then
    count_subscriber(self, name, is_on and 1 or -1)
  end
  if is_on and self.options.last then
    give_last(self, self.topics[name or key])
  end
end

-- -- Figures ------------------------------------------------------------------

--- `epoch`, `newest` (a number), `topics`, `subscriptions`, `bytes` (of history), `members`,
-- `published`, `asked`, `malformed`, `refused`.
function methods:stats()
  local stats = { epoch = self.epoch, newest = self.history.number, topics = self.n,
    subscriptions = self.keys, bytes = self.history.bytes, members = self.presence.n }
  for name, count in pairs(self.counts) do
    stats[name] = count
  end
  return stats
end

return { new = new, BESIDE = BESIDE }
