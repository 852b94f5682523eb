--- Who gets the messages of a hub: how subscriptions come and go. Methods of green.pubsub.hub.
-- @module green.pubsub.attendance

local args = require "green.args"
local channels = require "green.pubsub.channel"
local exits = require "green.thread.exits"
local options = require "green.pubsub.options"
local subscriptions = require "green.pubsub.subscription"
local thread = require "green.thread"
local topics = require "green.pubsub.topics"

-- Scripts may put their own in their places.
local error, xpcall = error, xpcall

local methods = {}

local function leave(self, sub)
  local member = sub._member
  sub._member = false
  if member then
    self._backend:leave_soon(sub.topic, member)
  end
end

--- A subscription has ended.
function methods:_unsubscribe(sub)
  local channel = sub._channel
  if channels.remove(channel, sub) then
    if channel.live == 0 then
      self._backend:shut(channel)
      topics.release(self, channel)
    end
  end
  leave(self, sub)
end

local function join(self, sub, opts)
  local is_first, err = self._backend:join(sub.topic, opts.member, opts.info)
  if is_first == nil then
    return nil, err
  end
  sub._member = opts.member
  if sub.closed then
    leave(self, sub)
  end
  return sub
end

--- Everything that may wait, when one subscribes.
local function attend(self, sub, channel, opts)
  local ok, err = self._backend:attend(sub, channel, opts.since)
  if not ok then
    return nil, err
  elseif opts.member then
    return join(self, sub, opts)
  end
  return sub
end

local function abandon(held)
  held.sub:close()
end

local function attended(held, ok, sub, ...)
  exits.release(held)
  if not ok or not sub then
    held.sub:close()
    topics.release(held.sub._hub, held.sub._channel)
  end
  if not ok then
    error(sub, 0)
  end
  return sub, ...
end

local function subscribe(self, channel, limits, receiver, opts)
  local sub = subscriptions.new({
    _hub = self,
    _channel = channel,
    _limits = limits,
    _member = false,
    topic = channel.name,
  }, receiver)
  local held = { _exit = abandon, sub = sub }
  exits.hold(held)
  return attended(held, xpcall(attend, thread.note_traceback, self, sub, channel, opts))
end

--- Get the messages of a topic. Over Redis and ZeroMQ it parks.
-- @tparam string topic
-- @param[opt] receiver a websocket or another object with `send_frame(frame, 0)` or
-- `send_message(text, topic, id)`, which must not park, and fields `buffered` and
-- `closed`; a function(text, topic, id, binary), which may park; nil: they are taken by
-- recv and messages
-- @tparam[opt] table opts `since`: the id of the last message that was seen ("0": none);
-- `slow`, `max_queued`, `max_buffered`: as of pubsub.new; `member`, `info`: join, until
-- the subscription ends
-- @return a subscription; or nil, err: EINVAL, ENAMETOOLONG, ENOSPC, EGAP (messages after
-- `since` are lost), ECLOSED, what green.redis fails with, and over ZeroMQ ETIMEDOUT and
-- EOPNOTSUPP (a member, without a broker)
function methods:subscribe(topic, receiver, opts)
  local limits
  options.receiver(receiver, "subscribe")
  opts, limits = options.of_subscription(opts, self._options, "subscribe")
  local ok, err = options.topic(topic, self._options, "subscribe")
  if not ok then
    return nil, err
  elseif self._closed then
    return topics.closed("subscribe")
  end
  local channel
  channel, err = topics.need(self, topic, "subscribe")
  if not channel then
    return nil, err
  end
  return subscribe(self, channel, limits, receiver, opts)
end

--- Get the messages of all topics that match a pattern: `*` any bytes, `?` one byte,
-- `[a-z]`, `[^a-z]`, `\` before one that is meant. Over Redis and ZeroMQ it parks.
-- @tparam string pattern
-- @param[opt] receiver as of subscribe
-- @tparam[opt] table opts as of subscribe, without `since`, `member` and `info`
-- @return a subscription; or nil, err, as of subscribe
function methods:psubscribe(pattern, receiver, opts)
  local limits
  options.receiver(receiver, "psubscribe")
  opts, limits = options.of_subscription(opts, self._options, "psubscribe")
  local of_one = opts.since or opts.member
  if of_one then
    args.wrong("psubscribe", opts.since and "since" or "member",
      "nil (it is for one topic: subscribe to that)", of_one)
  end
  local ok, err = options.topic(pattern, self._options, "psubscribe", "pattern")
  if not ok then
    return nil, err
  elseif self._closed then
    return topics.closed("psubscribe")
  end
  local channel
  channel, err = topics.need_pattern(self, pattern, "psubscribe")
  if not channel then
    return nil, err
  end
  return subscribe(self, channel, limits, receiver, opts)
end

return { methods = methods }
