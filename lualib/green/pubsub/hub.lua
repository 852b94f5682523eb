--- What pubsub.new returns: topics, who gets their messages, and who is there.
-- @module green.pubsub.hub

local core = require "green.core"
local attendance = require "green.pubsub.attendance"
local class = require "green.args.class"
local crews = require "green.pubsub.crew"
local errors = require "green.error"
local memory = require "green.pubsub.memory"
local options = require "green.pubsub.options"
local presence = require "green.pubsub.presence"
local show = require "green.args.show"
local thread = require "green.thread"
local topics = require "green.pubsub.topics"
local channels = require "green.pubsub.channel"

local ipairs, pairs, require, setmetatable = ipairs, pairs, require, setmetatable

local methods = {}
for _, part in ipairs { attendance.methods, presence.methods } do
  for name, method in pairs(part) do
    methods[name] = method
  end
end

--- How many subscriptions there are, and messages whose receivers have not all got them.
local function count(self)
  local live, line = 0, 0
  for _, list in pairs { self._topics, self._patterns } do
    for _, channel in pairs(list) do
      live = live + channel.live
      line = line + (channel.record and 1 + channels.waiting(channel) or 0)
    end
  end
  return live, line
end

local function state_of(self)
  return ("%d topics, %d subscriptions%s"):format(self._n, (count(self)),
    self._closed and ", closed" or "")
end

local mt = show.kind({ __name = "green.pubsub.hub", __index = methods }, state_of)

local function websocket_frame(text, binary)
  return require("green.websocket").frame(text, binary)
end

--- The kind of backend that options ask for.
local function backend_of(opts)
  return opts.redis and require "green.pubsub.redis" or opts.zmq and require "green.pubsub.zmq"
    or memory
end

--- A hub; see green.pubsub.
local function new(opts)
  opts = options.of_hub(opts)
  local self = setmetatable({
    _options = opts,
    _frame = opts.frame or websocket_frame,
    _crew = crews.new(),
    _topics = {}, -- name -> channel
    _patterns = {}, -- pattern -> channel
    _n = 0, -- of both
    _n_patterns = 0,
    _skipped = 0,
    _published = 0,
    _giving = {}, -- threads that are giving messages to receivers
    _busy = {}, -- channels whose messages the pump hands out
    _behind = {}, -- subscriptions with objects that are to drain
    _room = core.waitq(), -- publishers that wait
    _closed = false,
  }, mt)
  local made, err = backend_of(opts).new(self)
  self._backend = made
  return made and self, err
end

-- -- Publishing ---------------------------------------------------------------

--- Send a message to all who are subscribed to the topic. Parks while many messages of
-- the topic wait for their receivers, and over Redis and ZeroMQ.
-- @tparam string topic
-- @tparam string message
-- @tparam[opt] table opts `binary` (false), `key`: what it is the newest of, for those who
-- are behind and coalesce (default: the topic)
-- @return its id, and how many get it (over Redis and a broker: how many hubs); or nil, err:
-- EINVAL, ENAMETOOLONG, EMSGSIZE, ENOSPC (too many topics with history), ECLOSED, what
-- green.redis fails with, and over ZeroMQ ETIMEDOUT (with `sent`: it may have been done) and
-- ECONNRESET (the broker was started again meanwhile)
function methods:publish(topic, message, opts)
  local ok, err = options.topic(topic, self._options, "publish")
  if ok then
    ok, err = options.message(message, opts, self._options)
  end
  if not ok then
    return nil, err
  end
  thread.checkpoint()
  if self._closed then
    return topics.closed("publish")
  end
  self._published = self._published + 1
  return self._backend:publish(topic, message, ok)
end

-- -- The whole ----------------------------------------------------------------

--- Figures: `topics`, `patterns`, `subscriptions`, `published` (here), `skipped` (messages
-- that slow receivers did not get), `line` (messages whose receivers have not all got them).
-- Does not park.
function methods:stats()
  self._backend:sweep()
  local live, line = count(self)
  return {
    topics = self._n - self._n_patterns,
    patterns = self._n_patterns,
    subscriptions = live,
    published = self._published,
    skipped = self._skipped,
    line = line,
  }
end

--- All subscriptions there are. Looking for them does not disturb them.
local function subscriptions_of(self)
  local found = {}
  for _, list in pairs { self._topics, self._patterns } do
    for _, channel in pairs(list) do
      for at = 1, channel.n do
        found[#found + 1] = channel.subs[at] or nil
      end
    end
  end
  return found
end

--- End all subscriptions with an error.
-- @param err
-- @tparam[opt] boolean is_over their members need not leave: the hub's all do
function methods:_end_all(err, is_over)
  local list = subscriptions_of(self)
  for i = 1, #list do
    list[i]._member = not is_over and list[i]._member
    list[i]:_end(err)
  end
end

--- End all subscriptions with ECLOSED; receivers are not closed. Members and history are
-- forgotten here; over Redis and at a broker its members leave, and history stays.
-- Idempotent. Does not park.
function methods:close()
  if not self._closed then
    self._closed = true
    self:_end_all(errors.new("ECLOSED", "subscribe", "the hub was closed"), true)
    self._backend:close()
    core.wake_all(self._room)
  end
end

class.seal(mt)

return { new = new }
