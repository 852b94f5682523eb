-- Forwards a port: each client is connected to a server elsewhere, and bytes flow
-- both ways until both sides are done.
--
--   greenlua examples/forwarder.lua PORT HOST:PORT

local green = require "green"

local target = arg[2] or "127.0.0.1:7000"

--- Carry bytes one way. The end of one side is passed on to the other.
local function pump(from, to)
  for chunk in from:chunks() do
    if not to:write(chunk) then break end
  end
  to:shutdown("write")
end

local function forward(client)
  local server, err = green.connect(target, { timeout = 10 })
  if not server then
    io.stderr:write(tostring(err), "\n")
    return
  end
  local back = green.spawn(pump, server, client)
  pump(client, server)
  back:wait()
  server:close()
end

local listener = assert(green.listen("127.0.0.1", arg[1] or 7002))
print(("forwarder: listening on %s:%d, to %s"):format(listener:sockname(),
  select(2, listener:sockname()), target))
green.serve(listener, forward)
