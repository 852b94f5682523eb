-- What green threads wait for: events, queues, semaphores, locks, pools, others.

local green = require "green"
local kit = require "spec.oom.kit"

-- Objects that outlive each work show whether a failure has left something in
-- them. What a work puts into them may stay there when its own code was hit.
local shared

kit.run("events", function()
  local e, n = green.Event(), 0
  for _ = 1, 6 do
    green.spawn_n(function()
      local a, b, c, d = e:wait()
      assert(a == 1 and b == nil and c == "three" and d == 4)
      n = n + 1
    end)
  end
  green.sleep(0)
  e:send(1, nil, "three", 4)
  green.sleep(0)
  assert(n == 6)
  local bad = green.Event()
  local t = green.spawn(bad.wait, bad)
  green.sleep(0)
  bad:send_exception("out of memory: pretended")
  local ok, err = pcall(t.wait, t)
  assert(not ok and kit.is_memory(err))
end)

-- A send that failed has not been, or has been for everybody.
local sent
kit.run("an event is sent to all", function()
  sent = green.Event()
  for _ = 1, 4 do
    green.spawn_n(function()
      assert(select("#", sent:wait(1)) == 5)
    end)
  end
  green.sleep(0)
  sent:send(1, 2, 3, 4, 5)
  green.sleep(0)
end, function()
  if sent:ready() and sent:has_result() then
    assert(select("#", sent:wait(1)) == 5, "what was sent is not there")
  end
end)

kit.run("queues", function()
  local q, out = green.Queue(2), {}
  local getter = green.spawn(function()
    for i = 1, 8 do
      out[i] = q:get()
      q:task_done()
    end
  end)
  for i = 1, 8 do
    q:put(i)
  end
  getter:wait()
  assert(q:join(1))
  for i = 1, 8 do
    assert(out[i] == i)
  end
  local none, err = q:get(0.0001)
  assert(none == nil and err:is("ETIMEDOUT"))
end)

kit.run("queues: a rendezvous, the smallest, the last", function()
  local meet = green.Queue(0)
  local t = green.spawn(meet.get, meet)
  meet:put("hello")
  assert(t:wait() == "hello")
  t = green.spawn(meet.put, meet, "again")
  assert(meet:get() == "again")
  t:wait()
  local p, l = green.PriorityQueue(), green.LifoQueue()
  for _, i in ipairs { 3, 1, 2, 5, 4 } do
    p:put(i)
    l:put(i)
  end
  for i = 1, 5 do
    assert(p:get() == i)
  end
  assert(l:get() == 4 and l:get() == 5)
end)

-- The same queue all the time: what it counts stays true.
shared = { queue = green.Queue(2), light = green.LightQueue() }
kit.run("a queue that stays", function()
  local q = shared.queue
  local t = green.spawn(function()
    for _ = 1, 4 do
      q:get()
    end
  end)
  for i = 1, 4 do
    q:put(i)
  end
  t:wait()
end, function()
  local q = shared.queue
  assert(q:getting() == 0 and q:putting() == 0, "somebody still waits in it")
  local n = q:qsize()
  assert(n >= 0 and n <= 2, "its size is wrong")
  for _ = 1, n do
    assert(q:get(2) ~= nil, "an item is counted that is not there")
  end
  assert(q:qsize() == 0 and q:empty())
  q:put(1)
  q:put(2)
  assert(not q:put(3, 0.0001), "it takes more than it may")
  assert(q:get() == 1 and q:get() == 2)
end)

local sem, lock, cap = green.Semaphore(2), green.RLock(), green.CappedSemaphore(1, 2)

kit.run("semaphores and locks", function()
  local list = {}
  for i = 1, 5 do
    list[i] = green.spawn(function()
      sem:with(green.sleep, 0)
      lock:with(function()
        lock:with(green.sleep, 0)
      end)
      return i
    end)
  end
  for i = 1, 5 do
    assert(list[i]:wait() == i)
  end
end, function()
  assert(sem:balance() == 2, "a permit is lost, or one too many")
  assert(not lock:locked(), "the lock is held")
end)

