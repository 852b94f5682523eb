--- Green threads that begin and end together.
-- @module green.group

local core = require "green.core"
local thread = require "green.thread"
local timeout = require "green.timeout"

local scope_push, scope_pop = core.scope_push, core.scope_pop
local core_peek, current = core.peek, core.current
local take_error, note_traceback = timeout.take_error, thread.note_traceback

local TIMEOUT = 0 -- kind of scope
local CLEANUP_SECONDS = 5 -- what finally gives its cleanup

local M = {}

local group_methods = {}
local group_mt = { __name = "green.group", __index = group_methods }

local function group_fail(self, err)
  if self.first == nil then
    self.first = { err }
    for child in pairs(self.children) do
      child:kill_soon()
    end
    core.scope_fire(self.scope)
  elseif not rawequal(self.first[1], err) then
    table.insert(self.others, err)
  end
end

local function group_child_ended(child, self)
  self.children[child] = nil
  local data = core_peek(child)
  local status = core.state(child)
  if status == "raised" then
    group_fail(self, data.error)
  end
  if next(self.children) == nil then
    core.wake_all(self.idle)
  end
end

--- Start fn(...) as a child of the group.
-- @treturn green.thread
function group_methods:spawn(fn, ...)
  if self.closed then
    error("group: it has ended", 2)
  end
  local child = core.make(2, false, fn, ...)
  self.children[child] = true
  child:link(group_child_ended, self)
  core.start(child)
  return child
end

local function group_join(self)
  while next(self.children) ~= nil do
    thread.stand(self.idle)
  end
end

local function group_kill_children(self)
  for child in pairs(self.children) do
    child:kill_soon()
  end
end

--- Join what is left: children that a cancelled owner waits for are killed
-- first, and the join cannot be cancelled again.
local function group_close(self)
  while next(self.children) ~= nil do
    group_kill_children(self)
    local ok, err = pcall(timeout.shield, CLEANUP_SECONDS, group_join, self)
    if not ok then -- thrown at us
      table.insert(self.others, err)
    end
  end
end

local function group_body(self, fn)
  return (function(...)
    group_join(self)
    return ...
  end)(fn(self))
end

local function group_end(self, owner, ok, ...)
  if not ok then
    group_close(self)
  end
  self.closed = true
  scope_pop(self.scope)
  local own = take_error(owner, self.scope)
  local err = not ok and (...)
  if self.first and (ok or rawequal(err, own)) then
    err, ok = self.first[1], false
  elseif self.first then
    table.insert(self.others, self.first[1])
  end
  if ok then
    return ...
  end
  if type(err) == "table" and #self.others > 0 then
    err.others = self.others
  end
  error(err, 0)
end

--- Run fn(group); green threads that it spawns with group:spawn are joined
-- before group returns. An error of a child, or of fn, or a cancel of the
-- caller, kills the children, joins them and is raised; errors after the first
-- stand in its `others`. Parks.
-- @return what fn returned
function M.group(fn)
  local owner = current()
  local self = setmetatable({
    children = {}, -- thread -> true
    others = {},
    first = nil, -- { err } of the first child that failed
    closed = false,
    idle = core.waitq(),
    scope = scope_push(TIMEOUT, nil),
  }, group_mt)
  return group_end(self, owner, xpcall(group_body, note_traceback, self, fn))
end

return M
