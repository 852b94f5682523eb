-- Coroutines that scripts make: generators that are dropped inside of scopes,
-- waits in nested ones, and Lua's own resume and yield mixed in. Very deep stacks.

local green = require "green"
local raw = require "spec.storm.raw"
local storm = require "spec.storm.storm"

local random = math.random

-- -- Generators ---------------------------------------------------------------

local scopes = {
  function(fn) green.timeout(random() * 0.003, fn) end,
  function(fn) green.shield(random() * 0.003, fn) end,
  function(fn) green.timeout(0.002, green.timeout, 0.001, fn) end,
}

--- One left inside of a scope: it ends with its generator.
local function drop_one()
  local scope = storm.any(scopes)
  local gen = coroutine.wrap(function()
    scope(function()
      coroutine.yield(1)
      coroutine.yield(2)
    end)
  end)
  storm.rule(gen() == 1, "a generator")
  if storm.chance(0.5) then gen() end
end

local function generators()
  for _ = 1, random(3) do drop_one() end
  collectgarbage()
  collectgarbage()
  for _ = 1, 3 do
    local ok, err = pcall(green.sleep, 0.002)
    storm.rule(ok, "outside of all scopes: %s", tostring(err))
  end
end

--- A generator that waits, in one that waits, ...: the values come in order.
local function numbers(n, depth)
  return coroutine.wrap(function()
    if depth > 0 then
      for i in numbers(n, depth - 1) do
        storm.doze()
        coroutine.yield(i)
      end
      return
    end
    for i = 1, n do
      storm.doze()
      coroutine.yield(i)
    end
  end)
end

local function nested()
  local n, sum = random(5), 0
  local ok, err = green.timeout(20, function()
    for i in numbers(n, random(0, 4)) do sum = sum + i end
    return true
  end)
  storm.rule(ok and sum == n * (n + 1) / 2, "a generator of %d gave %d, %s", n, sum, tostring(err))
end

-- -- Raw resume and yield -----------------------------------------------------

--- A wait under a raw resume is handed to nobody: the coroutine is dropped.
local function stray()
  local q = green.Queue()
  local co = coroutine.create(function() return q:get() end)
  raw.resume(co)
  return q
end

--- A raw yield where no wait is meant: it may raise, or be a turn, but it never
-- becomes the wait of another.
local function raw_yield()
  local kept = storm.chance(0.5)
  local t = storm.adopt(green.spawn(function()
    local q
    local f = coroutine.wrap(function()
      q = stray()
      if not kept then q = nil end
      return 1
    end)
    pcall(f)
    f = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    pcall(raw.yield, random(3))
    return q
  end))
  pcall(t.wait, t, 5)
  storm.rule(t:dead(), "a raw yield stands for a wait: %s", t:status())
end

-- -- Depth --------------------------------------------------------------------

local values = {}
for i = 1, 200 do values[i] = i end

local function deep(n, fn)
  if n == 0 then
    return fn()
  end
  local a, b, c, d, e = 1, 2, 3, 4, 5
  local r = deep(n - 1, fn)
  return r, a, b, c, d, e
end

local function wait_deep(n, e)
  return deep(n, function()
    return select("#", e:wait())
  end)
end

--- The deepest stack that can still wait.
local deepest
local function find_deepest()
  local low, high = 100, 70000
  while high - low > 1 do
    local n = math.floor((low + high) / 2)
    local t = green.spawn(deep, n, function() green.sleep(0) return 1 end)
    if pcall(t.wait, t) then low = n else high = n end
  end
  return low
end

--- Many values for one who has no room: he gets the error, or them; the sender
-- gets neither.
local function depth()
  deepest = deepest or find_deepest()
  local e = green.Event()
  local t = green.spawn(wait_deep, deepest - random(0, 40), e)
  t:link(type) -- it may overflow before somebody waits for it
  local beside = green.spawn(e.wait, e)
  green.sleep(0)
  local n = random(200)
  local ok, err = pcall(e.send, e, unpack(values, 1, n))
  storm.rule(ok, "send raised: %s", tostring(err))
  local well, got = pcall(t.wait, t)
  storm.rule(not well or got == n, "of %d values came %s", n, tostring(got))
  local both = { pcall(beside.wait, beside) }
  storm.rule(both[1] and #both == n + 1, "beside a deep one: %d of %d", #both - 1, n)
end

return {
  { name = "generators", act = generators },
  { name = "nested", act = nested },
  { name = "raw_yield", act = raw_yield },
  { name = "deep", act = depth },
}
