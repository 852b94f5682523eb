-- lua-http: its server, and a green client.
--
-- needs: http.server cqueues
-- prints: HTTP/1.1 200 OK hello /x

local green, cqueues = require "green", require "cqueues"
local http_server, http_headers = require "http.server", require "http.headers"
local cq = cqueues.new()
local server = assert(http_server.listen {
  host = "127.0.0.1", port = 0, cq = cq, tls = false,
  onstream = function(_, stream)
    local path = assert(stream:get_headers(10)):get ":path"
    local headers = http_headers.new()
    headers:append(":status", "200")
    headers:append("connection", "close")
    stream:write_headers(headers, false, 10)
    stream:write_chunk("hello " .. path, true, 10)
  end,
})
assert(server:listen())
local _, _, port = server:localname()
local client = green.spawn(function()
  local conn = assert(green.connect("127.0.0.1", port, { timeout = 10 }))
  conn:write("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
  local text = conn:read_all()
  conn:close()
  return text
end)
while not client:dead() do
  assert(cq:step(0))
  green.trampoline(cq, { timeout = math.min(cq:timeout() or 1, 0.01) })
end
local text = client:wait()
print(text:match "^[^\r]*", (text:match "hello [%w/]*"))
