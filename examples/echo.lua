-- An echo server: what a client sends comes back. A hundred thousand clients may
-- be connected; each has a green thread of its own.
--
--   greenlua examples/echo.lua [PORT]      then: nc 127.0.0.1 PORT

local green = require "green"

local listener = assert(green.listen("127.0.0.1", arg[1] or 7000))
print(("echo: listening on %s:%d"):format(listener:sockname()))

green.serve(listener, function(client)
  for chunk in client:chunks() do
    if not client:write(chunk) then break end
  end
end, { concurrency = 100000 })
