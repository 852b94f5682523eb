--- imap, imap_unordered and starmap of GreenPool. Private to green.greenpool.
--
-- A green thread, the pump, takes inputs and starts calls until as many as the
-- pool's size are started and their results not taken yet; then it ends. Taking a
-- result starts it again. So memory does not grow with the input, and a loop
-- that is left early leaves nothing behind but calls that run to their end.
-- @module green.greenpool.map

local core = require "green.core"
local args = require "green.args"
local members = require "green.greenpool.members"
local results = require "green.greenpool.results"
local thread = require "green.thread"

local M = {}

-- -- Inputs -------------------------------------------------------------------

--- A function that gives the next element; nil at the end.
local function iterator(input, where, i)
  if type(input) ~= "table" or args.is_callable(input) then
    return args.is_callable(input) and input
      or args.wrong(where, "input " .. i, "a list or an iterator", input)
  end
  local at = 0
  return function()
    at = at + 1
    return input[at]
  end
end

--- One iterator over several: the first value of each, until the shortest ends.
local function zip(iterators)
  return function()
    local row = {}
    for i, step in ipairs(iterators) do
      row[i] = step()
      if row[i] == nil then
        return nil
      end
    end
    return unpack(row, 1, #iterators)
  end
end

local function input_of(where, ...)
  local iterators = {}
  for i = 1, select("#", ...) do
    iterators[i] = iterator(select(i, ...), where, i)
  end
  if #iterators == 0 then
    args.misuse("%s: an input is missing", where)
  end
  return #iterators == 1 and iterators[1] or zip(iterators)
end

-- -- The pump -----------------------------------------------------------------

local function start_call(self, ...)
  local cell = self.results:add(false)
  local ok, err = pcall(members.start, cell, results.run, cell, self.fn, ...)
  if not ok then -- no memory: the call failed, and is told in its place
    cell:finish(false, err)
  end
end

--- Start a call with the input's next values. Whether there were any.
local function pump_one(self, first, ...)
  if first == nil then
    return false
  end
  start_call(self, first, ...)
  self.results:stir()
  return true
end

--- Start calls while there is room. Whether there may be more inputs.
local function pump_some(self)
  while self.results.count < self.limit do
    if not pump_one(self, self.input()) then
      return false
    end
  end
  return true
end

local function pump(self)
  local ok, more = pcall(pump_some, self)
  if not ok then
    self.error = { more }
  end
  self.ended = not (ok and more)
  self.pump = nil
  self.results:stir()
end

local function ensure_pump(self)
  if not self.ended and self.results.count < self.limit
    and (not self.pump or core.is_dead(self.pump)) then
    self.pump = thread.spawn(pump, self)
  end
end

-- -- Iterators ----------------------------------------------------------------

local function next_result(self)
  local cell = self.results:take(self.is_open)
  ensure_pump(self)
  if not cell and self.error then
    local err = self.error
    self.error = nil
    error(err[1], 0)
  end
  return results.emit(cell)
end

local function identity(...)
  return ...
end

local function start(pool, fn, ordered, input)
  local self = {
    pool = pool,
    fn = fn or identity,
    input = input,
    limit = math.max(pool._size, 1), -- calls started and not taken
    results = results.new(pool, ordered),
    ended = false, -- the input has
    error = nil, -- { error of the input }, not raised yet
    pump = nil,
  }
  function self.is_open()
    ensure_pump(self)
    return not self.ended
  end
  ensure_pump(self)
  return function()
    return next_result(self)
  end
end

local function check_fn(fn, where)
  if fn ~= nil then
    args.callable(fn, where, "fn")
  end
end

--- Call fn for each element of the inputs, at most the pool's size at a time, and
-- iterate over `index, results...` in the order of the inputs. An error of a
-- call is raised in its place; the iterator can be called again for the next.
-- The calls are members of the pool, but take none of its slots. Does not park;
-- the loop does.
-- @param pool
-- @tparam ?function fn nil: the elements themselves
-- @param ... lists, or functions that return the next element and nil at the end;
-- with several, fn gets one of each until the shortest ends
function M.imap(pool, fn, ...)
  check_fn(fn, "imap")
  return start(pool, fn, true, input_of("imap", ...))
end

--- As imap, in the order in which the calls end.
function M.imap_unordered(pool, fn, ...)
  check_fn(fn, "imap_unordered")
  return start(pool, fn, false, input_of("imap_unordered", ...))
end

--- As imap, with one input whose elements are lists of arguments (`n` counts, if
-- there is one).
function M.starmap(pool, fn, input)
  check_fn(fn, "starmap")
  fn = fn or identity
  return start(pool, function(row)
    if type(row) ~= "table" then
      args.wrong("starmap", "an element of its input", "a list of arguments", row)
    end
    return fn(unpack(row, 1, row.n or #row))
  end, true, input_of("starmap", input))
end

return M
