-- Tutorial, step 3: an echo server. Sends back what each client sends.
--
--   greenlua examples/tutorial/3_echo.lua [PORT]      then: nc 127.0.0.1 PORT

local green = require "green"

local listener = assert(green.listen("127.0.0.1", arg[1] or 7000))
print(("listening on %s:%d"):format(listener:sockname()))

green.serve(listener, function(client, address)
  print(address, "has come")
  for line in client:lines() do
    client:write(line, "\n")
  end
  print(address, "has gone")
end)
