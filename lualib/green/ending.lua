--- The end of the program: what runs when main has ended, when os.exit is called, and
-- when standard output has lost its reader.
--
-- First the cleanups of `finally` that are open, in all green threads, then the
-- functions of `at_exit`. Nothing is done, and no other thread runs, where there are
-- none.
-- @module green.ending

local core = require "green.core"
local cleanups = require "green.thread.cleanups"
local options = require "green.options"
local thread = require "green.thread"

local ffi = require "ffi"

local SHIELD = 1 -- a kind of core.scope_push
local SECONDS = 5 -- for the cleanups, and again for the functions

local M = {}

-- -- Functions ----------------------------------------------------------------

local newest -- of the functions, each leads to the older one
local state -- "runs": the program is being ended, "over": it has been

local methods = {}
local mt = { __name = "green.at_exit", __index = methods }

function mt:__tostring()
  return ("green.at_exit{%s}"):format(self.site)
end

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

--- Call fn(...) at the end of the program, in a green thread of its own; the one that
-- was given last is called first. Errors are reported, and the next one is called. In a
-- child of a fork those of the parent are not called. Does not park.
-- @tparam function fn it may wait, 5 seconds with all others
-- @return a handle with `cancel`
function M.at_exit(fn, ...)
  options.callable(fn, "at_exit", "what it calls")
  local info = debug.getinfo(2, "Sl") or { short_src = "?", currentline = 0 }
  local self = setmetatable({
    fn = fn,
    args = { n = select("#", ...), ... },
    site = ("%s:%d"):format(info.short_src, info.currentline),
    pid = core.getpid(),
    is_there = true,
    is_late = state ~= nil,
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
  while newest do
    local self = newest
    self:cancel()
    if self.pid == pid then
      return self
    end
  end
end

-- -- Reports ------------------------------------------------------------------

local function report(err, owner, trace)
  pcall(thread.report, err, owner, trace)
end

local function tell(n, what)
  pcall(function()
    io.stderr:write(("greenlua: %d %s had not ended %d seconds after the program\n"):format(
      n, what, SECONDS))
  end)
end

-- -- Cleanups -----------------------------------------------------------------

local function shield_end(id, ...)
  core.scope_pop(id)
  return ...
end

local function shielded(seconds, fn, ...)
  return shield_end(core.scope_push(SHIELD, math.max(seconds, 0)),
    xpcall(fn, thread.note_traceback, ...))
end

--- Those of a thread that stands in the middle of something and does not go on there.
local function call_cleanups(owner, due)
  for _, record in ipairs(cleanups.of(owner)) do
    if cleanups.claim(record) then
      local ok, err = shielded(due - core.now(), record.cleanup)
      if not ok then
        report(err, owner, "(raised by a cleanup at the end of the program)")
      end
      cleanups.close(record)
    end
  end
end

local function kill_all(threads, spared)
  for t in pairs(threads) do
    if not spared[t] then
      spared[t] = true
      t:kill_soon()
    end
  end
end

--- Let threads end that have cleanups to run. Main is not to see a kill that nobody
-- has asked for: its are called for it. Parks.
local function end_threads(due)
  local me, main, host = core.current(), core.main(), core.host()
  local queue, spared = core.waitq(), { [main] = true, [host] = true }
  for owner in pairs(spared) do
    if owner ~= me then
      call_cleanups(owner, due)
    end
  end
  cleanups.watch(function()
    core.wake_all(queue)
  end)
  local threads = cleanups.threads(me)
  while threads and core.now() < due do
    kill_all(threads, spared)
    thread.stand(queue, due)
    threads = cleanups.threads(me)
  end
  cleanups.watch(nil)
  return threads
end

-- -- The end ------------------------------------------------------------------

local function count(set)
  local n = 0
  for _ in pairs(set) do
    n = n + 1
  end
  return n
end

--- Let the function run until then. Returns whether it has ended. Parks.
local function run_function(self, due)
  local t = core.spawn(call, self)
  t:name("at_exit, given at " .. self.site)
  local ok, err = pcall(t.wait, t, math.max(due - core.now(), 0))
  if not core.is_dead(t) then
    t:kill_soon()
    return false
  elseif not ok and core.state(t) ~= "killed" then
    report(err, t, thread.describe(t))
  end
  return true
end

--- Those that are late still begin, unless one after another brings a new one. Parks.
local function run_functions(due)
  local late = 0
  for self in take do
    local is_dropped = self.is_late and core.now() >= due
    if is_dropped or not run_function(self, due) then
      late = late + 1
    end
  end
  return late
end

--- Run what is open. Parks.
local function run()
  local threads = end_threads(core.now() + SECONDS)
  local late = run_functions(core.now() + SECONDS)
  for _ = 1, 3 do -- errors are reported by threads of their own
    thread.sleep(0)
  end
  if threads then
    tell(count(threads), "green threads with a cleanup")
  end
  if late > 0 then
    tell(late, "functions of at_exit")
  end
end

--- Where nobody can wait: what needs no wait.
local function run_in_place()
  for self in take do
    local ok, err = xpcall(function()
      call(self)
    end, thread.note_traceback)
    if not ok then
      report(err, core.current(), thread.traceback_of(err))
    end
  end
end

--- Another thread ends the program already: it has two spans to do so. Parks.
local function wait_for_it()
  thread.sleep(2 * SECONDS + 1)
end

local function is_needed()
  return cleanups.is_any() or newest ~= nil
end

local function run_all()
  local me = core.current()
  call_cleanups(me, core.now() + SECONDS)
  if not pcall(core.waiter) then
    run_in_place()
  elseif me == core.host() then
    core.run(run)
  else
    shielded(2 * SECONDS + 1, run)
  end
end

--- For os.exit: run what is open, that of the calling thread in place. Nothing when
-- the program is being ended already: whoever ends it once more ends it at once. Parks
-- where it can, never raises.
function M.run()
  if state or not is_needed() then
    return
  end
  state = "runs"
  local ok, err = pcall(run_all)
  state = "over"
  if not ok then
    report(err, core.current())
  end
end

--- Is the program being ended?
function M.is_running()
  return state ~= nil
end

--- For the runtime's end: what is to be run as main, if anything. can_run: the loop
-- can be run; else all that can be done is done here.
local function at_end(can_run)
  if state == "over" or not state and not is_needed() then
    return nil
  elseif not can_run then
    state = "over"
    pcall(run_in_place)
    return nil
  elseif state then
    return wait_for_it
  end
  state = "runs"
  return function()
    run()
    state = "over"
  end
end

core.on_ending(at_end)

-- Under a plain luajit nobody calls that: the state is closed. The finalizers of
-- cdata are the first to run then, when all else is still there; but they cannot wait.
core.closing = {
  ffi.gc(ffi.new("char[1]"), function()
    at_end(false)
  end),
  core.closing, -- of a copy of this module that was loaded before
}

return M
