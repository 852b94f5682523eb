-- Sockets: pairs, lines, listeners, datagrams.

local green = require "green"
local kit = require "spec.oom.kit"
local socket = require "green.socket"

-- What a work has opened is closed, whatever it came to.
local open = {}

local function keep(s, other)
  open[#open + 1] = assert(s)
  return s, other
end

local function close_all()
  for i, s in pairs(open) do
    s:close()
    open[i] = nil
  end
  for i = 1, 16 do
    open[i] = nil
  end
end

local function with_pair(kind)
  local a, b = socket.pair(kind)
  keep(a)
  keep(b)
  return a, b
end

kit.run("pair: read and write", function()
  local a, b = with_pair()
  local t = green.spawn(function()
    local x = b:read(4, { timeout = 0.1 })
    local line = b:read_line { timeout = 0.1 }
    local to = b:read_until(";", { max = 20, timeout = 0.1 })
    local rest = b:read_all(nil, { timeout = 0.1 })
    return x, line, to, rest
  end)
  green.sleep(0)
  assert(a:write("four"))
  assert(a:write("a line\r\n"))
  green.sleep(0)
  assert(a:write("some;the rest"))
  a:shutdown("write")
  local x, line, to, rest = t:wait()
  assert(x == "four" and line == "a line" and to == "some" and rest == "the rest")
end, nil, close_all)

-- A failed call takes nothing from a stream that the next one would miss, and
-- keeps it from nobody.
local near, far = assert(socket.pair())
kit.run("pair: the same stream again", function()
  local t = green.spawn(function()
    return far:read_line { timeout = 0.5 }
  end)
  green.sleep(0)
  near:write("hello\n")
  assert(t:wait() == "hello")
  local none, err = far:read(1, { timeout = 0.0002 })
  assert(none == nil and err:is("ETIMEDOUT"))
end, function()
  assert(near:write("\nend\n", { timeout = 1 }))
  local line, err
  repeat
    line, err = far:read_line { timeout = 1 }
    assert(line, err)
    assert(line == "" or line == "hello" or line == "end", "bytes are lost")
  until line == "end"
end)

kit.run("a writer that waits", function()
  local a, b = with_pair()
  local data = ("x"):rep(600000)
  local t = green.spawn(a.write, a, data, { timeout = 0.1 })
  local n = 0
  while n < #data do
    local piece = assert(b:read_some(65536, { timeout = 0.1 }))
    n = n + #piece
  end
  assert(t:wait() and n == #data)
end, nil, close_all)

kit.run("listen, connect, accept", function()
  local listener = keep(green.listen("127.0.0.1:0"))
  local _, port = listener:sockname()
  local t = green.spawn(function()
    local conn = keep(listener:accept { timeout = 0.1 })
    local line = conn:read_line { timeout = 0.1 } -- nil: it was the client's to fail
    if line then
      conn:write(line .. "!\n")
    end
    conn:close()
  end)
  local client = keep(green.connect("127.0.0.1", port))
  client:write("hello\n")
  assert(client:read_line { timeout = 0.1 } == "hello!")
  t:wait()
end, nil, close_all)

kit.run("close wakes the reader", function()
  local a, b = with_pair()
  local t = green.spawn(function()
    local none, err = b:read(1)
    assert(none == nil and err:is("ECLOSED"))
  end)
  green.sleep(0)
  b:close()
  a:close()
  t:wait()
end, nil, close_all)

kit.run("a reader is killed", function()
  local _, b = with_pair()
  local t = green.spawn(b.read, b, 1)
  green.sleep(0)
  t:kill()
  assert(t:dead())
end, nil, close_all)

kit.run("datagrams", function()
  local a, b = keep(socket.udp()), keep(socket.udp())
  assert(a:bind("127.0.0.1:0"))
  assert(b:bind("127.0.0.1:0"))
  local t = green.spawn(function()
    return a:recvfrom(100, { timeout = 0.1 })
  end)
  green.sleep(0)
  assert(b:sendto("datagram", a:sockname()))
  local data, from = t:wait()
  assert(data == "datagram" and from)
end, nil, close_all)

kit.run("wait_readable, wait for sockets", function()
  local a, b = with_pair()
  green.spawn_n(function()
    green.sleep(0)
    a:write("x")
  end)
  assert(#green.wait({ b }, 0.1) == 1)
  assert(b:wait_readable { timeout = 0.1 })
  assert(b:read(1) == "x")
end, nil, close_all)

kit.finish()
