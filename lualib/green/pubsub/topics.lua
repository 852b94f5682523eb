--- The topics and patterns of a hub: each is there while it has subscriptions, messages
-- in its history, or members.
-- @module green.pubsub.topics

local channels = require "green.pubsub.channel"
local errors = require "green.error"
local glob = require "green.pubsub.glob"

local pairs = pairs

local M = {}

local function full(hub, name, op)
  return nil, errors.new("ENOSPC", op .. " " .. name,
    ("there are %d topics, the most there may be"):format(hub._options.max_topics))
end

--- What is asked of a hub that was closed. nil, err.
function M.closed(op)
  return nil, errors.new("ECLOSED", op, "the hub was closed")
end

--- The topic of that name, made if need be; or nil, err: ENOSPC.
function M.need(hub, name, op)
  local topic = hub._topics[name]
  if topic then
    return topic
  elseif hub._n >= hub._options.max_topics then
    return full(hub, name, op)
  end
  topic = channels.new(name)
  hub._topics[name], hub._n = topic, hub._n + 1
  return topic
end

--- The same for a pattern.
function M.need_pattern(hub, pattern, op)
  local found = hub._patterns[pattern]
  if found then
    return found
  elseif hub._n >= hub._options.max_topics then
    return full(hub, pattern, op)
  end
  found = channels.new(pattern)
  found.tokens = glob.compile(pattern)
  hub._patterns[pattern], hub._n = found, hub._n + 1
  hub._n_patterns = hub._n_patterns + 1
  return found
end

--- Forget a topic or pattern that nothing holds any more.
function M.release(hub, channel)
  local name = channel.name
  if channel.live > 0 or channel.record or channel.past or channel.members then
    return
  elseif hub._topics[name] == channel then
    hub._topics[name] = nil
    hub._n = hub._n - 1
  elseif hub._patterns[name] == channel then
    hub._patterns[name] = nil
    hub._n, hub._n_patterns = hub._n - 1, hub._n_patterns - 1
  end
end

--- All channels that get a message of a topic: its own, if it is there, and the patterns'.
function M.channels_of(hub, name)
  local found = { hub._topics[name] }
  if hub._n_patterns > 0 then
    for _, channel in pairs(hub._patterns) do
      if glob.matches(channel.tokens, name) then
        found[#found + 1] = channel
      end
    end
  end
  return found
end

return M
