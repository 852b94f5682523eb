--- LuaJIT's compiler: the limits of luajit2, on every LuaJIT, and a guard against a fault.
--
-- The fault (LuaJIT's issue 829) is in Debian 12's libluajit-5.1, not in its luajit2. Where a
-- table is traversed, compiled code calls a function that gives a pointer and a number. If it
-- wants each in the other's register it swaps them, but only 32 bits of them: the process
-- crashes where it then reads the pair. That is seen in a trace's machine code before it first
-- runs. Such code is thrown away, and the function in which the trace ends is not compiled any
-- more; if that is one of C's, the function in which the trace began.
-- @module green.patch.jit

local core = require "green.core"

-- Scripts may put their own in their places.
local next, pcall = next, pcall
local off, flush = jit.off, jit.flush
local swaps_next = core.swaps_next
local has_util, util = pcall(require, "jit.util")

local is_set

--- Does the machine code of that trace crash?
local function is_faulty(trace)
  local code, address = util.tracemc(trace)
  return code and swaps_next(code, address)
end

local began -- the function in which the trace began that is being made

--- On "stop" a trace is ready, and has not been run.
local function on_event(what, trace, fn)
  if what == "start" then
    began = fn
    return
  elseif what == "stop" and is_faulty(trace) then
    if not pcall(off, fn) then
      pcall(off, began)
    end
    flush()
  end
  began = nil -- nobody has a function for being compiled
end

--- May this LuaJIT have the fault? Later ones have a date in the place of "beta3", and luajit2,
-- which mended it, modules of its own. Where there is no need the handler is not there: it runs
-- in whichever thread compiles, and may be where its stack ends.
local function may_be_faulty()
  return has_util and jit.arch == "x64" and jit.version:find("beta", 1, true)
    and not package.preload["table.isempty"]
end

--- Somebody looks at the traces already, as -jv and -jdump do: LuaJIT tells one alone.
local function is_watched()
  local handlers = debug.getregistry()._VMEVENTS
  return handlers and next(handlers) ~= nil
end

--- Set them, once: what the user asks for later stays.
local function install()
  if not is_set then
    is_set = true
    require("jit.opt").start("maxtrace=8000", "maxrecord=16000", "minstitch=3", "maxmcode=40960")
    if may_be_faulty() and not is_watched() then
      jit.attach(on_event, "trace")
    end
  end
end

return { install = install }
