-- tail -f of many files, for a browser: each line is a server-sent event.
--
--   greenlua examples/tail.lua [--port PORT] FILE...
--
-- Then open http://127.0.0.1:8080/, or curl -N http://127.0.0.1:8080/lines. Files are followed by
-- their names: when one is rotated the next one of that name, when it is cut off from its new
-- beginning, and one that is not there yet as soon as it comes. A browser that was away gets what
-- it has missed, of the last thousand lines.

local errors = require "green.error"
local fs = require "green.fs"
local green = require "green"
local pubsub = require "green.pubsub"
local wsgi = require "green.wsgi"

local FOLDER = (arg[0]:match "^(.*)/" or ".") .. "/tail/"
local follower = dofile(FOLDER .. "follower.lua")

local SILENCE = 15 -- seconds until a line for proxies that would take the connection for dead
local FILES = { ["/"] = { "index.html", "text/html" }, ["/tail.css"] = { "tail.css", "text/css" },
  ["/tail.js"] = { "tail.js", "text/javascript" } }
local POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
  .. "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

-- -- The words of the command line --------------------------------------------------

local names, port = { unpack(arg) }, "8080"
if names[1] == "--port" then
  table.remove(names, 1)
  port = table.remove(names, 1)
end
if not names[1] or names[1]:find "^%-%-" then
  io.stderr:write "usage: tail.lua [--port PORT] FILE...\n"
  os.exit(2)
end

-- -- Following ----------------------------------------------------------------------

local hub = pubsub.new { history = 1000 }

--- A line of a file, as an event's data: its name on a line of its own. A carriage return would
-- be a line's end there.
local function tell(name, line)
  hub:publish("lines", ("data: %s\ndata: %s\n"):format(name:gsub("%c", "?"), (line:gsub("\r", ""))))
end

local files, folders = {}, {} -- path -> follower; path of a folder -> followers in it
for _, name in ipairs(names) do
  local path = name:find "/" and name or "./" .. name
  local folder = path:match "^(.+)/" or "/"
  files[path] = follower.new(path, function(line) tell(name, line) end)
  folders[folder] = folders[folder] or {}
  table.insert(folders[folder], files[path])
end

local function look_at_all(list)
  for _, file in ipairs(list) do file:look() end
end

--- Look at what changes in a folder. A file that is moved away may still be written to.
local function follow(changes, list)
  look_at_all(list)
  for event in changes:events() do
    local file = files[event.path] or files[event.from]
    if event.type == "overflow" then
      look_at_all(list)
    elseif file then
      files[event.path] = file
      file:look()
    end
  end
end

for folder, list in pairs(folders) do
  green.spawn(follow, assert(fs.watch(folder)), list)
end

-- -- Serving ------------------------------------------------------------------------

local function events(env)
  local sub = hub:subscribe("lines", nil, { since = env.HTTP_LAST_EVENT_ID or "0" })
    or assert(hub:subscribe("lines", nil, { since = "0" })) -- it was away for too long
  env["green.minimum_write_chunk_size"] = 0
  env["green.set_idle"]() -- the server's end need not wait for us
  local silence = 0 -- the answer's head leaves with its first piece
  local body = { close = function() sub:close() end }
  return 200, { ["Content-Type"] = "text/event-stream", ["Cache-Control"] = "no-store" },
    setmetatable(body, { __call = function()
      local text, problem, id = sub:recv(silence)
      silence = SILENCE
      if errors.is_error(problem, "ETIMEDOUT") then return ":\n\n" end
      return text and ("id: %s\n%s\n"):format(id, text)
    end })
end

local pages = {}
for path, file in pairs(FILES) do
  pages[path] = { text = assert(fs.read_file(FOLDER .. file[1])), headers = {
    ["Content-Type"] = file[2] .. "; charset=utf-8", ["Content-Security-Policy"] = POLICY,
    ["X-Content-Type-Options"] = "nosniff" } }
end

local server = assert(wsgi.new("127.0.0.1:" .. port, function(env)
  local page = pages[env.PATH_INFO]
  local host = (env.HTTP_HOST or ""):match "^([^:]*)"
  if host ~= "127.0.0.1" and host ~= "localhost" then
    return 403, nil, "not under that name\n" -- a page of another site's may have given it to us
  elseif env.PATH_INFO == "/lines" then
    return events(env)
  elseif page then
    return 200, page.headers, page.text
  end
  return 404, nil, "not found\n"
end, { signals = true }))
print("tail: serving on " .. server.url .. "/")
server:serve_forever()
