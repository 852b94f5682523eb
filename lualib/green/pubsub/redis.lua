--- The backend of hubs that share their topics through Redis. See green.pubsub.memory for
-- what a backend has.
--
-- A message goes to Redis and comes back to all hubs that listen, this one too: its own
-- receivers get it by that way alone, so all see the same order.
-- @module green.pubsub.redis

local args = require "green.args"
local ear = require "green.pubsub.redis.ear"
local members = require "green.pubsub.members"
local past = require "green.pubsub.redis.past"
local redis = require "green.redis"
local registers = require "green.pubsub.redis.register"
local shared = require "green.pubsub.shared"
local wire = require "green.pubsub.redis.wire"

local floor, pairs, setmetatable, type = math.floor, pairs, setmetatable, type

local of = { hear = ear.hear, past = past.since, is_newer = wire.is_newer, none = wire.NONE }

local methods = {}
for name, method in pairs(shared.methods) do
  methods[name] = method
end
local mt = { __index = methods }

local FOREVER = 1e12 -- seconds: the server counts milliseconds, in 63 bits

-- What a hub calls of a client.
local needed = { "script", "pipeline", "subscribe", "psubscribe", "xrange" }

--- The client, and whether it is the hub's own.
local function client_of(target)
  if type(target) == "string" then
    local db, err = redis.client(target)
    return db, err, true
  end
  for i = 1, #needed do
    if not args.method(target, needed[i]) then
      args.wrong("pubsub.new", "redis", "a URL or a client of green.redis", target)
    end
  end
  return target, nil, false
end

--- @return the backend; or nil, err: EINVAL, the URL is none
local function new(hub)
  local opts = hub._options
  local db, err, is_own = client_of(opts.redis)
  if not db then
    return nil, err
  end
  local seconds = opts.history_seconds
  return setmetatable({
    hub = hub,
    db = db,
    is_own = is_own,
    prefix = opts.prefix,
    history = opts.history,
    milliseconds = seconds and seconds < FOREVER and floor(seconds * 1000) or "",
    script = db:script(opts.history > 0 and wire.KEEP_AND_PUBLISH or wire.PUBLISH),
    -- of ear
    subscription = nil,
    heard = { topics = {}, patterns = {} },
    changed = { topics = {}, patterns = {} },
    openings = {},
    recent = nil,
    members_state = members.new(hub, registers.new(db, hub)),
  }, mt)
end

-- -- Messages -----------------------------------------------------------------

function methods:publish(topic, text, opts)
  local prefix, reply, err = self.prefix
  local channel, flags, key = wire.channel(prefix, topic), wire.flags(opts), opts.key or ""
  if self.history > 0 then
    reply, err = self.script:call({ wire.stream(prefix, topic) }, channel, flags, key, text,
      self.history, self.milliseconds)
  else
    reply, err = self.script:call({ wire.counter(prefix) }, channel, flags, key, text)
  end
  if not reply then
    return nil, err
  end
  return reply[1], reply[2]
end

function methods:attend(sub, channel, since)
  return shared.attend(self, of, sub, channel, since)
end

function methods:shut(channel)
  ear.forget(self, channel)
end

--- A thread lets the members leave, and closes the client if it is ours.
function methods:close()
  ear.close(self)
  members.close(self.members_state, self.is_own and self.db or nil)
end

return { new = new }
