-- HTTPS: greenlua bench/secure.lua PORT CERT KEY
--   /     hello
--   /1m   a megabyte
-- The body of a request is dropped; to /read it comes in pieces.
local wsgi = require "green.wsgi"

local large = ("x"):rep(2 ^ 20)
local headers = { ["Content-Type"] = "text/plain" }

wsgi.serve("127.0.0.1:" .. arg[1], function(env)
  if env.PATH_INFO == "/read" then
    for _ in env.input:chunks() do end
  elseif env.REQUEST_METHOD == "POST" then
    env.input:discard()
  end
  return 200, headers, env.PATH_INFO == "/1m" and large or "hello\n"
end, { tls = { cert = arg[2], key = arg[3] }, access_log = false, error_log = false })
