-- Threads that wait in sockets, signals and lookups while they are struck. Whoever
-- ends leaves the sockets to the others, and no descriptor.

local green = require "green"
local signal = require "green.signal"
local socket = require "green.socket"
local storm = require "spec.storm.storm"
local testing = require "green.testing"
local weather = require "spec.storm.weather"

local random = math.random

-- -- What they wait in --------------------------------------------------------

local block = ("x"):rep(50000)

local function soon()
  return { timeout = random() * 0.003 }
end

--- Call fn(s) and close s, come what may.
local function closing(s, fn)
  local ok, err = pcall(fn, s)
  s:close()
  if not ok then error(err, 0) end
end

local calls = storm.only {
  { name = "read", run = function(s) s:read_some(100, soon()) end },
  { name = "read", run = function(s) s:read_line(soon()) end },
  { name = "read", run = function(s) s:read(random(1000), soon()) end },
  { name = "read", run = function(s) s:read_until("yz", soon()) end },
  { name = "read", run = function(s) s:wait_readable(soon()) end },
  { name = "write", run = function(s) s:writev({ "a", "b\n", block }, soon()) end },
  { name = "write", run = function(s) s:wait_writable(soon()) end },
  { name = "write", run = function(s)
    green.timeout(random() * 0.002, s.write, s, storm.any { "abc\nxyz", block })
  end },
  { name = "wait", run = function(s) green.wait({ s, green.Event() }, random() * 0.002, 1) end },
  { name = "wait", run = function(s)
    for _ in green.iwait({ s, green.Queue() }, random() * 0.002) do storm.doze() end
  end },
  { name = "trampoline", run = function(s)
    if s:fileno() then green.trampoline(s, soon()) end
  end },
  { name = "udp", run = function(_, w) w.udp:recvfrom(100, soon()) end },
  { name = "udp", run = function(_, w) w.udp:sendto("datagram", w.udp:sockname()) end },
  { name = "accept", run = function(_, w)
    local conn = w.listener:accept(soon())
    if conn then closing(conn, function() conn:read_some(9, soon()) end) end
  end },
  { name = "connect", run = function(_, w)
    local conn = green.connect("127.0.0.1", w.port, soon())
    if conn then closing(conn, function() conn:write("hello", soon()) storm.doze() end) end
  end },
  { name = "close", run = function()
    local a, b = socket.pair()
    closing(a, function()
      closing(b, function()
        local t = storm.adopt(green.spawn(b.read_all, b, nil, soon()))
        storm.doze()
        a:close()
        t:wait()
      end)
    end)
  end },
  { name = "lookup", run = function()
    local opts = soon()
    opts.resolver = "system"
    socket.getaddrinfo("localhost", 80, opts)
  end },
  { name = "signal", run = function() signal.wait("USR2", random() * 0.002) end },
  { name = "handler", run = function(_, w)
    local handler = signal.handler("USR1", storm.doze)
    w.handlers[handler] = true -- who is abandoned cannot cancel it
    local ok, err = pcall(storm.doze)
    w.handlers[handler] = nil
    handler:cancel()
    if not ok then error(err, 0) end
  end },
}

-- -- The world ----------------------------------------------------------------

local function new_world()
  local w = { ends = {}, handlers = {} }
  w.listener, w.udp = assert(green.listen("127.0.0.1:0")), socket.udp()
  w.port = select(2, w.listener:sockname())
  w.udp:bind("127.0.0.1", 0)
  for i = 1, 8, 2 do
    w.ends[i], w.ends[i + 1] = socket.pair()
  end
  return w
end

local function drain(s)
  repeat until not s:read_some(nil, { timeout = 0 })
end

--- Whoever was struck has left them: two that are open still can talk.
local function check_pair(a, b)
  if a:fileno() and b:fileno() then
    drain(b)
    local sent, err = a:write("ping", { timeout = 5 })
    storm.rule(sent, "a write at the end: %s", tostring(err))
    local got
    got, err = b:read(4, { timeout = 5 })
    storm.rule(got == "ping", "a read at the end: %s %s", tostring(got), tostring(err))
  end
  a:close()
  b:close()
end

local function check(w)
  for i = 1, 8, 2 do
    check_pair(w.ends[i], w.ends[i + 1])
  end
  for handler in pairs(w.handlers) do
    handler:cancel()
  end
  w.listener:close()
  w.udp:close()
end

local function new()
  local w = new_world()
  return {
    act = function() storm.any(calls).run(storm.any(w.ends), w) end,
    stir = function()
      local s = storm.any(w.ends)
      s:write("some\ntext yz and more", { timeout = 0 })
      storm.any(w.ends):read_some(nil, { timeout = 0 })
    end,
    check = function() check(w) end,
  }
end

local function act()
  local before = testing.open_fds()
  weather.blow { { name = "struck", new = new } }
  collectgarbage()
  collectgarbage()
  local left = testing.open_fds() - before
  storm.rule(storm.failure or left <= 0, "%d descriptors are left open", left)
end

return { { name = "struck", act = act, alone = true } }
