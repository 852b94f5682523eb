--- Tracebacks of green threads that wait, with those of the coroutines they wait in. Private
-- to green.debug.
-- @module green.debug.trace

local core = require "green.core"
local report = require "green.thread.report"
local where = require "green.thread.where"

-- Scripts may put their own in their places.
local find, format, gsub = string.find, string.format, string.gsub
local traceback = debug.traceback

local M = {}

local DEEPEST = 50 -- coroutines in each other

--- "stack traceback:" and what follows, without the line before it.
local function of_coroutine(co)
  return (gsub(traceback(co, ""), "^\n", ""))
end

--- The traceback of a live thread: where it waits comes first, then, for coroutines of the
-- script's, whoever resumed them, and last the thread's own stack. Does not park.
-- @return nil for one that has not begun
function M.of(thread)
  local own = core.traceback(thread)
  if not own or core.state(thread) == "running" then
    return own
  end
  local text, co = gsub(own, "^\n", ""), where.inner(thread)
  for _ = 1, co and DEEPEST or 0 do
    text = format("%s\nin coroutine %p, resumed by: %s", of_coroutine(co), co, text)
    co = where.inner(co)
    if not co then
      break
    end
  end
  return text
end

--- The same for a terminal: names of chunks and functions may be a stranger's.
function M.plain(text)
  if not find(text, "[%z\1-\8\11-\31\127\194]") then
    return text
  end
  return (gsub(text, "[^\n\t]+", report.plain))
end

return M
