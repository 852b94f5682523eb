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

assert(wsgi.serve("127.0.0.1:" .. (arg[1] or 8080), app, { log = io.stdout }))
