-- A cache in Redis that all processes share, emptied by publish and subscribe.
--
--   redis-server &
--   greenlua examples/redis.lua [URL]
--
-- What `slow` gives is kept in Redis for a minute and in this process until somebody says, on the
-- channel "stale", that it has changed: any number of these processes see the same.

local green = require "green"
local redis = require "green.redis"

local db = assert(redis.connect((...) or "redis://127.0.0.1:6379"))

local function slow(name)
  green.sleep(0.1)
  return name:upper()
end

local near = {} -- of this process

local function fetch(name)
  local value = near[name]
  if not value then
    value = db:get("cache:" .. name)
    if not value then
      value = slow(name)
      assert(db:set("cache:" .. name, value, "EX", 60))
    end
    near[name] = value
  end
  return value
end

local function changed(name)
  assert(db:pipeline(function(p)
    p:del("cache:" .. name)
    p:publish("stale", name)
  end))
end

local sub = assert(db:subscribe { "stale", gaps = true })
local told = green.Event()
green.spawn(function()
  for message in sub:messages() do
    if message.gap then
      near = {} -- who knows what was missed
    else
      near[message.data] = nil
      print("stale: " .. message.data)
      told:send()
    end
  end
end)

changed "apple"
told:wait()
for i = 1, 3 do
  local began = green.now()
  print(i, fetch "apple", green.now() - began > 0.05 and "slow" or "quick")
end

sub:close()
db:close()
