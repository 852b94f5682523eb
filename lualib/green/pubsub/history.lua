--- The last messages of a topic, in this process, and the ids by which one finds them.
--
-- Ids are "<hub>-<number>": the numbers count up over all topics of a hub, and each hub
-- has its own first part, so that an id of a process that has ended finds nothing by
-- accident. A topic that goes takes its numbers with it: the hub remembers up to which
-- number something may have been lost.
-- @module green.pubsub.history

local core = require "green.core"
local digest = require "green.digest"
local errors = require "green.error"

local floor, format, max, min = math.floor, string.format, math.max, math.min

local MOST = 2 ^ 53

local M = {}

local function text_bytes(record)
  return #record.text
end

--- What the hub keeps for it.
-- @tparam number limit messages a topic
-- @tparam ?number seconds nil: they do not grow old
-- @tparam[opt] function clock seconds by which they do (default: the hub's)
-- @tparam[opt] function cost bytes that a record counts as, always the same (default: its text's)
function M.new(limit, seconds, clock, cost)
  return {
    limit = limit,
    seconds = seconds,
    clock = clock or core.now,
    cost = cost or text_bytes,
    bytes = 0, -- of all messages
    name = digest.random(6):gsub(".", function(c)
      return format("%02x", c:byte())
    end),
    number = 0, -- of the newest message
    floor = 0, -- topics that went had lost messages up to this number
    oldest = nil, -- topics with messages, by the age of the newest one: a list
    newest = nil,
  }
end

function M.id(history, number)
  return format("%s-%d", history.name, number)
end

-- -- The list of topics by age ------------------------------------------------

local function unlink(history, past)
  local older, newer = past.older, past.newer
  if older then older.newer = newer else history.oldest = newer end
  if newer then newer.older = older else history.newest = older end
  past.older, past.newer = nil, nil
end

local function link(history, past)
  local last = history.newest
  past.older, history.newest = last, past
  if last then last.newer = past else history.oldest = past end
end

-- -- The messages of a topic --------------------------------------------------

local function forget_first(history, past)
  local at = past.first
  past.lost = past[at].number
  local bytes = history.cost(past[at])
  past.bytes, history.bytes = past.bytes - bytes, history.bytes - bytes
  past[at] = nil
  past.first = at + 1
end

--- Keep a message.
-- @tparam table topic its field `past` is ours; `newest`, if it is there, the number of the
-- last message before this one, kept or not
-- @tparam table record
-- @tparam[opt] number limit messages of this topic (default, and at most: the history's)
function M.add(history, topic, record, limit)
  local past = topic.past
  if past then
    unlink(history, past)
  else
    past = { topic = topic, first = 1, last = 0, bytes = 0, lost = topic.newest or history.floor }
    topic.past = past
  end
  record.at = history.clock()
  past.last = past.last + 1
  past[past.last] = record
  local bytes = history.cost(record)
  past.bytes, history.bytes = past.bytes + bytes, history.bytes + bytes
  limit = min(limit or history.limit, history.limit)
  while past.last - past.first >= limit do
    forget_first(history, past)
  end
  link(history, past)
end

local function is_old(history, record)
  return history.seconds and record.at + history.seconds <= history.clock()
end

--- Forget what a topic has that is too old. Returns whether something is left.
local function expire(history, past)
  while past.first <= past.last and is_old(history, past[past.first]) do
    forget_first(history, past)
  end
  return past.first <= past.last
end

--- The topic has gone.
function M.drop(history, topic)
  local past = topic.past
  if past then
    unlink(history, past)
    history.bytes = history.bytes - past.bytes
    history.floor = max(history.floor, past[past.last] and past[past.last].number or past.lost)
    topic.past = nil
  end
end

--- Forget the oldest messages until there are no more bytes than that: those of the topics
-- that have been silent for longest. Each topic that is left without one is handed to gone().
function M.shrink(history, bytes, gone)
  while history.bytes > bytes do
    local past = history.oldest
    forget_first(history, past)
    if past.first > past.last then
      M.drop(history, past.topic)
      gone(past.topic)
    end
  end
end

--- Forget whole topics that have grown old, at most so many. Each is handed to gone().
function M.sweep(history, most, gone)
  local past = history.oldest
  while past and most > 0 and is_old(history, past[past.last]) do
    most = most - 1
    M.drop(history, past.topic)
    gone(past.topic)
    past = history.oldest
  end
end

-- -- Resuming -----------------------------------------------------------------

local function gap(topic)
  return nil, errors.new("EGAP", "subscribe " .. topic,
    "messages since then are not in the history any more")
end

local function number_of(history, since)
  local name, digits = since:match "^(%x+)%-(%d+)$"
  local number = tonumber(digits)
  if name == history.name and number <= history.number and number < MOST then
    return floor(number)
  end
end

--- The messages of a topic that are newer than an id.
-- @tparam string name of the topic
-- @tparam ?table topic nil: there is no such topic
-- @tparam string since "0": all there are
-- @return a list, oldest first; or nil, err: EGAP (some of them are lost)
function M.since(history, name, topic, since)
  local past, list = topic and topic.past, {}
  if past then
    expire(history, past)
  end
  local number = since == "0" and 0 or number_of(history, since)
  local lost = past and past.lost or topic and topic.newest or history.floor
  if not number or since ~= "0" and number < lost then
    return gap(name)
  end
  for at = past and past.first or 1, past and past.last or 0 do
    if past[at].number > number then
      list[#list + 1] = past[at]
    end
  end
  return list
end

return M
