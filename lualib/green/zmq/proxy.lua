--- zmq.proxy and zmq.proxy_steerable: forwarding between two sockets.
--
-- Each direction is a green thread of its own, so that a full side holds back what comes
-- from the other side, and nothing else. C moves a batch of messages at a time; between two
-- batches everybody else has a turn.
-- @module green.zmq.proxy

local args = require "green.args"
local core = require "green.core"
local ffi = require "ffi"
local pump = require "green.ffi.zmq_pump"
local zmq = require "green.ffi.zmq"
local errors = require "green.error"
local exits = require "green.thread.exits"
local poll = require "green.zmq.poll"
local source = require "green.zmq.source"
local thread = require "green.thread"
local wait = require "green.wait"
local Event = require "green.event".Event

local EOPNOTSUPP = core.codes.EOPNOTSUPP
local BATCH = 64 -- parts: a turn stays well under a millisecond
local counts = ffi.new "uint64_t[4]"

local M = {}

-- -- One direction ------------------------------------------------------------

local function stand_while_paused(self)
  while self.paused do
    core.park(self.resumed)
  end
end

local wanted = { poll.IN, poll.OUT, poll.OUT } -- by what pump.move says, at from, to, capture

--- Move messages until that fails: its code. Parks.
local function run_lane(self, lane)
  local from, to, capture = lane.from, lane.to, self.capture
  local places, status = { from, to, capture }, 0
  while status >= 0 do
    stand_while_paused(self)
    local wants = pump.move(lane.pump, from._s, to._s, capture and capture._s, BATCH)
    if wants < 0 then
      return wants
    elseif wants == 0 then
      core.yield()
    else
      status = poll.watch(places[wants], wanted[wants])
    end
  end
  return status
end

--- One that cannot be read from (PUSH, PUB) has no way back. The proxy ends with the first
-- direction that fails otherwise, or the last.
local function lane_thread(self, lane)
  local ok, code = pcall(run_lane, self, lane)
  self.running = self.running - 1
  if self.done:ready() then
    return
  elseif not ok then
    self.done:send_exception(code)
  elseif code ~= EOPNOTSUPP or self.running == 0 then
    self.done:send(code)
  end
end

local function open_lane(self, from, to)
  local lane = { from = from, to = to, pump = assert(core.object "zmq_pump") }
  self.lanes[#self.lanes + 1] = lane
  self.running = self.running + 1
  lane.thread = thread.spawn(lane_thread, self, lane)
end

--- Both directions stop where they are, and drop what they hold.
local function close(self)
  exits.release(self)
  for _, lane in ipairs(self.lanes) do
    core.drop(lane.thread)
    pump.stop(lane.pump, lane.from._s, lane.to._s, self.capture and self.capture._s)
    for _, socket in pairs { lane.from, lane.to, self.capture } do
      zmq.leave(socket._s)
    end
  end
end

-- -- Control ------------------------------------------------------------------

--- Messages taken, their bytes, messages sent, their bytes: as numbers of 64 bits.
local function counts_of(lane)
  local list = { "", "", "", "" }
  if lane then
    pump.counts(lane.pump, counts)
  else
    ffi.fill(counts, ffi.sizeof(counts))
  end
  for i = 1, 4 do
    list[i] = ffi.string(counts + (i - 1), 8)
  end
  return list
end

--- Read at the front, sent there, read at the back, sent there.
local function statistics(self)
  local there, back = counts_of(self.lanes[1]), counts_of(self.lanes[2])
  return { there[1], there[2], back[3], back[4], back[1], back[2], there[3], there[4] }
end

local commands = {}

function commands.PAUSE(self)
  self.paused = true
end

function commands.RESUME(self)
  self.paused = false
  core.wake_all(self.resumed)
end

function commands.TERMINATE(self)
  self.done:send(0)
end

function commands.STATISTICS(self)
  return statistics(self)
end

--- Do what one message says. A controller that does not take its answer goes without; a REP
-- socket has to answer all it reads.
local function obey(self, message)
  local command = #message == 1 and commands[message[1]]
  local answer = command and command(self)
  if not answer and self.is_rep then
    answer = { "" }
  end
  if answer then
    self.control:send_multipart(answer, { timeout = 0 })
  end
end

--- Until it is over: what ended it. Parks.
local function steer(self)
  local both = { self.done, self.control }
  while not self.done:ready() do
    wait.wait(both, nil, 1)
    local message, err = self.control:recv_multipart { timeout = 0 }
    if message then
      obey(self, message)
    elseif (err:is "ECLOSED" or err:is "ETERM") and not self.done:ready() then
      return core.codes[err.code]
    end
  end
  return self.done:wait()
end

-- -- Public -------------------------------------------------------------------

local function check(value, where, name)
  if not source.is_zmq(value) then
    args.wrong(where, name, "a ZeroMQ socket", value)
  end
end

local function run(self, front, back)
  open_lane(self, front, back)
  if front ~= back then
    open_lane(self, back, front)
  end
  if self.control then
    return steer(self)
  end
  return self.done:wait()
end

local function proxy(where, front, back, capture, control)
  check(front, where, "front")
  check(back, where, "back")
  if capture then
    check(capture, where, "capture")
  end
  thread.checkpoint()
  core.waiter() -- where that raises, nothing has begun
  local self = { capture = capture or nil, control = control or nil, lanes = {}, running = 0,
    done = Event(), paused = false, resumed = core.waitq(), _exit = close,
    is_rep = control and control.type == "REP" }
  exits.hold(self)
  local ok, code = pcall(run, self, front, back)
  close(self)
  if not ok then
    error(code, 0)
  elseif code < 0 then
    return nil, errors.new(code, where)
  end
  return true
end

--- Forward all messages between two sockets, both ways, until one of them is closed: ROUTER and
-- DEALER, XSUB and XPUB, PULL and PUSH, what else fits. Whole messages; where one side takes no
-- more, the other is not read. Who is killed here drops at most one message a direction, one
-- for which there was no room. Parks.
-- @param front a socket
-- @param back another one, or the same
-- @param[opt] capture a socket that is sent a copy of every message (PUB, PUSH, DEALER, PAIR)
-- @return nil, err: ECLOSED, ETERM, ...
function M.proxy(front, back, capture)
  return proxy("proxy", front, back, capture)
end

--- The same, steered by what comes at another socket (PAIR, REP, SUB, PULL, DEALER), one word a
-- message: PAUSE, RESUME, TERMINATE, STATISTICS. REP answers with an empty message;
-- STATISTICS is answered by eight parts, unsigned numbers of 64 bits in the machine's order:
-- messages and bytes read at the front, sent there, read at the back, sent there. Other words
-- do nothing. Parks.
-- @param front a socket
-- @param back another one
-- @param ?capture nil: none
-- @param control
-- @return true at TERMINATE; or nil, err: ECLOSED (control was closed, too), ETERM, ...
function M.proxy_steerable(front, back, capture, control)
  if control ~= nil then
    check(control, "proxy_steerable", "control")
  end
  return proxy("proxy_steerable", front, back, capture, control)
end

return M
