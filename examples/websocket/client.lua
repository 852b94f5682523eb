-- Talks to a websocket from a terminal: each line that is typed is a message, each message a
-- line. It connects again when the connection is lost; an empty line, or the end of the
-- input, ends it a second later.
--
--   greenlua examples/websocket/client.lua ws://127.0.0.1:8080/echo
local green = require "green"
local websocket = require "green.websocket"

local url = arg[1]
if not url then
  io.stderr:write("usage: client.lua ws://HOST:PORT/PATH\n")
  os.exit(2)
end

local client = websocket.reconnecting(url, {
  tries = 5,
  send_wait = 10,
  on_open = function()
    io.stderr:write("connected\n")
  end,
})

green.spawn(function()
  for line in io.lines() do
    if line == "" then break end
    local ok, err = client:send(line)
    if not ok then
      io.stderr:write("not sent: ", tostring(err), "\n")
    end
  end
  green.sleep(1) -- for what is still to come
  client:close()
end)

local ok, err = pcall(function()
  for text, is_binary in client:messages() do
    print(is_binary and ("%d bytes"):format(#text) or text)
  end
end)
if not ok then
  io.stderr:write(tostring(err), "\n")
  os.exit(1)
end
