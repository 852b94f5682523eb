-- A chat for browsers, of many processes on many machines: websockets, linked by PUB and SUB.
--
--     greenlua examples/zmq/chat.lua 127.0.0.1:8080            one process alone
--     greenlua examples/zmq/chat.lua link tcp://127.0.0.1:7001 tcp://127.0.0.1:7002
--     greenlua examples/zmq/chat.lua 127.0.0.1:8080 tcp://127.0.0.1:7001 tcp://127.0.0.1:7002
--     greenlua examples/zmq/chat.lua 127.0.0.1:8081 tcp://127.0.0.1:7001 tcp://127.0.0.1:7002
--
-- Open http://127.0.0.1:8080/ and http://127.0.0.1:8081/ and talk. Each process publishes to the
-- link what its browsers say, and tells them what the link publishes; any of them, and the link
-- itself, may be started and stopped at any time. Who was away has missed what was said:
-- examples/chat keeps it.

local green = require "green"
local websocket = require "green.websocket"
local wsgi = require "green.wsgi"
local zmq = require "green.zmq"

local BEHIND = 2 ^ 18 -- bytes that a browser may be behind

local PAGE = [[
<!doctype html>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>chat</title>
<form><input autofocus maxlength="500" aria-label="what you say"> <button>say</button></form>
<ul></ul>
<script>
const ws = new WebSocket(location.href.replace(/^http/, "ws") + "chat")
ws.onmessage = event => {
  const line = document.createElement("li")
  line.textContent = event.data
  document.querySelector("ul").prepend(line)
}
document.querySelector("form").onsubmit = event => {
  event.preventDefault()
  const input = document.querySelector("input")
  ws.send(input.value)
  input.value = ""
}
</script>
]]

--- Pass on to all what any process publishes.
local function link(front, back)
  local from, to = zmq.socket(zmq.XSUB), zmq.socket(zmq.XPUB)
  assert(from:bind(front))
  assert(to:bind(back))
  print(("publish at %s, subscribe at %s"):format(from.last_endpoint, to.last_endpoint))
  assert(zmq.proxy(from, to))
end

--- Tell the browsers that are here what comes from the link.
local function tell(news, here)
  for message in news:messages() do
    local frame = assert(websocket.frame(message[1]))
    for ws in pairs(here) do
      if ws.buffered > BEHIND then
        ws:abort()
      else
        ws:send_frame(frame, 0)
      end
    end
  end
end

local function serve(address, front, back)
  local out, news = zmq.socket(zmq.PUB), zmq.socket(zmq.SUB)
  assert(out:connect(front))
  assert(news:connect(back))
  news:subscribe ""
  local here = {}
  green.spawn(tell, news, here)
  local app = websocket.handler({
    open = function(ws) here[ws] = true end,
    close = function(ws) here[ws] = nil end,
    message = function(_, text) assert(out:send(text)) end,
  }, { max_message = 2000 })
  assert(wsgi.serve(address, function(env)
    if env.PATH_INFO == "/chat" then
      return app(env)
    elseif env.PATH_INFO == "/" then
      return 200, { ["Content-Type"] = "text/html; charset=utf-8" }, PAGE
    end
    return 404, nil, "not found\n"
  end, { log = io.stdout }))
end

if arg[1] == "link" then
  link(arg[2], arg[3])
elseif arg[2] then
  serve(arg[1], arg[2], arg[3])
else
  green.spawn(link, "inproc://front", "inproc://back")
  serve(arg[1] or "127.0.0.1:8080", "inproc://front", "inproc://back")
end
