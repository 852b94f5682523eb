--- The native threads of the process's pools as data and as text: what each is at, since when,
-- and for whom. Private to green.debug.
--
-- C keeps the list (greenc/io/roster) and copies one thread at a time: a job may end between
-- two of them, but never while it is asked.
-- @module green.debug.natives

local core = require "green.core"
local pacer = require "green.thread.pace"
local report = require "green.thread.report"
local thread = require "green.thread"
local traces = require "green.debug.trace"
local waits = require "green.thread.waits"

-- Scripts may put their own in their places.
local format, gsub = string.format, string.gsub

local TRIES, STEP = 10, 0.002 -- for tracebacks, which most often come at once; seconds

local M = {}

--- An iterator over all of them, a table of data for each.
-- @tparam[opt=0] number least seconds that one must be at its job for its system call to be known
function M.each(least)
  local number = 0
  return function()
    local n = core.native_from(number + 1, least)
    number = n and n.number
    return n
  end
end

local function answers(list, asked)
  local left = 0
  for i = 1, #asked do
    local n = list[asked[i]]
    n.traceback = n.traceback or core.native_answer(n.number, n.jobs)
    left = left + (n.traceback and 0 or 1)
  end
  return left
end

--- All of them as a list. with_traceback: jobs that call a function of Lua's are asked where it
-- stands, and waited for a moment. Parks then.
function M.list(with_traceback)
  local list, asked, pace = {}, {}, pacer(not not with_traceback)
  for n in M.each() do
    pace()
    list[#list + 1] = n
    local can_ask = with_traceback and n.state == "at work"
    if can_ask and core.native_ask(n.number, n.jobs, n.syscall ~= nil) == 1 then
      asked[#asked + 1] = #list
    end
  end
  for _ = 1, TRIES do
    if answers(list, asked) == 0 then
      break
    end
    thread.sleep(STEP)
  end
  return list
end

local function whose(n)
  if not n.is_ours then
    return ", for another runtime, or nobody any more"
  elseif not n.by then
    return ""
  end
  local name = n.name and " " .. report.plain(n.name) or ""
  local site = n.spawned_at and " (spawned at " .. n.spawned_at .. ")" or ""
  return format(", for #%d%s%s", n.by, name, site)
end

--- "native thread 4711 (at work for 3.2 s, in the system call read): function <app.lua:9>, for
-- #7 worker (spawned at app.lua:20)", and below it the traceback, if there is one.
function M.text(n)
  local call = n.syscall and ", in the system call " .. n.syscall or ""
  local head = format("native thread %d (%s for %s%s)", n.tid, n.state, waits.span(n.seconds), call)
  if n.state == "idle" then
    return head
  end
  local trace = n.traceback
  trace = trace and "\n    " .. gsub(gsub(traces.plain(trace), "\t", "  "), "\n", "\n    ") or ""
  return head .. ": " .. report.plain(n.job or "a job") .. whose(n) .. trace
end

--- "2 native threads", or "" for none.
function M.count(n)
  return n == 0 and "" or format(", %d native thread%s", n, n == 1 and "" or "s")
end

return M
