--- What the backends of hubs that share their topics have in common: who subscribes is heard there
-- first, then told what it has missed; and the members of all hubs, over Redis and over a broker.
-- @module green.pubsub.shared

local channels = require "green.pubsub.channel"
local members = require "green.pubsub.members"

local M = {}

--- The body of a backend's attend. With since: what comes meanwhile is held back, and goes behind
-- what is replayed. true; nil, err. Parks.
-- @tparam table backend `hub`, and where that has presence `members_state`
-- @tparam table of the backend's kind: `hear`(backend, channel) and `past`(backend, topic, since,
-- channel), which may fail, `is_newer`(id, id) and `none`, the id that comes before all
function M.attend(backend, of, sub, channel, since)
  channels.add(channel, sub)
  if since then
    sub:_hold()
  end
  if backend.hub._options.presence then
    members.look_after(backend.members_state)
  end
  local ok, err = of.hear(backend, channel)
  if not ok then
    return nil, err
  elseif not since then
    return true
  end
  local list
  list, err = of.past(backend, channel.name, since, channel)
  if not list then
    return nil, err
  end
  sub:_resume(list, since == "0" and of.none or since, of.is_newer)
  return true
end

--- Methods of a backend with `members_state`, see green.pubsub.members.
M.methods = {}

function M.methods:sweep()
end

function M.methods:join(topic, member, info)
  return members.join(self.members_state, topic, member, info)
end

function M.methods:leave(topic, member)
  return members.leave(self.members_state, topic, member)
end

function M.methods:leave_soon(topic, member)
  members.leave_soon(self.members_state, topic, member)
end

function M.methods:members(topic)
  return members.list(self.members_state, topic)
end

return M
