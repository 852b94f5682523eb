-- A small line server with a leak: it answers, and forgets to close. Ask it a few times, send
-- it SIGUSR2 and see who waits for what; or let it tell at its end what it has left:
--
--   GREENLUA_LEAKS=1 greenlua examples/debug/leak.lua [PORT [CLIENTS]]
--
-- With CLIENTS it asks itself that often and ends, else it serves.

local green = require "green"

local listener = assert(green.listen("127.0.0.1", arg[1] or 7007))
local _, port = listener:sockname()
local kept, n = {}, 0 -- the leak: what is in kept is never closed

local function talk(conn)
  local name = conn:read_line()
  conn:write("hello ", name or "nobody", "\n")
  kept[#kept + 1] = conn
  conn:read_line() -- and waits for a line that does not come
end

local acceptor = green.spawn(function()
  while true do
    local conn = listener:accept()
    n = n + 1
    green.spawn(talk, conn):name("client " .. n)
  end
end):name("acceptor")

print("leak: serving on 127.0.0.1:" .. port)
for i = 1, tonumber(arg[2]) or 0 do
  local conn = assert(green.connect("127.0.0.1", port))
  conn:write("number ", i, "\n")
  print(conn:read_line())
  kept[#kept + 1] = conn
end
if not arg[2] then
  acceptor:wait()
end
