-- lua-http: requests to a server in the same process.
--
-- needs: cqueues http.request
-- prints: 200 GET /1 -
-- prints: 200 POST /2 xx
-- prints: 200 GET /3 -
-- prints: 200 POST /4 xxxx

local green, wsgi = require "green", require "green.wsgi"
local cqueues, request = require "cqueues", require "http.request"
local drive = require "spec.neighbours.drive"

local function app(env)
  green.sleep(0.001)
  return 200, {}, env.REQUEST_METHOD .. " " .. env.PATH_INFO .. " " .. (env.input:read() or "-")
end

local function serve()
  return assert(wsgi.new("127.0.0.1:0", app, { log_output = false })):start()
end

local server, cq, out = serve(), cqueues.new(), {}
for i = 1, 4 do
  cq:wrap(function()
    local req = request.new_from_uri(("http://127.0.0.1:%d/%d"):format(server.port, i))
    if i % 2 == 0 then
      req.headers:upsert(":method", "POST")
      req:set_body(("x"):rep(i))
    end
    local headers, stream = req:go(10)
    out[i] = assert(headers, stream):get ":status" .. " " .. stream:get_body_as_string()
  end)
end
drive(cq)
print(table.concat(out, "\n"))
