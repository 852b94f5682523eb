-- The calls that park besides those of sockets, each as a table in the shape of
-- spec/support/sockets.lua: open() makes c, call(c) waits, ready(c) ends the
-- wait, done(c) closes what is left.

local green = require "green"
local signal = require "green.signal"

local function nothing() end

local function call(name, open, fn, ready, done)
  return { name = name, open = open, call = fn, ready = ready, done = done or nothing }
end

local function sleeper()
  return { thread = green.spawn(green.sleep, 60) }
end

--- The one who is killed gets the turn from the killer's hand.
local function killing()
  local what = call("thread:kill", function()
    local c = {}
    c.thread = green.spawn(function()
      local _, err = pcall(green.sleep, 60)
      c.has_run = true
      error(err, 0)
    end)
    return c
  end, function(c)
    c.thread:kill()
  end, nothing)
  function what.others_ran(c)
    return c.has_run
  end
  return what
end

local function end_sleeper(c)
  c.thread:kill()
end

--- A thread that ends when it is told to.
local function waiter()
  local event = green.Event()
  return { event = event, thread = green.spawn(event.wait, event) }
end

local function send(c)
  c.event:send(true)
end

local function full_pool()
  local c = waiter()
  c.pool = green.GreenPool(1)
  c.pool:spawn(function()
    c.event:wait()
  end)
  return c
end

local function drain(c)
  c.pool:waitall()
end

local function acquired(make)
  return function()
    local c = { lock = make() }
    c.holder = green.spawn(function()
      c.lock:acquire()
      green.sleep(60)
    end)
    green.sleep(0)
    return c
  end
end

local function acquire(c)
  c.lock:acquire()
end

local function release(c)
  c.lock:release()
end

local function end_holder(c)
  c.holder:kill()
end

return {
  call("sleep", nothing, function()
    green.sleep(0.003)
  end, nothing),

  call("sleep(0)", nothing, function()
    green.sleep(0)
  end, nothing),

  call("thread:wait", waiter, function(c)
    c.thread:wait()
  end, send),

  killing(),

  call("Event:wait", waiter, function(c)
    c.event:wait()
  end, send),

  call("Queue:get", function()
    return { queue = green.Queue() }
  end, function(c)
    c.queue:get()
  end, function(c)
    c.queue:put(1)
  end),

  call("Queue:put", function()
    return { queue = green.Queue(0) }
  end, function(c)
    c.queue:put(1)
  end, function(c)
    c.queue:get()
  end),

  call("Queue:join", function()
    local queue = green.Queue()
    queue:put(1)
    return { queue = queue }
  end, function(c)
    c.queue:join()
  end, function(c)
    c.queue:get()
    c.queue:task_done()
  end),

  call("Semaphore:acquire", acquired(function()
    return green.Semaphore(1)
  end), acquire, release, end_holder),

  call("CappedSemaphore:release", function()
    return { lock = green.CappedSemaphore(0, 0) }
  end, release, acquire),

  call("metaphore:wait", function()
    local counter = green.metaphore()
    counter:inc()
    return { counter = counter }
  end, function(c)
    c.counter:wait()
  end, function(c)
    c.counter:dec()
  end),

  call("GreenPool:spawn", full_pool, function(c)
    c.pool:spawn(nothing)
  end, send, drain),

  call("GreenPool:spawn_n", full_pool, function(c)
    c.pool:spawn_n(nothing)
  end, send, drain),

  call("GreenPool:waitall", full_pool, drain, send),

  call("GreenPile:next", function()
    local c = waiter()
    c.pile = green.GreenPile(1)
    c.pile:spawn(function()
      c.event:wait()
    end)
    return c
  end, function(c)
    c.pile:next()
  end, send),

  call("wait", waiter, function(c)
    green.wait({ c.thread })
  end, send),

  call("joinall", waiter, function(c)
    green.joinall({ c.thread })
  end, send),

  call("killall", sleeper, function(c)
    green.killall({ c.thread })
  end, nothing, end_sleeper),

  call("group", waiter, function(c)
    green.group(function(group)
      group:spawn(c.event.wait, c.event)
    end)
  end, send),

  call("timeout", nothing, function()
    green.timeout(0.003, green.sleep, 60)
  end, nothing),

  call("shield", waiter, function(c)
    green.shield(5, c.event.wait, c.event)
  end, send),

  call("signal.wait", nothing, function()
    signal.wait("USR2", 0.003)
  end, nothing),

  call("socket.getaddrinfo", nothing, function()
    require("green.socket").getaddrinfo("localhost", 80, { resolver = "system" })
  end, nothing),
}
