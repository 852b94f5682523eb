-- A live dashboard: numbers of this server, once a second to all who look on. They are encoded
-- once, whoever looks; who is behind gets the newest only. Nobody looks: nothing is done.
--
--     greenlua examples/websocket/dashboard/dashboard.lua [ADDRESS]
--
-- Then open http://127.0.0.1:8080/ some times, or ask it: curl http://127.0.0.1:8080/busy

local green = require "green"
local pubsub = require "green.pubsub"
local url = require "green.url"
local websocket = require "green.websocket"
local wsgi = require "green.wsgi"

local FOLDER = arg[0]:match("^(.*)/") or "."
local INTERVAL = 1 -- seconds
local PAGE_SIZE = 4096 -- bytes, of /proc/self/statm
local TYPES = { html = "text/html", css = "text/css", js = "text/javascript" }
local FILES = { ["/"] = "index.html", ["/dashboard.css"] = "dashboard.css",
  ["/dashboard.js"] = "dashboard.js" }
local POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
  .. "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

local hub = pubsub.new { slow = "coalesce" }
local server

-- -- The numbers ------------------------------------------------------------------

local function resident_bytes()
  local file = io.open "/proc/self/statm"
  local pages = file and file:read("*a"):match "^%d+ (%d+)"
  if file then file:close() end
  return (tonumber(pages) or 0) * PAGE_SIZE
end

--- What only grows: told as so much a second.
local function totals()
  local stats = green.stats()
  return { cpu = os.clock() * 100, switches = stats.switches, turns = stats.turns,
    requests = server:stats().requests }
end

local function numbers(last, now, seconds)
  local stats, made = green.stats(), {}
  for name, value in pairs(now) do
    made[name] = ("%.2f"):format((value - last[name]) / seconds)
  end
  made.viewers = hub:stats().subscriptions
  made.threads, made.timers, made.fds = stats.threads, stats.timers, stats.fds
  made.memory = ("%.2f"):format(resident_bytes() / 2 ^ 20)
  made.lua = ("%.2f"):format(collectgarbage "count" / 2 ^ 10)
  return url.query(made)
end

local ticker

--- Tell the numbers as long as somebody looks.
local function tick()
  local last, at = totals(), green.now()
  while hub:stats().subscriptions > 0 do
    green.sleep(INTERVAL)
    local now, time = totals(), green.now()
    hub:publish("numbers", numbers(last, now, time - at))
    last, at = now, time
  end
  ticker = nil
end

local feed = websocket.handler({
  open = function(ws)
    ws.data = hub:subscribe("numbers", ws)
    ticker = ticker or green.spawn(tick)
  end,
  message = function() end, -- nobody asks us anything
  drain = function(ws) ws.data:drain() end,
  close = function(ws) ws.data:close() end,
}, { max_message = 1024 })

-- -- Pages ------------------------------------------------------------------------

local function read_file(name)
  local file = assert(io.open(FOLDER .. "/" .. name, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local pages = {}
for path, name in pairs(FILES) do
  pages[path] = { text = read_file(name), headers = {
    ["Content-Type"] = TYPES[name:match "%w+$"] .. "; charset=utf-8",
    ["Content-Security-Policy"] = POLICY, ["X-Content-Type-Options"] = "nosniff" } }
end

--- Something to see: work for a while, and threads that wait.
local function busy()
  local pile = green.GreenPool(100)
  for i = 1, 100 do
    pile:spawn_n(green.sleep, i / 200)
  end
  pile:waitall()
  return 200, { ["Content-Type"] = "text/plain" }, "that was work\n"
end

server = assert(wsgi.new(arg[1] or "127.0.0.1:8080", function(env)
  local page = pages[env.PATH_INFO]
  if env.PATH_INFO == "/numbers" then
    return feed(env)
  elseif env.PATH_INFO == "/busy" then
    return busy()
  elseif page then
    return 200, page.headers, page.text
  end
  return 404, { ["Content-Type"] = "text/plain" }, "not found\n"
end, { signals = true }))
print("serving on " .. server.url)
server:serve_forever()
