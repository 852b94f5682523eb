--- Who is there, where many hubs share that: the members of this hub, which come, go and are
-- renewed before their entries grow old.
--
-- A register keeps them for all hubs. It has `ttl`, seconds that an entry is good for, and
-- ask(what, topic, list): what is "join", "leave", "look" or "list", list pairs of a member and
-- its info ("=" before it; "": it stays what it is). That returns who came, who went with
-- their infos, and for "list" all with theirs, flat lists; or nil, err, whose `sent` says that it
-- may have been done. It parks.
-- @module green.pubsub.members

local roll = require "green.pubsub.roll"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, next, pairs, xpcall = error, next, pairs, xpcall

local call, locked, pairs_of = roll.call, roll.locked, roll.pairs_of

local M = { new = roll.new }

-- -- Renewing -----------------------------------------------------------------

local function renew_topic(self, name, topic)
  for _, list in pairs(pairs_of(topic)) do
    call(self, name, "join", list)
  end
end

--- Topics that have members of ours, and where events are to be told.
local function names_of(self)
  local names = {}
  for name in pairs(self.topics) do
    names[name] = true
  end
  if self.hub._options.presence then
    for name, channel in pairs(self.hub._topics) do
      names[name] = channel.live > 0 or names[name]
    end
  end
  return names
end

local function renew(self)
  thread.sleep(self.register.ttl / 3)
  local names = names_of(self)
  while next(names) and not self.is_closed do
    for name in pairs(names) do
      if self.topics[name] then
        locked(self, name, renew_topic)
      else
        call(self, name, "look", {})
      end
    end
    thread.sleep(self.register.ttl / 3)
    names = names_of(self)
  end
end

local function renew_all(self)
  for name in pairs(names_of(self)) do
    if self.topics[name] and not self.is_closed then
      locked(self, name, renew_topic)
    end
  end
end

--- The register has forgotten them: a thread enters them again. Does not park.
function M.renew_now(self)
  if not self.is_closed then
    self.hub._crew:need("enter", renew_all, self, true)
  end
end

--- Somebody is there, or wants to be told: entries must not grow old. Does not park.
function M.look_after(self)
  if not self.is_closed then
    self.hub._crew:need("renew", renew, self, true)
  end
end

-- -- Joining and leaving ------------------------------------------------------

--- One connection of a member less. Returns whether that was the last.
local function forget_one(topic, member)
  local entry = topic.members[member]
  if not entry then
    return false
  end
  entry.count = entry.count - 1
  if entry.count > 0 then
    return false
  end
  topic.members[member] = nil
  return true
end

local function leave_now(self, name, topic, member)
  if not forget_one(topic, member) then
    return false
  end
  local came, went = call(self, name, "leave", { member, "" })
  if not came then
    return nil, went
  end
  for i = 1, #went, 2 do
    if went[i] == member then
      return true
    end
  end
  return false
end

local function leave(self, name, member)
  return locked(self, name, leave_now, member)
end
M.leave = leave

--- The same in a green thread of its own. Does not park.
function M.leave_soon(self, name, member)
  if not self.is_closed then
    thread.spawn_n(leave, self, name, member)
  end
end

-- held.counted: it is to be taken back if the join does not come to its end.
local function join_now(self, name, topic, member, info, held)
  local entry = topic.members[member]
  if entry and not info then
    entry.count = entry.count + 1
    return false
  elseif entry then
    entry.count, entry.info = entry.count + 1, info
  else
    topic.members[member] = { count = 1, info = info or "" }
  end
  held.counted = true
  M.look_after(self)
  local came, err = call(self, name, "join", { member, info and "=" .. info or "" })
  held.counted = false
  if came then
    return not entry and came[1] == member
  elseif err.sent then -- it may be there
    leave_now(self, name, topic, member)
  else
    forget_one(topic, member)
  end
  return nil, err
end

local function joined(self, name, member, held, ok, is_first, ...)
  if held.counted then -- it may have come to the server all the same
    M.leave_soon(self, name, member)
  end
  if not ok then
    error(is_first, 0)
  end
  return is_first, ...
end

function M.join(self, name, member, info)
  local held = { counted = false }
  return joined(self, name, member, held, xpcall(locked, thread.note_traceback, self, name,
    join_now, member, info, held))
end

function M.list(self, name)
  local came, err, flat = call(self, name, "list", {})
  if not came then
    return nil, err
  end
  local list = {}
  for i = 1, #flat, 2 do
    list[flat[i]] = flat[i + 1]
  end
  return list
end

-- -- The end ------------------------------------------------------------------

local function leave_topic(self, name, topic)
  for _, list in pairs(pairs_of(topic)) do
    call(self, name, "leave", list)
  end
  topic.members = {}
end

local function leave_all(self)
  local names = {}
  for name in pairs(self.topics) do
    names[#names + 1] = name
  end
  for i = 1, #names do
    locked(self, names[i], leave_topic)
  end
  if self.own_db then
    self.own_db:close()
  end
end

--- All of the hub's members leave, then db:close() is called; a thread does that. Does not
-- park.
-- @param[opt] db what the members need to leave
function M.close(self, db)
  self.is_closed = true
  self.hub._crew:dismiss("renew")
  self.hub._crew:dismiss("enter")
  if next(self.topics) then
    self.own_db = db
    self.hub._crew:need("farewell", leave_all, self)
  elseif db then
    db:close()
  end
end

return M
