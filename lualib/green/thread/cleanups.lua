--- The cleanups of `finally` that are yet to run: what the end of the program has to
-- look after. A thread without one is not looked at.

local exits = require "green.thread.exits"

local next, pairs, sort = next, pairs, table.sort -- scripts may put their own there

local M = {}

local open = {} -- record -> true
local age = 0
local on_close -- function(record), while the program ends

--- It has run, or its thread was abandoned. Idempotent, does not park.
local function close(record)
  local was_open = open[record]
  exits.release(record)
  open[record] = nil
  if was_open and on_close then
    on_close(record)
  end
end
M.close = close

--- A cleanup that the running thread will have to run. Does not park.
function M.open(cleanup)
  age = age + 1
  local record = { -- with all fields that it will get: it does not grow then
    _exit = close,
    _exit_older = false,
    _exit_newer = false,
    _exit_thread = false,
    cleanup = cleanup,
    thread = false,
    age = age,
    called = false,
  }
  record.thread = exits.hold(record)
  open[record] = true
  return record
end

--- Whoever is told true runs the cleanup; nobody else does.
function M.claim(record)
  local is_first = not record.called
  record.called = true
  return is_first
end

--- Those of one thread, newest first.
function M.of(thread)
  local all = {}
  for record in pairs(open) do
    if record.thread == thread then
      all[#all + 1] = record
    end
  end
  sort(all, function(a, b)
    return a.age > b.age
  end)
  return all
end

--- Those of all threads but one, as keys, and how many they are.
function M.others(but)
  local set, n = {}, 0
  for record in pairs(open) do
    if record.thread ~= but then
      set[record] = true
      n = n + 1
    end
  end
  return set, n
end

function M.is_any()
  return next(open) ~= nil
end

--- In a child of a fork: they are the parent's.
function M.forget()
  open = {}
end

--- Call fn(record) whenever one is closed; it must not park. nil: no more.
function M.watch(fn)
  on_close = fn
end

return M
