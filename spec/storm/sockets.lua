-- Sockets among other things that are waited for, buffers whose socket is
-- collected, objects of one's own with foreign watchers, other backends.

local core = require "green.core"
local green = require "green"
local watch = require "green.wait.watch"
local socket = require "green.socket"
local storm = require "spec.storm.storm"

local random = math.random

local function closing(fn)
  return function()
    local a, b = assert(socket.pair())
    local ok, err = xpcall(fn, debug.traceback, a, b)
    a:close()
    b:close()
    storm.rule(ok, "%s", tostring(err))
  end
end

-- -- wait, then read ----------------------------------------------------------

--- Events that come soon, before or after the bytes.
local function soon(n, fn)
  local events = {}
  for i = 1, n do
    events[i] = green.Event()
    storm.adopt(green.spawn_after(random() * 0.002, events[i].send, events[i], 1))
  end
  storm.adopt(green.spawn_after(random() * 0.002, fn))
  return events
end

local function wait_some(objects)
  if storm.chance(0.5) then
    green.wait(objects, storm.chance(0.3) and random() * 0.002 or nil, random(#objects))
    return
  end
  for _ in green.iwait(objects, storm.chance(0.3) and random() * 0.002 or nil) do
    if storm.chance(0.5) then break end
  end
end

--- After a wait of any kind the socket is its waiter's again.
local wait_then_read = closing(function(a, b)
  local objects = soon(random(2), function()
    pcall(b.write, b, "x")
  end)
  table.insert(objects, random(#objects + 1), a)
  wait_some(objects)
  if storm.chance(0.2) then storm.collect() end
  local got, err = a:read(1, { timeout = 20 })
  storm.rule(got == "x", "a read after a wait for the socket: %s %s", tostring(got), tostring(err))
end)

-- -- Buffers ------------------------------------------------------------------

-- The read is the last use of the socket, and a tail call so that no slot of the
-- stack keeps it: its buffer must outlive it. The compiler must see each way as one
-- piece, so each is a function and a loop made for it.
local template = [[
local socket = require "green.socket"
local function last_read(n)
  local a, b = socket.pair()
  b:write(("x"):rep(n) .. "\nyz")
  b:close()
  return a:%s
end
return function(times, n)
  local got
  for _ = 1, times do got = last_read(n) end
  return got
end
]]
local calls = { "read_line()", "read(n)", "read_some(n)", "read_all()", "read_until('yz')" }

local function buffers()
  local loop = assert(loadstring(template:format(storm.any(calls))))()
  local n = random(20, 300)
  collectgarbage()
  collectgarbage("setstepmul", 1000000)
  collectgarbage("setpause", storm.any { 101, 105, 200 })
  local got = loop(1000, n)
  collectgarbage("setpause", 200)
  storm.rule(got and got:sub(1, n) == ("x"):rep(n), "a read gave other bytes: %s", tostring(got))
end

-- -- Things of one's own ------------------------------------------------------

local Own = {}
watch.watchable(Own)
function Own._ready() return false end

--- Waits for the object that are left, to be collected at some time.
local function leave_early(obj)
  local e = green.Event()
  green.spawn_n(e.send, e, 1)
  green.iwait({ obj, e })()
end

--- Whoever watches is told once for each notify, whatever a collection in the
-- middle takes away.
local function notify()
  local obj = setmetatable({}, { __index = Own })
  local told, watchers = {}, random(4)
  for i = 1, watchers do
    if storm.chance(0.5) then leave_early(obj) end
    told[i] = 0
    obj:_watch(function()
      told[i] = told[i] + 1
      if storm.chance(0.5) then collectgarbage() end
    end)
  end
  for n = 1, random(3) do
    local ok, err = pcall(watch.notify, obj)
    storm.rule(ok, "notify raised: %s", tostring(err))
    for i = 1, watchers do
      storm.rule(told[i] == n, "a watcher was told %d times of %d", told[i], n)
    end
  end
end

-- -- Backends -----------------------------------------------------------------

local backends = storm.only { { name = "epoll" }, { name = "poll" }, { name = "select" } }

--- Whatever waits goes on waiting when the backend is changed.
local hubs = closing(function(a, b)
  local e = green.Event()
  local reader = green.spawn(a.read, a, 3, { timeout = 20 })
  local waiter = green.spawn(e.wait, e, 20)
  for i = 1, 3 do
    green.sleep(random() * 0.001)
    storm.rule(green.use_hub(storm.any(backends).name), "use_hub")
    storm.rule(b:write("x"), "write")
    if i == 2 then e:send("sent") end
  end
  local got = reader:wait()
  storm.rule(got == "xxx", "over three backends came %s", tostring(got))
  storm.rule(waiter:wait() == "sent", "an event was lost")
  storm.rule(core.backend() ~= nil, "no backend")
end)

-- -- Ping-pong ----------------------------------------------------------------

--- Bytes go round between two threads that are struck by nobody.
local ping_pong = closing(function(a, b)
  local n = random(20)
  local echo = green.spawn(function()
    for _ = 1, n do
      storm.rule(b:write(b:read_line({ timeout = 20 }) .. "\n"), "write")
    end
  end)
  for i = 1, n do
    a:write(i .. "\n")
    if storm.chance(0.2) then storm.doze() end
    local line, err = a:read_line({ timeout = 20 })
    storm.rule(line == tostring(i), "an echo: %s %s", tostring(line), tostring(err))
  end
  echo:wait()
end)

return {
  { name = "wait_then_read", act = wait_then_read },
  { name = "buffers", act = buffers },
  { name = "notify", act = notify },
  { name = "hubs", act = hubs },
  { name = "ping_pong", act = ping_pong },
}
