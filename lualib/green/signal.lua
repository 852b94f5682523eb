--- POSIX signals, waited for or handled in green threads.
-- @module green.signal

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"
local exits = require "green.thread.exits"
local thread = require "green.thread"

local ffi = require "ffi"
local api = require "green.ffi.signal"
local show = require "green.args.show"

local QUEUE = core.QUEUE

local M = {}

-- -- Watches ------------------------------------------------------------------

local function number_of(name, where)
  if type(name) == "number" and name % 1 == 0 and math.abs(name) < 2 ^ 31 then
    return name
  elseif type(name) ~= "string" then
    args.misuse("%s: a signal is a name or a whole number, not %s", where, args.shown(name))
  end
  local number = api.number(name:upper())
  if number < 0 then
    args.misuse("%s: unknown signal '%s'", where, name)
  end
  return number
end

--- A started watch, an object of green.core; or nil, err.
local function watch(number, op)
  local w, code = core.object("signal", number)
  if w then
    code = api.start(w, 1)
    if code >= 0 then
      return w
    end
  end
  return nil, errors.new(code, op)
end

--- The green thread that waited has ended: the signal does again what it did.
local function release_watch(held)
  core.release(held.watch)
end

--- How many have come, or a negative status. Parks.
local function take(self, deadline)
  local queue = api.waiters(self.watch)
  while true do
    local n = api.take(self.watch)
    if n > 0 then
      return n
    end
    local status = core.park(queue, deadline, QUEUE)
    if status ~= 0 then
      return status
    elseif self.cancelled then -- after the wake, before this thread ran
      return core.codes.ECLOSED
    end
  end
end

-- -- Waiting ------------------------------------------------------------------

--- Wait for a signal. Before and after the call it does what it would without:
-- use handler to catch one all the time. Parks.
-- @param name "TERM", "SIGTERM" or its number
-- @tparam[opt] number timeout seconds
-- @treturn number how many came, at least 1; or nil, err: ETIMEDOUT, EINVAL (it
-- cannot be caught)
function M.wait(name, timeout)
  local number = number_of(name, "wait")
  args.timeout(timeout, "wait")
  thread.checkpoint()
  core.waiter() -- where that raises, nothing is caught
  local op = "wait for " .. M.name(number)
  local w, err = watch(number, op)
  if not w then
    return nil, err
  end
  local held = { watch = w, _exit = release_watch }
  exits.hold(held)
  local n = take(held, thread.deadline(timeout))
  exits.release(held)
  core.release(w)
  if n < 0 then
    return thread.failed(n, op)
  end
  return n
end

-- -- Handling -----------------------------------------------------------------

local handler_methods = {}
local handler_mt = { __name = "green.signal.handler", __index = handler_methods }

show.kind(handler_mt, function(self)
  return self.name .. (self.cancelled and ", cancelled" or "")
end)

local function run(self, fn, name)
  while not self.cancelled do
    local n = take(self)
    if n < 0 then
      break
    end
    thread.spawn_n(fn, name, n)
  end
end

--- Handle it no more: the signal does again what it did before. Idempotent, does
-- not park.
function handler_methods:cancel()
  if not self.cancelled then
    self.cancelled = true
    core.release(self.watch)
  end
end
handler_methods._exit = handler_methods.cancel
class.seal(handler_mt)

--- Call fn(name, count) in a green thread of its own whenever the signal comes;
-- count is more than 1 if several came at once. Does not park.
-- @param name "TERM", "SIGTERM" or its number
-- @tparam function fn
-- @return a handle with `cancel`; or nil, err: EINVAL
function M.handler(name, fn)
  local number = number_of(name, "handler")
  args.callable(fn, "handler", "fn")
  local w, err = watch(number, "handle " .. M.name(number))
  if not w then
    return nil, err
  end
  local self = setmetatable({ watch = w, name = M.name(number), cancelled = false }, handler_mt)
  core.start(exits.make(2, self, false, run, self, fn, M.name(number)))
  return self
end

--- The number of a signal by its name ("TERM", "SIGTERM"), or as it is. An unknown
-- name raises. Does not park.
-- @param name a text or a number
-- @tparam[opt] string where whose argument it is, for the message
function M.number(name, where)
  return number_of(name, where or "number")
end

--- "SIGTERM" for a number or a name. Does not park.
function M.name(name)
  local number = number_of(name, "name")
  local text = api.name(number)
  return text ~= nil and ffi.string(text) or "signal " .. number
end

return M
