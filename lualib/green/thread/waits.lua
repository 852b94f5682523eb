--- What a green thread waits for and since when, as data and in words. Loaded when
-- somebody asks.
--
-- Nothing is noted for this while threads wait: C knows the descriptor, the deadline and
-- the turn in which the wait began, and the call stands in the stack.
-- @module green.thread.waits

local core = require "green.core"
local where = require "green.thread.where"

-- Scripts may put their own in their places.
local format, pcall = string.format, pcall

local M = {}

local SHORT = 0.05 -- seconds that are not worth a word

--- A wait on a descriptor: what it is, as the system says now.
local function add_descriptor(wait, fd)
  wait.fd = fd
  wait.on = fd >= 0 and core.fd_name(fd) or "a closed descriptor"
end

local function look(thread)
  local ok, what, at = pcall(where.look, thread)
  if ok then
    return what, at
  end
end

--- What it waits for: `kind` "read", "write", "watch", "queue", "sleep" or "start" (it was
-- not begun yet); `what` the call it is in and on what; `at` "file:line" of that call; `since`
-- on green.now's clock; `waited`, `left` seconds; `fd` and `on` what that is. Fields that are
-- not known are nil. Does not park.
-- @return nil when it does not wait
function M.look(thread)
  local kind, since, due, fd = core.wait_of(thread)
  if not kind then
    return nil
  end
  local now = core.now()
  local wait = { kind = kind, since = since, waited = since and now - since }
  wait.left = due and due - now
  if kind ~= "start" then
    wait.what, wait.at = look(thread)
  end
  if fd then
    add_descriptor(wait, fd)
  elseif kind == "deadline" then
    wait.kind = "sleep"
    wait.what = wait.what or "sleep"
  end
  return wait
end

--- "3.2 s", "2.5 h": never more digits than one wants.
local function span(seconds)
  if seconds < 100 then
    return format("%.1f s", seconds)
  elseif seconds < 3600 then
    return format("%.0f s", seconds)
  elseif seconds < 172800 then
    return format("%.1f h", seconds / 3600)
  end
  return format("%.0f days", seconds / 86400)
end
M.span = span

local function times(wait)
  local waited, left = wait.waited, wait.left
  return (waited and waited >= SHORT and " for " .. span(waited) or "")
    .. (left and left >= 0 and ", " .. span(left) .. " more" or "")
end

--- The words of a wait: "read on tcp 10.0.0.1:5432 fd 7 for 3.2 s, in read_line at
-- app.lua:12"; nil for one of which nothing is known.
function M.words(wait)
  local at = wait.at and " at " .. wait.at or ""
  if wait.kind == "start" then
    return "starts in " .. span(wait.left or 0)
  elseif wait.fd then
    local on = format("%s on %s fd %d", wait.kind, wait.on, wait.fd)
    return on .. times(wait) .. (wait.what and ", in " .. wait.what or "") .. at
  elseif wait.what then
    return wait.what .. times(wait) .. at
  end
end

--- The same of a thread. Does not park.
-- @return nil when it does not wait, or nothing is known of that
function M.text(thread)
  local wait = M.look(thread)
  return wait and M.words(wait)
end

return M
