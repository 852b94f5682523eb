-- A small web application: routes, a cookie, uploads into memory, files, events as
-- they happen. docs/web.md explains it, and how to run it behind nginx.
--
--   greenlua examples/web.lua [ADDRESS]     then open http://127.0.0.1:8080/
local green = require "green"
local wsgi = require "green.wsgi"

local FOLDER = arg[0]:match("^(.*)/") or "."
local TEXT = { ["Content-Type"] = "text/plain; charset=utf-8" }
local TYPES = { lua = "text/plain", html = "text/html", png = "image/png", js = "text/javascript" }

local PAGE = [[<!doctype html><title>greenlua</title><h1>What is said</h1><ul id=said></ul>
<form><input name=text><button>Say</button></form><script>
new EventSource("/events").onmessage = e => {
  said.append(Object.assign(document.createElement("li"), { textContent: e.data })) }
document.forms[0].onsubmit = e => { e.preventDefault()
  fetch("/say", { method: "POST", body: e.target.text.value }); e.target.reset() }
</script>]]

local routes = {} -- in order: method, pattern, function(env, captures...)

local function route(method, pattern, fn)
  routes[#routes + 1] = { method, "^" .. pattern .. "$", fn }
end

route("GET", "/", function()
  return 200, { ["Content-Type"] = "text/html; charset=utf-8" }, PAGE
end)

route("GET", "/hello/([%w%-]+)", function(_, name)
  return 200, TEXT, "hello, " .. name .. "\n"
end)

route("GET", "/visits", function(env)
  local visits = tonumber((env.HTTP_COOKIE or ""):match("visits=(%d+)")) or 0
  local cookie = ("visits=%d; Path=/; HttpOnly; SameSite=Lax"):format(visits + 1)
  return 200, { ["Set-Cookie"] = cookie }, ("visit %d\n"):format(visits + 1)
end)

-- The pattern lets no "/" pass and no name that begins with a dot.
route("GET", "/files/([%w_%-][%w_%.%-]*)", function(_, name)
  local file = io.open(FOLDER .. "/" .. name, "rb")
  if not file then return 404, TEXT, "no such file\n" end
  local kind = TYPES[name:match("%.(%w+)$")] or "application/octet-stream"
  return 200, { ["Content-Type"] = kind }, file
end)

local listeners = {} -- a queue for each page that is open

route("POST", "/say", function(env)
  local text, err = env.input:read()
  if err then return 400, TEXT, tostring(err) .. "\n" end
  local line = (text or ""):gsub("[\r\n]+", " ")
  for queue in pairs(listeners) do
    queue:put_nowait(line) -- one that is full misses it
  end
  return 204
end)

--- The body of an answer that goes on: what next_event gives, until the client goes.
local function events(queue)
  listeners[queue] = true
  queue:put_nowait("welcome") -- the head leaves with the first piece
  return setmetatable({ close = function() listeners[queue] = nil end }, {
    __call = function()
      local text, err = queue:get(15)
      return err and ": still here\n\n" or ("data: %s\n\n"):format(text)
    end,
  })
end

route("GET", "/events", function(env)
  env["green.minimum_write_chunk_size"] = 0 -- each event at once
  env["green.set_idle"]() -- a stop of the server does not wait for it
  local headers = { ["Content-Type"] = "text/event-stream", ["Cache-Control"] = "no-cache" }
  return 200, headers, events(green.Queue(100))
end)

local function app(env)
  local allowed
  local method = env.REQUEST_METHOD == "HEAD" and "GET" or env.REQUEST_METHOD
  for _, entry in ipairs(routes) do
    local first, second = env.PATH_INFO:match(entry[2])
    if first and entry[1] == method then
      return entry[3](env, first, second)
    end
    allowed = allowed or first and entry[1]
  end
  if allowed then return 405, { Allow = allowed }, "not that way\n" end
  return 404, TEXT, "not found\n"
end

local server = assert(wsgi.new(arg[1] or "127.0.0.1:8080", app, {
  signals = true, access_log = true, max_body = 65536,
  listen = { mode = tonumber("660", 8) }, -- of a UNIX socket's path
}))
print("serving on " .. server.url)
server:serve_forever()
