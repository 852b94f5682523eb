-- Fetches pages over plain sockets, all at once, and says how long each took: what
-- HTTP is below a client library.
--
--   greenlua examples/http_client.lua 127.0.0.1:8080/ example.org/
local green = require "green"

local function fetch(url)
  local host, path = url:gsub("^http://", ""):match("^([^/]+)(.*)$")
  local conn, err = green.connect(host:find(":%d+$") and host or host .. ":80", { timeout = 5 })
  if not conn then return nil, err end
  conn:settimeout(10)
  conn:write("GET ", path == "" and "/" or path, " HTTP/1.0\r\nHost: ", host, "\r\n\r\n")
  local status = conn:read_line()
  local size = 0
  for chunk in conn:chunks() do
    size = size + #chunk
  end
  conn:close()
  return status, size
end

local threads = {}
for i, url in ipairs(arg) do
  threads[i] = green.spawn(function()
    local started = green.now()
    local status, size = fetch(url)
    print(("%s: %s, %s bytes after the first line, %.1f ms"):format(url, tostring(status),
      tostring(size), (green.now() - started) * 1000))
  end)
end
for _, thread in ipairs(threads) do
  thread:wait()
end
