-- The server of bench/soak: greenlua bench/soaked.lua PORT
local wsgi = require "green.wsgi"

local large = ("x"):rep(102400)

local function pieces()
  local n = 0
  return function()
    n = n + 1
    return n <= 100 and large:sub(1, 1000) or nil
  end
end

wsgi.serve("127.0.0.1:" .. (arg[1] or "8080"), function(env)
  local path = env.PATH_INFO
  if path == "/100k" then
    return 200, {}, large
  elseif path == "/stream" then
    return 200, {}, pieces()
  elseif path == "/echo" then
    local body, err = env.input:read()
    return err and 400 or 200, {}, body or ""
  end
  return 200, { ["Content-Type"] = "text/plain" }, "hello\n"
end, {
  access_log = "/dev/null", error_log = "/dev/null", header_timeout = 2, body_timeout = 1,
  write_timeout = 2, keepalive = 2,
})
