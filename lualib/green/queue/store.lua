--- What stands in a queue, in which order. Private to green.queue.
--
-- A store has `len`, `push(item)`, `pop()` (only when it is not empty),
-- `unpop(item)` (it is the next again) and `clear()`.
-- @module green.queue.store

local kinds = require "green.kind"

local M = {}

-- -- First in, first out ------------------------------------------------------

local fifo = {}
local fifo_mt = { __index = fifo }

function M.fifo()
  return setmetatable({ len = 0, first = 1 }, fifo_mt)
end

function fifo:push(item)
  self[self.first + self.len] = item
  self.len = self.len + 1
end

function fifo:pop()
  local first = self.first
  local item = self[first]
  self[first] = nil
  self.len = self.len - 1
  self.first = self.len > 0 and first + 1 or 1
  return item
end

function fifo:unpop(item)
  self.first = self.first - 1
  self[self.first] = item
  self.len = self.len + 1
end

function fifo:clear()
  for i = self.first, self.first + self.len - 1 do
    self[i] = nil
  end
  self.len, self.first = 0, 1
end

-- -- Last in, first out -------------------------------------------------------

local lifo = {}
local lifo_mt = { __index = lifo }

function M.lifo()
  return setmetatable({ len = 0 }, lifo_mt)
end

function lifo:push(item)
  self.len = self.len + 1
  self[self.len] = item
end

function lifo:pop()
  local item = self[self.len]
  self[self.len] = nil
  self.len = self.len - 1
  return item
end

lifo.unpop = lifo.push

function lifo:clear()
  for i = 1, self.len do
    self[i] = nil
  end
  self.len = 0
end

-- -- Smallest first -----------------------------------------------------------

local heap = {}
local heap_mt = { __index = heap }

--- Numbers and strings by value, tables by their first element, anything else by
-- its own `<`.
local function default_less(a, b)
  if type(a) == "table" and type(b) == "table" then
    local mt = kinds.metatable(a) or kinds.metatable(b)
    if not (mt and mt.__lt) then
      return a[1] < b[1]
    end
  end
  return a < b
end

--- A binary heap; equal items come in the order they went.
-- @tparam[opt] function less less(a, b)
function M.heap(less)
  return setmetatable({ len = 0, less = less or default_less, ages = {}, age = 0 }, heap_mt)
end

local function is_before(self, item, age, i)
  if self.less(item, self[i]) then
    return true
  end
  return age < self.ages[i] and not self.less(self[i], item)
end

local function put(self, i, item, age)
  self[i], self.ages[i] = item, age
end

-- `less` may raise: nothing is moved before the last comparison.
function heap:push(item)
  local i = self.len + 1
  local age, path, n = self.age + 1, {}, 0
  while i > 1 do
    local parent = (i - i % 2) / 2
    if not is_before(self, item, age, parent) then
      break
    end
    n = n + 1
    path[n] = i
    i = parent
  end
  for k = 1, n do
    local from = (path[k] - path[k] % 2) / 2
    put(self, path[k], self[from], self.ages[from])
  end
  put(self, i, item, age)
  self.len, self.age = self.len + 1, age
end

--- The smaller child of i, nil if it has none.
local function smaller_child(self, i, len)
  local left = 2 * i
  if left > len then
    return nil
  end
  if left < len and is_before(self, self[left + 1], self.ages[left + 1], left) then
    return left + 1
  end
  return left
end

function heap:pop()
  local item, len = self[1], self.len - 1
  local last, age = self[len + 1], self.ages[len + 1]
  put(self, len + 1, nil, nil)
  self.len = len
  if len == 0 then
    return item
  end
  local i = 1
  local child = smaller_child(self, i, len)
  while child and not is_before(self, last, age, child) do
    put(self, i, self[child], self.ages[child])
    i = child
    child = smaller_child(self, i, len)
  end
  put(self, i, last, age)
  return item
end

-- Behind its equals: they came while it was on its way.
heap.unpop = heap.push

function heap:clear()
  for i = 1, self.len do
    put(self, i, nil, nil)
  end
  self.len = 0
end

return M
