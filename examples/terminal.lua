-- A terminal in a browser: a shell of this machine, for who knows the address alone.
--
--   greenlua examples/terminal.lua [--xterm FOLDER] [--port PORT] [COMMAND [ARG...]]
--
-- It prints its address. The screen is xterm.js where there is one: `npm install
-- @xterm/xterm` here or in terminal/, or FOLDER, or the variable XTERM_JS, say where the package
-- is. Without it the page knows lines alone. It listens on 127.0.0.1 and nowhere else; a
-- token in the address keeps other users of this machine out, and the check of Origin and Host
-- other sites' pages. One window at a time; the end of the shell is the end of all.

local digest = require "green.digest"
local green = require "green"
local process = require "green.process"
local url = require "green.url"
local websocket = require "green.websocket"
local wsgi = require "green.wsgi"

local FOLDER = (arg[0]:match "^(.*)/" or ".") .. "/terminal/"
local AHEAD = 16 -- pieces of output that the page has not shown yet
local BEHIND = 100 -- pieces of what is typed that the shell has not taken yet
local PIECE = 16384 -- bytes
local LONGEST = 65536 -- bytes of what is typed, or pasted, at once
local MOST = 1000 -- rows or columns
local PATIENCE = 3 -- seconds that a page waits for the end of the one before
-- xterm.js makes its colours by style elements of its own.
local POLICY = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
  .. "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
  .. "frame-ancestors 'none'"

-- -- The words of the command line --------------------------------------------------

local function usage(problem)
  io.stderr:write(problem, "\nusage: terminal.lua [--xterm FOLDER] [--port PORT] ",
    "[COMMAND [ARG...]]\n")
  os.exit(2)
end

local options = { port = "8080", xterm = os.getenv "XTERM_JS" }
local command, at = {}, 1
while (arg[at] or ""):find "^%-%-" do
  local name = arg[at]:sub(3)
  if name ~= "port" and name ~= "xterm" then usage("what is " .. arg[at] .. "?") end
  options[name] = arg[at + 1] or usage(arg[at] .. " wants a word behind it")
  at = at + 2
end
for i = at, #arg do command[#command + 1] = arg[i] end
command[1] = command[1] or os.getenv "SHELL" or "/bin/sh"

-- -- Pages ----------------------------------------------------------------------------

local function read_file(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a"
  if file then file:close() end
  return text
end

--- Where xterm.js is; nil: nowhere.
local function find_xterm()
  for _, folder in ipairs { options.xterm or FOLDER .. "node_modules/@xterm/xterm",
    options.xterm or "node_modules/@xterm/xterm" } do
    if read_file(folder .. "/lib/xterm.js") then return folder end
  end
end

local xterm = find_xterm()
local pages = {}

local function add_page(path, kind, text)
  pages[path] = { text = assert(text, path), headers = {
    ["Content-Type"] = kind .. "; charset=utf-8", ["Content-Security-Policy"] = POLICY,
    ["X-Content-Type-Options"] = "nosniff", ["Referrer-Policy"] = "no-referrer",
    ["Cache-Control"] = "no-store" } }
end

add_page("", "text/html", read_file(FOLDER .. "index.html"))
add_page("terminal.css", "text/css", read_file(FOLDER .. "terminal.css"))
add_page("terminal.js", "text/javascript", read_file(FOLDER .. "terminal.js"))
add_page("screens.js", "text/javascript", read_file(FOLDER .. "screens.js"))
add_page("xterm.js", "text/javascript", xterm and read_file(xterm .. "/lib/xterm.js") or "")
add_page("xterm.css", "text/css", xterm and read_file(xterm .. "/css/xterm.css") or "")

-- -- The session ------------------------------------------------------------------------

local server
local place = green.Semaphore(1)

local function size_of(rows, cols)
  local function whole(text, otherwise)
    local n = tonumber(text)
    return n and n >= 1 and n <= MOST and math.floor(n) or otherwise
  end
  return whole(rows, 24), whole(cols, 80)
end

local function start_shell(ws)
  local query = url.parse_query(ws.env.QUERY_STRING or "") or url.parse_query ""
  local rows, cols = size_of(query:get "rows", query:get "cols")
  return process.spawn { pty = { rows = rows, cols = cols },
    extend_env = { TERM = xterm and "xterm-256color" or "dumb" }, unpack(command) }
end

--- Send what the shell writes, no faster than the page shows it, and how it has ended.
local function show(ws, shell, room)
  local piece = shell.pty:read_some(PIECE)
  while piece and room:acquire() and ws:send_binary(piece) do
    piece = shell.pty:read_some(PIECE)
  end
  ws:close(1000, tostring(shell:wait()))
end

--- Give the shell what is typed, as it takes it.
local function feed(shell, typed)
  for text in typed:items() do
    if not shell.pty:write(text) then break end
  end
end

--- Bytes are what is typed; a text is "ROWSxCOLS", or empty: a piece has been shown. It must be
-- heard of though the shell takes nothing: typed is a queue, and loses what is too much.
local function take(ws, shell, room, typed)
  for text, is_binary in ws:messages() do
    if is_binary then
      typed:put_nowait(text)
    elseif text == "" then
      room:release()
    else
      shell:resize(size_of(text:match "^(%d+)x(%d+)$"))
    end
  end
end

local session = websocket.handler(function(ws)
  if not place:acquire(PATIENCE) then return ws:close(1013, "there is a window already") end
  local shell, problem = start_shell(ws)
  if not shell then
    place:release()
    return ws:close(1011, tostring(problem):sub(1, 120))
  end
  local room, typed = green.Semaphore(AHEAD), green.LightQueue(BEHIND)
  local helpers = { green.spawn(show, ws, shell, room), green.spawn(feed, shell, typed) }
  take(ws, shell, room, typed)
  for _, helper in ipairs(helpers) do helper:kill() end
  shell:close() -- the system hangs up what runs in a terminal that is closed
  if shell:status() then
    green.spawn(server.stop, server) -- which waits for us
  else
    shell:stop { signal = "HUP" }
  end
  place:release()
end, { hosts = { "127.0.0.1", "localhost" }, max_message = LONGEST })

local token = digest.base64url(digest.random(16))

server = assert(wsgi.new("127.0.0.1:" .. options.port, function(env)
  local given, path = env.PATH_INFO:match "^/([^/]*)/(.*)$"
  if not given or not digest.equal(given, token) then
    return 404, nil, "not found\n"
  elseif path == "shell" then
    return session(env)
  elseif pages[path] then
    return 200, pages[path].headers, pages[path].text
  end
  return 404, nil, "not found\n"
end, { signals = true }))
print(("terminal: serving on %s/%s/"):format(server.url, token))
server:serve_forever()
