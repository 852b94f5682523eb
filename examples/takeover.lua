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

local port = tonumber(arg[1] or 8080)
if not port then
  io.stderr:write("usage: greenlua examples/takeover.lua [PORT]\n")
  os.exit(2)
end
local server, err = wsgi.new("127.0.0.1:" .. port, app)
if not server then
  io.stderr:write("greenlua: ", tostring(err), "\n")
  os.exit(1)
end
print("serving on " .. server.url)
server:serve_forever()
