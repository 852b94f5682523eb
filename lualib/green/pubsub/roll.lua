--- The members of one hub, by topics: the part of green.pubsub.members that asks the register,
-- and lets nobody else change a topic's members meanwhile.
-- @module green.pubsub.roll

local semaphore = require "green.semaphore"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, next, pairs, xpcall = error, next, pairs, xpcall

local AT_ONCE = 500 -- members in one call

local M = {}

--- The members of a hub. Does not park.
function M.new(hub, register)
  return {
    hub = hub,
    register = register,
    topics = {}, -- name -> { members = { member = { count, info } }, lock, users }
  }
end

-- -- Asking the register ------------------------------------------------------

local function publish(self, name, what, member, info)
  local text = self.hub:_event(what, name, member, info)
  if text then
    self.hub._backend:publish(name, text, {})
  end
end

--- Do something with pairs of members and infos, and tell who came and went. The three
-- lists of the register; or nil, err. Parks.
function M.call(self, name, what, list)
  local came, went, all = self.register:ask(what, name, list)
  if not came then
    return nil, went
  end
  local infos = {}
  for i = 1, #list, 2 do
    infos[list[i]] = list[i + 1]:sub(2)
  end
  for _, member in pairs(came) do
    publish(self, name, "join", member, infos[member])
  end
  for i = 1, #went, 2 do
    publish(self, name, "leave", went[i], went[i + 1])
  end
  return came, went, all
end

local function topic_of(self, name)
  local topic = self.topics[name]
  if not topic then
    topic = { members = {}, lock = semaphore.Semaphore(1), users = 0 }
    self.topics[name] = topic
  end
  return topic
end

local function release(self, name, topic)
  if topic.users == 0 and not next(topic.members) and self.topics[name] == topic then
    self.topics[name] = nil
  end
end

-- -- Alone --------------------------------------------------------------------

--- fn(...) alone among those who change a topic's members: two commands on two connections
-- may come in any order. Parks.
function M.locked(self, name, fn, ...)
  local topic = topic_of(self, name)
  topic.users = topic.users + 1
  local function done(ok, ...)
    topic.users = topic.users - 1
    release(self, name, topic)
    if not ok then
      error((...), 0)
    end
    return ...
  end
  return done(xpcall(topic.lock.with, thread.note_traceback, topic.lock, fn, self, name, topic,
    ...))
end

--- All of a topic's members as lists of pairs, for one call each.
function M.pairs_of(topic)
  local lists, list = {}, nil
  for member, entry in pairs(topic.members) do
    if not list or #list >= 2 * AT_ONCE then
      list = {}
      lists[#lists + 1] = list
    end
    list[#list + 1], list[#list + 2] = member, "=" .. entry.info
  end
  return lists
end

return M
