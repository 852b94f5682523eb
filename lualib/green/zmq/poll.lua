--- Knowing of a socket's events without taking anything: `socket:poll`, and what lets
-- green.wait take ZeroMQ sockets.
--
-- A look reads ZMQ_EVENTS, which costs as much as nine small messages: once at the beginning,
-- and once whenever something may have come.
-- @module green.zmq.poll

local args = require "green.args"
local band = require("bit").band
local core = require "green.core"
local options = require "green.args.options"
local thread = require "green.thread"
local zmq = require "green.ffi.zmq"

local QUEUE = core.QUEUE -- a mode of core.park
local IN, OUT = core.READ, core.WRITE
local ECLOSED, ETIMEDOUT = core.codes.ECLOSED, core.codes.ETIMEDOUT

local M = { IN = IN, OUT = OUT, methods = {} }

local bits = { ["in"] = IN, out = OUT, inout = IN + OUT }
local names = {}
for name, n in pairs(bits) do
  names[n] = name
end

--- The bits of what a caller asks for: "in", "out" or "inout"; nil: "in".
function M.bits(events, where)
  local n = bits[events == nil and "in" or events]
  if not n then
    options.unknown("events", events, bits, where)
  end
  return n
end

--- "in", "out" or "inout".
function M.name(n)
  return names[n]
end

--- What is there now of the wanted bits, 0: nothing. Of a closed socket it is all: its next
-- use tells.
function M.look(self, wanted)
  if self._rests and self._rests[core.current()] then
    return IN -- a message that this thread has begun
  end
  local seen = zmq.events(self._s)
  return seen < 0 and wanted or band(seen, wanted)
end

--- Stand among those who want to know. The bits that are there; or a negative status. Parks.
local function watch(self, wanted, deadline)
  local status = zmq.watch(self._s, wanted)
  if status < 0 then
    return status
  end
  status = core.park(zmq.watchers(self._s), deadline, QUEUE)
  if status < 0 then
    zmq.leave(self._s)
  end
  return status
end
M.watch = watch

--- End a green thread that stands there.
function M.drop(self, helper)
  core.drop(helper)
  zmq.leave(self._s)
end

--- Wait for any of the wanted bits, as somebody who has seen nothing yet. They; or 0 and a
-- negative status. Parks.
function M.await(self, wanted, deadline)
  local seen = 0
  while seen == 0 do
    local status = watch(self, wanted, deadline)
    if status < 0 then
      return 0, status
    end
    seen = band(status, wanted)
  end
  return seen
end

local methods = M.methods

--- Wait until a message can be read from the socket, or sent without waiting. Nothing is
-- taken: another green thread may be first. Parks.
-- @tparam[opt="in"] string events "in", "out" or "inout" (any of both)
-- @tparam[opt] number timeout seconds; 0: as it is now
-- @treturn string what there is of it: "in", "out", "inout"; or nil, err: ETIMEDOUT, ECLOSED
function methods:poll(events, timeout)
  local wanted = M.bits(events, "poll")
  args.timeout(timeout, "poll")
  thread.checkpoint()
  local seen, status = M.look(self, wanted), 0
  if seen == 0 then
    seen, status = M.await(self, wanted, thread.deadline(timeout))
  end
  if status == ETIMEDOUT then
    seen = M.look(self, wanted) -- what came as the time was up counts
  end
  if seen == 0 or self.closed then
    return thread.failed(status == 0 and ECLOSED or status, "poll")
  end
  return names[seen]
end

-- -- For green.wait -----------------------------------------------------------

function methods:_ready()
  return M.look(self, IN) ~= 0
end

--- Only a green thread can wait: one waits in the watcher's stead, and holds nothing.
function methods:_watch(fn)
  self._watching = self._watching or {}
  self._watching[fn] = false -- room for it
  self._watching[fn] = thread.spawn(function()
    M.await(self, IN)
    fn()
  end)
end

function methods:_unwatch(fn)
  local helper = self._watching and self._watching[fn]
  if helper then
    self._watching[fn] = nil
    M.drop(self, helper)
  end
end

return M
