--- What a hub hears of Redis: the channels of those topics and patterns that somebody here
-- is subscribed to, on one connection.
--
-- One green thread ("tune") makes what is heard what is wanted; another reads the messages
-- (green.pubsub.redis.reader). Neither is there while nothing is heard or wanted.
-- @module green.pubsub.redis.ear

local errors = require "green.error"
local event = require "green.event"
local kinds = require "green.pubsub.redis.kinds"
local past = require "green.pubsub.redis.past"
local reader = require "green.pubsub.redis.reader"
local thread = require "green.thread"

local error, next, pairs, unpack, xpcall = error, next, pairs, unpack, xpcall

local AT_ONCE = 200 -- names in one command

local M = {}

local function closed(text)
  return errors.new("ECLOSED", "subscribe", text)
end

-- -- Tuning -------------------------------------------------------------------

local function kind_of(channel)
  return channel.tokens and "patterns" or "topics"
end

local function open(self, word, names)
  names.gaps, names.tries = true, false
  local subscription, err = self.db[word](self.db, names)
  if not subscription then
    return nil, err
  elseif self.hub._closed then
    subscription:close()
    return nil, closed "the hub was closed"
  end
  self.subscription = subscription
  self.hub._crew:need(subscription, reader.read, { self, subscription }, true)
  return true
end

local function listen(self, kind, names)
  local word = kinds[kind].on
  if not self.subscription then
    return open(self, word, names)
  end
  return self.subscription[word](self.subscription, unpack(names))
end

local function answer(self, channel, ok, err)
  local opening = channel.opening
  channel.heard, channel.opening = ok, nil
  self.openings[channel] = nil
  if opening then
    opening:send(ok, err)
  end
end

--- Listen to the channels of a list; each is told what came of it.
local function add(self, kind, list)
  local names = {}
  for i = 1, #list do
    names[i] = kinds[kind].name(self.prefix, list[i].name)
  end
  local ok, err = true, nil
  if kind == "topics" then
    ok, err = past.note_ends(self, list)
  end
  if ok then
    ok, err = listen(self, kind, names)
  end
  for i = 1, #list do
    if ok then
      self.heard[kind][list[i].name] = true
    end
    answer(self, list[i], ok, err)
  end
end

local function remove(self, kind, list)
  local names = {}
  for i = 1, #list do
    names[i] = kinds[kind].name(self.prefix, list[i])
    self.heard[kind][list[i]] = nil
  end
  local subscription = self.subscription
  if not next(self.heard.topics) and not next(self.heard.patterns) then
    self.subscription = nil
    subscription:close()
  else
    subscription[kinds[kind].off](subscription, unpack(names))
  end
end

--- What is to be added and to be removed, of the names that have changed; a few at once.
local function take_changes(self, kind)
  local changed, to_add, to_remove = self.changed[kind], {}, {}
  local name = next(changed)
  while name and #to_add < AT_ONCE and #to_remove < AT_ONCE do
    changed[name] = nil
    local channel = self.hub[kinds[kind].all][name]
    local is_wanted, is_heard = channel ~= nil and channel.live > 0, self.heard[kind][name]
    if is_wanted and not channel.heard then
      to_add[#to_add + 1] = channel -- heard already, it gets its stream's end all the same
    elseif is_heard and not is_wanted then
      to_remove[#to_remove + 1] = name
      if channel then
        channel.heard = false
      end
    end
    name = next(changed)
  end
  return to_add, to_remove
end

--- Tell those who wait for a channel to be heard that it will not be: all, or where all
-- subscriptions have been closed meanwhile.
local function give_up(self, err, is_all)
  for channel in pairs(self.openings) do
    if is_all or channel.live == 0 then
      answer(self, channel, nil, err)
    end
  end
end

local function tune(self)
  while next(self.changed.topics) or next(self.changed.patterns) do
    for kind in pairs(kinds) do
      local to_add, to_remove = take_changes(self, kind)
      if to_add[1] then
        add(self, kind, to_add)
      end
      if to_remove[1] and self.subscription then
        remove(self, kind, to_remove)
      end
    end
    give_up(self, closed "the subscription was closed")
  end
end

local function tune_all(self)
  local ok, err = xpcall(tune, thread.note_traceback, self)
  if not ok then
    give_up(self, closed "the hub's thread was killed", true)
    error(err, 0)
  end
end

local function change(self, channel)
  self.changed[kind_of(channel)][channel.name] = true
  self.hub._crew:need("tune", tune_all, self, true)
end

--- Listen to a channel: true once Redis has confirmed it; nil, err. Parks.
function M.hear(self, channel)
  if channel.heard then
    return true
  end
  local opening = channel.opening or event.Event()
  channel.opening, self.openings[channel] = opening, true
  change(self, channel)
  return opening:wait()
end

--- Nobody is subscribed to a channel any more. Does not park.
function M.forget(self, channel)
  if not self.hub._closed then
    change(self, channel)
  end
end

--- End all of it. Does not park.
function M.close(self)
  self.changed = { topics = {}, patterns = {} }
  give_up(self, closed "the hub was closed", true)
  local subscription = self.subscription
  self.subscription = nil
  if subscription then
    subscription:close()
  end
end

return M
