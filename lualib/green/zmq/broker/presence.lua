--- Who is there, as the broker knows it: members of topics, that hubs enter, renew and take out.
--
-- A topic has an entry for each hub and member, good until a time; a hub renews its own. Those
-- of one that has gone grow old, and whoever asks about the topic next is told that they went.
-- What nobody has renewed or asked for in two such times is forgotten.
-- @module green.zmq.broker.presence

local next, pairs = next, pairs
local max, min = math.max, math.min

local M = {}

--- An empty register.
-- @tparam function clock
-- @tparam number most entries that there may be
function M.new(clock, most)
  return {
    clock = clock,
    most = most,
    n = 0, -- entries
    topics = {}, -- name -> { entries = { hub = { member = until } }, members, soonest, last }
  }
end

local function topic_of(self, name)
  local topic = self.topics[name]
  if not topic then
    topic = { entries = {}, members = {}, soonest = math.huge, last = 0 }
    self.topics[name] = topic
  end
  return topic
end

--- An entry of a member less. Was it the last one, `went` gets the member and its info.
local function one_less(self, topic, member, went)
  local found = topic.members[member]
  self.n, found.count = self.n - 1, found.count - 1
  if found.count == 0 then
    topic.members[member] = nil
    went[#went + 1], went[#went + 2] = member, found.info
  end
end

local function take_out(self, topic, hub, member, went)
  local own = topic.entries[hub]
  if own and own[member] then
    own[member] = nil
    if not next(own) then
      topic.entries[hub] = nil
    end
    one_less(self, topic, member, went)
  end
end

--- Take out what has grown old.
local function expire(self, topic, went)
  local now, soonest = self.clock(), math.huge
  if topic.soonest > now then
    return
  end
  for hub, own in pairs(topic.entries) do
    for member, good in pairs(own) do
      if good <= now then
        take_out(self, topic, hub, member, went)
      else
        soonest = min(soonest, good)
      end
    end
  end
  topic.soonest = soonest
end

--- info: "=" and a text, or "": it stays what it is.
local function enter(self, topic, hub, good, member, info, came)
  local own = topic.entries[hub] or {}
  topic.entries[hub] = own
  local found = topic.members[member]
  if not found then
    found = { count = 0, info = "" }
    topic.members[member] = found
    came[#came + 1] = member
  end
  if not own[member] then
    self.n, found.count = self.n + 1, found.count + 1
  end
  own[member], topic.soonest = good, min(topic.soonest, good)
  found.info = info ~= "" and info:sub(2) or found.info
end

--- How many entries would come to those that there are?
local function more(topic, hub, list)
  local own, n = topic.entries[hub] or {}, 0
  for i = 1, #list, 2 do
    n = n + (own[list[i]] and 0 or 1)
  end
  return n
end

local function release(self, name, topic)
  if not next(topic.entries) then
    self.topics[name] = nil
  end
end

--- Change a topic's members, and look at them.
-- @tparam string name the topic
-- @tparam string what "join", "leave", "look" or "list"
-- @tparam string hub whose entries
-- @tparam number ttl seconds that they are good for
-- @tparam table list pairs of a member and its info, of enter
-- @return who came, who went with their infos, and for "list" all with theirs: flat lists; or
-- nil: there would be too many entries
function M.change(self, name, what, hub, ttl, list)
  local topic, came, went, all = topic_of(self, name), {}, {}, {}
  expire(self, topic, went)
  if what == "join" and self.n + more(topic, hub, list) > self.most then
    release(self, name, topic)
    return nil
  end
  topic.last = max(topic.last, self.clock() + 2 * ttl)
  for i = 1, #list, 2 do
    if what == "join" then
      enter(self, topic, hub, self.clock() + ttl, list[i], list[i + 1], came)
    else
      take_out(self, topic, hub, list[i], went)
    end
  end
  for member, found in pairs(what == "list" and topic.members or {}) do
    all[#all + 1], all[#all + 2] = member, found.info
  end
  release(self, name, topic)
  return came, went, all
end

--- Forget the topics that nobody asks for any more.
function M.sweep(self)
  local now = self.clock()
  for name, topic in pairs(self.topics) do
    if topic.last <= now then
      expire(self, topic, {})
      release(self, name, topic)
    end
  end
end

return M
