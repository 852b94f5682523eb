-- The lists of threads, timers and descriptors.

local core = require "green.core"
local green = require "green"
local dbg = require "green.debug"
local kit = require "spec.oom.kit"

kit.run("green threads as data", function()
  local t = green.spawn(function() green.timeout(1, function() green.sleep(10) end) end)
  green.sleep(0)
  local found = 0
  for data in dbg.each_thread() do
    assert(data.id and data.state)
    found = found + (data.wait and data.scopes and 1 or 0)
  end
  assert(found == 1)
  assert(#dbg.threads { at_once = true, traceback = false } >= 2)
  t:kill()
end)

kit.run("green threads as text", function()
  local queue = green.Queue()
  local t = green.spawn(function()
    coroutine.wrap(function() local item = queue:get() return item end)()
  end)
  green.sleep(0)
  assert(dbg.format_threads():find("stack traceback", 1, true))
  t:kill()
end)

kit.run("native threads as data and as text", function()
  local tpool = require "green.tpool"
  tpool.execute(function() end)
  assert(#dbg.native_threads() > 0)
  assert(#dbg.native_threads { traceback = true } > 0)
  assert(dbg.format_threads():find("\nnative thread ", 1, true))
end)

kit.run("a job that goes on for long", function()
  local tpool = require "green.tpool"
  assert(dbg.hub_blocking_detection(true, 1, { jobs = 0.01, report = function() end }))
  tpool.execute(function()
    local over = os.clock() + 0.02
    repeat until os.clock() > over
  end)
  dbg.hub_blocking_detection(false)
end, function() dbg.hub_blocking_detection(false) end)

kit.run("timers and descriptors", function()
  local t = green.spawn_after(10, print)
  assert(dbg.format_hub_timers():find("start of", 1, true))
  assert(type(dbg.format_hub_listeners()) == "string")
  t:kill()
end)

kit.run("the blocking detector on and off", function()
  assert(dbg.hub_blocking_detection(true, 1, { raise = true, report = print }))
  assert(dbg.blocking_stats().is_on)
  dbg.hub_blocking_detection(false)
end)

kit.run("a green thread that blocks", function()
  assert(dbg.hub_blocking_detection(true, 0.002, { report = function() end }))
  local t = green.spawn(function()
    repeat until core.watchdog_state().told
  end)
  green.sleep(0)
  t:wait()
  green.sleep(0)
  dbg.hub_blocking_detection(false)
end)

kit.finish()
