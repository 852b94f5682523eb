-- lua-http: a request to a server in another process, with its own loop.
--
-- needs: http.request
-- prints: 200 GET /x -

local green, wsgi = require "green", require "green.wsgi"
local request, process = require "http.request", require "green.process"

local function app(env)
  green.sleep(0.001)
  return 200, {}, env.REQUEST_METHOD .. " " .. env.PATH_INFO .. " " .. (env.input:read() or "-")
end

local function serve()
  return assert(wsgi.new("127.0.0.1:0", app, { log_output = false })):start()
end

local ours, theirs = require("green.socket").pair()
local pid = assert(green.fork(function()
  theirs:write(serve().port .. "\n")
  green.sleep(60)
end))
local port = ours:read_line { timeout = 10 }
local headers, stream = request.new_from_uri("http://127.0.0.1:" .. port .. "/x"):go(10)
print(assert(headers, stream):get ":status", (stream:get_body_as_string()))
process.kill(pid, "KILL")
process.wait(pid)
