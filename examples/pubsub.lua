-- Publish and subscribe: rooms, who is there, what one has missed, and a slow receiver.
--
--     greenlua examples/pubsub.lua [redis://127.0.0.1/0]
--
-- With the URL of a Redis the same runs over it: start two, and they share their rooms.
local green = require "green"
local pubsub = require "green.pubsub"

local hub = assert(pubsub.new {
  redis = arg[1],
  history = 50,
  presence = function(what, _, member)
    return ("* %s %ss"):format(member, what)
  end,
})

-- A function gets the messages of all rooms, in a green thread of its own.
local log = assert(hub:psubscribe("room:*", function(text, topic)
  print(("%-10s %s"):format(topic, text))
end))

-- Somebody who is in a room for a while, and remembers what came last.
local function visit(name, since)
  local sub, err = hub:subscribe("room:tea", nil, { member = name, since = since })
  if not sub then
    return nil, err -- EGAP: too much has happened since
  end
  local last
  for text, _, id in sub:messages() do
    last = id
    if text == "ann: bye" then
      break
    end
  end
  sub:close() -- and so leaves
  return last
end

local ann = green.spawn(visit, "ann")
green.sleep(0.05)
for member in pairs(assert(hub:members "room:tea")) do
  print("there is", member)
end
assert(hub:publish("room:tea", "ann: hello"))
assert(hub:publish("room:tea", "ann: bye"))
local last = assert(ann:wait())

-- What came after that is in the history.
assert(hub:publish("room:tea", "bob: is nobody here?"))
local later = assert(hub:subscribe("room:tea", nil, { since = last }))
repeat
  local text = assert(later:recv(1))
  print("missed", text)
until text == "bob: is nobody here?"

-- One that takes its time gets the newest of each key.
local slow = assert(hub:subscribe("prices", nil, { slow = "coalesce", max_queued = 2 }))
for i = 1, 100 do
  assert(hub:publish("prices", "tea " .. i, { key = "tea" }))
  assert(hub:publish("prices", "cake " .. i * 2, { key = "cake" }))
end
green.sleep(0.05)
print(slow:recv(1))
print(slow:recv(1))
print("left out", slow.skipped)

log:close()
hub:close()
