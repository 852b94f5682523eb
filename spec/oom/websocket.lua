-- green.websocket: a connection that was hit ends alone, and is forgotten; the next ones work.

local green = require "green"
local kit = require "spec.oom.kit"
local websocket = require "green.websocket"
local wsgi = require "green.wsgi"

local function send_back(ws, text, is_binary)
  if is_binary then
    return ws:send_binary(text)
  end
  return ws:send(text)
end

local function echo(ws)
  for text, is_binary in ws:messages(10) do
    send_back(ws, text, is_binary)
  end
end

--- In parts.
local function pass_on(ws)
  local reader = ws:reader(10)
  if reader then
    local writer = assert(ws:writer(reader.is_binary))
    for part in reader:chunks() do
      assert(writer:write(part))
    end
    assert(writer:close())
  end
end

local OPTIONS = { close_timeout = 0.05, max_handlers = 2 }

local apps = {
  ["/threaded"] = websocket.handler(echo, OPTIONS),
  ["/parts"] = websocket.handler(pass_on, OPTIONS),
  ["/light"] = websocket.handler({
    open = function(ws) ws.data = {} end,
    message = send_back,
    close = function(ws) ws.data = nil end,
  }, OPTIONS),
  ["/kept"] = websocket.handler({ message = function(ws, text)
    ws:send_frame(assert(websocket.frame(text .. ws.env.PATH_INFO)))
  end }, { close_timeout = 0.05, keep_env = true, compression = false }),
}

local server = assert(wsgi.new("127.0.0.1:0", function(env)
  return apps[env.PATH_INFO](env)
end, { log = false, log_output = false, access_log = false })):start()
kit.keep_threads()

local url = server.url:gsub("^http", "ws")

--- One connection, one message. What was hit may keep the other end waiting: not for long.
local function talk(path, text, is_binary, patience)
  local ws, err = websocket.connect(url .. path, { timeout = patience, close_timeout = patience })
  if not ws then
    return nil, err
  end
  local ok, answer = pcall(function()
    send_back(ws, text, is_binary)
    local answer = ws:recv(patience)
    ws:close()
    return answer
  end)
  ws:abort()
  if not ok then
    error(answer, 0)
  end
  return answer
end

local text = ("text"):rep(200)
local works = {
  ["/threaded"] = text, ["/parts"] = text, ["/light"] = text, ["/kept"] = text .. "/kept",
}

local function left()
  local n = 0
  for guest in pairs(server.guests) do
    n = n + guest:count()
  end
  return n
end

local function check()
  for path, wanted in pairs(works) do
    local answer, err = talk(path, text, false, 10)
    if answer ~= wanted then
      kit.fault("%s is answered with %q, %s", path, tostring(answer), tostring(err))
    end
  end
  for _ = 1, 1000 do
    if left() == 0 then break end
    green.sleep(0.01)
  end
  if left() > 0 then
    kit.fault("%d connections are left", left())
  end
end

for path, wanted in pairs(works) do
  kit.run("websocket: " .. path, function()
    local answer, err = talk(path, text, path ~= "/kept", 0.1)
    assert(answer == wanted or answer == nil, err)
  end, check)
end

server:stop { grace = 1 }
kit.finish()
