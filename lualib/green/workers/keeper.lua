--- Who sees to one worker: starts its native thread, waits for the end, tells of errors.
-- Private to green.workers.
-- @module green.workers.keeper

local core = require "green.core"
local errors = require "green.error"
local exits = require "green.thread.exits"
local listeners = require "green.workers.listeners"
local thread = require "green.thread"

local READ = core.READ -- a mode of core.park
local EBUSY, ECLOSED = core.codes.EBUSY, core.codes.ECLOSED

local CHUNK = [[require "green.workers.worker"(...)]] -- what the native thread runs

local M = {}

local function plan_of(self, worker)
  return {
    index = worker.index,
    carried = self.carried,
    count = self.count,
    control = worker.theirs:fileno(),
    listeners = listeners.numbers(self.listeners, worker.index),
  }
end

local function release(held)
  core.release(held.watch)
  core.release(held.native)
  held.worker.native = nil
end

--- Start the thread: what is held while it runs; or nil, code.
local function start(self, worker)
  local native = core.object("native")
  local code = core.native_start(native, CHUNK, "=green.workers", package.path, package.cpath,
    self.app, self.args, plan_of(self, worker))
  local watch
  if code == 0 then
    watch, code = core.watch(core.native_fd(native))
  end
  if not watch then
    core.release(native)
    return nil, code
  end
  worker.native = native
  return { _exit = release, native = native, watch = watch, worker = worker }
end

--- Run it once: 0; 1 and what was raised; or a negative status. Parks.
local function run(self, worker)
  core.waiter() -- where that raises, nothing is started
  local held, code = start(self, worker)
  if not held then
    return code, ""
  end
  exits.hold(held)
  local status, text
  repeat
    local woken = core.park(held.watch, nil, READ)
    status, text = core.native_status(held.native)
  until status ~= EBUSY or woken ~= 0
  exits.release(held)
  release(held)
  return status, text
end

function M.tell(self, worker, text)
  core.complain(("greenlua: worker %d of %s: %s\n"):format(worker.index, self.name, text))
end

--- Does its thread run? In a child of a fork none does.
function M.runs(worker)
  return worker.native ~= nil and core.native_status(worker.native) == EBUSY
end

--- What an error's text says first: its first line. Of "error loading module 'app' from file
-- './app.lua':" the next one, too, which has the reason; of "module 'app' not found:" no colon.
local function head_of(text)
  local first, second = text:match "^([^\n]*)\n?%s*([^\n]*)"
  if first:find "^error loading module " and first:sub(-1) == ":" then
    return first .. " " .. second
  end
  return (first:gsub("(module '[^']*' not found):$", "%1"))
end

--- The first of these is what wait gives.
local function fail(self, worker, status, text)
  local whole = status == 1 and text or select(2, core.errtext(status))
  local op = ("worker %d of %s"):format(worker.index, self.name)
  self.failure = self.failure or errors.new("EWORKER", op, head_of(whole),
    { worker = worker.index, traceback = whole })
  M.tell(self, worker, whole)
end

--- Have the worker for as long as it is wanted. Parks.
function M.keep(self, worker)
  while not self.is_stopping do
    local status, text = run(self, worker)
    -- It has ended; is left to itself; or is the parent's of this process.
    if status == 0 or status == EBUSY or status == ECLOSED then
      return
    end
    fail(self, worker, status, text)
    if not self.restart or self.is_stopping then
      return
    end
    thread.stand(self.stops, core.now() + self.restart)
  end
end

return M
