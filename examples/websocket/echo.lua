-- A websocket echo: messages come back as they are, texts and bytes, up to 16 MiB, compressed if
-- the client can.
--
--     greenlua examples/websocket/echo.lua [PORT]
--
-- Then, in a browser's console on any page of that server (http://127.0.0.1:8080/):
--
--     ws = new WebSocket("ws://127.0.0.1:8080/"); ws.onmessage = e => console.log(e.data)
--     ws.send("hello")

local websocket = require "green.websocket"
local wsgi = require "green.wsgi"

local MIB = 2 ^ 20

local function echo(ws, message, is_binary)
  if is_binary then
    return ws:send_binary(message)
  end
  return ws:send(message)
end

-- The light form: between two messages a connection has neither a thread nor a buffer.
local app = websocket.handler({ message = echo }, {
  max_message = 16 * MIB,
  max_frame = 16 * MIB,
  compression = true,
})

assert(wsgi.serve("127.0.0.1:" .. (arg[1] or "8080"), function(env)
  if env.HTTP_UPGRADE then
    return app(env)
  end
  return 200, { ["Content-Type"] = "text/plain" }, "This is a websocket echo.\n"
end, { log = io.stdout }))
