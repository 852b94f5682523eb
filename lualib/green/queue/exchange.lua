--- How the items of a queue go from who puts them to who gets them: at once, through
-- the queue's store, or through the line of those who wait for room.
-- @module green.queue.exchange

local core = require "green.core"
local watch = require "green.wait.watch"

local wake = core.wake

local function is_full(self)
  return self._maxsize ~= nil and self._items.len >= self._maxsize
end

local function counted(self)
  if self._unfinished then
    self._unfinished = self._unfinished + 1
  end
end

--- Give the item to a thread that waits for one, or keep it if there is room.
-- @return whether it was taken; whether a thread got it
local function accept(self, item)
  if wake(self._getters, item) then
    counted(self)
    return true, true
  elseif is_full(self) then
    return false
  end
  self._items:push(item)
  counted(self)
  watch.notify(self)
  return true
end

--- Put the item of the first thread in line that still waits; where comparing it raises,
-- that thread's put does, and not the call that made room.
local function admit_compared(self)
  local entry = self._line:peek()
  if not entry then
    return
  end
  local ok, err = pcall(self._items.push, self._items, entry.item)
  if ok then
    counted(self)
  end
  self._line:send_on(entry, ok, err)
end

--- While there is room, take the items of those who wait to put.
local function admit(self)
  while self._items.may_raise and self._line.first and not is_full(self) do
    admit_compared(self)
  end
  while self._line.first and not is_full(self) do
    local item = self._line:take()
    if item ~= nil then
      self._items:push(item)
      counted(self)
    end
  end
end

--- The next item; nil if there is none.
local function take(self)
  if self._items.len > 0 then
    local item = self._items:pop()
    admit(self)
    return item
  elseif self._line.first then
    local item = self._line:take()
    if item ~= nil then
      counted(self)
    end
    return item
  end
end

return { accept = accept, admit = admit, take = take, is_full = is_full }
