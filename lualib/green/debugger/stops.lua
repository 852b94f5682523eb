--- When the program is to stand still: breakpoints, steps, a pause. Private to green.debugger.
--
-- A hook looks at each line that the interpreter runs, and only while there is something to
-- look for. Functions of files with breakpoints are not compiled; while somebody steps,
-- nothing is.
-- @module green.debugger.stops

local core = require "green.core"
local conditions = require "green.debugger.conditions"
local frames = require "green.debugger.frames"
local lines = require "green.debugger.lines"
local report = require "green.thread.report"

local gethook, getinfo, sethook = debug.gethook, debug.getinfo, debug.sethook
local jit = jit
local ipairs, next, pcall, setmetatable, type = ipairs, next, pcall, setmetatable, type

local M = {
  on_stop = nil, -- function(reason, point): stands still until it returns
  on_log = nil, -- function(text)
}

local points = {} -- key of a path -> line -> { condition, hits, ... }
local wanted = {} -- line -> how many files have one there
local step -- { kind, thread, depth, reason }
local pausing -- the reason of a stop at whatever comes next
local last = {} -- func, line: where it stopped, and has not left that line
local interpreted = setmetatable({}, { __mode = "k" }) -- functions

local on_line -- below: the hook
local theirs -- { hook, mask, count }: the script's own, while this one is in its place

--- Keep the hook that is to be replaced. One of a C function's cannot be kept.
local function keep()
  local hook, mask, count = gethook()
  if hook ~= on_line then
    theirs = type(hook) == "function" and { hook, mask, count } or nil
  end
end

--- Give the script's back what has not been replaced since.
local function give_back()
  if gethook() ~= on_line then
    return
  elseif theirs then
    sethook(theirs[1], theirs[2], theirs[3])
  else
    sethook()
  end
  theirs = nil
end

--- Hear of lines while there is something to look for.
local function arm()
  if next(points) or step or pausing then
    keep()
    sethook(on_line, last.func and "lc" or "l")
  else
    give_back()
  end
end

-- -- Breakpoints --------------------------------------------------------------

local function is_hit(point)
  point.hits = point.hits + 1
  return not point.hit_test or point.hit_test(point.hits)
end

--- Does the program stop at this breakpoint? An expression that raises stops it.
local function holds(point, frame)
  if point.condition then
    local ok, value = conditions.evaluate(point.condition, frame)
    if ok and not value then
      return false
    elseif not ok then
      M.on_log("breakpoint: " .. report.text_of(value) .. "\n")
      return true
    end
  end
  if not is_hit(point) then
    return false
  elseif point.log then
    M.on_log(conditions.log_text(point.log, frame) .. "\n")
    return false
  end
  return true
end

--- Set all breakpoints of a file anew.
-- @tparam string path its key, of lines
-- @tparam table list of { line =, condition =, hit_test =, log = }
function M.set(path, list)
  for line in next, points[path] or {} do
    wanted[line] = wanted[line] > 1 and wanted[line] - 1 or nil
  end
  points[path] = nil
  for _, point in ipairs(list) do
    local of_file = points[path] or {}
    points[path] = of_file
    if not of_file[point.line] then
      wanted[point.line] = (wanted[point.line] or 0) + 1
    end
    point.hits = 0
    of_file[point.line] = point
  end
  jit.flush() -- what is compiled does not hear of lines
  arm()
end

-- -- Steps --------------------------------------------------------------------

local function end_step()
  if step or pausing then
    step, pausing = nil, nil
    if M.jit_was_on then
      jit.on()
    end
  end
end

local function interpret_all()
  if not step and not pausing then
    M.jit_was_on = jit.status()
  end
  jit.off()
  jit.flush()
end

--- Stop again soon: "in" at the next line of a green thread, "over" not in functions and
-- coroutines that it calls, "out" when it has come back; nil: at breakpoints only.
-- @tparam ?string kind
-- @param thread
-- @tparam ?string reason of the stop ("step")
function M.go(kind, thread, reason)
  end_step()
  if kind then
    interpret_all()
    step = { kind = kind, thread = thread, depth = frames.depth(thread), reason = reason or "step" }
  end
  arm()
end

--- Stop at the next line of whichever green thread.
-- @tparam ?string reason of the stop ("pause")
function M.pause(reason)
  interpret_all()
  pausing = reason or "pause"
  arm()
end

--- Has it not stopped yet?
function M.is_pausing()
  return pausing ~= nil
end

--- Nothing stops any more.
function M.clear()
  end_step()
  points, wanted = {}, {}
  arm()
end

local function is_deep_enough()
  local depth = step.kind ~= "in" and frames.depth(step.thread)
  return not depth or step.kind == "over" and depth <= step.depth or depth < step.depth
end

local function is_step_done()
  if pausing then
    return pausing
  elseif not step then
    return nil
  elseif core.is_dead(step.thread) then
    end_step() -- nothing is left to follow
    arm()
  elseif step.thread == core.current() and is_deep_enough() then
    return step.reason
  end
end

-- -- The hook -----------------------------------------------------------------

--- Nothing raises here: it would be an error of the program's.
local function reason_of(point)
  local ok, is_there = pcall(holds, point, frames.top())
  return (not ok or is_there) and "breakpoint" or nil
end

--- LuaJIT tells of a line again when a function that it calls has returned: that is the same
-- stop. Is this one?
local function is_same_stop(func, line)
  if last.func ~= func then
    return false
  elseif last.line ~= line then
    last.func = nil
    return false
  end
  return true
end

local function stop(reason, point, func, line)
  end_step()
  last.func, last.line = func, line
  M.on_stop(reason, point)
  arm()
end

--- Functions of files with breakpoints are not compiled, from the first line on that is seen.
local function keep_interpreted(func)
  if not interpreted[func] then
    interpreted[func] = true
    jit.off(func)
  end
end

local function hear(info, line)
  local key = lines.key_of(info.source)
  local of_file = key and points[key]
  if of_file then
    keep_interpreted(info.func)
  end
  local point = wanted[line] and of_file and of_file[line]
  if is_same_stop(info.func, line)
    or not point and (not (step or pausing) or core.is_library(info.source)) then
    return
  end
  local reason = point and reason_of(point) or is_step_done()
  if reason then
    stop(reason, reason == "breakpoint" and point or nil, info.func, line)
  end
end

function on_line(event, line)
  local info = getinfo(2, "Sf")
  if event == "line" then
    hear(info, line)
  elseif info.func == last.func then
    last.func = nil -- it is called anew
  end
end

frames.set_hook(on_line)

--- Call fn where nothing waits and no line is heard of, as at a breakpoint: inside of a hook.
function M.call_in_hook(fn)
  keep()
  sethook(function()
    sethook(on_line, "l") -- which hears of nothing in a hook
    fn()
  end, "l")
  arm() -- this line is the one
end

return M
