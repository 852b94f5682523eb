-- An echo server: what a client sends comes back. A hundred thousand clients may
-- be connected; each has a green thread of its own.
--
--   greenlua examples/echo.lua [PORT]      then: nc 127.0.0.1 PORT

local green = require "green"

local port = tonumber(arg[1] or 7000)
if not port then
  io.stderr:write("usage: greenlua examples/echo.lua [PORT]\n")
  os.exit(2)
end
local listener, err = green.listen("127.0.0.1", port)
if not listener then
  io.stderr:write(tostring(err), "\n")
  os.exit(1)
end
print(("echo: listening on %s:%d"):format(listener:sockname()))

green.serve(listener, function(client)
  for chunk in client:chunks() do
    if not client:write(chunk) then break end
  end
end, { concurrency = 100000 })
