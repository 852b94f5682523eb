-- The smallest server: one handler for every path.
--
--   greenlua examples/hello.lua [PORT]     then: curl http://127.0.0.1:8080/
local wsgi = require "green.wsgi"

local function app(env)
  if env.PATH_INFO ~= "/" then
    return 404, { ["Content-Type"] = "text/plain" }, "not found\n"
  end
  return 200, { ["Content-Type"] = "text/plain" }, "hello\n"
end

local port = tonumber(arg[1] or os.getenv("PORT") or 8080)
if not port then
  io.stderr:write("usage: greenlua examples/hello.lua [PORT]\n")
  os.exit(2)
end
local address = "127.0.0.1:" .. port
local listener, err = require("green").listen(address)
if not listener then
  io.stderr:write("greenlua: ", tostring(err), "\n")
  os.exit(1)
end
print("serving on http://" .. address)
wsgi.server(listener, app)
