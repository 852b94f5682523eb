-- Bodies of several sizes: greenlua bench/bodies.lua PORT
--   /1k, /100k  answers of that size
--   /echo       the request's body
local wsgi = require "green.wsgi"

local bodies = { ["/1k"] = ("x"):rep(1024), ["/100k"] = ("x"):rep(102400) }
local headers = { ["Content-Type"] = "text/plain" }

wsgi.serve("127.0.0.1:" .. (arg[1] or "8080"), function(env)
  return 200, headers, bodies[env.PATH_INFO] or env.input:read() or "hello\n"
end, { access_log = false, error_log = false })
