--- Questions to a broker (green.zmq.broker), over one socket for all green threads of a hub.
--
-- A question that is not answered soon is asked again, with the same number: the broker knows
-- what it has done already. A green thread of the hub reads the answers; it is there from the
-- first question on until the hub is closed.
-- @module green.pubsub.zmq.caller

local core = require "green.core"
local errors = require "green.error"
local event = require "green.event"
local exits = require "green.thread.exits"
local longest = require "green.zmq.longest"
local messages = require "green.pubsub.zmq.messages"
local thread = require "green.thread"
local wire = require "green.zmq.broker.wire"
local zmq = require "green.zmq"

local error, pairs, setmetatable, unpack, xpcall = error, pairs, setmetatable, unpack, xpcall
local max, min = math.max, math.min

local AGAIN = 1 -- seconds until a question is asked again

local methods = {}
local mt = { __index = methods }

--- @tparam table hub
-- @tparam table target `ask`, `timeout`, `options` of sockets
local function new(hub, target)
  return setmetatable({
    hub = hub,
    target = target,
    socket = false,
    closed = false,
    epoch = false, -- the broker's life
    n = 0,
    waiting = {}, -- number -> what holds its Event
  }, mt)
end

local function over(op)
  return errors.new("ECLOSED", op, "the hub was closed")
end

-- -- Answers ------------------------------------------------------------------

local function dispatch(self, frames)
  local held = frames[1] and self.waiting[frames[1]]
  if held and frames[2] then
    self.waiting[frames[1]] = nil
    held.answer:send(frames)
  end
end

--- Nobody will answer any more.
local function give_up(self, err)
  for number, held in pairs(self.waiting) do
    self.waiting[number] = nil
    held.answer:send(nil, err)
  end
end

local function read(self)
  return messages.each(self.socket, dispatch, self)
end

local function read_all(self)
  local ok, err = xpcall(read, thread.note_traceback, self)
  self:close(ok and err or nil)
  if not ok then
    error(err, 0)
  end
end

local function open(self)
  local options = { immediate = true, linger = 0,
    maxmsgsize = longest.of(self.hub._options.max_message) }
  for name, value in pairs(self.target.options or {}) do
    options[name] = value
  end
  local socket, err = zmq.socket(zmq.DEALER, options)
  if not socket then
    return nil, err
  end
  local ok
  ok, err = socket:connect(self.target.ask)
  if not ok then
    socket:close()
    return nil, err
  end
  self.socket = socket
  return true
end

local function opened(self, op)
  if self.closed then
    return nil, over(op)
  elseif not self.socket then
    local ok, err = open(self)
    if not ok then
      return nil, err
    end
  end
  self.hub._crew:need("answers", read_all, self, true)
  return true
end

-- -- Asking -------------------------------------------------------------------

local function no_answer(self, op, sent)
  if self.hub._closed then -- a farewell waits once
    self:close()
  end
  return nil, errors.new("ETIMEDOUT", op, ("no answer from the broker at %s"):format(
    self.target.ask), { sent = sent })
end

local function is_late(err)
  return err:is "ETIMEDOUT" or err:is "EAGAIN"
end

--- Send it, and wait for the answer; once more, and so on. held.again: who asks to publish
-- again says in which life of the broker.
local function ask(self, held, op, frames)
  local due, sent = core.now() + self.target.timeout, false
  repeat
    local pause = max(0.001, min(AGAIN, due - core.now()))
    local ok, err = self.socket:send_multipart(frames, { timeout = pause })
    if ok then
      sent, frames[6] = true, held.again or frames[6]
      local answer
      answer, err = held.answer:wait(pause)
      if answer then
        return answer
      end
    end
    if not is_late(err) then
      return nil, err
    end
  until core.now() >= due
  return no_answer(self, op, sent)
end

local function forget(held)
  held.caller.waiting[held.number] = nil
end

local function done(held, op, ok, answer, err)
  exits.release(held)
  forget(held)
  if not ok then
    error(answer, 0)
  elseif not answer then
    return nil, err
  elseif answer[2] == "ok" then
    return unpack(answer, 3)
  end
  local code = answer[3] and answer[3]:match "^E%u+$" or "EPROTO"
  return nil, errors.new(code, op, answer[4] or "the broker refuses",
    { sent = code == "ECONNRESET" })
end

--- Ask: what op and its arguments result in; or nil, err: ETIMEDOUT (`sent`: it may have been
-- done), ECLOSED, and what the broker refuses with. Parks.
-- @tparam string op
-- @tparam table list its arguments
-- @tparam[opt] string again what becomes of the third of them when it is asked again
function methods:call(op, list, again)
  local ok, err = opened(self, op)
  if not ok then
    return nil, err
  end
  self.n = self.n + 1
  local number = ("%d"):format(self.n)
  local held = { _exit = forget, caller = self, number = number, answer = event.Event() }
  self.waiting[number] = held
  exits.hold(held)
  local frames = { wire.VERSION, number, op, unpack(list) }
  held.again = again
  return done(held, op, xpcall(ask, thread.note_traceback, self, held, op, frames))
end

--- Where the broker's feed is, as one reaches it who reaches where it is asked.
local function endpoint_of(target, told)
  local port = told:match "^tcp://.*:(%d+)$"
  local host = target.ask:match "^(tcp://.*):%d+$"
  return target.pub or port and host and host .. ":" .. port or told
end

--- Know which life of the broker this is: its epoch, and where the feed is; nil, err. Parks.
function methods:greet()
  local told, epoch = self:call("hello", {})
  if not told then
    return nil, epoch
  end
  self.epoch = epoch
  return epoch, endpoint_of(self.target, told)
end

--- End it. Idempotent. Does not park.
-- @param[opt] err what those who wait are told
function methods:close(err)
  self.closed = true
  if self.socket then
    self.socket:close()
  end
  give_up(self, err or over "ask")
end

return { new = new }
