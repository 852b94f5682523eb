--- Events: a value, or an error, that is sent once and that many wait for.
-- @module green.event

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local show = require "green.args.show"
local thread = require "green.thread"
local watch = require "green.wait.watch"

local core_park, wake_all = core.park, core.wake_all

local VALUE, ERROR = "value", "error"

local methods = {}
watch.watchable(methods)
local event_mt = { __name = "green.Event", __index = methods }

--- An event that nothing was sent to. Does not park.
local function Event()
  return setmetatable({
    _kind = nil, -- VALUE or ERROR once sent
    _values = nil, -- what was sent; n counts
    _trace = nil, -- the traceback that came with the error
    _queue = nil, -- who waits; made when first needed
  }, event_mt)
end

--- Raise an error that was sent. A report shows where it first came from.
local function raise_sent(err, trace)
  if trace then
    core.data(core.current()).inner = {
      error = err,
      traceback = trace .. "\nsent to an Event, and raised by its wait:\n"
        .. debug.traceback("", 2):gsub("^\n", ""),
    }
  end
  error(err, 0)
end

local function outcome(self)
  local values = self._values
  if self._kind == ERROR then
    raise_sent(values[1], self._trace)
  end
  return unpack(values, 1, values.n)
end

-- The waker passes what was sent, so that a reset in between does no harm. The
-- event comes along to stay alive, as its queue must, while somebody waits.
local function woken(_self, status, kind, trace, values)
  if status ~= 0 then
    return thread.failed(status, "Event:wait")
  elseif kind == ERROR then
    raise_sent(values[1], trace)
  end
  return unpack(values, 1, values.n)
end

local function send(self, where, kind, trace, ...)
  if self._kind then
    args.misuse("Event:%s: sent already", where)
  end
  local values = { n = select("#", ...), ... }
  self._kind, self._trace, self._values = kind, trace, values
  if self._queue then
    wake_all(self._queue, kind, trace, values) -- each spreads them on its own stack
  end
  watch.notify(self)
end

--- Give the values to all who wait, now or later. Once only. Those who wait run
-- after this green thread's next wait. Does not park.
-- @param ... any number of values; nil counts
function methods:send(...)
  send(self, "send", VALUE, nil, ...)
end

--- Raise the error in all who wait, now or later: the same object in each. Once
-- only. Does not park.
-- @param err any value
-- @tparam[opt] string traceback where it was first raised, for the report of a
-- green thread that it ends (xpcall with debug.traceback gives one)
function methods:send_exception(err, traceback)
  args.optional(traceback, "string", "send_exception", "traceback")
  send(self, "send_exception", ERROR, traceback, err)
end

--- Wait until something is sent. Parks.
-- @tparam[opt] number timeout seconds
-- @return what was sent; an error that was sent is raised; nil, ETIMEDOUT. After
-- send(nil) it is nil alone
function methods:wait(timeout)
  args.timeout(timeout, "Event:wait")
  thread.checkpoint()
  if self._kind then
    return outcome(self)
  end
  self._queue = self._queue or core.waitq()
  return woken(self, core_park(self._queue, thread.deadline(timeout)))
end

--- Was something sent?
function methods:ready()
  return self._kind ~= nil
end
methods._ready = methods.ready

--- Were values sent (rather than an error)?
function methods:has_result()
  return self._kind == VALUE
end

--- Was an error sent?
function methods:has_exception()
  return self._kind == ERROR
end

--- What wait would return, or raise, if something was sent; else notready. Does
-- not park.
function methods:poll(notready)
  if self._kind then
    return outcome(self)
  end
  return notready
end

--- What was sent by send; else notready. Does not park.
function methods:poll_result(notready)
  if self._kind == VALUE then
    return outcome(self)
  end
  return notready
end

--- The error that was sent (returned, not raised), else notready. Does not park.
-- @return the error; the traceback that came with it
function methods:poll_exception(notready)
  if self._kind == ERROR then
    return self._values[1], self._trace
  end
  return notready
end

--- Make a sent event as new. Who was woken already still gets what was sent.
-- Does not park.
function methods:reset()
  if not self._kind then
    args.misuse("Event:reset: nothing was sent yet")
  end
  self._kind, self._values, self._trace = nil, nil, nil
end

show.kind(event_mt, function(self)
  local waiting = self._queue and core.waiting(self._queue) or 0
  return ("%s, %d waiting"):format(self._kind or "not sent", waiting)
end)

class.seal(event_mt)

return { Event = Event, methods = methods }
