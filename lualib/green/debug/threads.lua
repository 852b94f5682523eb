--- The green threads as data and as text, in steps that stop nobody for long. Private to
-- green.debug.
-- @module green.debug.threads

local chunks = require "green.args.chunks"
local core = require "green.core"
local natives = require "green.debug.natives"
local pacer = require "green.thread.pace"
local report = require "green.thread.report"
local trace = require "green.debug.trace"
local waits = require "green.thread.waits"
local where = require "green.thread.where"

-- Scripts may put their own in their places.
local concat, format, gsub, pcall = table.concat, string.format, string.gsub, pcall

local M = {}

--- An iterator over the live threads themselves. Those that live all the while come once;
-- of the others some. can_park: it lets the others run between steps.
function M.handles(can_park)
  local slot, pace = 1, pacer(can_park)
  return function()
    local found = false
    while slot and not found do
      pace()
      found, slot = core.thread_from(slot)
    end
    return found or nil
  end
end

--- The live thread that has that id; nil: there is none. Parks, in steps, if it can.
function M.of_id(id, can_park)
  local found, slot, pace = false, 1, pacer(can_park)
  while slot and not found do
    pace()
    found, slot = core.thread_from(slot, id)
  end
  return found or nil
end

--- Can the caller wait? A finalizer cannot.
function M.can_park()
  return (pcall(core.waiter))
end

local function name_of(t)
  local data = core.peek(t)
  return data and data.name
end

local function scopes_of(t)
  local list, n = nil, 0
  repeat
    n = n + 1
    local kind, due, is_fired = core.scope_of(t, n)
    if kind then
      list = list or {}
      list[n] = {
        kind = kind == core.TIMEOUT and "timeout" or kind == core.SHIELD and "shield" or "group",
        left = due and due - core.now(),
        fired = is_fired,
      }
    end
  until not kind
  return list
end

--- Bytes in use of its stack, and of those of the coroutines it waits in.
local function stack_of(t)
  local sum = core.stack_size(t)
  local co = sum and where.inner(t)
  while co do
    sum = sum + (core.stack_size(co) or 0)
    co = where.inner(co)
  end
  return sum
end

--- All that is known of a thread. Does not park.
function M.record(t, with_traceback)
  local id, parent = core.ids(t)
  local site = core.site(t)
  return {
    id = id,
    name = name_of(t) or t == core.main() and "main" or nil,
    state = core.state(t),
    wait = waits.look(t),
    spawned_at = site ~= "?" and site or nil,
    parent = parent > 0 and parent or nil,
    stack = stack_of(t),
    scopes = scopes_of(t),
    traceback = with_traceback and trace.of(t) or nil,
  }
end

-- -- Text ---------------------------------------------------------------------

local function bytes(n)
  return n < 10000 and format("%d B", n) or format("%.0f KB", n / 1024)
end

local function indented(text)
  return "\n    " .. gsub(gsub(text, "\t", "  "), "\n", "\n    ")
end

--- "#7 worker (parked, spawned at app.lua:9 by #1, stack 184 B): get of green.Queue{...} ...",
-- and below it the traceback. Does not park.
function M.text(t, with_traceback)
  local id, parent = core.ids(t)
  local stack, wait = stack_of(t), waits.text(t)
  local by = parent > 0 and core.site(t) ~= "?" and " by #" .. parent or ""
  local size = stack and ", stack " .. bytes(stack) or ""
  local calls = with_traceback and trace.of(t)
  return format("#%d %s%s%s", id, report.label(t, nil, by .. size),
    wait and ": " .. report.plain(wait) or "", calls and indented(trace.plain(calls)) or "")
end

--- The texts of all, one after the other, as an iterator over text, is_native: first those of
-- green threads, then those of native ones.
function M.texts(with_traceback, can_park)
  local next_one, list, i = M.handles(can_park), nil, 0
  return function()
    local t = not list and next_one()
    if t then
      return M.text(t, with_traceback), false
    end
    list, i = list or natives.list(with_traceback and can_park), i + 1
    if list[i] then
      return natives.text(list[i]), true
    end
  end
end

--- "3 green threads, 2 native threads".
function M.count(n, n_native)
  return format("%d green thread%s%s", n, n == 1 and "" or "s", natives.count(n_native))
end

--- The whole text: how many there are, and each.
function M.format(with_traceback, can_park)
  local n, n_native, out = 0, 0, chunks.new "\n"
  for text, is_native in M.texts(with_traceback, can_park) do
    n = n + (is_native and 0 or 1)
    n_native = n_native + (is_native and 1 or 0)
    out:put(text)
  end
  return concat(out:finish(M.count(n, n_native) .. "\n"))
end

return M
