--- What a topic's stream in Redis has: for who comes back, and when the connection on which
-- messages come was lost.
-- @module green.pubsub.redis.past

local delivery = require "green.pubsub.delivery"
local errors = require "green.error"
local thread = require "green.thread"
local wire = require "green.pubsub.redis.wire"

local pairs = pairs

local NONE = wire.NONE
local TRIES, PAUSE = 3, 0.1 -- to ask what was missed

local M = {}

local function records_of(topic, entries, first)
  local list = {}
  for i = first, #entries do
    list[#list + 1] = wire.of_entry(topic, entries[i])
  end
  return list
end

--- The messages behind an id, and whether that is in the stream still: else some that
-- came after it may have gone. nil, err. Parks.
local function behind(self, topic, id)
  local entries, err = self.db:xrange(wire.stream(self.prefix, topic), id, "+")
  if not entries then
    return nil, err
  end
  local is_there = entries[1] ~= nil and entries[1][1] == id
  return records_of(topic, entries, is_there and 2 or 1), is_there
end

--- The messages of a topic that are newer than an id ("0": all). Parks.
-- @return a list; or nil, err: EGAP, and what green.redis fails with
function M.since(self, topic, since)
  local is_all = since == "0"
  if is_all or wire.is_id(since) then
    local list, found = behind(self, topic, is_all and NONE or since)
    if not list or is_all or found then
      return list, not list and found or nil
    end
  end
  return nil, errors.new("EGAP", "subscribe " .. topic,
    "messages since then are not in the history any more")
end

--- Remember where the streams of channels end, before these are listened to: what was
-- published behind that is not missed. true; nil, err. Parks.
function M.note_ends(self, list)
  if #list == 0 or self.history == 0 then
    return true
  end
  local replies, err = self.db:pipeline(function(p)
    for i = 1, #list do
      p:xrevrange(wire.stream(self.prefix, list[i].name), "+", "-", "COUNT", 1)
    end
  end)
  if not replies then
    return nil, err
  end
  for i = 1, #list do
    local reply = replies[i]
    list[i].base = type(reply) == "table" and reply[1] and reply[1][1] or NONE
  end
  return true
end

-- -- After a lost connection --------------------------------------------------

local function tell_gap(self, name)
  if self.hub._options.on_gap then
    thread.spawn_n(self.hub._options.on_gap, name)
  end
end

local function ask(self, topic, id)
  local list, found = behind(self, topic, id)
  for _ = 2, TRIES do
    if list then
      break
    end
    thread.sleep(PAUSE)
    list, found = behind(self, topic, id)
  end
  return list, found
end

local function catch_up(self, channel)
  local from = channel.latest or channel.base or NONE
  local list, found = ask(self, channel.name, from)
  if not list or not found and (from ~= NONE or #list >= self.history) then
    tell_gap(self, channel.name)
  end
  if list and #list == 0 and not found then
    channel.latest, channel.base = nil, NONE -- that stream has begun anew
  end
  for i = 1, list and #list or 0 do
    if channel.live > 0 then
      delivery.wait(self.hub, channel)
      channel.latest = list[i].id
      delivery.post(self.hub, channel, list[i])
    end
  end
end

--- The connection was lost and is there again: give what came meanwhile. Parks.
function M.catch_up(self)
  local list = {}
  for _, channel in pairs(self.hub._topics) do
    list[#list + 1] = channel
  end
  for i = 1, #list do
    if list[i].live > 0 and self.history > 0 then
      catch_up(self, list[i])
    elseif list[i].live > 0 then
      tell_gap(self, list[i].name)
    end
  end
  for name in pairs(self.hub._patterns) do
    tell_gap(self, name)
  end
end

return M
