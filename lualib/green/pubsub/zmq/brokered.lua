--- The backend of hubs that share their topics through a broker, `greenlua -m zmq.broker`. See
-- green.pubsub.memory for what a backend has.
--
-- A message is asked to be published and comes back on the feed to all hubs that hear its
-- topic, this one too: all see the same order.
-- @module green.pubsub.zmq.brokered

local callers = require "green.pubsub.zmq.caller"
local digest = require "green.digest"
local ear = require "green.pubsub.zmq.ear"
local members = require "green.pubsub.members"
local past = require "green.pubsub.zmq.past"
local registers = require "green.pubsub.zmq.register"
local semaphore = require "green.semaphore"
local shared = require "green.pubsub.shared"
local wire = require "green.zmq.broker.wire"

local format, pairs, setmetatable, tonumber = string.format, pairs, setmetatable, tonumber

local of = { hear = ear.hear, past = past.since, is_newer = wire.is_newer, none = wire.NONE }

local methods = {}
for name, method in pairs(shared.methods) do
  methods[name] = method
end
local mt = { __index = methods }

local function new(hub)
  local target = hub._options.zmq
  local name = digest.hex(digest.random(6))
  local self = setmetatable({
    hub = hub,
    target = target,
    name = name,
    prefix = hub._options.prefix,
    caller = callers.new(hub, target),
    published = 0,
    -- of ear and feed
    own_key = wire.FENCE .. name,
    socket = false,
    keys = {}, -- what the socket is subscribed to -> how many channels want it
    epoch = false, -- the broker's life
    newest = 0, -- number of the newest message of it
    openings = {}, -- channels that are to be heard
    fences = {}, -- key -> the Event of who waits for it
    n_fences = 0,
    is_tuned = false,
    broken = false,
    lock = semaphore.Semaphore(1), -- messages are given one after the other
  }, mt)
  self.members_state = members.new(hub, registers.new(self))
  return self
end

-- -- Messages -----------------------------------------------------------------

function methods:publish(topic, text, opts)
  local caller = self.caller
  if not caller.epoch then
    local epoch, err = caller:greet()
    if not epoch then
      return nil, err
    end
  end
  self.published = self.published + 1
  local id, heard = caller:call("publish", { self.name, format("%.0f", self.published), "",
    self.prefix .. topic, wire.flags(opts), opts.key or "", format("%d", self.hub._options.history),
    text }, caller.epoch)
  if id then
    return id, tonumber(heard)
  elseif heard.code == "ECONNRESET" then
    caller.epoch = false
  end
  return nil, heard
end

function methods:attend(sub, channel, since)
  return shared.attend(self, of, sub, channel, since)
end

function methods:shut(channel)
  ear.forget(self, channel)
end

--- The feed has ended for good.
function methods:lose(err)
  for _, list in pairs { self.hub._topics, self.hub._patterns } do
    for _, channel in pairs(list) do
      channel.heard, channel.latest = false, nil
    end
  end
  self.hub:_end_all(err)
end

-- -- Members ------------------------------------------------------------------

--- The broker has forgotten all members.
function methods:renew()
  members.renew_now(self.members_state)
end

--- A thread lets the members leave, and closes the socket then.
function methods:close()
  ear.close(self)
  members.close(self.members_state, self.caller)
end

return { new = new }
