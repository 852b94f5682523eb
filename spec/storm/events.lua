-- Events, waits for many things, thread-locals, DAGPools, finalizers: everybody
-- gets what was sent, once; nobody watches on.

local green = require "green"
local storm = require "spec.storm.storm"

local random = math.random

-- -- Event --------------------------------------------------------------------

local function many()
  local values = { n = random(0, 60) }
  for i = 1, values.n do
    values[i] = storm.chance(0.9) and i or nil
  end
  return values
end

local function check_values(sent, ...)
  storm.rule(select("#", ...) == sent.n, "%d values of %d", select("#", ...), sent.n)
  for i = 1, sent.n do
    storm.rule((select(i, ...)) == sent[i], "the value %d is %s", i, tostring(select(i, ...)))
  end
end

--- Wait for an event that some other thread sends.
local function await(world)
  local one = storm.any(world)
  local function look(...)
    local _, err = ...
    if not (type(err) == "table" and err.code == "ETIMEDOUT") then
      check_values(one.sent, ...)
      one.told = one.told + 1
    end
  end
  look(one.event:wait(storm.some_time()))
end

--- Send one; renew it if others are to wait for it.
local function send(world, i, renewed)
  local one = world[i]
  if not one.event:ready() then
    one.event:send(unpack(one.sent, 1, one.sent.n))
  end
  if renewed then
    world[i] = { event = green.Event(), sent = many(), told = 0 }
  end
end

local function new_events()
  local world = {}
  for i = 1, 3 do
    world[i] = { event = green.Event(), sent = many(), told = 0 }
  end
  return {
    act = function() await(world) end,
    stir = function()
      if storm.chance(0.1) then send(world, random(#world), storm.chance(0.5)) end
    end,
    calm = function()
      for i = 1, #world do send(world, i) end
    end,
  }
end

-- -- wait and iwait -----------------------------------------------------------

local function some_objects(world)
  local objects = {}
  for i = 1, random(4) do
    objects[i] = world[random(#world)]()
  end
  return objects
end

local function check_ready(objects, ready, err, count)
  local left = {}
  for _, obj in ipairs(objects) do
    left[obj] = (left[obj] or 0) + 1
  end
  for _, obj in ipairs(ready) do
    left[obj] = (left[obj] or 0) - 1
    storm.rule(left[obj] >= 0, "%s was told too often", tostring(obj))
  end
  storm.rule(err or #ready >= math.min(#objects, count), "%d are ready of %d", #ready, count)
end

local function wait_for(world)
  local objects = some_objects(world)
  local count = random(0, #objects)
  if storm.chance(0.5) then
    local ready, err = green.wait(objects, random() * 0.002, count)
    check_ready(objects, ready, err, count)
    return
  end
  local ready = {}
  for obj in green.iwait(objects, random() * 0.002) do
    ready[#ready + 1] = obj
    if storm.chance(0.3) then break end
  end
  check_ready(objects, ready, nil, 0)
end

local function new_waits()
  local queue, event, semaphore = green.Queue(1), green.Event(), green.Semaphore(1)
  local things = { queue, event, semaphore, green.RLock(), green.LightQueue(0) }
  local world = {
    function() return storm.any(things) end,
    function() return storm.adopt(green.spawn(storm.doze)) end,
    function() return green.Event() end,
  }
  return {
    act = function() wait_for(world) end,
    stir = function()
      if storm.chance(0.5) then queue:put_nowait(1) else queue:get_nowait() end
      if storm.chance(0.5) then semaphore:try_acquire() else semaphore:release() end
      if event:ready() then event:reset() else event:send() end
    end,
    check = function()
      collectgarbage()
      collectgarbage()
      green.sleep(0.01)
      for _, thing in ipairs(storm.abandoned and {} or things) do
        storm.rule(not rawget(thing, "_watchers"), "%s is watched still", tostring(thing))
      end
    end,
  }
end

-- -- thread_local -------------------------------------------------------------

local function new_locals()
  local own = green.thread_local(function(values) values.who = green.getcurrent() end)
  return {
    act = function()
      storm.rule(own.who == green.getcurrent(), "a local of another thread")
      local n = random()
      own.n = n
      storm.doze()
      storm.rule(own.n == n, "a local has changed")
    end,
  }
end

-- -- DAGPool ------------------------------------------------------------------

local function dag_call(key, inputs)
  storm.adopt(green.getcurrent())
  storm.doze()
  for name, value in inputs do
    storm.rule(value == name and name < key, "the input %s is %s", tostring(name), tostring(value))
  end
  return key
end

local function is_dag_weather(err)
  return type(err) == "table" and (storm.is_weather(err) or err.code == "EPROPAGATED")
end

local function key_of(i)
  return "k" .. i
end

--- Calls in any order, each after some of those before it.
local function spawn_calls(pool, n)
  for i = n, 1, -1 do
    local depends = {}
    for before = 0, i - 1 do
      if storm.chance(0.4) then depends[#depends + 1] = key_of(before) end
    end
    pool:spawn(key_of(i), depends, dag_call)
  end
end

local function dag()
  local pool, n = green.DAGPool { k0 = "k0" }, random(6)
  spawn_calls(pool, n)
  for i = 1, n do
    local key = key_of(i)
    local ok, value = pcall(pool.get, pool, key)
    storm.rule(not ok and is_dag_weather(value) or value == nil or value == key, "a result")
    storm.doze()
  end
  local ok, values = pcall(pool.wait, pool)
  if ok then
    storm.rule(values[key_of(n)] == key_of(n) and pool:running() == 0, "not all have arrived")
  elseif not is_dag_weather(values) or storm.is_weather(values) then
    error(values, 0)
  end
end

-- -- Finalizers ---------------------------------------------------------------

--- What a finalizer may ask of things that are collected together with it.
local questions = {
  function() local q = green.Queue() return function() q:getting() end end,
  function() local q = green.Queue(0) return function() q:put_nowait(1) q:shutdown() end end,
  function() local s = green.Semaphore(0) return function() s:balance() s:release() end end,
  function() local s = green.CappedSemaphore(0, 1) return function() s:balance() end end,
  function() local l = green.RLock() return function() l:try_acquire() l:release() end end,
  function() local p = green.GreenPool(1) return function() p:waiting() p:resize(2) end end,
  function() local m = green.metaphore() return function() m:inc() m:dec() end end,
  function() local p = green.TokenPool() return function() p:waiting() p:resize(9) end end,
}

local function finalizer()
  local guard, ask = newproxy(true), storm.any(questions)()
  getmetatable(guard).__gc = function() pcall(ask) end
  storm.doze()
end

return {
  { name = "events", new = new_events },
  { name = "objects", new = new_waits },
  { name = "locals", new = new_locals },
  { name = "dag", new = function() return { act = dag } end },
  { name = "finalizers", new = function() return { act = finalizer } end },
}
