--- The options of hubs and subscriptions, and what else is checked of calls.
-- @module green.pubsub.options

local args = require "green.args"
local errors = require "green.error"
local options = require "green.args.options"
local outlet = require "green.pubsub.outlet"
local policy = require "green.pubsub.policy"
local target = require "green.pubsub.zmq.target"

local M = {}

local limits = { slow = "drop", max_queued = 1000, max_buffered = 524288 }

local hub_options = {
  redis = true,
  zmq = true,
  prefix = "green:",
  history = 0,
  history_seconds = true,
  max_topics = 100000,
  max_topic = 256,
  max_message = 1048576,
  presence = true,
  presence_ttl = 30,
  on_gap = true,
  frame = true,
  slow = true,
  max_queued = true,
  max_buffered = true,
}

local subscribe_options = { slow = true, max_queued = true, max_buffered = true, since = true,
  member = true, info = true }

local function or_else(value, default)
  if value == nil then
    return default
  end
  return value
end

--- The limits of an option table over those that hold otherwise.
local function limits_of(opts, default, where)
  local made = {}
  for name in pairs(limits) do
    made[name] = or_else(opts[name], default[name])
  end
  if not policy.names[made.slow] then
    if type(made.slow) ~= "string" then
      args.wrong(where, "slow", '"drop", "skip" or "coalesce"', made.slow)
    end
    options.unknown("slow", made.slow, policy.names, where)
  end
  args.count(made.max_queued, 1, where, "max_queued")
  args.count(made.max_buffered, 0, where, "max_buffered")
  return made
end

local function check_counts(made)
  local where = "pubsub.new"
  args.integer(made.history, 0, where, "history", 1000000)
  args.count(made.max_topics, 1, where, "max_topics")
  args.count(made.max_topic, 1, where, "max_topic")
  args.count(made.max_message, 1, where, "max_message")
  args.number(made.presence_ttl, 0.1, where, "presence_ttl")
  if made.history_seconds ~= nil then
    args.number(made.history_seconds, 0.001, where, "history_seconds")
    if made.history == 0 then
      args.wrong(where, "history_seconds", "nil without history, the number of messages to keep",
        made.history_seconds)
    end
  end
end

--- Check the options of a hub; they come back with their defaults and `limits`.
function M.of_hub(opts)
  opts = options.check(opts, hub_options, "pubsub.new")
  local made = {}
  for name, default in pairs(hub_options) do
    made[name] = or_else(opts[name], default ~= true and default or nil)
  end
  check_counts(made)
  args.type(made.prefix, "string", "pubsub.new", "prefix")
  for _, name in ipairs { "presence", "on_gap", "frame" } do
    if made[name] ~= nil then
      args.callable(made[name], "pubsub.new", name)
    end
  end
  made.zmq = made.zmq ~= nil and target.of(made) or nil
  made.limits = limits_of(made, limits, "pubsub.new")
  return made
end

--- Check the options of a subscription; returns them and the limits that hold for it.
function M.of_subscription(opts, hub, where)
  opts = options.check(opts, subscribe_options, where)
  args.optional(opts.since, "string", where, "since")
  args.optional(opts.member, "string", where, "member")
  args.optional(opts.info, "string", where, "info")
  if opts.since and hub.history == 0 then
    args.wrong(where, "since", "nil where the hub has no history (pubsub.new{ history = n })",
      opts.since)
  elseif opts.info and not opts.member then
    args.wrong(where, "info", "nil without a member, whose it is", opts.info)
  end
  if opts.slow == nil and opts.max_queued == nil and opts.max_buffered == nil then
    return opts, hub.limits
  end
  return opts, limits_of(opts, hub.limits, where)
end

--- Check a receiver: nil, a function, or an object that messages are sent to.
function M.receiver(receiver, where)
  if receiver == nil then
    return
  elseif outlet.is_object(receiver) then
    if type(receiver.buffered) ~= "number" then
      args.wrong(where, "receiver.buffered", "a number of bytes", receiver.buffered)
    end
  elseif not args.callee(receiver) then
    args.wrong(where, "receiver",
      "a websocket, an object with send_frame or send_message, a function or nil", receiver)
  end
end

--- Check a topic: true; or nil, err: EINVAL (it is empty), ENAMETOOLONG.
function M.topic(topic, hub, where, name)
  args.type(topic, "string", where, name or "topic")
  if topic == "" then
    return nil, errors.new("EINVAL", where, "a topic must not be empty")
  elseif #topic > hub.max_topic then
    return nil, errors.new("ENAMETOOLONG", where,
      ("a topic of %d bytes, more than max_topic, %d"):format(#topic, hub.max_topic))
  end
  return true
end

local publish_options = { binary = true, key = true }

--- Check a message and its options: the options; or nil, err: EMSGSIZE.
function M.message(text, opts, hub)
  args.type(text, "string", "publish", "message")
  opts = options.check(opts, publish_options, "publish")
  args.optional(opts.key, "string", "publish", "key")
  args.optional(opts.binary, "boolean", "publish", "binary")
  if #text > hub.max_message then
    return nil, errors.new("EMSGSIZE", "publish",
      ("a message of %d bytes, more than max_message, %d"):format(#text, hub.max_message))
  end
  return opts
end

return M
