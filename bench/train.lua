-- What `make pgo` learns from: greenlua bench/train.lua HTTP_PORT ECHO_PORT
-- Serves until SIGTERM comes, then lets green threads run.
local green = require "green"
local wsgi = require "green.wsgi"

local function app(env)
  local path = env.PATH_INFO
  if path == "/echo" then
    return 200, {}, env.input:read() or ""
  elseif path == "/pieces" then
    return 200, {}, { "one", "two", "three" }
  end
  return 200, { ["Content-Type"] = "text/plain" }, "hello " .. path .. "\n"
end

local function echo(conn)
  for data in conn:chunks() do
    if not conn:write(data) then break end
  end
end

local function threads()
  local queue = green.Queue()
  for _ = 1, 100 do
    for i = 1, 100 do
      green.spawn(function() queue:put(i) end)
    end
    for _ = 1, 100 do queue:get() end
    green.timeout(1, green.sleep, 0)
  end
end

local listener = assert(green.listen("127.0.0.1:" .. arg[2]))
local echoes = green.spawn(green.serve, listener, echo)
wsgi.serve("127.0.0.1:" .. arg[1], app, { signals = true, log_output = false })
echoes:kill()
threads()
