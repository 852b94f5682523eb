--- Timeout objects: limits for what follows. Private to green.timeout.

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"

local scope_push, scope_pop = core.scope_push, core.scope_pop
local core_peek, core_data, current = core.peek, core.data, core.current

-- Scripts may put their own in their places.
local error, pcall, setmetatable, format = error, pcall, setmetatable, string.format

local TIMEOUT = core.TIMEOUT -- a kind of core.scope_push

local M = {}

local timeout_methods = { is_timeout = true, code = "ETIMEDOUT" }
local timeout_mt = {
  __name = "green.Timeout",
  __index = timeout_methods,
  __concat = errors.concat,
}

function timeout_mt:__tostring()
  local s = self.seconds
  if s == nil then
    return "timed out (ETIMEDOUT)"
  end
  return format("timed out after %g second%s (ETIMEDOUT)", s, s == 1 and "" or "s")
end

-- The Timeouts of a thread form a list in its table (green.thread looks there
-- for what to raise): linking costs less than a table keyed by scope. That table is
-- the owner: a thread that a server uses again gets another, and who keeps a Timeout
-- must not reach the thread by it.
local function timeout_link(self, owner)
  local data = core_data(owner)
  local head = data.timeouts
  self.owner = data
  if head then
    self.older = head -- in this order: each may fail for want of memory
    head.newer = self
  end
  data.timeouts = self
end

local function timeout_unlink(self)
  local older, newer = self.older, self.newer
  if older then
    older.newer = newer
  end
  if newer then
    newer.older = older
  else
    local data = self.owner
    if data.timeouts == self then
      data.timeouts = older
    end
  end
  if older or newer then
    self.older, self.newer = nil, nil
  end
end

local function timeout_start(self)
  if self:pending() then
    args.misuse("Timeout:start: it is pending already")
  elseif self.id then
    self:cancel()
  end
  timeout_link(self, current())
  local ok, id = pcall(scope_push, TIMEOUT, self.seconds)
  if not ok then
    timeout_unlink(self)
    error(id, 0)
  end
  self.id = id
end

--- Start it (again) in the running thread; an error while it is pending.
function timeout_methods:start()
  timeout_start(self)
end

--- Take it back: what it raised is raised no more. In any order, from any
-- thread, any number of times. Does not park.
function timeout_methods:cancel()
  local id = self.id
  if id then
    self.id = false
    local fired = scope_pop(id)
    timeout_unlink(self)
    if fired and self.owner ~= core_peek(current()) then
      self.owner.late = self:raises() -- if it is on its way there
    end
  end
end

--- Is it waiting to fire?
function timeout_methods:pending()
  return self.id and core.scope_state(self.id) == "pending" or false
end

--- Has it fired, and was not cancelled since?
function timeout_methods:fired()
  return self.id and core.scope_state(self.id) == "fired" or false
end

--- What it raises: itself, unless it was given something else.
function timeout_methods:raises()
  local err = self.error
  return (not err or err == true) and self or err
end

function timeout_methods:is(code)
  return code == "ETIMEDOUT"
end

class.seal(timeout_mt)

--- A timeout for what follows in the running thread, until its cancel() or the
-- thread's end: when the time is up each checkpoint raises. Does not park.
-- @tparam ?number seconds nil never fires
-- @param[opt] err what to raise; nil, false or true: the object itself
function M.Timeout(seconds, err)
  if seconds ~= nil then
    args.number(seconds, 0, "Timeout", "seconds")
  end
  -- Three fields more come as they are needed, so that a Timeout stays small:
  -- error (what to raise), older and newer (neighbours in the thread's list).
  local self = setmetatable({
    seconds = seconds,
    id = false, -- of its scope, while it is armed
    owner = false, -- the table of the thread it belongs to
  }, timeout_mt)
  if err ~= nil then
    self.error = err
  end
  timeout_link(self, current())
  self.id = scope_push(TIMEOUT, seconds) -- last: what it armed, cancel finds
  return self
end

return M
