--- What a hub hears of a broker: the topics and patterns that somebody here is subscribed to,
-- on one socket.
--
-- One green thread ("tune") subscribes to what is wanted, and waits for a fence: then the
-- broker has all of it, and the fence says behind which number nothing is missed. Another
-- reads the feed (green.pubsub.zmq.feed). The socket is there from the first subscription on
-- until the hub is closed.
-- @module green.pubsub.zmq.ear

local errors = require "green.error"
local event = require "green.event"
local feed = require "green.pubsub.zmq.feed"
local keys = require "green.pubsub.zmq.key"
local longest = require "green.zmq.longest"
local thread = require "green.thread"
local zmq = require "green.zmq"

local error, next, pairs, pcall, xpcall = error, next, pairs, pcall, xpcall

local M = {}

local function closed(text)
  return errors.new("ECLOSED", "subscribe", text)
end

-- -- The socket ---------------------------------------------------------------

local function connect(self, endpoint)
  local options = { linger = 0, maxmsgsize = longest.of(self.hub._options.max_message) }
  for name, value in pairs(self.target.options or {}) do
    options[name] = value
  end
  local socket, err = zmq.socket(zmq.SUB, options)
  if not socket then
    return nil, err
  end
  local ok
  ok, err = socket:connect(endpoint)
  if not ok then
    socket:close()
    return nil, err
  end
  socket:subscribe(self.own_key) -- what tells of a new connection
  self.socket, self.keys = socket, {}
  return true
end

--- Have the socket, and know the broker. nil, err. Parks.
local function opened(self)
  if self.socket then
    return true
  end
  local epoch, endpoint = self.caller:greet()
  if not epoch then
    return nil, endpoint
  elseif self.hub._closed then
    return nil, closed "the hub was closed"
  end
  self.epoch = epoch
  local ok, err = connect(self, endpoint)
  if ok then
    self.hub._crew:need("feed", feed.read, self, true)
  end
  return ok, err
end

--- One that wants a key more. libzmq tells the broker of each subscribe, but of the last
-- unsubscribe alone: it would count too many.
local function listen(self, channel)
  local key = keys.of(self.prefix, channel)
  local n = self.keys[key] or 0
  self.keys[key] = n + 1
  if n == 0 then
    self.socket:subscribe(key)
  end
end

local function mute(self, channel)
  local key = keys.of(self.prefix, channel)
  local n = self.keys[key]
  self.keys[key] = n and n > 1 and n - 1 or nil
  if n == 1 and self.socket and not self.socket.closed then
    self.socket:unsubscribe(key)
  end
end

-- -- Tuning -------------------------------------------------------------------

local function answer(self, channel, ok, err)
  local opening = channel.opening
  self.openings[channel], channel.opening = nil, nil
  if opening then
    opening:send(ok, err)
  end
end

--- Tell those who wait for a channel that it will not be heard.
local function give_up(self, err)
  for channel in pairs(self.openings) do
    answer(self, channel, nil, err)
  end
end

local function start_hearing(self, channel, number)
  if channel.live == 0 then
    mute(self, channel)
    return answer(self, channel, nil, closed "the subscription was closed")
  end
  channel.heard = true
  channel.latest = not channel.tokens and number or nil
  answer(self, channel, true)
end

--- Subscribe to the channels of a list; each is told what came of it.
local function add(self, list)
  local number, err = opened(self)
  if number then
    for i = 1, #list do
      listen(self, list[i])
    end
    number, err = feed.fence(self)
    for i = 1, number and 0 or #list do
      mute(self, list[i])
    end
  end
  for i = 1, #list do
    if number then
      start_hearing(self, list[i], number)
    else
      answer(self, list[i], nil, err)
    end
  end
end

local function tune(self)
  while next(self.openings) do
    local list = {}
    for channel in pairs(self.openings) do
      list[#list + 1] = channel
    end
    add(self, list)
  end
end

local function tune_all(self)
  local ok, err = xpcall(tune, thread.note_traceback, self)
  if not ok then
    give_up(self, closed "the hub's thread was killed")
    error(err, 0)
  end
end

--- Hear a channel: true once the broker knows of it; nil, err. Parks.
function M.hear(self, channel)
  if channel.heard then
    return true
  end
  local opening = channel.opening or event.Event()
  channel.opening, self.openings[channel] = opening, true
  self.hub._crew:need("tune", tune_all, self, true)
  return opening:wait()
end

--- Nobody is subscribed to a channel any more. Does not park.
function M.forget(self, channel)
  if channel.heard then
    channel.heard, channel.latest = false, nil
    mute(self, channel)
  end
end

--- End all of it. Does not park.
function M.close(self)
  local err = closed "the hub was closed"
  give_up(self, err)
  feed.give_up(self, err)
  self.hub._crew:dismiss "mend"
  if self.socket then
    pcall(self.socket.close, self.socket)
  end
end

return M
