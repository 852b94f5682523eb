--- The native threads of the process's pools as data and as text: what each is at, since when,
-- and for whom. Private to green.debug.
--
-- C keeps the list (greenc/io/roster) and copies one thread at a time: a job may end between
-- two of them, but never while it is asked.
-- @module green.debug.natives

local core = require "green.core"
local report = require "green.thread.report"
local waits = require "green.thread.waits"

local format = string.format -- scripts may put their own there

local M = {}

--- An iterator over all of them, a table of data for each. pace(): called before each.
function M.each(pace)
  local number = 0
  return function()
    pace()
    local n = core.native_from(number + 1)
    number = n and n.number
    return n
  end
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
-- #7 worker (spawned at app.lua:20)".
function M.text(n)
  local call = n.syscall and ", in the system call " .. n.syscall or ""
  local head = format("native thread %d (%s for %s%s)", n.tid, n.state, waits.span(n.seconds), call)
  if n.state == "idle" then
    return head
  end
  return head .. ": " .. report.plain(n.job or "a job") .. whose(n)
end

--- "2 native threads", or "" for none.
function M.count(n)
  return n == 0 and "" or format(", %d native thread%s", n, n == 1 and "" or "s")
end

return M
