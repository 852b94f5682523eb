--- What comes in from the peers of green.pubsub.zmq.peers: what they publish, and what they
-- want to hear. Private to that.
-- @module green.pubsub.zmq.intake

local errors = require "green.error"
local meeting = require "green.pubsub.zmq.meeting"
local messages = require "green.pubsub.zmq.messages"
local thread = require "green.thread"
local wire = require "green.zmq.broker.wire"

local error, xpcall = error, xpcall
local bytes = string.sub

local PUBLISHERS = 10000 -- whose numbers are remembered

local M = {}

--- Is it newer than all that this publisher has sent? Its messages come in order, by one
-- way or by several.
local function is_new(self, record)
  local latest = self.latest[record.epoch]
  if latest and record.number <= latest then
    return false
  elseif not latest then
    if self.n_latest >= PUBLISHERS then
      self.latest, self.n_latest = {}, 0
    end
    self.n_latest = self.n_latest + 1
  end
  self.latest[record.epoch] = record.number
  return true
end

local function take(self, frames)
  local key, prefix = frames[1], self.prefix
  if wire.is_reserved(key) then
    return frames[2] and meeting.pass(self, key, frames[2])
  end
  local topic = #frames == 3 and bytes(key, 1, #prefix) == prefix and wire.topic_of(key)
  local name = topic and bytes(topic, #prefix + 1)
  local limits = self.hub._options
  local record = name and name ~= "" and #name <= limits.max_topic
    and #frames[3] <= limits.max_message and wire.read(name, frames[2], frames[3])
  if record and record.epoch ~= self.name and is_new(self, record) then
    self.own:publish(name, record.text, record)
  end
end

--- What others publish. An error, when it is over. Parks.
function M.messages(self)
  return messages.each(self.sub, take, self)
end

local function hear(self, frames)
  meeting.hear(self, frames[1])
end

--- What others want to hear. The same.
function M.wants(self)
  return messages.each(self.pub, hear, self)
end

--- The body of the green thread that reads one of them: its end is the subscriptions' end.
-- @tparam table what the backend, and messages or wants
function M.run(what)
  local self = what[1]
  local ok, err = xpcall(what[2], thread.note_traceback, self)
  if not self.hub._closed then
    self.hub:_end_all(ok and err
      or errors.new("ECLOSED", "subscribe", "the hub's reader has ended"))
  end
  if not ok then
    error(err, 0)
  end
end

return M
