--- The end of the program: what runs when main has ended, when os.exit is called, and
-- when standard output has lost its reader.
--
-- First the cleanups of `finally` that are open, in all green threads, then the
-- functions of `at_exit`. Nothing is done, and no other thread runs, where there are
-- none.
-- @module green.ending

local core = require "green.core"
local cleanups = require "green.thread.cleanups"
local functions = require "green.ending.functions"
local thread = require "green.thread"

local ffi = require "ffi"

-- Scripts may put their own in their places.
local format, max = string.format, math.max
local error, ipairs, pairs, pcall, require, select, xpcall =
  error, ipairs, pairs, pcall, require, select, xpcall

local SHIELD = core.SHIELD -- a kind of core.scope_push
local SECONDS = 5 -- for the cleanups, and again for the functions

local state -- "runs": the program is being ended, "over": it has been

local M = {
  status = nil, -- the exit status, as far as it is known; what os.exit was called with
}

local function tell(n, what)
  core.complain(format("greenlua: %d %s%s had not ended %d seconds after the program\n",
    n, what, n == 1 and "" or "s", SECONDS))
end

-- -- Cleanups -----------------------------------------------------------------

local function shield_end(id, ...)
  core.scope_pop(id)
  return ...
end

local function shielded(seconds, fn, ...)
  return shield_end(core.scope_push(SHIELD, max(seconds, 0)),
    xpcall(fn, thread.note_traceback, ...))
end

--- Those of a thread that stands in the middle of something and does not go on there.
local function call_cleanups(owner, due)
  for _, record in ipairs(cleanups.of(owner)) do
    if cleanups.claim(record) then
      local ok, err = shielded(due - core.now(), record.cleanup)
      if not ok then
        local trace = thread.traceback_of(err)
        pcall(thread.report, err, owner, "(raised by a cleanup at the end of the program)"
          .. (trace and "\n" .. trace or ""))
      end
      cleanups.close(record)
    end
  end
end

--- Kill the threads of those that are open now, and wait for these. Threads that
-- cleanups begin meanwhile are helpers of theirs, and left alone. Main is not to see a
-- kill that nobody has asked for. Returns whether there were any. Parks.
local function end_wave(me, main, host, due)
  local queue = core.waitq()
  local wave, n = cleanups.others(me)
  if n == 0 then
    return false
  end
  for record in pairs(wave) do
    local owner = record.thread
    if owner ~= main and owner ~= host then
      owner:kill_soon()
    end
  end
  cleanups.watch(function(record)
    n = n - (wave[record] and 1 or 0)
    if n == 0 then
      core.wake_all(queue)
    end
  end)
  local ok, err = pcall(thread.stand, queue, due)
  cleanups.watch(nil)
  if not ok then
    error(err, 0)
  end
  return true
end

--- Let threads end that have cleanups to run; main's are called for it. How many are
-- left. Parks.
local function end_threads(due)
  local me, main, host = core.current(), core.main(), core.host()
  for owner in pairs { [main] = true, [host] = true } do
    if owner ~= me then
      call_cleanups(owner, due)
    end
  end
  while core.now() < due and end_wave(me, main, host, due) do end
  return select(2, cleanups.others(me))
end

-- -- The end ------------------------------------------------------------------

--- Run what is open. Parks.
local function run()
  local left = end_threads(core.now() + SECONDS)
  local late = functions.run(core.now() + SECONDS)
  if left > 0 then
    tell(left, "open cleanup")
  end
  if late > 0 then
    tell(late, "at_exit function")
  end
end

--- Another thread ends the program already: it has two spans to do so. Parks.
local function wait_for_it()
  thread.sleep(2 * SECONDS + 1)
end

local function is_needed()
  return cleanups.is_any() or functions.is_any()
end

local function run_all()
  local me = core.current()
  call_cleanups(me, core.now() + SECONDS)
  if not pcall(core.waiter) then
    functions.run_in_place()
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
    pcall(thread.report, err, core.current())
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
    pcall(functions.run_in_place)
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

local is_installed

--- Have the runtime do all this at its end, and os.exit, which is an end, too. Idempotent: a
-- script may have put an os.exit of its own around it since. Does not park.
function M.install()
  if is_installed then
    return
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
  is_installed = true
  require("green.stdio").put_exit()
end

--- See green.ending.functions.
function M.at_exit(fn, ...)
  M.install() -- whoever requires this module alone has no `green` that does
  return functions.at_exit(fn, ...)
end

return M
