--- The messages that wait for one receiver, oldest first.
--
-- `all` counts them. `n` and `bytes` are of those that were not replayed: what was, history
-- bounds. A message is a record that the hub made, with `text`, `topic`, `id`, `key` (what
-- it is the newest of) and `binary`. One that was replaced leaves a hole, which is passed
-- over; holes are never more than messages and a few.
-- @module green.pubsub.backlog

local methods = {}
local mt = { __index = methods }

local FEW = 16 -- holes that are not worth closing

local function new()
  return setmetatable({ all = 0, n = 0, bytes = 0, first = 1, last = 0, replayed = 0,
    keys = false }, mt)
end

--- A message more, or (by = -1) one less.
local function count(self, at, record, by)
  self.all = self.all + by
  if at > self.replayed then
    self.n, self.bytes = self.n + by, self.bytes + by * #record.text
  end
end

local function start_anew(self)
  self.first, self.last, self.replayed = 1, 0, 0
end

function methods:push(record)
  if self.first > self.last then
    start_anew(self)
  end
  local last = self.last + 1
  self[last], self.last = record, last
  count(self, last, record, 1)
  if self.keys then
    self.keys[record.key] = last
  end
end

--- Push what is replayed, into an empty one.
function methods:replay(records)
  for i = 1, #records do
    self:push(records[i])
  end
  self.replayed, self.n, self.bytes = self.last, 0, 0
end

--- The oldest is at `at` again, from where it was taken.
function methods:unpop(record)
  self.first = self.first - 1
  self[self.first] = record
  count(self, self.first, record, 1)
end

local function forget(self, at, record)
  self[at] = nil
  count(self, at, record, -1)
  if self.keys and self.keys[record.key] == at then
    self.keys[record.key] = nil
  end
end

--- Take the oldest; nil if there is none.
function methods:pop()
  while self.first <= self.last do
    local at = self.first
    local record = self[at]
    self.first = at + 1
    if record then
      forget(self, at, record)
      return record
    end
    self[at] = nil -- a hole
  end
  start_anew(self)
end

local function close_holes(self)
  local to, replayed = self.first - 1, self.first - 1
  for at = self.first, self.last do
    local record = self[at]
    if record then
      to = to + 1
      self[at] = nil
      self[to] = record
      self.keys[record.key] = to
      replayed = at <= self.replayed and to or replayed
    else
      self[at] = nil
    end
  end
  self.last, self.replayed = to, replayed
end

local function find_keys(self)
  self.keys = {}
  for at = self.first, self.last do
    if self[at] then
      self.keys[self[at].key] = at
    end
  end
end

--- Push a record in place of the one with its key, which goes. Returns whether there was
-- one. The newest of all keys stand in the order in which they came.
function methods:replace(record)
  if not self.keys then
    find_keys(self)
  end
  local at = self.keys[record.key]
  if at then
    forget(self, at, self[at])
    self[at] = false
  end
  self:push(record)
  if self.last - self.first + 1 > 2 * self.all + FEW then
    close_holes(self)
  end
  return at ~= nil
end

function methods:clear()
  for at = self.first, self.last do
    self[at] = nil
  end
  self.all, self.n, self.bytes, self.keys = 0, 0, 0, false
  start_anew(self)
end

return { new = new }
