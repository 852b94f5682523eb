--- What Redis keeps of who is there, and the script that changes it: a register of
-- green.pubsub.members.
--
-- A topic has a sorted set with one entry for each hub and member, scored with the time
-- until which it is good; how many entries each member has; and what is told of it. A hub
-- renews its entries; those of one that has gone grow old, and whoever looks at the topic
-- next takes them out. All of it is done by one script, with the server's clock.
-- @module green.pubsub.redis.register

local digest = require "green.digest"

-- Scripts may put their own in their places.
local setmetatable, unpack, floor, min = setmetatable, unpack, math.floor, math.min

local LONGEST = 1e9 -- seconds that a member may have: the server counts milliseconds

-- KEYS: entries, counts, infos. ARGV: what to do, the hub's name, milliseconds; then pairs
-- of a member and its info ("=" before it; "" for none). It returns those who came, and
-- those who went with their infos.
local SCRIPT = [[
local entries, counts, infos = KEYS[1], KEYS[2], KEYS[3]
local what, hub, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local came, went = {}, {}

local function one_less(member)
  if redis.call("HINCRBY", counts, member, -1) <= 0 then
    went[#went + 1] = member
    went[#went + 1] = redis.call("HGET", infos, member) or ""
    redis.call("HDEL", counts, member)
    redis.call("HDEL", infos, member)
  end
end

local function join(member, info)
  local good = string.format("%.0f", now + ttl)
  if redis.call("ZADD", entries, good, hub .. member) == 1
    and redis.call("HINCRBY", counts, member, 1) == 1 then
    came[#came + 1] = member
    if info == "" then info = "=" end
  end
  if info ~= "" then
    redis.call("HSET", infos, member, string.sub(info, 2))
  end
end

for _, old in ipairs(redis.call("ZRANGEBYSCORE", entries, "-inf",
    string.format("%.0f", now), "LIMIT", 0, 1000)) do
  redis.call("ZREM", entries, old)
  one_less(string.sub(old, #hub + 1))
end
for i = 4, #ARGV, 2 do
  if what == "join" then
    join(ARGV[i], ARGV[i + 1])
  elseif redis.call("ZREM", entries, hub .. ARGV[i]) == 1 then
    one_less(ARGV[i])
  end
end
for i = 1, 3 do
  redis.call("PEXPIRE", KEYS[i], 2 * ttl)
end
return { came, went, what == "list" and redis.call("HGETALL", infos) or false }
]]

local methods = {}
local mt = { __index = methods }

--- The register as one hub sees it. Does not park.
local function new(db, hub)
  return setmetatable({
    script = db:script(SCRIPT),
    prefix = hub._options.prefix,
    name = digest.hex(digest.random(6)), -- the hub's, before its entries
    ttl = min(hub._options.presence_ttl, LONGEST),
  }, mt)
end

--- See green.pubsub.members. Parks.
function methods:ask(what, topic, list)
  local keys = { self.prefix .. "members:" .. topic, self.prefix .. "counts:" .. topic,
    self.prefix .. "infos:" .. topic }
  local reply, err = self.script:call(keys, what, self.name, floor(self.ttl * 1000),
    unpack(list))
  if not reply then
    return nil, err
  end
  return reply[1], reply[2], reply[3] or {}
end

return { new = new }
