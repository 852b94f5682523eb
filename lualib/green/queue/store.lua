--- The stores of queues: they hold the items, and give them out in the order of each kind
-- of queue. Private to green.queue.
--
-- A store has `len`, `push(item)`, `pop()` (only when it is not empty),
-- `unpop(item)` (it is the next again) and `clear()`. Where push and pop may raise,
-- it has a true `may_raise`.
-- @module green.queue.store

local args = require "green.args"

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

local function is_before_it(a, b)
  return a < b
end

--- What is neither two numbers nor two strings, by its own `<`, if it has one. That it
-- has none is Lua's to say, and Lua says it in a text only.
local function compare(a, b)
  local kind = type(a)
  if kind == type(b) and (kind == "number" or kind == "string") then
    return a < b
  end
  local ok, result = pcall(is_before_it, a, b)
  if not ok and type(result) == "string" and result:find("attempt to compare", 1, true) then
    args.misuse("put: item must be one that can be compared with the others of the queue, "
      .. "not %s beside %s", args.shown(a), args.shown(b))
  elseif not ok then
    error(result, 0)
  end
  return result
end

local function compare_first(a, b)
  if a[1] == nil or b[1] == nil then
    args.misuse("put: item must be one that can be compared with the others of the queue: a table "
      .. "by its first element [1], which this has not; else give the queue an option `less`")
  end
  return compare(a[1], b[1])
end

--- Numbers and strings by value, tables by their first element, anything else by
-- its own `<`.
local function default_less(a, b)
  if type(a) == "table" and type(b) == "table" then
    local mt = getmetatable(a) or getmetatable(b)
    if not (type(mt) == "table" and mt.__lt) then
      return compare_first(a, b)
    end
  end
  return compare(a, b)
end

--- A binary heap; equal items come in the order they went. `less` may raise (it must
-- not wait): each of these has done nothing then.
-- @tparam[opt] function less less(a, b)
function M.heap(less)
  return setmetatable({
    len = 0,
    size = 0, -- of the heap; what is `aside` is counted by len alone
    less = less or default_less,
    may_raise = true,
    ages = {},
    age = 0,
    aside = false, -- items that came back and could not be compared
  }, heap_mt)
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

local function parent_of(i)
  return (i - i % 2) / 2
end

function heap:push(item)
  local last, age = self.size + 1, self.age + 1
  local place = last
  while place > 1 and is_before(self, item, age, parent_of(place)) do
    place = parent_of(place)
  end
  local i = last
  while i ~= place do
    local parent = parent_of(i)
    put(self, i, self[parent], self.ages[parent])
    i = parent
  end
  put(self, place, item, age)
  self.size, self.len, self.age = last, self.len + 1, age
end

--- The smaller child of i, nil if it has none.
local function smaller_child(self, i, size)
  local left = 2 * i
  if left > size then
    return nil
  end
  if left < size and is_before(self, self[left + 1], self.ages[left + 1], left) then
    return left + 1
  end
  return left
end

--- Where the last item belongs when the first one has gone.
local function place_for_last(self, size)
  local item, age = self[size + 1], self.ages[size + 1]
  local place, child = 1, smaller_child(self, 1, size)
  while child and not is_before(self, item, age, child) do
    place, child = child, smaller_child(self, child, size)
  end
  return place
end

local function pop_aside(self)
  local aside = self.aside
  self.aside, self.len = aside.older, self.len - 1
  return aside.item
end

function heap:pop()
  if self.aside then
    return pop_aside(self)
  end
  local size = self.size - 1
  local i = place_for_last(self, size)
  local item, age = self[size + 1], self.ages[size + 1]
  put(self, size + 1, nil, nil)
  self.size, self.len = size, self.len - 1
  while i >= 1 and size > 0 do -- each to its parent, and the first one out
    local above, above_age = self[i], self.ages[i]
    put(self, i, item, age)
    item, age, i = above, above_age, parent_of(i)
  end
  return item
end

--- Behind its equals: they came while it was on its way. It was the first, and is
-- so again when it cannot be compared any more.
function heap:unpop(item)
  if not pcall(heap.push, self, item) then
    self.aside, self.len = { item = item, older = self.aside }, self.len + 1
  end
end

function heap:clear()
  for i = 1, self.size do
    put(self, i, nil, nil)
  end
  self.size, self.len, self.aside = 0, 0, false
end

return M
