-- An HTTP hello: greenlua bench/hello.lua PORT [ACCESS_LOG]
local wsgi = require "green.wsgi"

wsgi.serve("127.0.0.1:" .. (arg[1] or "8080"), function()
  return 200, { ["Content-Type"] = "text/plain" }, "hello\n"
end, { access_log = arg[2] or false, error_log = false })
