-- Copas: server and client in its loop, and a green client.
--
-- needs: copas socket
-- prints: echo 1,echo 2,echo 3 echo green
-- prints: 3

local green = require "green"
local copas, socket = require "copas", require "socket"
local listener = assert(socket.bind("127.0.0.1", 0))
local _, port = listener:getsockname()
copas.addserver(listener, function(conn)
  conn = copas.wrap(conn)
  while true do
    local line = conn:receive()
    if not line then
      return
    end
    conn:send("echo " .. line .. "\n")
  end
end)
local got = {}
copas.addthread(function()
  local raw = socket.tcp()
  assert(copas.connect(raw, "127.0.0.1", port))
  local conn = copas.wrap(raw)
  for i = 1, 3 do conn:send(i .. "\n") got[i] = conn:receive() end
  raw:close()
end)
local client = green.spawn(function()
  local c = assert(green.connect("127.0.0.1", tonumber(port)))
  c:write "green\n"
  local line = c:read_line()
  c:close()
  return line
end)
while not (client:dead() and got[3]) do copas.step(0) green.sleep(0.001) end
print(table.concat(got, ","), client:wait())
-- A wait in one of its threads is a wait of the whole: they are coroutines of this chunk.
local n = 0
copas.addthread(function() for _ = 1, 3 do green.sleep(0.001) n = n + 1 end end)
copas.step(0)
print(n)
