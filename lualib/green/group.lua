--- Green threads that begin and end together.
-- @module green.group

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local exits = require "green.thread.exits"
local show = require "green.args.show"
local thread = require "green.thread"
local timeout = require "green.timeout"

local scope_push, scope_pop = core.scope_push, core.scope_pop
local guard_of = timeout.guard_of
local note_traceback = thread.note_traceback

local CANCEL = core.CANCEL -- a kind of core.scope_push
local CLEANUP_SECONDS = 5 -- what finally gives its cleanup

local M = {}

local group_methods = {}
local group_mt = { __name = "green.group", __index = group_methods }

--- Where there is no memory for a kill's error the child gets one when it looks.
local function group_kill_children(self)
  for child in pairs(self.children) do
    if not pcall(child.kill_soon, child) then
      core.kill_soon(child)
    end
  end
end

local function group_fail(self, err)
  if not self.failed then
    self.failed, self.first = true, err
    core.scope_fire(self.scope)
    group_kill_children(self)
  elseif not rawequal(self.first, err) then
    table.insert(self.others, err)
  end
end

--- A child's green thread has ended.
local function group_child_ended(record, child)
  local self = record.group
  self.children[child] = nil
  if next(self.children) == nil then
    core.wake_all(self.idle)
  end
  if core.state(child) == "raised" then
    group_fail(self, core.data(child).error)
  end
end

--- Start fn(...) as a child of the group.
-- @treturn green.thread
function group_methods:spawn(fn, ...)
  args.callable(fn, "spawn", "fn")
  if self.closed then
    args.misuse("group: it has ended")
  end
  local record = { _exit = group_child_ended, group = self }
  local child = exits.make(2, record, true, fn, ...)
  local ok, err = pcall(rawset, self.children, child, true)
  if not ok then -- no memory
    core.drop(child)
    error(err, 0)
  end
  core.start(child)
  return child
end

local function group_join(self)
  while next(self.children) ~= nil do
    thread.stand(self.idle)
  end
end

--- Join what is left: children that a cancelled owner waits for are killed
-- first, and the join cannot be cancelled again.
local function group_close(self)
  while next(self.children) ~= nil do
    group_kill_children(self)
    local ok, err = pcall(timeout.shield, CLEANUP_SECONDS, group_join, self)
    if not ok then -- thrown at us
      pcall(table.insert, self.others, err)
    end
  end
end

local function group_body(self, fn)
  return (function(...)
    group_join(self)
    return ...
  end)(fn(self))
end

--- The coroutine that group was called in was dropped: nobody joins any more; or it has
-- long left group. A finalizer finds that out, which is no place for more than this.
local function group_drop(self)
  if self.closed then
    return
  end
  self.closed = true
  scope_pop(self.scope)
  core.spawn_n(group_kill_children, self)
end

local function group_end(self, _guard, ok, ...)
  if not ok then
    group_close(self)
  end
  self.closed = true
  local _, cancel = scope_pop(self.scope)
  local err = not ok and (...)
  if self.failed and (ok or rawequal(err, cancel)) then
    err, ok = self.first, false
  elseif self.failed then
    table.insert(self.others, self.first)
  end
  if ok then
    return ...
  end
  if type(err) == "table" and #self.others > 0 then
    err.others = self.others
  end
  error(err, 0)
end

show.kind(group_mt, function(self)
  local n = 0
  for _ in pairs(self.children) do
    n = n + 1
  end
  return ("%d running%s%s"):format(n, self.failed and ", failed" or "",
    self.closed and ", ended" or "")
end)
class.seal(group_mt)

--- Run fn(group); green threads that it spawns with group:spawn are joined
-- before group returns. An error of a child, or of fn, or a cancel of the
-- caller, kills the children, joins them and is raised; errors after the first
-- stand in its `others`. Parks.
-- @return what fn returned
function M.group(fn)
  args.callable(fn, "group", "fn")
  core.waiter() -- where that raises, nothing has begun
  local self = setmetatable({
    children = {}, -- thread -> true
    others = {},
    failed = false, -- a child has,
    first = nil, -- and this is the first one's error
    closed = false,
    idle = core.waitq(),
    scope = false, -- its id: when a child has failed, the caller's waits raise
  }, group_mt)
  self.scope = scope_push(CANCEL)
  return group_end(self, guard_of(group_drop, self),
    xpcall(group_body, note_traceback, self, fn))
end

return M
