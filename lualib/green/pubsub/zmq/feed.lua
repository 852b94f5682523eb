--- The green threads of a hub that read the feed of a broker: messages for its channels, and
-- fences.
--
-- ZeroMQ connects again by itself, and drops what a subscriber does not take. Both show: the
-- broker answers the hub's own fence once for each connection, and each message says the
-- number of the one before it in its topic. What is missing is asked for, in a thread of its
-- own ("mend") after a new connection, else before the message that has shown it.
-- @module green.pubsub.zmq.feed

local delivery = require "green.pubsub.delivery"
local errors = require "green.error"
local event = require "green.event"
local glob = require "green.pubsub.glob"
local messages = require "green.pubsub.zmq.messages"
local past = require "green.pubsub.zmq.past"
local thread = require "green.thread"
local wire = require "green.zmq.broker.wire"

local error, pairs, sub, xpcall = error, pairs, string.sub, xpcall

local AT_ONCE = 200 -- topics in one question
local PAUSE = 0.5 -- seconds between two tries to mend

local M = {}

-- -- Fences -------------------------------------------------------------------

--- Wait until the broker has all that was subscribed to before. The number of its newest message
-- by then; nil, err: ETIMEDOUT, ECLOSED. Parks.
function M.fence(self)
  self.n_fences = self.n_fences + 1
  local key, answer = self.own_key .. ":" .. self.n_fences, event.Event()
  local socket = self.socket -- it may be gone when the answer comes
  self.fences[key] = answer
  socket:subscribe(key)
  local number, err = answer:wait(self.target.timeout)
  self.fences[key] = nil
  if not socket.closed then
    socket:unsubscribe(key)
  end
  return number, err
end

--- Nothing more will come.
function M.give_up(self, err)
  for key, answer in pairs(self.fences) do
    self.fences[key] = nil
    answer:send(nil, err)
  end
end

-- -- Mending ------------------------------------------------------------------

local function heard_topics(self)
  local list = {}
  for _, channel in pairs(self.hub._topics) do
    if channel.heard and channel.latest then
      list[#list + 1] = channel
    end
  end
  return list
end

--- Fill what some channels lack. Is it done?
local function mend_some(self, list, first)
  local names = {}
  for i = first, math.min(#list, first + AT_ONCE - 1) do
    names[#names + 1] = self.prefix .. list[i].name
  end
  local epoch, packed = self.caller:call("newest", { wire.pack(names) })
  local numbers = epoch == self.epoch and wire.unpack(packed or "", AT_ONCE)
  for i = 1, numbers and #names or 0 do
    local channel, newest = list[first + i - 1], wire.number(numbers[i] or "") or 0
    if channel.latest and newest > channel.latest then
      self.lock:with(past.fill, self, channel, newest)
    end
  end
  return numbers and true or false
end

local function mend_all(self)
  if not M.fence(self) then
    return false
  end
  local list = heard_topics(self)
  for first = 1, #list, AT_ONCE do
    if not mend_some(self, list, first) then
      return false
    end
  end
  return true
end

--- There is a new connection: until all is there that the old one has not brought.
local function mend(self)
  while self.broken do
    self.broken = false
    for _, channel in pairs(self.hub._patterns) do
      if channel.heard then
        past.tell_gap(self, channel.name)
      end
    end
    while not mend_all(self) and not self.hub._closed do
      thread.sleep(PAUSE)
    end
  end
end

local function need_mending(self)
  self.broken = true
  self.hub._crew:need("mend", mend, self, true)
end

--- The broker was started again: it knows nothing of what was before.
local function begin_anew(self, epoch)
  local was = self.epoch
  self.epoch, self.caller.epoch, self.newest = epoch, epoch, 0
  if was and was ~= epoch then
    for _, channel in pairs(heard_topics(self)) do
      channel.latest = 0
      past.tell_gap(self, channel.name)
    end
    self.hub._backend:renew()
  end
end

-- -- Reading ------------------------------------------------------------------

local function pass_fence(self, key, id)
  local epoch, number = wire.read_id(id)
  if not epoch then
    return
  elseif epoch ~= self.epoch then
    begin_anew(self, epoch)
  end
  if self.fences[key] then
    self.fences[key]:send(number)
    self.fences[key] = nil
  elseif key == self.own_key then
    if self.is_tuned then -- it is not the first connection
      need_mending(self)
    end
    self.is_tuned = true
  end
end

local function deliver(self, channel, record)
  if channel.latest and record.number > channel.latest and record.previous > channel.latest then
    past.fill(self, channel, record.previous)
  end
  past.give(self, channel, record)
end

local function deliver_to_patterns(self, record)
  local list = {}
  for _, channel in pairs(self.hub._patterns) do
    if channel.heard and glob.matches(channel.tokens, record.topic) then
      list[#list + 1] = channel
    end
  end
  for i = 1, #list do
    delivery.wait(self.hub, list[i])
    delivery.post(self.hub, list[i], record)
  end
end

local function arrive(self, topic, frames)
  local record = wire.read(topic, frames[2], frames[3])
  if not record then
    return
  elseif record.epoch ~= self.epoch then
    begin_anew(self, record.epoch)
    need_mending(self)
  end
  local channel = self.hub._topics[topic]
  if channel and channel.heard then
    self.lock:with(deliver, self, channel, record)
  end
  if record.number > self.newest then
    self.newest = record.number
    deliver_to_patterns(self, record)
  end
end

local function take(self, frames)
  local key, prefix = frames[1], self.prefix
  if wire.is_reserved(key) then
    return frames[2] and pass_fence(self, key, frames[2])
  end
  local topic = #frames == 3 and sub(key, 1, #prefix) == prefix and wire.topic_of(key)
  if topic then
    arrive(self, sub(topic, #prefix + 1), frames)
  end
end

local function read_all(self)
  return messages.each(self.socket, take, self)
end

--- Read until the socket is closed, or this ends: then nobody here is subscribed any more.
-- Parks.
function M.read(self)
  local ok, err = xpcall(read_all, thread.note_traceback, self)
  if not ok or not self.hub._closed then
    local why = ok and err or errors.new("ECLOSED", "subscribe", "the hub's reader has ended")
    self.socket:close()
    self.socket, self.is_tuned = false, false
    M.give_up(self, why)
    self.hub._backend:lose(why)
  end
  if not ok then
    error(err, 0)
  end
end

return M
