-- What the members of the chat have in common: two hubs. One has what is said, and keeps it;
-- the other tells what nobody needs who was not there.

local green = require "green"
local pubsub = require "green.pubsub"
local url = require "green.url"
local websocket = require "green.websocket"

local HISTORY = 500 -- messages of a group that are kept
local SHOWN = 50 -- names of those who are there, at most
local HERE = 0.5 -- seconds: who is there is told no more often
local PRESENCE = 15 -- seconds until those of a process that died are gone

local room_methods = {}
room_methods.__index = room_methods

--- What a message of the hub becomes: a form with its id, so that who comes back can say it.
local function with_id(text, _, _, id)
  return websocket.frame(text .. "&id=" .. url.escape(id))
end

--- Tell a group who is there.
local function tell_here(room, group)
  room.changed[group] = nil
  local members = room.live:members(group)
  local names, n = { { "op", "here" }, { "group", group } }, 0
  for name in pairs(members or {}) do
    n = n + 1
    names[#names + 1] = n <= SHOWN and { "name", name } or nil
  end
  names[#names + 1] = { "n", n }
  if members then
    room.live:publish(group, url.query(names))
  end
end

--- Somebody has come or gone: soon all are told, however many it are by then.
function room_methods:note_change(group)
  if not self.changed[group] then
    self.changed[group] = green.spawn_after(HERE, tell_here, self, group)
  end
end

local function make_hubs(room, over)
  room.talk = assert(pubsub.new { redis = over.redis, zmq = over.zmq, prefix = "chat:talk:",
    history = HISTORY, max_message = 16384, frame = with_id })
  -- What nobody needs who was not there.
  room.live = assert(pubsub.new { redis = over.redis, zmq = over.zmq, prefix = "chat:live:",
    slow = "skip", presence_ttl = PRESENCE, presence = function(_, group)
      room:note_change(group)
    end })
end

--- All that the history of a group has, oldest first: texts and ids.
function room_methods:history(group)
  local sub, err = self.talk:subscribe(group, nil, { since = "0" })
  if not sub then
    return nil, err
  end
  local list = {}
  for i = 1, sub:waiting() do
    local text, _, id = sub:recv()
    list[i] = { text, id }
  end
  sub:close()
  return list
end

function room_methods:close()
  self.talk:close()
  self.live:close()
end

--- A room: `talk` and `live`, hubs.
-- @tparam table over `redis`, a URL, or `zmq`, where a broker is asked, or neither
local function new(over)
  local room = setmetatable({}, room_methods)
  room.changed = {} -- groups where somebody has come or gone
  make_hubs(room, over)
  return room
end

return { new = new }
