-- An HTTP client by lua-http: client_luahttp.lua PORT REQUESTS CONNECTIONS WARMUP
--
-- Its request objects open a connection each, so connections are kept by hand.
local cqueues = require "cqueues"
local client = require "http.client"
local headers = require "http.headers"

local port, count, conns, warmup = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3]),
  tonumber(arg[4])
local left, errors = 0, 0
local kept = {}

local function get(conn)
  local head = headers.new()
  head:append(":method", "GET")
  head:append(":scheme", "http")
  head:append(":authority", "127.0.0.1:" .. port)
  head:append(":path", "/")
  local stream = assert(conn:new_stream())
  assert(stream:write_headers(head, true))
  local answer = assert(stream:get_headers())
  if answer:get ":status" ~= "200" or stream:get_body_as_string() ~= "hello\n" then
    errors = errors + 1
  end
  stream:shutdown()
end

local function run(n)
  left = n
  local queue = cqueues.new()
  for i = 1, conns do
    queue:wrap(function()
      kept[i] = kept[i] or assert(client.connect { host = "127.0.0.1", port = port, tls = false })
      while left > 0 do
        left = left - 1
        get(kept[i])
      end
    end)
  end
  assert(queue:loop())
end

run(warmup)
local wall, cpu = cqueues.monotime(), os.clock()
run(count)
print(("requests=%d errors=%d seconds=%.3f cpu_ns=%.0f"):format(count, errors,
  cqueues.monotime() - wall, (os.clock() - cpu) * 1e9 / count))
os.exit(errors == 0 and 0 or 1)
