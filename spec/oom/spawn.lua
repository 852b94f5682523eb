-- Threads: how they are made, what they return, raise and tell.

local green = require "green"
local kit = require "spec.oom.kit"

local function add(a, b)
  green.sleep(0)
  return a + b, nil, a
end

kit.run("spawn", function()
  local list = {}
  for i = 1, 8 do
    list[i] = green.spawn(add, i, 1)
  end
  for i = 1, 8 do
    local sum, none, a = list[i]:wait()
    assert(sum == i + 1 and none == nil and a == i)
  end
end)

kit.run("spawn_n", function()
  local n = 0
  for _ = 1, 12 do
    green.spawn_n(function()
      n = n + 1
    end)
  end
  green.sleep(0)
  assert(n == 12)
end)

kit.run("spawn: many arguments", function()
  local args = {}
  for i = 1, 60 do
    args[i] = i
  end
  for n = 0, 60, 20 do
    local t = green.spawn(function(...)
      green.sleep(0)
      return ...
    end, unpack(args, 1, n))
    assert(select("#", t:wait()) == n)
  end
end)

kit.run("spawn_after", function()
  local list = {}
  for i = 1, 4 do
    list[i] = green.spawn_after(0.0005 * i, add, i, 1)
  end
  local mine = green.spawn_after_local(0.0005, add, 1, 1)
  local parent = green.spawn(function()
    return green.spawn_after_local(0.0005, add, 1, 1)
  end)
  local orphan = parent:wait()
  list[4]:cancel()
  for i = 1, 3 do
    assert(list[i]:wait() == i + 1)
  end
  assert(mine:wait() == 2)
  green.sleep(0.001)
  assert(orphan:dead())
end)

kit.run("link", function()
  local told = 0
  local function tell(t, a)
    assert(t:dead())
    told = told + (a == 7 and 1 or 0)
  end
  local t = green.spawn(add, 1, 2)
  t:link(tell, 7)
  t:link(tell, 7)
  t:link(tell, 8)
  assert(t:unlink(tell, 8))
  t:wait()
  t:link(tell, 7)
  for _ = 1, 3 do
    green.sleep(0)
  end
  assert(told == 3)
end)

kit.run("errors", function()
  local t = green.spawn(function()
    green.sleep(0)
    error("not enough memory: pretended", 0)
  end)
  green.spawn_n(function()
    error({ code = "out of memory: pretended" })
  end)
  local ok, err = pcall(t.wait, t)
  assert(not ok and kit.is_memory(err))
  assert(t:dead() and t:status() == "raised")
  green.spawn_n(function()
    local function deeper()
      error("out of memory: pretended")
    end
    deeper()
  end)
  local none = green.spawn(function()
    error(nil)
  end)
  ok, err = pcall(none.wait, none)
  assert(not ok and (err == nil or kit.is_memory(err)))
  green.sleep(0)
  green.sleep(0)
end)

kit.run("names and threads()", function()
  local t = green.spawn(add, 1, 1):name("adder")
  assert(tostring(t):find("adder", 1, true) and t:spawn_site():find("spawn.lua", 1, true))
  green.sleep(0)
  assert(#green.threads() == 2 and type(t:traceback()) == "string")
  t:wait()
end)

kit.finish()
