--- A broker of publish and subscribe: what green.pubsub's hubs share their topics through, and
-- plain PUB and SUB sockets of other programs.
--
-- It has three sockets. `sub` (XSUB) takes what plain publishers send: a topic and a text. `pub`
-- (XPUB) is the feed. `ask` (ROUTER) takes what is to be published with an answer, and tells
-- history, last values and members. What they say to each other stands in
-- green.zmq.broker.wire and green.zmq.broker.ask.
-- @module green.zmq.broker

local args = require "green.args"
local asks = require "green.zmq.broker.ask"
local class = require "green.args.class"
local core = require "green.core"
local event = require "green.event"
local exits = require "green.thread.exits"
local guard = require "green.zmq.guard"
local options = require "green.args.options"
local outbox = require "green.zmq.broker.outbox"
local show = require "green.args.show"
local states = require "green.zmq.broker.state"
local thread = require "green.thread"
local zmq = require "green.zmq"

local pairs, setmetatable, type = pairs, setmetatable, type

local BESIDE = 1048576 -- bytes of what is no message: members, topics
local LINGER = 0.5 -- for what has not left at the end: less than a program waits for it
local TICK = 1 -- seconds between two looks at what has grown old

local M = {}

local methods = {}
local mt = show.kind({ __name = "green.zmq.broker", __index = methods }, function(self)
  return ("%s%s"):format(self.ask, self.closed and ", closed" or "")
end)

--- Options and their defaults; true: none.
M.defaults = {
  ask = "tcp://127.0.0.1:5570",
  pub = "tcp://127.0.0.1:5571",
  sub = "tcp://127.0.0.1:5572",
  history = 1000,
  history_seconds = true,
  last = false,
  max_topics = 100000,
  max_topic = 512,
  max_message = 1048576,
  max_bytes = 268435456,
  max_members = 100000,
  max_info = 1024,
  queue = 10000,
  options = true,
}

--- Whole numbers, and the least that each may be.
M.counts = { history = 0, max_topics = 1, max_topic = 1, max_message = 1, max_bytes = 1,
  max_members = 0, max_info = 0, queue = 1 }

local function check(opts)
  opts = options.check(opts, M.defaults, "broker.start")
  local made = {}
  for name, default in pairs(M.defaults) do
    made[name] = opts[name]
    if opts[name] == nil and default ~= true then
      made[name] = default
    end
  end
  for name, least in pairs(M.counts) do
    args.integer(made[name], least, "broker.start", name)
  end
  for _, name in pairs { "ask", "pub", "sub" } do
    args.type(made[name], "string", "broker.start", name)
  end
  args.type(made.last, "boolean", "broker.start", "last")
  args.optional(made.options, "table", "broker.start", "options")
  if made.history_seconds ~= nil then
    args.number(made.history_seconds, 0.001, "broker.start", "history_seconds")
  end
  return made
end

-- -- Messages -----------------------------------------------------------------

--- Send what the state has put out, in order.
local function put_out(self)
  local list = self.state.feed
  if list[1] then
    self.state.feed = {}
    outbox.push(self.out, list)
  end
end

