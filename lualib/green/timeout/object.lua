--- Timeout objects: limits for what follows. Private to green.timeout.

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"

local scope_push, scope_pop = core.scope_push, core.scope_pop

-- Scripts may put their own in their places.
local setmetatable, format = setmetatable, string.format

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

--- Start it (again) in the running thread; an error while it is pending.
function timeout_methods:start()
  if self:pending() then
    args.misuse("Timeout:start: it is pending already")
  elseif self.id then
    self:cancel()
  end
  self.id = scope_push(TIMEOUT, self.seconds, self:raises())
end

--- Take it back: what it raised is raised no more. In any order, from any
-- thread, any number of times. Does not park.
function timeout_methods:cancel()
  local id = self.id
  if id then
    self.id = false
    local _, raised, thread = scope_pop(id)
    if thread then -- its wait has been ended by it
      core.data(thread).thrown = raised
      core.throw(thread)
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
  local self = setmetatable({
    seconds = seconds,
    id = false, -- of its scope, while it is armed: the core finds it by that
  }, timeout_mt)
  if err ~= nil then
    self.error = err -- what to raise
  end
  self.id = scope_push(TIMEOUT, seconds, self:raises())
  return self
end

return M
