--- What the hub waits for besides: deadlines and descriptors, each with its thread. Private
-- to green.debug.
-- @module green.debug.hub

local chunks = require "green.args.chunks"
local core = require "green.core"
local pacer = require "green.thread.pace"
local report = require "green.thread.report"
local threads = require "green.debug.threads"
local trace = require "green.debug.trace"
local waits = require "green.thread.waits"

-- Scripts may put their own in their places.
local concat, format, gsub, min, select =
  table.concat, string.format, string.gsub, math.min, select

local M = {}

local KINDS = { [core.TIMEOUT] = "timeout", [core.SHIELD] = "shield" }

--- "#7 worker (parked, spawned at app.lua:9)", with the traceback if it is wanted.
local function told(t, with_stack)
  local text = "#" .. core.ids(t) .. " " .. report.label(t)
  local calls = with_stack and trace.of(t)
  return calls and text .. "\n    " .. gsub(gsub(calls, "\t", "  "), "\n", "\n    ") or text
end

-- -- In order, in steps ---------------------------------------------------------

local PIECE = 64 -- merged in one go

--- Two neighbouring runs of a list, from..middle-1 and middle..to, into another, in order.
local function merge(list, into, from, middle, to, pace)
  local i, j = from, middle
  for first = from, to, PIECE do
    pace()
    for k = first, min(first + PIECE - 1, to) do
      if j > to or i < middle and list[i].due <= list[j].due then
        into[k], i = list[i], i + 1
      else
        into[k], j = list[j], j + 1
      end
    end
  end
end

--- A list by due, equal ones in their order. table.sort would stop everybody for as long as it
-- takes.
local function sorted(list, pace)
  local n, width, other = #list, 1, {}
  while width < n do
    for from = 1, n, 2 * width do
      local middle, to = min(from + width, n + 1), min(from + 2 * width - 1, n)
      merge(list, other, from, middle, to, pace)
    end
    list, other, width = other, list, 2 * width
  end
  return list
end

-- -- Deadlines ----------------------------------------------------------------

local function add(list, due, what, t, with_stack)
  if due then
    list[#list + 1] = { due = due, text = what .. " of " .. told(t, with_stack) }
  end
end

local function add_timers(list, t, with_stack)
  local kind, _, due = core.wait_of(t)
  local n = 0
  add(list, due, kind == "start" and "start" or kind == "deadline" and "sleep" or "wait", t,
    with_stack)
  repeat
    local scope, scope_due, is_fired
    n = n + 1
    scope, scope_due, is_fired = core.scope_of(t, n)
    add(list, not is_fired and scope_due, KINDS[scope], t, with_stack)
  until not scope
end

--- All deadlines, the earliest first, as a text.
function M.format_timers(with_stack, can_park)
  local list, out = {}, chunks.new "\n"
  for t in threads.handles(can_park) do
    add_timers(list, t, with_stack)
  end
  local now, pace = core.now(), pacer(can_park)
  list = sorted(list, pace)
  for i = 1, #list do
    pace()
    out:put(format("in %s: %s", waits.span(list[i].due - now), list[i].text))
  end
  local others = core.stats().timers - #list
  if others > 0 then
    out:put(format("and %d of the library's own", others))
  end
  return concat(out:finish(format("%d timer%s\n", #list, #list == 1 and "" or "s")))
end

-- -- Descriptors --------------------------------------------------------------

local function waiter(t, verb, with_stack)
  return "\n  " .. verb .. " by " .. (t and told(t, with_stack) or "the library")
end

local function add_listener(out, with_stack, fd, _, is_idle, writer, ...)
  local text = format("fd %d, %s:", fd, core.fd_name(fd))
  local head = text
  for i = 1, select("#", ...) do
    local t = select(i, ...)
    local is_reader = t and core.wait_of(t) == "read"
    text = text .. waiter(t, (is_reader or not t) and "read" or "watched", with_stack)
  end
  if writer ~= nil then
    text = text .. waiter(writer, "written", with_stack)
  end
  if is_idle then
    text = text .. "\n  idle: watched for reading, without a green thread"
  end
  out:put(text == head and head .. " nobody waits" or text)
  return fd + 1
end

local function next_listener(out, with_stack, fd, ...)
  return fd and add_listener(out, with_stack, fd, ...)
end

--- All descriptors that the hub knows, and who waits for each, as a text.
function M.format_listeners(with_stack, can_park)
  local n, out, pace = 0, chunks.new "\n", pacer(can_park)
  local from = next_listener(out, with_stack, core.fd_from(0))
  while from do
    n = n + 1
    pace()
    from = next_listener(out, with_stack, core.fd_from(from))
  end
  return concat(out:finish(format("%d descriptor%s\n", n, n == 1 and "" or "s")))
end

return M
