--- What a broker has of a topic's past, for who comes back and for what was lost on the way.
-- @module green.pubsub.zmq.past

local delivery = require "green.pubsub.delivery"
local errors = require "green.error"
local thread = require "green.thread"
local wire = require "green.zmq.broker.wire"

local floor, format = math.floor, string.format

local M = {}

local function milliseconds_of(hub)
  local seconds = hub._options.history_seconds
  return seconds and seconds < 1e9 and format("%.0f", floor(seconds * 1000)) or ""
end

local function not_understood(topic)
  return nil, errors.new("EPROTO", "subscribe " .. topic, "the broker's answer is none")
end

--- A page of it, put behind a list. Whether there is more; nil, err. Parks.
local function add_page(self, topic, since, list)
  local answer = { self.caller:call("since", { self.prefix .. topic, since,
    milliseconds_of(self.hub) }) }
  if not answer[1] then
    return nil, answer[2]
  end
  for i = 2, #answer, 2 do
    local record = wire.read(topic, answer[i], answer[i + 1] or "")
    if not record then
      return not_understood(topic)
    end
    list[#list + 1] = record
  end
  return answer[1] == "more" and #answer > 1
end

--- The messages of a topic that are newer than an id ("0": all). Parks.
-- @return a list; or nil, err: EGAP, and what a question fails with
function M.since(self, topic, since)
  local list = {}
  local more, err = add_page(self, topic, since, list)
  while more do
    more, err = add_page(self, topic, list[#list].id, list)
  end
  if more == nil then
    return nil, err
  end
  return list
end

--- The program is told that messages of a topic or pattern were lost.
function M.tell_gap(self, name)
  if self.hub._options.on_gap then
    thread.spawn_n(self.hub._options.on_gap, name)
  end
end

--- Give a message to a channel, if it is newer than what that had. Parks.
function M.give(self, channel, record)
  if channel.live > 0 and channel.latest and record.number > channel.latest then
    delivery.wait(self.hub, channel)
    channel.latest = record.number
    delivery.post(self.hub, channel, record)
  end
end

--- What a channel has missed, as far as the broker's history has it. Parks.
-- @tparam number newest what it had at least to come to
function M.fill(self, channel, newest)
  local list, err = nil, nil
  if self.hub._options.history > 0 then
    list, err = M.since(self, channel.name, wire.id(self.epoch, channel.latest))
    if err and err.code == "EGAP" then
      list = M.since(self, channel.name, "0")
    end
  end
  if err or not list then
    M.tell_gap(self, channel.name)
  end
  for i = 1, list and #list or 0 do
    M.give(self, channel, list[i])
  end
  if channel.latest and channel.latest < newest then
    channel.latest = newest
  end
end

return M
