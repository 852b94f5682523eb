-- Websockets as receivers of a hub, in both forms.

local green = require "green"
local kit = require "spec.support.pubsub_kit"
local pubsub = require "green.pubsub"
local testing = require "green.testing"
local websocket = require "green.websocket"
local wsgi = require "green.wsgi"

local _, it = testing.busted()

--- Run body(hub, connect) beside a server whose websockets are subscribed to "t".
local function with_server(form, opts, body)
  local hub = pubsub.new(opts)
  local handler
  if form == "light" then
    handler = {
      open = function(ws) ws.data = assert(hub:subscribe("t", ws, { member = "m" })) end,
      message = function(_, text, binary) hub:publish("t", text, { binary = binary }) end,
      close = function(ws) ws.data:close() end,
      drain = function(ws) ws.data:drain() end,
    }
  else
    handler = function(ws)
      local sub = assert(hub:subscribe("t", ws, { member = "m" }))
      for text, binary in ws:messages() do
        hub:publish("t", text, { binary = binary })
      end
      sub:close()
    end
  end
  local server = assert(wsgi.new("127.0.0.1:0", websocket.handler(handler), { log = false,
    error_log = false, stop_grace = 0 }))
  server:start()
  local _, port = server:address()
  local ok, err = pcall(body, hub, function()
    return assert(websocket.connect(("ws://127.0.0.1:%d/"):format(port)))
  end, port)
  server:stop()
  hub:close()
  assert(ok, err)
end

--- A client that says nothing and reads nothing behind the handshake.
local function silent(port)
  local conn = assert(green.connect("127.0.0.1", port))
  conn:write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n",
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
  repeat
    local line = assert(conn:read_line())
  until line == "" or line == "\r"
  return conn
end

local function subscribed(hub, n)
  kit.eventually(function() return hub:stats().subscriptions == n end)
end

for _, form in ipairs { "light", "thread" } do
  describe("websockets of a hub, " .. form, function()
    it("get what any of them sends, texts and bytes", function()
      with_server(form, {}, function(hub, connect)
        local list = {}
        for i = 1, 5 do
          list[i] = connect()
        end
        subscribed(hub, 5)
        list[1]:send("hällo")
        list[2]:send_binary("\255\0")
        local first
        for i = 1, 5 do
          local one, two = { list[i]:recv(5) }, { list[i]:recv(5) }
          first = first or one[1]
          assert.are.equal(first, one[1])
          local bytes = one[2] and one or two
          assert.are.same({ "\255\0", true }, bytes)
          assert.are.same({ "hällo", false }, bytes == one and two or one)
        end
        list[1]:close()
        subscribed(hub, 4)
        for i = 2, 5 do
          list[i]:abort()
        end
        subscribed(hub, 0)
        assert.are.same({}, hub:members "t")
      end)
    end)

    it("are closed with 1013 when they take nothing in", function()
      with_server(form, { max_buffered = 100000 }, function(hub, connect, port)
        local slow, quick = silent(port), connect()
        subscribed(hub, 2)
        local got, sent, text = 0, 0, ("x"):rep(50000)
        local reader = green.spawn(function()
          for _ in quick:messages() do
            got = got + 1
          end
        end)
        repeat
          assert(hub:publish("t", text))
          sent = sent + 1
          kit.eventually(function() return got == sent end)
        until hub:stats().subscriptions == 1 or sent > 1000
        assert.are.equal(1, hub:stats().subscriptions)
        local rest = assert(slow:read_all())
        assert.are.equal("\3\245too slow", rest:sub(-10))
        slow:close()
        quick:close()
        reader:wait()
      end)
    end)
  end)
end
