-- Handlers of WebSockets: both forms, what accept says, ends of all kinds.

local certs = require "spec.support.certs"
local green = require "green"
local http = require "green.http"
local testing = require "green.testing"
local websocket = require "green.websocket"

local kit = dofile("spec/support/http.lua")
local _, it_real = testing.busted()
local with_kit = kit.its(it_real)

--- it(name, function(serve)): serve(app, opts) is a server of green.wsgi.
local function it(name, fn)
  with_kit(name, function(serve, ...)
    return fn(function(...) return serve(...).server end, ...)
  end)
end

local function url_of(server, path)
  return server.url:gsub("^http", "ws") .. (path or "/")
end

local function connect(server, opts, path)
  return assert(websocket.connect(url_of(server, path), opts))
end

local function echo(ws)
  for text, is_binary in ws:messages() do
    assert(is_binary and ws:send_binary(text) or not is_binary and ws:send(text))
  end
end

local light_echo = { message = function(ws, text, is_binary)
  assert(is_binary and ws:send_binary(text) or not is_binary and ws:send(text))
end }

local forms = { ["with a thread"] = echo, ["of the light form"] = light_echo }

for form, handler in pairs(forms) do
  describe("a websocket handler " .. form, function()
    it("echoes texts and bytes of all sizes", function(serve)
      for _, compression in ipairs { true, false } do
        local server = serve(websocket.handler(handler, { compression = compression }))
        local ws = connect(server)
        assert.equal(compression or nil, ws.compressed)
        for _, size in ipairs { 0, 1, 125, 126, 65535, 65536, 300000 } do
          local text = ("x"):rep(size)
          assert(ws:send(text))
          assert.same({ text, false }, { ws:recv() })
          assert(ws:send_binary(text .. "\255"))
          assert.same({ text .. "\255", true }, { ws:recv() })
        end
        assert.is_true(ws:close(4000, "enough"))
        assert.equal(4000, ws.close_code)
        assert.is_true(ws.closed)
      end
    end)

    it("has one line in the access log, and counts while it is there", function(serve)
      local lines = {}
      local server = serve(websocket.handler(handler), { access_log = function(line)
        lines[#lines + 1] = line
      end, log_format = "%(request_line)s %(status_code)s %(body_length)s" })
      local one, two = connect(server, nil, "/one?x"), connect(server)
      assert.equal(2, server:stats().websockets)
      assert.equal(0, server:stats().taken_over)
      one:close()
      testing.settle_io(function() return server:stats().websockets == 1 end)
      two:close()
      testing.settle_io(function() return server:stats().websockets == 0 end)
      testing.settle_io(function() return #lines == 2 end)
      local text = table.concat(lines):gsub("\n", "")
      assert.matches("GET /one?x HTTP/1.1 101 0", text, 1, true)
      assert.matches("GET / HTTP/1.1 101 0", text, 1, true)
    end)

    it("stands beside other handlers, and speaks TLS", function(serve)
      local app = websocket.handler(handler)
      local server = serve(function(env)
        if env.PATH_INFO == "/ws" then
          return app(env)
        end
        return 200, nil, "plain"
      end, { tls = { cert = certs.path "a.pem", key = certs.path "a.key" } })
      local tls = { ca = certs.path "ca.pem" }
      local ws = connect(server, { tls = tls }, "/ws")
      assert(ws:send("by TLS"))
      assert.equal("by TLS", (ws:recv()))
      ws:close()
      local session = http.session { tls = tls }
      assert.equal("plain", assert(session:get(server.url .. "/")):text())
      session:close()
    end)

    it("is closed with 1001 by a stop, which waits for it", function(serve)
      local server = serve(websocket.handler(handler))
      local ws = connect(server)
      ws:send("there?")
      assert.equal("there?", (ws:recv()))
      local stopped = green.spawn(server.stop, server)
      assert.is_nil(ws:recv())
      assert.equal(1001, ws.close_code)
      ws:close()
      assert.is_true(stopped:wait())
    end)

    it("is cut by a stop whose grace is over", function(serve)
      local server = serve(websocket.handler(handler))
      local socket = assert(green.connect(server.host, server.port))
      socket:write("GET / HTTP/1.1\r\nHost: ", server.host, ":", tostring(server.port),
        "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
      assert.matches("s3pPLMBiTxaQ9kYGzzhZRbK%+xOo=", socket:read_until("\r\n\r\n"))
      assert.is_true(server:stop({ grace = 0.05, force_after = 0.05 }))
      assert.equal("\136\2\3\233", (socket:read_all()))
      socket:close()
    end)

    it("refuses what is too long, unpacked, too [b142]", function(serve)
      local server = serve(websocket.handler(handler, { max_message = 1000 }))
      for _, compression in ipairs { false, true } do
        local ws = connect(server, { compression = compression })
        assert(ws:send(("x"):rep(1000)))
        assert.equal(1000, #ws:recv())
        assert(ws:send(("x"):rep(1001)))
        assert.is_nil((ws:recv()))
        assert.equal(1009, ws.close_code)
      end
    end)

    it("does not outlive a peer that goes without a word [b139]", function(serve)
      local server = serve(websocket.handler(handler))
      local ws = connect(server)
      ws:send("x")
      ws:recv()
      ws:abort()
      assert.equal(1006, ws.close_code)
      assert.same({ nil, "ECLOSED" }, { nil, select(2, ws:send("y")).code })
      testing.settle()
    end)
  end)
end

describe("a websocket handler's accept", function()
  local function answer(accept, opts)
    opts = opts or {}
    opts.accept = accept
    return websocket.handler(echo, opts)
  end

  it("sees the env, and grants with headers, cookies and a sub-protocol", function(serve)
    local seen
    local server = serve(answer(function(env)
      seen = env.QUERY_STRING
      return { protocol = "b", headers = { ["X-Room"] = "7" }, cookies = { "a=1", "b=2" } }
    end, { protocols = { "a", "b" } }))
    local ws = connect(server, { protocols = { "a", "b" } }, "/?room=7")
    assert.equal("room=7", seen)
    assert.equal("b", ws.protocol)
    ws:close()
  end)

  it("refuses with whatever it returns", function(serve)
    local ways = {
      [403] = function() return false end,
      [401] = function() return 401, { ["WWW-Authenticate"] = "Basic" }, "who?" end,
    }
    for status, accept in pairs(ways) do
      local ws, err = websocket.connect(url_of(serve(answer(accept))))
      assert.is_nil(ws)
      assert.equal("EHTTPSTATUS", err.code)
      assert.equal(status, err.status)
    end
  end)

  it("is told of headers that would be two", function(serve, log)
    local server = serve(answer(function()
      return { headers = { ["X-A"] = "b\r\nX-C: d" } }
    end), { error_log = log and false })
    local ws, err = websocket.connect(url_of(server))
    assert.is_nil(ws)
    assert.equal(500, err.status)
  end)
end)

describe("a websocket handler with a thread", function()
  it("ends its connection with it", function(serve)
    local server = serve(websocket.handler(function(ws) ws:send("bye") end))
    local ws = connect(server)
    assert.equal("bye", (ws:recv()))
    assert.is_nil((ws:recv()))
    assert.equal(1000, ws.close_code)
  end)

  it("says 1011 when it raises", function(serve)
    local server = serve(websocket.handler(function() error("oops") end), { error_log = false })
    local ws = connect(server)
    assert.is_nil((ws:recv()))
    assert.equal(1011, ws.close_code)
  end)

  it("reads long messages in parts, and sends them so", function(serve)
    local server = serve(websocket.handler(function(ws)
      local reader = ws:reader()
      local writer = ws:writer(reader.is_binary)
      for part in reader:chunks() do
        writer:write(part)
      end
      writer:close()
    end))
    for _, compression in ipairs { true, false } do
      local ws = connect(server, { compression = compression })
      local text = ("\195\164b"):rep(100000)
      assert(ws:send(text))
      assert.equal(text, (ws:recv()))
      ws:close()
    end
  end)

  it("has one reader and many senders", function(serve)
    local server = serve(websocket.handler(function(ws)
      local threads = {}
      for i = 1, 20 do
        threads[i] = green.spawn(function()
          for _ = 1, 10 do
            assert(ws:send(("%d"):format(i)))
            green.sleep(0)
          end
        end)
      end
      local writer = ws:writer()
      writer:write("in ")
      green.sleep(0.001)
      writer:write("parts")
      writer:close()
      for _, t in ipairs(threads) do
        t:wait()
      end
    end))
    local ws = connect(server)
    local counts, n = {}, 0
    for text in ws:messages() do
      counts[text] = (counts[text] or 0) + 1
      n = n + 1
    end
    assert.equal(201, n)
    assert.equal(1, counts["in parts"])
    assert.equal(10, counts["20"])
  end)

  it("waits for a peer that does not read, for as long as it says", function(serve)
    local result
    local server = serve(websocket.handler(function(ws)
      local big = ("x"):rep(1000000)
      local ok, err = true, nil
      while ok do
        ok, err = ws:send_binary(big, 0.05)
      end
      result = err.code
      ws:abort()
    end, { compression = false }))
    local ws = connect(server)
    while not result do
      green.sleep(0.01)
    end
    assert.equal("ETIMEDOUT", result)
    ws:abort()
  end)

  it("goes on reading while another thread closes", function(serve)
    local got
    local server = serve(websocket.handler(function(ws)
      green.spawn(ws.close, ws, 4001)
      got = { ws:recv() }
      got.code = ws.close_code
    end))
    local ws = connect(server)
    assert.is_nil((ws:recv()))
    ws:close()
    while not got do
      green.sleep(0.001)
    end
    assert.same({ code = 4001 }, got)
  end)

  it("can be killed wherever it waits", function(serve)
    local thread
    local server = serve(websocket.handler(function(ws)
      thread = green.getcurrent()
      ws:recv()
    end), { error_log = false })
    local ws = connect(server)
    while not thread do
      green.sleep(0.001)
    end
    thread:kill()
    assert.is_nil((ws:recv()))
    assert.equal(1011, ws.close_code)
  end)
end)

describe("a websocket handler of the light form", function()
  it("calls its functions in order, and keeps what is put into ws.data", function(serve)
    local calls, done = {}, green.Event()
    local server = serve(websocket.handler {
      open = function(ws)
        ws.data = { n = 0 }
        calls[#calls + 1] = "open"
      end,
      message = function(ws, text)
        ws.data.n = ws.data.n + 1
        green.sleep(0.001)
        calls[#calls + 1] = text .. ws.data.n
      end,
      close = function(ws, code, reason)
        calls[#calls + 1] = code .. reason
        assert.is_true(ws.closed)
        done:send()
      end,
    })
    local ws = connect(server)
    for _, text in ipairs { "a", "b", "c" } do
      ws:send(text)
    end
    ws:close(4001, "done")
    done:wait()
    assert.same({ "open", "a1", "b2", "c3", "4001done" }, calls)
  end)

  it("says 1011 when a function raises, and goes on", function(serve)
    local told = 0
    local old = green.on_error(function() told = told + 1 end)
    local server = serve(websocket.handler {
      message = function(_, text) error(text) end,
    }, { error_log = false })
    for _ = 1, 3 do
      local ws = connect(server)
      ws:send("oops")
      assert.is_nil((ws:recv()))
      assert.equal(1011, ws.close_code)
    end
    green.on_error(old)
    assert.equal(3, told)
  end)

  it("deals with one connection while another's message waits", function(serve)
    local gate = green.Event()
    local server = serve(websocket.handler {
      message = function(ws, text)
        if text == "wait" then
          gate:wait()
        end
        ws:send(text)
      end,
    })
    local slow, quick = connect(server), connect(server)
    slow:send("wait")
    for _ = 1, 10 do
      quick:send("quick")
      assert.equal("quick", (quick:recv(5)))
    end
    gate:send()
    assert.equal("wait", (slow:recv()))
    slow:close()
    quick:close()
  end)

  it("does not wait for a slow peer, and tells when it has drained", function(serve)
    local refused, drained = nil, green.Event()
    local server = serve(websocket.handler({
      message = function(ws)
        local ok, err = true, nil
        while ok do
          ok, err = ws:send_binary(("x"):rep(100000))
        end
        refused = err.code
        assert.is_true(ws.buffered > 1048576)
      end,
      drain = function(ws) drained:send(ws.buffered) end,
    }, { compression = false }))
    local ws = connect(server)
    ws:send("go")
    while not refused do
      green.sleep(0.001)
    end
    assert.equal("ENOBUFS", refused)
    local reading = green.spawn(function()
      for _ in ws:messages() do end
    end)
    assert.is_true(drained:wait() <= 524288)
    ws:abort()
    reading:wait()
  end)

  it("is given messages that were there before it opened", function(serve)
    local server = serve(websocket.handler(light_echo))
    local socket = assert(green.connect(server.host, server.port))
    socket:write("GET / HTTP/1.1\r\nHost: ", server.host, ":", tostring(server.port),
      "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\129\130\0\0\0\0hi")
    assert.is_string(socket:read_until("\r\n\r\n"))
    assert.equal("\129\2hi", (socket:read(4)))
    socket:close()
    testing.settle()
  end)
end)

describe("websocket.frame", function()
  it("is sent to many", function(serve)
    local all = {}
    local server = serve(websocket.handler({
      open = function(ws) all[#all + 1] = ws end,
      message = function()
        local frame = websocket.frame(("to all "):rep(100))
        for _, ws in ipairs(all) do
          assert(ws:send_frame(frame))
        end
      end,
    }))
    local clients = {}
    for i = 1, 6 do
      clients[i] = connect(server, { compression = i > 3 })
    end
    clients[1]:send("go")
    for _, ws in ipairs(clients) do
      assert.equal(("to all "):rep(100), (ws:recv()))
      ws:close()
    end
  end)

  it("is a text, or bytes", function()
    assert.equal("EILSEQ", select(2, websocket.frame("\255")).code)
    assert.is_table(websocket.frame("\255", true))
  end)
end)
