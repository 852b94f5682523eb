--- The questions that a broker answers, on green.zmq.broker.state.
-- @module green.zmq.broker.ask

local histories = require "green.pubsub.history"
local presence = require "green.zmq.broker.presence"
local wire = require "green.zmq.broker.wire"

local format, min, pairs, tostring = string.format, math.min, pairs, tostring

local RECENT = 16384 -- publishes that are known when they come once more
local PAGE, PAGE_BYTES = 200, 4194304 -- messages of an answer, and their bytes
local NAMES = 500 -- topics or members of a question
local MEMBERS_BYTES = 8388608 -- of all members of an answer
local MOST_FRAMES = 12

local M = {}

local ops = {} -- op -> { number of arguments, function(state, ...) that returns results }
local texts = {
  EINVAL = "the topic is empty, or begins as only the broker's own do",
  ENAMETOOLONG = "the topic is longer than the broker's max_topic",
  EMSGSIZE = "it is longer than the broker takes",
  ENOSPC = "the broker has as many topics or members as it may",
  EGAP = "messages since then are not in the broker's history",
  EPROTO = "the broker does not understand it",
  ECONNRESET = "the broker was started again: it may have been published",
}

--- The state of a broker whose questions are asked: it knows what was published lately.
function M.init(state)
  state.recent, state.recent_keys, state.recent_at = {}, {}, 0
  return state
end

-- -- Publishing ---------------------------------------------------------------

local function remember(state, key, id)
  local at = state.recent_at % RECENT + 1
  local old = state.recent_keys[at]
  if old then
    state.recent[old] = nil
  end
  state.recent_at, state.recent_keys[at], state.recent[key] = at, key, id
end

--- hub and count name a publish: one that comes once more is the same. Who asks again says
-- in which life of the broker ("": it asks for the first time).
ops.publish = { 8, function(state, hub, count, epoch, topic, flags, key, keep, text)
  local name, limit = hub .. " " .. count, wire.number(keep)
  if not limit or flags ~= "t" and flags ~= "b" or #name > 80 or #key > 65536 then
    return nil, "EPROTO"
  elseif state.recent[name] then
    return state.recent[name], "0"
  elseif epoch ~= "" and epoch ~= state.epoch then
    return nil, "ECONNRESET"
  end
  local id, heard = state:publish(topic, flags, key, text, limit)
  if not id then
    return nil, heard
  end
  remember(state, name, id)
  return id, format("%d", heard)
end }

-- -- The past -----------------------------------------------------------------

--- The records after an id that are not older than so many seconds; nil: some are lost.
local function records_since(state, topic, since, seconds)
  local list = histories.since(state.history, topic, state.topics[topic], since)
  local oldest, young = state.clock() - seconds, {}
  for i = 1, list and #list or 0 do
    if list[i].at > oldest then
      young[#young + 1] = list[i]
    end
  end
  if list and (since == "0" or #young == #list) then
    return young
  end
end

--- Messages of a topic that are newer than an id ("0": all), a page of them: "more" or "", then
-- heads and texts. `seconds` in milliseconds; "": they do not grow old.
ops.since = { 3, function(state, topic, since, milliseconds)
  local seconds = milliseconds == "" and math.huge or (wire.number(milliseconds) or 0) / 1000
  local list = records_since(state, topic, since, seconds)
  if not list then
    return nil, "EGAP"
  end
  local answer, bytes, at = { "" }, 0, 1
  while list[at] and at <= PAGE and (at == 1 or bytes + #list[at].text <= PAGE_BYTES) do
    bytes = bytes + #list[at].text
    answer[2 * at], answer[2 * at + 1] = wire.head(state.epoch, list[at]), list[at].text
    at = at + 1
  end
  answer[1] = list[at] and "more" or ""
  return unpack(answer)
end }

--- The numbers of the newest messages of topics, packed as these are. Of a topic that is not
-- known: what may have been lost.
ops.newest = { 1, function(state, packed)
  local names = wire.unpack(packed, NAMES)
  if not names then
    return nil, "EPROTO"
  end
  for i = 1, #names do
    local topic = state.topics[names[i]]
    names[i] = format("%.0f", topic and topic.newest or state.history.floor)
  end
  return state.epoch, wire.pack(names)
end }

--- The newest message of a topic: head and text; or nothing.
ops.last = { 1, function(state, name)
  local topic = state.topics[name]
  local record = topic and topic.past and topic.past[topic.past.last]
  if record then
    return wire.head(state.epoch, record), record.text
  end
  return ""
end }

-- -- Members ------------------------------------------------------------------

local whats = { join = true, leave = true, look = true, list = true }

local function are_members(state, list)
  for i = 1, #list do
    if #list[i] > (i % 2 == 1 and state.options.max_topic or state.options.max_info + 1) then
      return false
    end
  end
  return #list % 2 == 0
end

local function bytes_of(list)
  local bytes = 0
  for i = 1, #list do
    bytes = bytes + #list[i]
  end
  return bytes
end

--- Change and look at a topic's members, see green.zmq.broker.presence. Three packed lists.
ops.members = { 5, function(state, topic, what, hub, milliseconds, packed)
  local list, ttl = wire.unpack(packed, 2 * NAMES), wire.number(milliseconds)
  if not list or not ttl or not whats[what] or #hub > 64 then
    return nil, "EPROTO"
  elseif topic == "" or #topic > state.options.max_topic or not are_members(state, list) then
    return nil, "ENAMETOOLONG"
  end
  local came, went, all = presence.change(state.presence, topic, what, hub, min(ttl / 1000, 1e9),
    list)
  if not came then
    return nil, "ENOSPC"
  elseif bytes_of(all) > MEMBERS_BYTES then
    return nil, "EMSGSIZE"
  end
  return wire.pack(came), wire.pack(went), wire.pack(all)
end }

-- -- The broker itself --------------------------------------------------------

--- Where its feed is, which life this is, and the newest number.
ops.hello = { 0, function(state)
  return state.options.pub or "", state.epoch, format("%.0f", state.history.number)
end }

--- Names and figures, packed.
ops.stats = { 0, function(state)
  local list = {}
  for name, value in pairs(state:stats()) do
    list[#list + 1], list[#list + 2] = name, tostring(value)
  end
  return wire.pack(list)
end }

-- -- Asking -------------------------------------------------------------------

local function refuse(state, number, code)
  state.counts.refused = state.counts.refused + 1
  return { number, "no", code, texts[code] or code }
end

local function answer(state, number, first, ...)
  if not first then
    return refuse(state, number, (...))
  end
  return { number, "ok", first, ... }
end

--- The answer to a question; nil: it is none. Does not park.
-- @tparam table frames
function M.ask(state, frames)
  local number = frames[2]
  if frames[1] ~= wire.VERSION or #frames > MOST_FRAMES or not number or #number > 20 then
    state.counts.malformed = state.counts.malformed + 1
    return nil
  end
  state.counts.asked = state.counts.asked + 1
  local op = ops[frames[3]]
  if not op or #frames ~= 3 + op[1] then
    state.counts.malformed = state.counts.malformed + 1
    return refuse(state, number, "EPROTO")
  end
  return answer(state, number, op[2](state, unpack(frames, 4)))
end

return M
