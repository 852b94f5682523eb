-- The calls that park and stand neither in primitives.lua nor in sockets.lua, in the
-- same shape: open() makes c, call(c) waits, ready(c) ends the wait, done(c) closes
-- what is left. `shows(c)`: what must not change by a wait that was refused.

local green = require "green"
local signal = require "green.signal"
local socket = require "green.socket"
local testing = require "green.testing"

local sockets = dofile("spec/support/sockets.lua")

local function nothing() end

local function call(name, open, fn, ready, done, shows)
  return { name = name, open = open, call = fn, ready = ready, done = done or nothing,
    shows = shows }
end

local function sleeper()
  return { thread = green.spawn(green.sleep, 60) }
end

local function kill_sleeper(c)
  c.thread:kill()
end

local function pending()
  return { event = green.Event() }
end

local function send(c)
  if not c.event:ready() then
    c.event:send(true)
  end
end

--- A thread, another one, and a queue: most waits over several things.
local function things()
  return { queue = green.Queue(), event = green.Event(), lock = green.Semaphore(0) }
end

local function put(c)
  c.queue:put(1)
end

local function get(c)
  c.queue:get_nowait()
end

local function stream_pair()
  local c = {}
  c.a, c.b = socket.pair()
  return c
end

local function close_pair(c)
  c.a:close()
  c.b:close()
end

local function memory_pair()
  local c = {}
  c.a, c.b = testing.stream_pair({ capacity = 10 })
  return c
end

local function held(make)
  return function()
    local c = { lock = make(), event = green.Event() }
    green.spawn(function()
      c.lock:acquire()
      c.event:wait()
      c.lock:release()
    end)
    green.sleep(0)
    return c
  end
end

local function one_item()
  local c = { made = 0 }
  c.pool = green.Pool { max_size = 1, create = function()
    c.made = c.made + 1
    return c.made
  end }
  c.item = c.pool:get()
  return c
end

local function put_item(c)
  if c.item then
    c.pool:put(c.item)
    c.item = nil
  end
end

local function full_pool()
  local c = pending()
  c.pool = green.GreenPool(1)
  c.pool:spawn(c.event.wait, c.event)
  return c
end

local function drain(c)
  send(c)
  c.pool:waitall()
end

local function pile()
  local c = full_pool()
  c.pile = green.GreenPile(c.pool)
  return c
end

local function dag()
  local c = pending()
  c.dag = green.DAGPool()
  c.dag:spawn("a", {}, function()
    c.event:wait()
    return "a's"
  end)
  green.sleep(0)
  return c
end

local function server()
  local wsgi = require "green.wsgi"
  local c = {}
  c.server = assert(wsgi.new("127.0.0.1:0", function()
    return 200, {}, "x"
  end, { log_output = false }))
  return c
end

local function started_server()
  local c = server()
  c.server:start()
  green.sleep(0)
  return c
end

local function stop(c)
  c.server:stop { grace = 0 }
end

--- Does it answer?
local function answers(c)
  local s = c.server
  return ("stopping %s, stopped %s, started %s"):format(
    tostring(s.stopping), tostring(s.stopped), tostring(s.started))
end

local function listener()
  local c = {}
  c.a, c.port = sockets.listener("inet", "127.0.0.1")
  return c
end

local n_modules = 0

--- A module that waits for an event.
local function waiting_module()
  n_modules = n_modules + 1
  local c = pending()
  c.name = "more_parking_" .. n_modules
  package.preload[c.name] = function()
    c.event:wait()
    return "loaded"
  end
  return c
end

--- One that another thread is loading.
local function loading()
  local c = waiting_module()
  c.loader = green.spawn(require, c.name)
  green.sleep(0)
  return c
end

local function unload(c)
  send(c)
  c.loader:wait()
  package.preload[c.name], package.loaded[c.name] = nil, nil
end

local big = ("x"):rep(8 * 1024 * 1024)

local function big_write(name, fn)
  return call(name, stream_pair, fn, function(c)
    local n = 0
    while n < #big do
      n = n + #assert(c.b:read_some(nil, { timeout = 5 }))
    end
  end, close_pair)
