--- How processes without a broker know of each other.
--
-- Each is subscribed to a fence of its own at all others: whose that is has connected to us, and
-- who answers it has us for a subscriber. Nobody publishes or is subscribed before as many of
-- both are there as there are peers, or time is over: a PUB drops what nobody hears yet.
-- @module green.pubsub.zmq.meeting

local core = require "green.core"
local event = require "green.event"
local outbox = require "green.zmq.broker.outbox"
local thread = require "green.thread"
local wire = require "green.zmq.broker.wire"

local match, next, pairs, sub = string.match, next, pairs, string.sub

local NAMES = 1000 -- of processes, that are known at a time

local M = {}

function M.init(self)
  self.own_key = wire.FENCE .. self.name
  self.listeners, self.n_listeners = {}, 0 -- names: they hear us
  self.speakers, self.n_speakers = {}, 0 -- names: we hear them
  self.fences = {} -- key -> { event, left = { name = true } }
  self.n_fences = 0
  self.has_met = #self.target.peers == 0
  self.arrivals = core.waitq()
end

-- -- Who is there -------------------------------------------------------------

local function look(self)
  local n = #self.target.peers
  if self.n_listeners >= n and self.n_speakers >= n then
    self.has_met = true
    core.wake_all(self.arrivals)
  end
end

local function note(set, name, is_there, n)
  if is_there and not set[name] and n < NAMES then
    set[name] = true
    return n + 1
  elseif not is_there and set[name] then
    set[name] = nil
    return n - 1
  end
  return n
end

local function answer(self, key)
  outbox.push(self.out, { { key, wire.id(self.name, self.sent), "" } })
end

--- Somebody has subscribed to something of ours, or does no more.
function M.hear(self, bytes)
  local key, is_on = sub(bytes, 2), sub(bytes, 1, 1) == "\1"
  if not wire.is_fence(key) or not is_on and sub(bytes, 1, 1) ~= "\0" then -- an XSUB may send all
    return
  end
  local name = match(key, "^(%x+)$", #wire.FENCE + 1)
  if name then
    self.n_listeners = note(self.listeners, name, is_on, self.n_listeners)
  end
  if is_on then
    answer(self, key)
    look(self)
  end
end

--- Wait until the others are there, the first time, or `wait` seconds. nil, err. Parks.
function M.meet(self)
  local due = core.now() + self.target.wait
  while not self.has_met do
    local status = thread.stand(self.arrivals, due)
    if self.hub._closed then
      return nil, require("green.error").new("ECLOSED", "publish", "the hub was closed")
    elseif status ~= 0 and core.now() >= due then
      self.has_met = true
    elseif status ~= 0 then
      return thread.failed(status, "publish")
    end
  end
  return true
end

-- -- Fences -------------------------------------------------------------------

local function is_passed(self, fence)
  for name in pairs(fence.left) do
    if self.speakers[name] then
      return false
    end
  end
  return true
end

--- Wait until all whom we hear know what we have subscribed to. Those who do not answer are gone.
-- nil, err: ECLOSED. Parks.
function M.fence(self)
  if not next(self.speakers) then
    return true
  end
  self.n_fences = self.n_fences + 1
  local key = self.own_key .. ":" .. self.n_fences
  local fence = { event = event.Event(), left = {} }
  for name in pairs(self.speakers) do
    fence.left[name] = true
  end
  self.fences[key] = fence
  self.sub:subscribe(key)
  local ok, err = fence.event:wait(self.target.wait)
  self.fences[key] = nil
  if self.sub.closed then
    return nil, err
  end
  self.sub:unsubscribe(key)
  for name in pairs(not ok and fence.left or {}) do
    self.n_speakers = note(self.speakers, name, false, self.n_speakers)
  end
  return true
end

--- Who speaks again had lost its connection: what it published meanwhile has not come.
local function tell_gaps(self)
  local on_gap = self.hub._options.on_gap
  for _, list in pairs(on_gap and { self.hub._topics, self.hub._patterns } or {}) do
    for name, channel in pairs(list) do
      if channel.live > 0 then
        thread.spawn_n(on_gap, name)
      end
    end
  end
end

--- A fence of ours was answered by somebody.
function M.pass(self, key, id)
  local name, fence = wire.read_id(id), self.fences[key]
  if not name then
    return
  elseif key == self.own_key then
    if self.speakers[name] then
      tell_gaps(self)
    end
    self.n_speakers = note(self.speakers, name, true, self.n_speakers)
    return look(self)
  elseif fence then
    fence.left[name] = nil
    if is_passed(self, fence) then
      self.fences[key] = nil
      fence.event:send(true)
    end
  end
end

--- Nothing more will come.
function M.give_up(self, err)
  for key, fence in pairs(self.fences) do
    self.fences[key] = nil
    fence.event:send(nil, err)
  end
  core.wake_all(self.arrivals)
end

return M
