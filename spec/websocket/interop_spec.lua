-- Other people's websockets at the other end: Node's ws, Python's websockets, curl and a browser,
-- each as client and, where it can be, as server.

local green = require "green"
local testing = require "green.testing"
local websocket = require "green.websocket"
local wsgi = require "green.wsgi"

local forms = require "spec.support.websocket_forms"
local program = require "spec.support.program"

local _, it = testing.busted()

local PYTHON = "/usr/bin/python3" -- the one that Debian's packages are for
local PEERS = "spec/websocket/peers/"

-- -- Who is here ----------------------------------------------------------------

local function succeeds(...)
  return program.run({ env = { NODE_PATH = "/usr/share/nodejs" }, ... }).status == 0
end

local function can(command)
  return succeeds("sh", "-c", command .. " >/dev/null 2>&1")
end

local have = {
  node = can "command -v node && node -e 'require(\"ws\")'" or "there is no node-ws",
  python = can(PYTHON .. " -c 'import websockets'") or "there is no python3-websockets",
  curl = can "curl --version | grep -qE '^Protocols:.* ws( |$)'" or "this curl has no ws://",
  chromium = can "command -v chromium" or "there is no chromium: tools/install-deps browser",
}

--- The test if the peer is here, else a skipped one that says what is missing.
local function with(peer, title, body)
  if have[peer] == true then
    it(title, body)
  else
    pending(title .. " (" .. have[peer] .. ")")
  end
end

local commands = {
  node = { "node", PEERS .. "echo.js", PEERS .. "client.js" },
  python = { PYTHON, PEERS .. "echo.py", PEERS .. "client.py" },
}

local function words(peer, which, ...)
  return { env = { NODE_PATH = "/usr/share/nodejs" }, commands[peer][1], commands[peer][which + 1],
    ... }
end

--- Let a program end while our server works: the wait must not stop the loop. Parks.
local function finish(p)
  local due = program.now() + 30
  while not p:poll() and program.now() < due do
    p:listen(0)
    green.sleep(0.01) -- between two looks at a process; its end is the condition
  end
  return p:wait()
end

-- -- Servers of ours ------------------------------------------------------------

local function serve(handler, opts, body)
  local options = { protocols = { "chat" } }
  for name, value in pairs(forms.LARGE) do options[name] = value end
  for name, value in pairs(opts) do options[name] = value end
  local app = websocket.handler(handler, options)
  local server = assert(wsgi.new("127.0.0.1:0", app, { access_log = false, error_log = false }))
  server:start()
  local ok, err = pcall(body, (server.url:gsub("^http", "ws")))
  server:stop { grace = 1, force_after = 0.1 }
  if not ok then error(err, 0) end
end

local handlers = {
  ["a threaded server"] = forms.echo,
  ["a light server"] = { message = forms.send_back },
}

local function client_of(peer, url, code)
  local r = finish(program.start(words(peer, 2, url, tostring(code))))
  assert(r.status == 0, r.out .. r.err)
  return r.out
end

for peer in pairs(commands) do
  describe("a client by " .. peer, function()
    for name, handler in pairs(handlers) do
      with(peer, "talks to " .. name, function()
        serve(handler, { compression = false }, function(url)
          assert.matches("^ok %d+ 1000 chat", client_of(peer, url, 1000))
        end)
      end)
      with(peer, "talks to " .. name .. " compressed", function()
        serve(handler, { compression = { threshold = 0 } }, function(url)
          assert.matches("^ok %d+ 4000 chat permessage%-deflate", client_of(peer, url, 4000))
        end)
      end)
    end
  end)
end

-- -- Clients of ours ------------------------------------------------------------

--- Run body(port) beside an echo of that peer. Parks.
local function beside(peer, body)
  local server = program.start(words(peer, 1, "0"))
  local port = tonumber(select(2, pcall(function()
    server:expect "listening "
    return (server:expect "\n")
  end)))
  local ok, err = pcall(body, assert(port, server.err))
  server:kill(program.TERM)
  server:wait()
  if not ok then error(err, 0) end
end

