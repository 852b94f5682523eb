--- What a green thread hands to the threads that it spawns: a log's fields, a span.
--
-- A context is a table that is never changed once it is set: threads share it. C copies
-- the reference as it makes a thread; a thread without one costs a look at a flag.
-- @module green.thread.context

local core = require "green.core"
local checkpoint = require "green.thread.checkpoint"
local report = require "green.thread.report"

-- Scripts may put their own in their places.
local error, pairs, xpcall = error, pairs, xpcall

local core_own, set = core.own, core.set_context
local note_traceback, turn = report.note_traceback, checkpoint.turn

local M = { set = set }

--- The running thread's own table, if it has one and anything was ever put into it; or nil.
function M.own()
  if turn.touched ~= 0 then
    return core_own()
  end
end

--- The running thread's context; nil: it has none.
function M.get()
  local data = M.own()
  return data and data.context
end

--- The running thread's context with that field besides; nil takes it away.
function M.added(name, value)
  local context = {}
  for key, old in pairs(M.get() or {}) do
    context[key] = old
  end
  context[name] = value
  return context
end

local function finish(before, ok, ...)
  set(before)
  if not ok then
    error((...), 0)
  end
  return ...
end

--- Call fn(...) with a context, and have the former one back behind it. An error keeps its
-- traceback. Parks if fn does.
function M.run(context, fn, ...)
  local before = M.get()
  set(context)
  return finish(before, xpcall(fn, note_traceback, ...))
end

return M
