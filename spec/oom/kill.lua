-- Kills: now, soon, by force; throws; groups.

local green = require "green"
local kit = require "spec.oom.kit"

local function sleeper()
  green.sleep(3600)
end

local function stubborn()
  pcall(green.sleep, 3600)
  pcall(green.sleep, 3600)
  green.shield(0.002, green.sleep, 3600)
end

local function ends_killed(t)
  local ok, err = pcall(t.wait, t)
  assert(not ok and (kit.is_memory(err) or err.code == "ECANCELED"))
end

kit.run("kill", function()
  local a, b, c = green.spawn(sleeper), green.spawn(sleeper), green.spawn(sleeper)
  green.sleep(0)
  a:kill()
  assert(a:dead() and a:status() ~= "returned")
  b:kill_soon()
  c:kill_soon { error = "out of memory: pretended" }
  ends_killed(a)
  ends_killed(b)
  ends_killed(c)
end)

kit.run("kill: what has not started, what has ended", function()
  local ran = false
  local a = green.spawn(function()
    ran = true
  end)
  a:kill()
  assert(a:dead() and not ran)
  ends_killed(a)
  local b = green.spawn_after(3600, sleeper)
  b:cancel()
  assert(b:dead())
  b:kill()
end)

kit.run("kill: force_after", function()
  local t = green.spawn(stubborn)
  green.sleep(0)
  t:kill { force_after = 0.0005 }
  ends_killed(t)
  assert(t:dead())
end)

kit.run("throw", function()
  local t = green.spawn(function()
    local ok, err = pcall(green.sleep, 3600)
    assert(not ok)
    return err
  end)
  green.sleep(0)
  t:throw("thrown")
  local err = t:wait()
  assert(err == "thrown" or kit.is_memory(err))
end)

kit.run("killall", function()
  local list = {}
  for i = 1, 5 do
    list[i] = green.spawn(sleeper)
  end
  green.sleep(0)
  assert(green.killall(list))
  for i = 1, 5 do
    assert(list[i]:dead())
  end
end)

kit.run("kill: what a waiter was given", function()
  local q = green.Queue()
  local t = green.spawn(q.get, q)
  green.sleep(0)
  q:put("item")
  t:kill()
  assert(t:dead())
end)

-- A group that has returned has no children, whatever happened.
local children
kit.run("group", function()
  children = {}
  local sum = green.group(function(g)
    local list = {}
    for i = 1, 4 do
      list[i] = g:spawn(function()
        green.sleep(0)
        return i
      end)
      children[i] = list[i]
    end
    local n = 0
    for i = 1, 4 do
      n = n + list[i]:wait()
    end
    return n
  end)
  assert(sum == 10)
end, function()
  for i, child in pairs(children) do
    assert(child:dead(), "child " .. i .. " has outlived its group")
  end
end)

kit.run("group: a child fails", function()
  local ok, err = pcall(green.group, function(g)
    for _ = 1, 3 do
      g:spawn(green.finally, sleeper, function()
        green.sleep(0)
      end)
    end
    g:spawn(function()
      green.sleep(0)
      error("out of memory: pretended", 0)
    end)
    green.sleep(3600)
  end)
  assert(not ok and kit.is_memory(err))
  assert(#green.threads() == 1, "a group has left its children")
end)

kit.finish()
