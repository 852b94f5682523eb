--- Who is there: the members of a hub's topics. Methods of green.pubsub.hub.
-- @module green.pubsub.presence

local args = require "green.args"
local core = require "green.core"
local options = require "green.pubsub.options"
local thread = require "green.thread"
local topics = require "green.pubsub.topics"

-- Scripts may put their own in their places.
local type, xpcall = type, xpcall

local methods = {}

local function check_member(self, topic, member, where)
  args.type(topic, "string", where, "topic")
  args.type(member, "string", where, "member")
  local ok, err = options.topic(topic, self._options, where)
  if ok and self._closed then
    return topics.closed(where)
  end
  return ok, err
end

--- Say that somebody is there. Who joins several times counts once, and has to leave as
-- often. Over Redis and ZeroMQ it parks.
-- @tparam string topic
-- @tparam string member
-- @tparam[opt] string info what members() tells of it; the last one counts
-- @return true: it was not there before; false: it was; or nil, err, as of subscribe
function methods:join(topic, member, info)
  args.optional(info, "string", "join", "info")
  local ok, err = check_member(self, topic, member, "join")
  if not ok then
    return nil, err
  end
  return self._backend:join(topic, member, info)
end

--- Take back a join. Over Redis and ZeroMQ it parks.
-- @return true: it is there no more; false: it still is, or was not; or nil, err
function methods:leave(topic, member)
  local ok, err = check_member(self, topic, member, "leave")
  if not ok then
    return nil, err
  end
  return self._backend:leave(topic, member)
end

--- Who is there. Over Redis and ZeroMQ it parks.
-- @return a table of member = info ("" where it gave none); or nil, err
function methods:members(topic)
  local ok, err = check_member(self, topic, "", "members")
  if not ok then
    return nil, err
  end
  return self._backend:members(topic)
end

--- What is to be told of somebody who came or went; an error of the program's function is
-- reported, for it stands in nobody's way.
function methods:_event(what, topic, member, info)
  local fn = self._options.presence
  if not fn then
    return nil
  end
  local ok, text = xpcall(fn, thread.note_traceback, what, topic, member, info)
  if ok and (text == nil or type(text) == "string") then
    return text
  end
  local err = ok and "the presence option must return a string or nil" or text
  thread.report(err, core.current(), thread.traceback_of(err) or "")
end

return { methods = methods }
