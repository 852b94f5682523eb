--- The line of green threads that wait to put an item into a queue, in order of arrival,
-- each with its item. Private to green.queue.
--
-- A get takes the item of one of them. A thread that was killed or timed out leaves the
-- line before it does anything else, and its wait is over already: wake_thread passes
-- over it.
-- @module green.queue.line

local core = require "green.core"
local exits = require "green.thread.exits"

local wake_thread = core.wake_thread

local line = {}
local line_mt = { __index = line }

local function new()
  return setmetatable({ len = 0, first = false, last = false }, line_mt)
end

local function push(self, entry)
  local last = self.last
  entry.before = last
  if last then
    last.after = entry
  else
    self.first = entry
  end
  self.last = entry
  self.len = self.len + 1
  entry.out = false
end

local function remove(self, entry)
  local before, after = entry.before, entry.after
  if before then
    before.after = after
  else
    self.first = after
  end
  if after then
    after.before = before
  else
    self.last = before
  end
  entry.out = true
  self.len = self.len - 1
end

--- The green thread has ended in the line.
local function leave(entry)
  if not entry.out then
    remove(entry.line, entry)
  end
end

--- An entry for the running green thread; raises where it cannot wait. Does not
-- park.
function line:enter(item)
  -- All fields are there: standing in line needs no memory.
  local entry = { thread = core.waiter(), item = item, line = self, out = true,
    before = false, after = false, _exit = leave }
  exits.hold(entry)
  push(self, entry)
  return entry
end

--- Stand in line until the entry's item is taken. Parks.
-- @return the status of the wait; whether the item was taken; what refused it
function line:stand(entry, deadline)
  local status, taken, err = core.park(nil, deadline)
  exits.release(entry)
  leave(entry)
  return status, taken, err
end

--- The first in line whose wait is not over yet; it stays there.
function line:peek()
  local entry = self.first
  while entry and core.state(entry.thread) ~= "parked" do
    remove(self, entry)
    entry = self.first
  end
  return entry
end

--- Let one go on: its item was taken, or was refused with an error.
function line:send_on(entry, taken, err)
  leave(entry)
  wake_thread(entry.thread, 0, taken, err)
end

--- The item of the first in line, who goes on; nil if nobody waits.
function line:take()
  local entry = self.first
  while entry do
    remove(self, entry)
    if wake_thread(entry.thread, 0, true) then
      return entry.item
    end
    entry = self.first
  end
end

--- Send everybody home with their items.
function line:dismiss()
  while self.first do
    local entry = self.first
    remove(self, entry)
    wake_thread(entry.thread, 0, false)
  end
end

return { new = new }
