--- One call in a native thread: sent, waited for, and what came of it. Private to
-- green.tpool.
-- @module green.tpool.job

local core = require "green.core"
local args = require "green.args"
local carry = require "green.thread.carry"
local errors = require "green.error"
local leaving = require "green.tpool.leaving"
local thread = require "green.thread"

local ffi = require "ffi"
local api = require "green.ffi.tpool"

-- Scripts may put their own in their places.
local error, format, gsub, pcall, rawequal, type =
  error, string.format, string.gsub, pcall, rawequal, type
local traceback = debug.traceback

local ECANCELED, ECLOSED, EINVAL = core.codes.ECANCELED, core.codes.ECLOSED, core.codes.EINVAL
local QUEUE = core.QUEUE
local core_call, core_park, call_outcome = core.call, core.park, core.call_outcome
local pack_carried, bring_back = carry.pack, leaving.bring_back

local CLOSED = "the pool is closed"

local M = {}

-- -- Calls under way ----------------------------------------------------------

-- A list with holes, and a chain of these: a table with calls as keys would be made anew
-- again and again.

local function enter(root, call)
  local place = root.hole
  if place then
    root.hole = root.holes[place]
  else
    place = #root.active + 1
  end
  root.active[place] = call
  return place
end

local function leave(root, place)
  root.active[place] = false
  root.holes[place] = root.hole
  root.hole = place
end

--- The calls under way of a pool, as an iterator.
function M.active(root)
  local active, i = root.active, 0
  return function()
    repeat
      i = i + 1
    until active[i] ~= false
    return active[i]
  end
end

--- The pool is closed: who waits for a call that is not over gets ECLOSED. Does not park.
function M.close(root)
  local active = root.active
  for place = 1, #active do
    local call = active[place]
    if call and not core.call_over(call) then -- else its caller goes on in a moment
      core.release(call)
      active[place] = false
    end
  end
end

-- -- Errors -------------------------------------------------------------------

--- What a report will say of the error: where it was raised there, and who called.
local function note(err, trace)
  if type(trace) ~= "string" then
    return
  end
  local data = core.data(core.current())
  if not (data.inner and rawequal(data.inner.error, err)) then
    data.inner = { error = err, traceback = format("in a native thread:\n%s\ncalled from:\n%s",
      trace, (gsub(traceback("", 3), "^\n", ""))) }
  end
end

--- Called with the error of every job that raised, and the traceback there; nil: nobody is
-- (green.debug.tpool_exceptions).
M.on_raise = nil

local function rethrow(err, trace)
  pcall(note, err, trace)
  if M.on_raise then
    pcall(M.on_raise, err, trace)
  end
  error(err, 0)
end

local function wrong_environment()
  local out = ffi.new("char[?]", 256)
  return api.env_wrong(out, 256) ~= 0 and ffi.string(out) or "" -- it may have changed
end

--- The call was not taken. Raises.
local function refuse(root, code, text)
  if code == ECANCELED then
    thread.failed(code, "execute")
  elseif text then
    args.misuse("execute: %s", text)
  elseif code == EINVAL then
    args.misuse("execute: the number of native threads is wrong: %s", root.size
      and format("set_num_threads(%s)", args.shown(root.size)) or wrong_environment())
  end
  local words = code == core.codes.ELOST
    and "too many jobs would not stop, and their native threads are lost"
    or code == ECLOSED and CLOSED or nil
  error(errors.new(code, "execute", words), 0)
end

-- -- The end ------------------------------------------------------------------

local function finish(outcome, ...)
  if outcome == 1 then
    return ...
  elseif outcome == 2 then
    rethrow(...)
  end
  error(errors.new(outcome, "execute"), 0)
end

--- Nobody waits for it: the caller was cancelled, or the pool was closed; or both, in one turn.
local function give_up(self, call, pin, is_closed, status)
  if not is_closed and self.patient then
    leaving.leave_alone(call, self.patient(pin))
  elseif not is_closed then
    leaving.leave(call, self.grace)
  end
  if status == ECLOSED then
    error(errors.new(ECLOSED, "execute", CLOSED), 0)
  end
  thread.failed(status, "execute")
end

--- Call fn(...) in a thread of the pool. Parks.
-- @param self the pool
-- @param setup core's object
-- @param pin core's object, or nil
function M.run(self, setup, pin, fn, ...)
  local root = self.root
  local carried = pack_carried()
  local call, queue, text = core_call(root.core, setup, self.killable, pin, carried, fn, ...)
  if not call then
    refuse(root, queue, text)
  end
  local place = enter(root, call)
  local status = core_park(queue, nil, QUEUE)
  local is_closed = root.active[place] == false
  leave(root, place)
  if status ~= 0 then
    give_up(self, call, pin, is_closed, status)
  end
  if carried then
    bring_back(call)
  end
  return finish(call_outcome(call))
end

return M
