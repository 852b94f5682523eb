--- Functions that hear of what the hub does. Private to green.debug.
--
-- C notes events while a turn goes on, and calls deliver() when it is over, in a green thread
-- of which nothing is noted: here Lua may run, which it may not in the middle of the hub.
-- @module green.debug.instrument

local core = require "green.core"
local args = require "green.args"
local options = require "green.args.options"
local report = require "green.thread.report"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local format, pairs, xpcall = string.format, pairs, xpcall

local WHERE = "instrument"
local known = { switch = true, park = true, wake = true, io = true }

local hooks = {}

local function aim()
  core.trace_hooks(hooks)
end

--- One that raises is told no more, and what it raised is reported once.
local function call(hook, event)
  local kind = event.kind
  local ok, err = xpcall(hook, thread.note_traceback, event)
  if ok or hooks[kind] ~= hook then
    return
  end
  hooks[kind] = nil
  aim()
  core.complain(format("greenlua: error in the function for '%s' of debug.instrument, which is "
    .. "taken away:\n%s\n", kind, report.text_of(err)))
end

local function deliver()
  for event in core.trace_take do
    local hook = hooks[event.kind]
    if hook then
      call(hook, event)
    end
  end
end

--- See green.debug.
return function(given)
  local new = {}
  args.optional(given, "table", WHERE, "hooks")
  if given then
    for name, fn in pairs(options.check(given, known, WHERE)) do
      args.callable(fn, WHERE, name)
      new[name] = fn
    end
  end
  core.on_trace(deliver)
  core.trace_hooks(new) -- raises when out of memory: then all is as before
  hooks = new
end
