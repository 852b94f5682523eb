--- The backend of hubs that share their topics over ZeroMQ without a broker. See
-- green.pubsub.memory, which it stands on, for what a backend has.
--
-- Each process binds one XPUB, and connects one SUB to the XPUBs of all others. What is
-- published here goes to the receivers of this process, and out; what comes in goes to the
-- receivers. So each process has its own order of what several publish at a time, its own ids
-- and its own history: of what it has published and heard. Where a hub has history it hears
-- all topics of its prefix, else those that somebody here is subscribed to.
-- @module green.pubsub.zmq.peers

local errors = require "green.error"
local histories = require "green.pubsub.history"
local keys = require "green.pubsub.zmq.key"
local longest = require "green.zmq.longest"
local memory = require "green.pubsub.memory"
local meeting = require "green.pubsub.zmq.meeting"
local intake = require "green.pubsub.zmq.intake"
local shared = require "green.pubsub.shared"
local outbox = require "green.zmq.broker.outbox"
local topics = require "green.pubsub.topics"
local wire = require "green.zmq.broker.wire"
local zmq = require "green.zmq"

local pairs, setmetatable = pairs, setmetatable

local LINGER = 0.5 -- seconds for what has not left at the end: less than a program waits for it

local methods = {}
local mt = { __index = methods }

-- -- Making one ---------------------------------------------------------------

local function connect(self)
  local target, ok, err = self.target, self.pub:bind(self.target.bind)
  for i = 1, ok and #target.peers or 0 do
    if ok then
      ok, err = self.sub:connect(target.peers[i])
    end
  end
  return ok, err
end

local function start(self)
  self.sub:subscribe(self.own_key)
  if self.hub._options.history > 0 then
    self.sub:subscribe(self.prefix)
  end
  self.hub._crew:need("messages", intake.run, { self, intake.messages }, true)
  self.hub._crew:need("wants", intake.run, { self, intake.wants }, true)
end

local function socket_of(kind, options, more)
  for name, value in pairs(options or {}) do
    more[name] = value
  end
  return zmq.socket(kind, more)
end

local function open(self)
  local target = self.target
  local err
  self.pub, err = socket_of(zmq.XPUB, target.bind_options or target.options,
    { xpub_verboser = true, linger = LINGER })
  if not self.pub then
    return nil, err
  end
  self.sub, err = socket_of(zmq.SUB, target.options,
    { maxmsgsize = longest.of(self.hub._options.max_message) })
  local ok = self.sub
  if ok then
    ok, err = connect(self)
  end
  if not ok then
    self.pub:close(0)
    if self.sub then
      self.sub:close(0)
    end
  end
  return ok, err
end

--- @return the backend; or nil, err: an endpoint is none, or taken
local function new(hub)
  local target, own = hub._options.zmq, memory.new(hub)
  local self = setmetatable({
    hub = hub,
    own = own, -- the backend of this process
    target = target,
    prefix = hub._options.prefix,
    name = own.history.name,
    pub = false, -- XPUB
    sub = false, -- SUB
    latest = {}, -- name of a publisher -> number of its newest message
    n_latest = 0,
    sent = 0,
  }, mt)
  meeting.init(self)
  local ok, err = open(self)
  if not ok then
    return nil, err
  end
  self.out = outbox.new(self.pub)
  start(self)
  return self
end

-- -- Messages -----------------------------------------------------------------

--- Waits for peers the first time.
function methods:publish(topic, text, opts)
  local ok, err = meeting.meet(self)
  if not ok then
    return nil, err
  end
  local id, count = self.own:publish(topic, text, opts)
  if id then
    self.sent = self.sent + 1
    local head = wire.head(self.name, { number = self.sent, previous = 0,
      flags = wire.flags(opts), key = opts.key or "" })
    outbox.push(self.out, { { wire.key(self.prefix .. topic), head, text } })
  end
  return id, count
end

--- Hear what others publish to a channel.
local function listen(self, channel)
  if self.hub._options.history > 0 then
    return meeting.meet(self)
  elseif not channel.heard then
    channel.heard = true
    self.sub:subscribe(keys.of(self.prefix, channel))
  end
  local ok, err = meeting.meet(self)
  if ok then
    ok, err = meeting.fence(self)
  end
  return ok, err
end

--- The past of a topic, as this process knows it. nil, err.
local function past_of(self, topic, since, channel)
  if self.hub._closed then
    return topics.closed "subscribe"
  end
  return histories.since(self.own.history, topic, channel, since)
end

local of = { hear = listen, past = past_of, is_newer = wire.is_newer, none = wire.NONE }

function methods:attend(sub, channel, since)
  return shared.attend(self, of, sub, channel, since)
end

function methods:shut(channel)
  if channel.heard then
    channel.heard = false
    if not self.sub.closed then
      self.sub:unsubscribe(keys.of(self.prefix, channel))
    end
  end
end

function methods:sweep(most)
  self.own:sweep(most)
end

-- -- Members ------------------------------------------------------------------

local function no_members(op)
  return nil, errors.new("EOPNOTSUPP", op,
    "who is there is known by a broker alone: greenlua -m zmq.broker, or Redis")
end

function methods:join() -- luacheck: no self
  return no_members "join"
end

function methods:leave() -- luacheck: no self
  return no_members "leave"
end

function methods:leave_soon()
end

function methods:members() -- luacheck: no self
  return no_members "members"
end

--- What was published is sent for a moment more.
function methods:close()
  meeting.give_up(self, errors.new("ECLOSED", "subscribe", "the hub was closed"))
  self.own:close()
  self.pub:close()
  self.sub:close()
end

return { new = new }
