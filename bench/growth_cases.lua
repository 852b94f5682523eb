-- The operations that growth.lua measures: a list of { name, prepare }.
--
-- prepare(n) makes what is needed and returns the function that is measured (its
-- result: how many operations it did, if not n) and one that clears up.
local green = require "green"
local testing = require "green.testing"


local function nothing() end

local cases = {}

local function case(name, prepare)
  cases[#cases + 1] = { name = name, prepare = prepare }
end

--- n threads that run fn(i), each until its first wait.
local function start(n, fn)
  local threads = {}
  for i = 1, n do threads[i] = green.spawn(fn, i) end
  green.sleep(0)
  return threads
end

local function await(threads)
  for i = 1, #threads do threads[i]:wait() end
end

--- A thread that waits until the event is sent.
local function parked()
  local stop = green.Event()
  return start(1, function() stop:wait() end)[1], function() stop:send() end
end

--- n threads wait in one method, the other one lets them go.
local function meet(make, waits, lets_go)
  return function(n)
    local obj = make()
    local threads = start(n, function() obj[waits](obj, 1) end)
    return function()
      for _ = 1, n do obj[lets_go](obj, 1) end
      await(threads)
    end
  end
end

local function capped(count, limit)
  return function() return green.CappedSemaphore(count, limit) end
end

-- Timeouts and items are 1: nothing lets virtual time pass, as somebody is ready.
case("capped0_acquire", meet(capped(0, 0), "acquire", "release"))
case("capped0_release", meet(capped(0, 0), "release", "acquire"))
case("capped1_acquire", meet(capped(0, 1), "acquire", "release"))
case("capped1_release", meet(capped(1, 1), "release", "acquire"))
case("semaphore", meet(function() return green.Semaphore(0) end, "acquire", "release"))
case("getters", meet(green.Queue, "get", "put"))

case("rlock", function(n)
  local lock = green.RLock()
  lock:acquire()
  local threads = start(n, function()
    lock:acquire()
    lock:release()
  end)
  return function()
    lock:release()
    await(threads)
  end
end)

case("event", function(n)
  local event = green.Event()
  local threads = start(n, function() event:wait() end)
  return function()
    event:send(1)
    await(threads)
  end
end)

--- n threads wait for {shared, a queue of their own} and are woken by the queue,
-- the first first or the last first.
local function watch(shared_of, last_first)
  return function(n)
    local shared, stop = shared_of()
    local queues = {}
    local threads = start(n, function(i)
      queues[i] = green.Queue()
      green.wait({ shared, queues[i] }, nil, 1)
    end)
    return function()
      for i = 1, n do queues[last_first and n + 1 - i or i]:put(1) end
      await(threads)
    end, stop
  end
end

case("wait_event_fifo", watch(green.Event))
case("wait_event_lifo", watch(green.Event, true))
case("wait_thread_fifo", watch(parked))
case("wait_thread_lifo", watch(parked, true))

case("iwait", function(n)
  local events, told = {}, 0
  for i = 1, n do events[i] = green.Event() end
  local reader = start(1, function()
    for _ in green.iwait(events) do told = told + 1 end
  end)
  return function()
    for i = 1, n do -- one a turn
      events[i]:send(i)
      green.sleep(0)
    end
    await(reader)
    assert(told == n)
  end
end)

--- The same function with n arguments, linked and taken back.
local function links(last_first)
  return function(n)
    local t, stop = parked()
    return function()
      for i = 1, n do t:link(nothing, i) end
      for i = 1, n do assert(t:unlink(nothing, last_first and n + 1 - i or i)) end
    end, stop
  end
end

case("links_fifo", links())
case("links_lifo", links(true))

-- The members of these end one a turn, in the order of their start.

case("group", function(n)
  return function()
    green.group(function(g)
      for i = 1, n do g:spawn(green.sleep, i) end
    end)
  end
end)

case("waitall", function(n)
  start(n, green.sleep)
  return function() green.wait() end
end)

case("joinall", function(n)
  local threads = start(n, green.sleep)
  return function() green.joinall(threads) end
end)

case("pool", function(n)
  local pool = green.GreenPool(n)
  return function()
    for i = 1, n do pool:spawn(green.sleep, i) end
    pool:waitall()
  end
end)

--- The pool has n members, and as many wait to spawn when it is measured.
case("pool_full", function(n)
  local pool = green.GreenPool(n)
  for i = 1, n do pool:spawn(green.sleep, i) end
  green.sleep(0)
  return function()
    await(start(n, function() pool:spawn(nothing) end))
    pool:waitall()
  end
end)

case("killall", function(n)
  local threads = start(n, function() green.sleep(3600) end)
  return function() green.killall(threads) end
end)

case("timers", function(n)
  local threads = {}
  return function()
    for i = 1, n do threads[i] = green.spawn_after(3600 + i * 7919 % n, nothing) end
    for i = 1, n do threads[i]:cancel() end
  end
end)

--- n deadlines pass at once, of threads that stand in one queue.
case("deadlines", function(n)
  local queue = green.Queue()
  local threads = start(n, function(i) -- out of order, but neighbours are due together
    queue:get(1 + math.floor(i / 1000) + i * 7919 % 1000 / 1000)
  end)
  return function()
    testing.advance(n)
    await(threads)
  end
end)

--- n threads that run fn, one a turn and not in the order in which they lie in
-- memory: who goes through them all must not find that easier for some n.
local function scattered(n, fn)
  local threads = start(n, function(i)
    green.sleep(i * 7919 % n)
    fn()
  end)
  green.sleep(n)
  return threads
end

--- What a question takes while n wait. It is asked until there is a time to
-- measure: a few times when it is slow.
local function ask(obj, question, threads, clear)
  return function()
    local begin, asked = os.clock(), 0
    repeat
      for _ = 1, 10 do obj[question](obj) end
      asked = asked + 10
    until os.clock() - begin > 0.01
    return asked
  end, function()
    green.killall(threads)
    if clear then clear() end
  end
end

local function ask_waiting(make, waits, question)
  return function(n)
    local obj = make()
    return ask(obj, question, scattered(n, function() obj[waits](obj) end))
  end
end

case("getting", ask_waiting(green.Queue, "get", "getting"))
case("balance", ask_waiting(function() return green.Semaphore(0) end, "acquire", "balance"))
case("capped_balance", ask_waiting(capped(0, 0), "release", "balance"))
case("capped_locked", ask_waiting(capped(0, 0), "release", "locked"))

case("pool_waiting", function(n)
  local pool, stop = green.GreenPool(1), green.Event()
  pool:spawn(stop.wait, stop)
  local threads = scattered(n, function() pool:spawn(nothing) end)
  return ask(pool, "waiting", threads, function()
    stop:send()
    pool:waitall()
  end)
end)

return cases
