-- Timeouts, shields, cleanups, and coroutines inside of them.

local green = require "green"
local kit = require "spec.oom.kit"

local function is_late(err)
  return type(err) == "table" and err.is_timeout
end

kit.run("timeout", function()
  local value = green.timeout(5, function(a)
    green.sleep(0)
    return a
  end, "value")
  assert(value == "value")
  local none, err = green.timeout(0.0002, green.sleep, 3600)
  assert(none == nil and is_late(err))
  local inner, outer
  none, outer = green.timeout(0.0002, function()
    inner = green.timeout(5, green.sleep, 3600)
    return "not reached"
  end)
  assert(none == nil and inner == nil and is_late(outer))
end)

-- Whoever has got a Timeout must cancel it; one that could not be made is none.
local held = {}
kit.run("Timeout", function()
  local list = {}
  held = list
  list[1], list[2], list[3] = false, false, false
  list[1] = green.Timeout(5)
  list[2] = green.Timeout(0.0003)
  list[3] = green.Timeout(nil, "mine")
  local ok, err = pcall(green.sleep, 3600)
  list[2]:cancel()
  list[1]:cancel()
  list[3]:cancel()
  assert(not ok and (err == list[2] or kit.is_memory(err)))
  list[1]:start()
  assert(list[1]:pending())
  list[1]:cancel()
end, nil, function()
  for i = 1, 3 do
    if held[i] then
      held[i]:cancel()
    end
  end
  held = {}
end)

-- Made in a thread, which ends with them armed.
kit.run("Timeout: left by its thread", function()
  local t = green.spawn(function()
    for _ = 1, 3 do
      green.Timeout(3600)
    end
    green.sleep(0)
  end)
  t:wait()
end)

kit.run("with_timeout", function()
  assert(green.with_timeout(5, function()
    green.sleep(0)
    return 1
  end) == 1)
  local ok, err = pcall(green.with_timeout, 0.0002, green.sleep, 3600)
  assert(not ok and (is_late(err) or kit.is_memory(err)))
end)

local cleaned, begun = 0, 0
kit.run("shield and finally", function()
  assert(green.shield(5, function()
    green.sleep(0)
    return 1
  end) == 1)
  local none, err = green.shield(0.0002, green.sleep, 3600)
  assert(none == nil and is_late(err))
  local t = green.spawn(function()
    green.finally(function()
      begun = begun + 1
      green.sleep(3600)
    end, function()
      cleaned = cleaned + 1
      green.sleep(0)
    end)
  end)
  green.sleep(0)
  t:kill()
  pcall(t.wait, t)
  assert(t:dead())
end, function()
  if cleaned ~= begun then
    kit.fault("a cleanup did not run")
    cleaned = begun
  end
end)

-- A timeout that is over must not be raised in what comes then.
kit.run("timeouts in a row", function()
  for _ = 1, 6 do
    local _, err = green.timeout(0.0001, green.sleep, 3600)
    assert(is_late(err))
    green.sleep(0)
  end
end, function()
  green.sleep(0.0005)
end)

kit.run("coroutines", function()
  local function numbers()
    for i = 1, 3 do
      green.sleep(0)
      coroutine.yield(i)
    end
  end
  local n = 0
  for i in coroutine.wrap(numbers) do
    n = n + i
  end
  assert(n == 6)
  local t = green.spawn(function()
    local co = coroutine.create(function()
      local inner = coroutine.wrap(function()
        green.sleep(0.0001)
        coroutine.yield("inner")
      end)
      coroutine.yield(inner())
      return "end"
    end)
    local _, first = coroutine.resume(co)
    local _, last = coroutine.resume(co)
    return first, last
  end)
  local first, last = t:wait()
  assert(first == "inner" and last == "end" or kit.is_memory(first) or kit.is_memory(last))
end, function()
  -- The depth is right: a plain yield at the top is a turn for the others.
  coroutine.yield()
  green.spawn(function()
    coroutine.yield()
  end):wait()
  local c = coroutine.wrap(function()
    coroutine.yield(1)
    coroutine.yield(2)
  end)
  assert(c() == 1 and c() == 2, "coroutines are out of step")
end)

kit.run("coroutines: errors and timeouts", function()
  local wrapped = coroutine.wrap(function()
    green.sleep(0)
    error("out of memory: pretended", 0)
  end)
  local ok, err = pcall(wrapped)
  assert(not ok and kit.is_memory(err))
  local _, late = green.timeout(0.0002, function()
    coroutine.wrap(function()
      green.sleep(3600)
    end)()
  end)
  assert(is_late(late))
end, function()
  coroutine.yield()
end)

local mine = green.thread_local { n = 0 }
kit.run("thread_local", function()
  local list = {}
  for i = 1, 4 do
    list[i] = green.spawn(function()
      mine.n = mine.n + i
      green.sleep(0)
      return mine.n
    end)
  end
  for i = 1, 4 do
    assert(list[i]:wait() == i)
  end
end)

kit.finish()
