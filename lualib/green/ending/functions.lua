--- The functions that green.at_exit was given, and how they are called at the end. Private
-- to green.ending.

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local show = require "green.args.show"
local thread = require "green.thread"

local gsub, max = string.gsub, math.max -- scripts may put their own there
local pcall, select, setmetatable, unpack, xpcall = pcall, select, setmetatable, unpack, xpcall

local M = {}

local newest -- each leads to the older one
local is_ending = false -- the first has been asked for

local methods = {}
local mt = { __name = "green.at_exit", __index = methods }

show.kind(mt, function(self)
  return self.site
end)

--- It will not run. Idempotent, does not park.
function methods:cancel()
  local older, newer = self.older, self.newer
  if not self.is_there then
    return
  end
  self.is_there = false
  if older then
    older.newer = newer
  end
  if newer then
    newer.older = older
  else
    newest = older
  end
end

class.seal(mt)

--- Call fn(...) at the end of the program, in a green thread of its own; the one that
-- was given last is called first. Errors are reported, and the next one is called. In a
-- child of a fork those of the parent are not called. Does not park.
-- @tparam function fn it may wait, 5 seconds with all others
-- @return a handle with `cancel`
function M.at_exit(fn, ...)
  args.callable(fn, "at_exit", "fn")
  local self = setmetatable({
    fn = fn,
    args = { n = select("#", ...), ... },
    site = (gsub(core.placed(""), ": $", "")),
    pid = core.getpid(),
    is_there = true,
    is_late = is_ending,
    older = newest,
  }, mt)
  if newest then
    newest.newer = self
  end
  newest = self
  return self
end

local function call(self)
  self.fn(unpack(self.args, 1, self.args.n))
end

--- The next function that is this process's.
local function take()
  local pid = core.getpid()
  is_ending = true
  while newest do
    local self = newest
    self:cancel()
    if self.pid == pid then
      return self
    end
  end
end

function M.is_any()
  return newest ~= nil
end

-- -- Calling them --------------------------------------------------------------

--- Let the function run until then. Returns whether it has ended. Parks.
local function run_function(self, due)
  local t = core.spawn(call, self)
  t:name("at_exit, given at " .. self.site)
  local ok, err = pcall(t.wait, t, max(due - core.now(), 0))
  if not core.is_dead(t) then
    t:kill_soon()
    return false
  elseif not ok and core.state(t) ~= "killed" then
    pcall(thread.report, err, t, thread.describe(t))
  end
  return true
end

--- Those that are late still begin, unless one after another brings a new one.
-- @treturn number how many had not ended by then. Parks.
function M.run(due)
  local late = 0
  for self in take do
    local is_dropped = self.is_late and core.now() >= due
    if is_dropped or not run_function(self, due) then
      late = late + 1
    end
  end
  return late
end

--- Where nobody can wait: what needs no wait.
function M.run_in_place()
  for self in take do
    local ok, err = xpcall(function()
      call(self)
    end, thread.note_traceback)
    if not ok then
      pcall(thread.report, err, core.current(), thread.traceback_of(err))
    end
  end
end

return M