--- A question of a DEALER; or of a REQ, with an empty frame before it.
local function answer(self, frames)
  local is_req, question = frames[2] == "", {}
  for i = is_req and 3 or 2, #frames do
    question[#question + 1] = frames[i]
  end
  local reply = asks.ask(self.state, question)
  put_out(self)
  if reply then
    local list = { frames[1], is_req and "" or nil }
    for i = 1, #reply do
      list[#list + 1] = reply[i]
    end
    self.asked:send_multipart(list)
  end
end

local function take(self, frames)
  self.state:take(frames)
  put_out(self)
end

local function hear(self, frames)
  self.state:hear(frames[1])
  put_out(self)
end

--- Messages of a socket, until that is closed. One that has too many parts counts.
local function serve(self, socket, handle)
  while not self.closed do
    local frames, err = socket:recv_multipart()
    if frames then
      guard.run("a message to green.zmq.broker", handle, self, frames)
    elseif err:is "EMSGSIZE" then
      self.state.counts.malformed = self.state.counts.malformed + 1
    else
      return
    end
  end
end

local function tick(self)
  while not self.closed do
    thread.sleep(TICK)
    self.state:sweep()
  end
end

-- -- Starting -----------------------------------------------------------------

local function fail(self, err)
  self:close()
  return nil, err
end

--- A bound socket under a name; nil, err.
local function bind(self, name, kind, endpoint, more)
  more.maxmsgsize, more.linger = self.options.max_message + BESIDE, LINGER
  for option, value in pairs(self.options.options or {}) do
    more[option] = value
  end
  local socket, err = zmq.socket(kind, more)
  if not socket then
    return nil, err
  end
  self[name] = socket
  local ok
  ok, err = socket:bind(endpoint)
  return ok and socket.last_endpoint, err
end

local function open(self)
  local opts = self.options
  local err
  self.pub, err = bind(self, "feed", "XPUB", opts.pub, { xpub_verboser = true,
    sndhwm = opts.queue })
  if self.pub then
    opts.pub = self.pub
    self.sub, err = bind(self, "taken", "XSUB", opts.sub, { rcvhwm = opts.queue })
  end
  if self.sub then
    self.ask, err = bind(self, "asked", "ROUTER", opts.ask, {})
  end
  return self.ask, err
end

local function ended(record)
  record.broker.left = record.broker.left - 1
  record.broker:close()
end

local function run(self, fn, ...)
  self.left = self.left + 1
  core.start(exits.make(3, { _exit = ended, broker = self }, false, fn, self, ...))
end

--- Start a broker in this process: some green threads, until it is closed. Does not park.
-- @tparam[opt] table opts
--
-- - `ask`, `pub`, `sub`: endpoints ("tcp://127.0.0.1:5570", 5571, 5572)
-- - `history` (1000): so many messages of a topic are kept, if its publishers want them
-- - `history_seconds` (nil): and not longer than that
-- - `last` (false): who subscribes is sent the topic's last message once more, and so are all who
-- are subscribed to it: for plain SUB sockets
-- - `max_topics` (100,000), `max_topic` (512 bytes), `max_message` (1 MiB)
-- - `max_bytes` (256 MiB): of all history, texts and keys, and 256 more for each message; the
-- topics that were silent longest lose theirs
-- - `max_members` (100,000), `max_info` (1 KiB): entries of who is there
-- - `queue` (10,000): messages that wait for a subscriber; it loses what is more
-- - `options`: options of all three sockets, for instance CURVE's
-- @return the broker, with `ask`, `pub` and `sub`, its endpoints, and `closed`; or nil, err:
-- EINVAL, EADDRINUSE and what else bind fails with
function M.start(opts)
  local self = setmetatable({ options = check(opts), closed = false, left = 0,
    over = event.Event() }, mt) -- is sent when it has been closed, or has failed
  self.state = asks.init(states.new(self.options, core.now))
  local ok, err = open(self)
  if not ok then
    return fail(self, err)
  end
  self.out = outbox.new(self.feed)
  self.taken:send "\1" -- all topics
  run(self, serve, self.asked, answer)
  run(self, serve, self.taken, take)
  run(self, serve, self.feed, hear)
  self.ticking = thread.spawn(tick, self)
  return self
end

--- Figures: `epoch`, `newest`, `topics`, `subscriptions`, `bytes`, `members`, `published`, `asked`,
-- `malformed` (messages that were none), `refused`. Does not park.
function methods:stats()
  return self.state:stats()
end

--- End it. Idempotent. Does not park.
function methods:close()
  if self.closed then
    return
  end
  self.closed = true
  for _, name in pairs { "asked", "taken", "feed" } do
    if type(self[name]) == "table" then
      self[name]:close()
    end
  end
  if self.ticking then
    self.ticking:kill_soon()
  end
  self.over:send()
end

class.seal(mt)

return M
