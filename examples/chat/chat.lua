-- A chat: groups, topics in them, who is there, what one has not read, search, "is writing".
-- The page beside this file is plain HTML, CSS and JavaScript.
--
--     greenlua examples/chat/chat.lua [ADDRESS] [--redis URL | --zmq ENDPOINT] [--workers N]
--
-- Then open http://127.0.0.1:8080/ in two windows. In one process all is kept in memory, and
-- gone when that ends. Over Redis it stays, and any number of processes share it: --workers
-- forks them, and more may run on other machines. Over ZeroMQ they share it, too, as long as
-- their broker runs: `greenlua -m zmq.broker`, and --zmq tcp://127.0.0.1:5570. A name is no
-- account here: who is to be believed belongs into `accept` (docs/modules/websocket.md).

local green = require "green"
local process = require "green.process"
local signal = require "green.signal"
local wsgi = require "green.wsgi"

local FOLDER = arg[0]:match("^(.*)/") or "."
local rooms = dofile(FOLDER .. "/room.lua")

local PAUSE = 0.5 -- seconds until a worker that died is replaced
local FILES = {
  ["/"] = { "index.html", "text/html" },
  ["/chat.css"] = { "chat.css", "text/css" },
  ["/chat.js"] = { "chat.js", "text/javascript" },
  ["/link.js"] = { "link.js", "text/javascript" },
  ["/icon.svg"] = { "icon.svg", "image/svg+xml" },
}
local POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
  .. "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

-- -- The words of the command line ---------------------------------------------

local function usage(problem)
  io.stderr:write(problem, "\n",
    "usage: chat.lua [ADDRESS] [--redis URL | --zmq ENDPOINT] [--workers N]\n")
  os.exit(2)
end

local NAMES = { redis = true, zmq = true, workers = true }

local function read_options(words)
  local options, i = { address = "127.0.0.1:8080", workers = 1 }, 1
  while words[i] do
    local name = words[i]:match "^%-%-(.+)$"
    if not name then
      options.address = words[i]
    elseif NAMES[name] and words[i + 1] then
      i = i + 1
      options[name] = words[i]
    else
      usage("what is " .. words[i] .. "?")
    end
    i = i + 1
  end
  options.workers = tonumber(options.workers) or usage "N is a number"
  if options.redis and options.zmq then
    usage "it is --redis or --zmq"
  elseif options.workers > 1 and not options.redis and not options.zmq then
    usage "several workers share what is said by --redis or --zmq"
  end
  return options
end

local options = read_options(arg)

-- -- Pages ----------------------------------------------------------------------

local function read_file(name)
  local file = assert(io.open(FOLDER .. "/" .. name, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local pages = {} -- path -> headers and text
for path, file in pairs(FILES) do
  pages[path] = { text = read_file(file[1]), headers = {
    ["Content-Type"] = file[2] .. "; charset=utf-8",
    ["Content-Security-Policy"] = POLICY,
    ["X-Content-Type-Options"] = "nosniff",
    ["Referrer-Policy"] = "no-referrer",
    ["Cache-Control"] = "no-cache",
  } }
end

local function serve_page(env)
  local page = pages[env.PATH_INFO]
  if not page then
    return 404, { ["Content-Type"] = "text/plain" }, "not found\n"
  elseif env.REQUEST_METHOD ~= "GET" and env.REQUEST_METHOD ~= "HEAD" then
    return 405, { Allow = "GET, HEAD" }, "not that way\n"
  end
  return 200, page.headers, page.text
end

-- -- Serving --------------------------------------------------------------------

local listener = assert(green.listen(options.address))

--- All of one process: its hubs are made here, behind the fork.
local function work()
  local room = rooms.new { redis = options.redis, zmq = options.zmq }
  assert(wsgi.server(listener, function(env)
    if env.PATH_INFO == "/chat" then
      return room.app(env)
    end
    return serve_page(env)
  end, { signals = true }))
  room:close()
end

local workers, stopping = {}, false -- pid -> true

local function run_worker()
  local pid, problem = green.fork(work)
  if not pid then
    return tostring(problem)
  end
  workers[pid] = true
  local how, number = process.wait(pid)
  workers[pid] = nil
  return ("worker %d ended: %s %s"):format(pid, tostring(how), tostring(number))
end

--- Have a worker for as long as the server runs.
local function keep_worker()
  while not stopping do
    local text = run_worker()
    green.sleep(PAUSE)
    if not stopping then
      io.stderr:write(text, "; the next one comes\n")
    end
  end
end

local function stop()
  stopping = true
  listener:close() -- the workers have it still
  for pid in pairs(workers) do
    process.kill(pid, "TERM")
  end
end

local host, port = listener:sockname()
print(("chat: serving on http://%s:%d/"):format(host:find ":" and "[" .. host .. "]" or host, port))
if options.workers == 1 then
  return work()
end
signal.handler("TERM", stop)
signal.handler("INT", stop)
local keepers = {}
for i = 1, options.workers do
  keepers[i] = green.spawn(keep_worker)
end
green.joinall(keepers)
