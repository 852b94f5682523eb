--- Results of several calls, to be taken one by one. Private to green.greenpool.
--
-- Each call has a cell; the cells are taken in the order they were added, or in
-- the order they were finished.
-- @module green.greenpool.results

local core = require "green.core"
local members = require "green.greenpool.members"
local thread = require "green.thread"

local results = {}
local results_mt = { __index = results }

local cell_methods = {}
local cell_mt = { __index = cell_methods }

--- A call that was killed before it ran, or abandoned.
function cell_methods:abandoned(t)
  if not self.values then
    self:finish(false, core.data(t).error)
  end
end

--- @param pool whose members fill the cells
-- @tparam boolean ordered
local function new(pool, ordered)
  return setmetatable({
    pool = pool,
    ordered = ordered,
    index = 0, -- of the last cell added
    count = 0, -- cells not taken yet
    line = {}, -- cells in the order in which they are taken
    first = 1,
    last = 0,
    queue = core.waitq(), -- who waits for the next one
  }, results_mt)
end

local function push(self, cell)
  self.line[self.last + 1] = cell
  self.last = self.last + 1
end

--- A cell for one more call.
function results:add(has_slot)
  local cell = setmetatable({
    _exit = members.leave,
    pool = self.pool,
    results = self,
    index = self.index + 1,
    has_slot = has_slot,
    values = nil, -- ok, ... once done; n counts
  }, cell_mt)
  if self.ordered then
    push(self, cell)
  end
  self.index, self.count = cell.index, self.count + 1
  return cell
end

--- Keep what pcall returned for the call.
function cell_methods:finish(...)
  local all = self.results
  self.values = { n = select("#", ...), ... }
  if not all.ordered then
    push(all, self)
  end
  if all.line[all.first] == self then
    core.wake_all(all.queue)
  end
end

--- The body of a member whose result goes to a cell.
local function run(cell, fn, ...)
  cell:finish(xpcall(fn, thread.note_traceback, ...))
end

--- Others may look again whether there is something to take.
function results:stir()
  core.wake_all(self.queue)
end

--- Take the next result. Parks.
-- @tparam function is_open are there calls to be added yet?
-- @return its cell; nil at the end
function results:take(is_open)
  thread.checkpoint()
  while true do
    local cell = self.line[self.first]
    if cell and cell.values then
      self.line[self.first] = nil
      self.first = self.first + 1
      self.count = self.count - 1
      return cell
    elseif self.count == 0 and not is_open() then
      return nil
    end
    local status = core.park(self.queue)
    if status ~= 0 then
      thread.failed(status, "next result")
    end
  end
end

--- What an iteration gives for a cell: its index and values; or raise its error.
local function emit(cell)
  if not cell then
    return nil
  end
  local values = cell.values
  if values[1] then
    return cell.index, unpack(values, 2, values.n)
  end
  error(values[2], 0)
end

return { new = new, emit = emit, run = run }