kit.run("capped semaphores, metaphores", function()
  local m = green.metaphore()
  for _ = 1, 3 do
    m:inc()
    green.spawn_n(function()
      cap:with(green.sleep, 0)
      m:dec()
    end)
  end
  m:wait()
end, function()
  assert(cap:balance() == 1, "a permit is lost, or one too many")
end)

local pool = green.GreenPool(3)

local function pool_is_empty()
  assert(pool:running() == 0, "a slot of the pool is lost")
  assert(pool:free() == 3 and pool:waiting() == 0)
  assert(pool:waitall(1), "waitall waits for nobody")
end

kit.run("pools", function()
  local n = 0
  local function member(by)
    green.sleep(0)
    n = n + by
    return by
  end
  for i = 1, 6 do
    pool:spawn_n(member, i)
  end
  local t = pool:spawn(member, 7)
  assert(t:wait() == 7)
  assert(pool:waitall())
  assert(n == 28)
end, pool_is_empty)

kit.run("pools: imap", function()
  local sum = 0
  for i, v in pool:imap(function(a)
    green.sleep(0)
    return 2 * a
  end, { 1, 2, 3, 4, 5 }) do
    assert(v == 2 * i)
    sum = sum + v
  end
  assert(sum == 30)
end, pool_is_empty)

kit.run("piles", function()
  local pile = green.GreenPile(pool)
  for i = 1, 5 do
    pile:spawn(function()
      green.sleep(0)
      return i * i
    end)
  end
  for i = 1, 5 do
    local _, v = pile:next()
    assert(v == i * i)
  end
end, pool_is_empty)

local tokens = green.Pool { min_size = 0, max_size = 2, create = function()
  return {}
end }

kit.run("pools of things", function()
  local list = {}
  for i = 1, 4 do
    list[i] = green.spawn(function()
      local thing = tokens:get()
      green.sleep(0)
      tokens:put(thing)
    end)
  end
  for i = 1, 4 do
    list[i]:wait()
  end
end)

kit.run("wait and iwait", function()
  local function nap(s)
    green.sleep(s)
    return s
  end
  local a, b = green.spawn(nap, 0.0004), green.spawn(nap, 0.0001)
  local e, q = green.Event(), green.Queue()
  green.spawn_n(function()
    e:send(1)
    q:put(1)
  end)
  local ready = green.wait({ a, b, e, q }, 0.5)
  assert(#ready == 4)
  local n = 0
  local list = { green.spawn(nap, 0), green.spawn(nap, 0.0001), green.spawn(nap, 0) }
  for t in green.iwait(list, 0.5) do
    assert(t:dead())
    n = n + 1
  end
  assert(n == 3)
  assert(#green.joinall({ green.spawn(nap, 0), green.spawn(nap, 0) }) == 2)
end)

-- An object that outlives the wait keeps nobody who watches it.
local watched = green.Event()
kit.run("wait: objects that stay", function()
  green.wait({ watched, shared.light, sem, green.spawn(green.sleep, 0) }, 0.0002)
  for _ in green.iwait({ watched, shared.light }, 0.0002) do
    error("nothing was sent")
  end
end, function()
  collectgarbage()
  for name, object in pairs { event = watched, queue = shared.light, semaphore = sem } do
    local watching = object._watchers
    if watching and watching.n > 0 then
      kit.fault("the %s keeps %d watchers", name, watching.n)
      object._watchers = nil
    end
  end
end)

kit.run("wait for all", function()
  for _ = 1, 3 do
    green.spawn_n(green.sleep, 0)
  end
  assert(green.wait(nil, 0.05))
end, function()
  local t = green.spawn(green.sleep, 0.0001)
  assert(green.wait(nil, 0.05))
  assert(t:dead(), "wait overlooks a thread")
end)

kit.finish()
