-- An HTTP hello: greenlua bench/hello.lua PORT
local wsgi = require "green.wsgi"

wsgi.serve("127.0.0.1:" .. (arg[1] or "8080"), function()
  return 200, { ["Content-Type"] = "text/plain" }, "hello\n"
end)
