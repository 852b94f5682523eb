-- A handler takes the connection over and speaks another protocol on it: here
-- lines, sent back in capitals, after an HTTP upgrade.
--
--   greenlua examples/takeover.lua [PORT]
--   printf 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\nhi\n' \
--     | nc 127.0.0.1 8080
local wsgi = require "green.wsgi"

local switching = table.concat({
  "HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: shout", "", "",
}, "\r\n")

local function app(env)
  if env.HTTP_UPGRADE ~= "shout" then
    return 426, { Upgrade = "shout", Connection = "upgrade" }, "Upgrade: shout\n"
  end
  local stream = assert(env.take_over())
  stream:write(switching)
  for line in stream:lines() do
    stream:write(line:upper(), "\n")
  end
  stream:close()
end

assert(wsgi.serve("127.0.0.1:" .. (arg[1] or 8080), app, { log = io.stdout }))