local SIZES = { 0, 1, 125, 126, 127, 65535, 65536, 2 ^ 20 }

local function talk(ws)
  for _, size in ipairs(SIZES) do
    local text, bytes = ("x"):rep(size), ("\254\0"):rep(size / 2)
    assert(ws:send(text))
    assert(ws:send_binary(bytes))
    local back, is_binary = ws:recv(20)
    assert(back == text and not is_binary, size)
    back, is_binary = ws:recv(20)
    assert(back == bytes and is_binary, size)
  end
  local writer = ws:writer(false)
  for _, piece in ipairs { "in ", "three ", "fragments" } do
    assert(writer:write(piece))
  end
  assert(writer:close())
  assert.equal("in three fragments", (ws:recv(20)))
end

for peer in pairs(commands) do
  describe("a server by " .. peer, function()
    for name, compression in pairs { ["plain"] = false, ["compressed"] = { threshold = 0 } } do
      with(peer, "talks to our client, " .. name, function()
        beside(peer, function(port)
          local options = { protocols = { "chat" }, compression = compression }
          for field, value in pairs(forms.LARGE) do options[field] = value end
          local ws = assert(websocket.connect(("ws://127.0.0.1:%d/"):format(port), options))
          assert.equal("chat", ws.protocol)
          assert.equal(compression ~= false, ws.compressed and true or false)
          talk(ws)
          ws:close(4001, "enough")
          assert.equal(4001, ws.close_code)
        end)
      end)
    end
  end)
end

-- -- curl and a browser ---------------------------------------------------------

describe("a client by curl", function()
  with("curl", "reads a message and leaves", function()
    serve(function(ws) ws:send "from the server" end, {}, function(url)
      local r = finish(program.start { "curl", "-s", "--max-time", "20", url })
      assert.equal("from the server", r.out)
    end)
  end)
end)

local PAGE = [=[<!doctype html><title>echo</title><p id=out>waiting</p><script>
const ws = new WebSocket(location.href.replace(/^http/, "ws") + "ws", "chat");
const texts = ["", "hello", "ä€𝄞", "x".repeat(126), "y".repeat(70000)];
const out = document.getElementById("out");
let n = 0;
ws.binaryType = "arraybuffer";
ws.onopen = () => { texts.forEach(t => ws.send(t)); ws.send(new Uint8Array([0, 254, 255])); };
ws.onmessage = e => {
  const right = n < texts.length ? e.data === texts[n] :
    new Uint8Array(e.data).join() === "0,254,255";
  if (!right) out.textContent = "wrong " + n;
  if (++n > texts.length) ws.close(4002, "enough");
};
ws.onclose = e => { if (out.textContent === "waiting")
  out.textContent = ["done", n, e.code, e.wasClean, ws.protocol,
    ws.extensions.split(";")[0]].join(" ");
  fetch("/done"); };
</script><img src=/wait>]=]

--- A page, and a websocket beside it. The page is not complete, and the browser does not
-- print it, before the websocket has ended: on a busy machine that takes its time.
local function page_and_echo(handler)
  local done = green.Event()
  local app = websocket.handler(handler, { protocols = { "chat" },
    compression = { threshold = 0 } })
  return function(env)
    if env.PATH_INFO == "/ws" then
      return app(env)
    elseif env.PATH_INFO == "/done" then
      done:send()
    elseif env.PATH_INFO == "/wait" then
      done:wait()
    else
      return 200, { ["Content-Type"] = "text/html; charset=utf-8" }, PAGE
    end
    return 204
  end
end

describe("a browser", function()
  for name, handler in pairs(handlers) do
    with("chromium", "talks to " .. name, function()
      local server = assert(wsgi.new("127.0.0.1:0", page_and_echo(handler),
        { access_log = false, error_log = false }))
      server:start()
      local r = finish(program.start { "chromium", "--headless", "--no-sandbox", "--disable-gpu",
        "--virtual-time-budget=20000", "--dump-dom", server.url })
      server:stop { grace = 1, force_after = 0.1 }
      assert.matches("done 6 4002 true chat permessage%-deflate", r.out)
    end)
  end
end)
