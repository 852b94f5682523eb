-- The main chunk as host of the loop: its own waits, with others around it.

local green = require "green"
local kit = require "spec.oom.kit"

kit.run("plain waits of the main chunk", function()
  for _ = 1, 5 do
    green.sleep(0)
  end
  green.sleep(0.0002)
  local e = green.Event()
  green.spawn_after(0.0001, e.send, e, "sent")
  assert(e:wait(0.5) == "sent")
  local none, err = green.Event():wait(0.0001)
  assert(none == nil and err:is("ETIMEDOUT"))
end)

-- Others end, fail and are told of while main is in a wait of its own: nothing of
-- that may end, or spoil, this wait.
local waits = 0
kit.run("others end while main waits", function()
  for i = 1, 4 do
    green.spawn(function(a)
      green.sleep(0)
      return a
    end, i)
    green.spawn(function()
      error("out of memory: pretended")
    end)
    green.spawn(function() end):link(function() end)
  end
  local ok, err = pcall(green.sleep, 0.0005)
  if not ok then
    waits = waits + 1
    if not kit.is_memory(err) then
      kit.fault("main's sleep raised %s for the end of another thread", tostring(err))
    end
  end
end, function()
  local t = green.now()
  green.sleep(0.002)
  assert(green.now() - t >= 0.0015, "main's sleep was cut short")
end)

kit.run("a deadlock of the main chunk", function()
  local ok, err = pcall(function()
    green.Event():wait()
  end)
  assert(not ok and (green.is_error(err, "EDEADLOCK") or kit.is_memory(err)))
end)

kit.run("main waits inside of coroutines and callbacks", function()
  local co = coroutine.wrap(function()
    green.sleep(0)
    coroutine.yield(1)
    green.sleep(0.0001)
    return 2
  end)
  assert(co() == 1 and co() == 2)
  local ok, err = pcall(string.gsub, "a", "a", function()
    green.sleep(0)
  end)
  assert(not ok and (tostring(err):find("cannot wait inside", 1, true) or kit.is_memory(err)))
end)

kit.finish()
