--- Waiting for several calls that park: each has a thread of its own.
-- @module green.net.crowd

local core = require "green.core"
local exits = require "green.thread.exits"
local thread = require "green.thread"

local ipairs, setmetatable = ipairs, setmetatable
local remove = table.remove

local ETIMEDOUT = core.codes.ETIMEDOUT

local methods = {}
local mt = { __index = methods }

--- A thread has ended, however.
local function ends(member)
  member.has_ended = true
  core.wake_all(member.crowd.queue)
end

local function call(member)
  member.first, member.second = member.fn(member.object)
end

--- Call fn(object) in a thread. Does not park.
-- @tparam function done done(object, first, second) is called by wait when it has ended, with
-- its results: none if it raised
function methods:add(fn, done, object)
  local member = { crowd = self, fn = fn, done = done, object = object, _exit = ends }
  member.thread = exits.make(2, member, true, call, member)
  self[#self + 1] = member
  core.start(member.thread)
end

--- Has one ended since the last time?
local function collect(self)
  local has_some = false
  for i = #self, 1, -1 do
    local member = self[i]
    if member.has_ended then
      remove(self, i)
      member.done(member.object, member.first, member.second)
      has_some = true
    end
  end
  return has_some
end

--- Wait until one or more have ended, or until then. Parks.
-- @tparam ?number due on core.now()
function methods:wait(due)
  if collect(self) then
    return
  end
  local status = core.park(self.queue, due)
  if status ~= 0 and status ~= ETIMEDOUT then
    thread.failed(status)
  end
  collect(self)
end

--- End those that have not ended. Does not park.
function methods:close()
  for _, member in ipairs(self) do
    core.kill_soon(member.thread)
  end
end

local function new()
  return setmetatable({ queue = core.waitq() }, mt)
end

return { new = new }
