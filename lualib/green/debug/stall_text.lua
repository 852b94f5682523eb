--- What is said of a green thread that kept the loop, and of a job that goes on for long.
-- Private to green.debug.
-- @module green.debug.stall_text

local report = require "green.thread.report"

local concat, format = table.concat, string.format -- scripts may put their own there
local plain = report.plain

local function of_thread(stall)
  local who = stall.name or stall.thread and format("%p", stall.thread) or "?"
  return format("green thread %s%s blocked the loop for %.2f s", who,
    stall.site and " (spawned at " .. stall.site .. ")" or "", stall.seconds or 0)
end

local function of_job(stall)
  local parts = { format("native thread %d has been at work for %.2f s: %s", stall.tid or 0,
    stall.seconds or 0, plain(stall.job or "a job")) }
  if stall.name or stall.site then
    local site = stall.site and " (spawned at " .. stall.site .. ")" or ""
    parts[2] = "for green thread " .. plain(stall.name or "?") .. site
  end
  if stall.called_at then
    parts[#parts + 1] = "called at " .. stall.called_at
  end
  if stall.is_late then
    parts[#parts + 1] = "in C or in compiled code, where its line is not seen"
  end
  return concat(parts, ", ")
end

--- A text of several lines.
return function(stall)
  local text = stall.is_job and of_job(stall) or of_thread(stall)
  if stall.syscall then
    text = text .. ", in the system call " .. stall.syscall
  end
  local trace = stall.traceback or stall.waits_at
  return trace and text .. ":\n" .. trace or text
end