end

local M = {
  call("Thread:kill with force_after", sleeper, function(c)
    c.thread:kill { force_after = 30 }
  end, nothing, kill_sleeper),

  call("Thread:kill with an error of one's own", sleeper, function(c)
    c.thread:kill { error = "mine" }
  end, nothing, kill_sleeper),

  call("green.kill", sleeper, function(c)
    green.kill(c.thread)
  end, nothing, kill_sleeper),

  call("killall with force_after", sleeper, function(c)
    green.killall({ c.thread }, { force_after = 30 })
  end, nothing, kill_sleeper),

  call("killall of several", function()
    local c = sleeper()
    c.other = green.spawn(green.sleep, 60)
    c.unstarted = green.spawn_after(60, nothing)
    return c
  end, function(c)
    green.killall { c.thread, c.unstarted, c.other }
  end, nothing, function(c)
    green.killall { c.thread, c.unstarted, c.other }
  end),

  call("joinall with a timeout", sleeper, function(c)
    green.joinall({ c.thread }, 30)
  end, kill_sleeper),

  call("Thread:wait with a timeout", sleeper, function(c)
    local ok, err = pcall(c.thread.wait, c.thread, 30)
    if not ok and tostring(err):find("cannot wait", 1, true) then
      error(err, 0) -- else it is the sleeper's end
    end
  end, kill_sleeper),

  call("wait for a queue", things, function(c)
    green.wait({ c.queue, c.event, c.lock }, nil, 1)
  end, put, get),

  call("wait for a socket", stream_pair, function(c)
    green.wait { c.a }
  end, function(c)
    c.b:write("x")
  end, close_pair),

  call("wait for several things, one of them a socket", function()
    local c = stream_pair()
    c.event, c.thread = green.Event(), green.spawn(green.sleep, 60)
    return c
  end, function(c)
    green.wait({ c.event, c.a, c.thread }, nil, 1)
  end, send, function(c)
    close_pair(c)
    c.thread:kill()
  end),

  call("iwait", things, function(c)
    green.iwait({ c.event, c.queue })()
  end, put, get),

  call("iwait over a socket", stream_pair, function(c)
    green.iwait({ c.a, green.Event() })()
  end, function(c)
    c.b:write("x")
  end, close_pair),

  call("with_timeout", pending, function(c)
    green.with_timeout(30, c.event.wait, c.event)
  end, send),

  call("finally", pending, function(c)
    green.finally(function()
      c.event:wait()
    end, nothing)
  end, send),

  call("Semaphore:acquire with a timeout", held(function()
    return green.Semaphore(1)
  end), function(c)
    c.lock:acquire(30)
    c.lock:release()
  end, send, send),

  call("Semaphore:with", held(function()
    return green.Semaphore(1)
  end), function(c)
    c.lock:with(nothing)
  end, send, send),

  call("BoundedSemaphore:acquire", held(function()
    return green.BoundedSemaphore(1)
  end), function(c)
    c.lock:acquire()
    c.lock:release()
  end, send, send),

  call("RLock:acquire", held(green.RLock), function(c)
    c.lock:acquire()
    c.lock:release()
  end, send, send),

  call("CappedSemaphore:acquire", function()
    return { lock = green.CappedSemaphore(0, 1) }
  end, function(c)
    c.lock:acquire()
  end, function(c)
    c.lock:release()
  end),

  call("CappedSemaphore:release with a timeout", function()
    return { lock = green.CappedSemaphore(1, 1) }
  end, function(c)
    c.lock:release(30)
  end, function(c)
    c.lock:acquire()
  end),

  call("Queue:get with a timeout", things, function(c)
    c.queue:get(30)
  end, put),

  call("Queue:put into a full one", function()
    local c = { queue = green.Queue(1) }
    c.queue:put(1)
    return c
  end, function(c)
    c.queue:put(2)
  end, get),

  call("PriorityQueue:put into a full one", function()
    local c = { queue = green.PriorityQueue(1) }
    c.queue:put(1)
    return c
  end, function(c)
    c.queue:put(2, 30)
  end, get),

  call("Queue:items", things, function(c)
    c.queue:items()()
  end, put),

  call("Event:wait with a timeout", pending, function(c)
    c.event:wait(30)
  end, send),

  call("metaphore:wait with a timeout", function()
    local c = { counter = green.metaphore() }
    c.counter:inc()
    return c
  end, function(c)
    c.counter:wait(30)
  end, function(c)
    c.counter:dec()
  end),

  call("Pool:get", one_item, function(c)
    c.pool:put(c.pool:get())
  end, put_item, put_item),

  call("Pool:get with a timeout", one_item, function(c)
    c.pool:put(c.pool:get(30))
  end, put_item, put_item),

  call("Pool:with", one_item, function(c)
    c.pool:with(nothing)
  end, put_item, put_item),

  call("TokenPool:get", function()
    local c = { pool = green.TokenPool { max_size = 1 } }
    c.item = c.pool:get()
    return c
  end, function(c)
    c.pool:put(c.pool:get())
  end, put_item, put_item),

  call("GreenPool:waitall with a timeout", full_pool, function(c)
    c.pool:waitall(30)
  end, send, drain),

  call("GreenPile:spawn", pile, function(c)
    c.pile:spawn(nothing)
  end, send, drain),

  -- Not imap: it has begun when its loop is refused its first step.

  call("DAGPool: a wait for a key", dag, function(c)
    return c.dag:wait_each({ "a" })()
  end, send, send),

  call("DAGPool: a wait for keys", dag, function(c)
    return c.dag:wait({ "a" })
  end, send, send),

  call("DAGPool: a wait for all", dag, function(c)
    return c.dag:waitall()
  end, send, send),

  call("DAGPool: kill", dag, function(c)
    c.dag:kill("a")
  end, nothing, function(c)
    pcall(c.dag.kill, c.dag, "a")
  end),

  call("signal.wait without a timeout", nothing, function()
    signal.wait("USR1")
  end, function()
    os.execute("kill -USR1 " .. io.open("/proc/self/stat"):read("*n"))
  end),

  call("signal.wait for TERM", nothing, function()
    signal.wait("TERM", 0.003)
  end, nothing),

  call("getaddrinfo with a timeout", nothing, function()
    socket.getaddrinfo("localhost", 80, { timeout = 5, resolver = "system" })
  end, nothing),

  call("connect to a name", listener, function(c)
    local conn = green.connect("localhost", c.port, { family = "inet" })
    if conn then conn:close() end
  end, nothing, function(c)
    c.a:close()
  end),

  call("serve", listener, function(c)
    green.serve(c.a, nothing)
  end, function(c)
    c.a:close()
  end, function(c)
    c.a:close()
  end),

  call("trampoline", stream_pair, function(c)
    green.trampoline(c.a, { timeout = 5 })
  end, function(c)
    c.b:write("x")
  end, close_pair),

  call("server:stop", started_server, function(c)
    c.server:stop()
  end, nothing, stop, answers),

  call("server:serve_forever", server, function(c)
    c.server:serve_forever()
  end, stop, stop, answers),

  call("require of what another thread loads", loading, function(c)
    assert(require(c.name) == "loaded")
  end, send, unload),

  call("require of a module that waits", waiting_module, function(c)
    assert(require(c.name) == "loaded")
  end, send, function(c)
    package.preload[c.name], package.loaded[c.name] = nil, nil
  end),

  big_write("a big write", function(c)
    assert(c.a:write(big, { timeout = 5 }))
  end),

  big_write("a big write of pieces", function(c)
    assert(c.a:writev({ big:sub(1, 4000000), big:sub(4000001) }, { timeout = 5 }))
  end),

  call("read of an in-memory stream", memory_pair, function(c)
    assert(c.a:read_line { timeout = 5 } == "x")
  end, function(c)
    c.b:write("x\n")
  end, close_pair),

  call("write to an in-memory stream", memory_pair, function(c)
    assert(c.a:write(("x"):rep(15), { timeout = 5 }))
  end, function(c)
    assert(c.b:read(15, { timeout = 5 }))
  end, close_pair),
}

return M
