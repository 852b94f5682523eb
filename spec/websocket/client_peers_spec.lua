-- The client against other people's servers, and other people's clients against our
-- handshake.

local certs = require "spec.support.certs"
local green = require "green"
local http_peers = require "spec.support.http_peers"
local peers = require "spec.support.websocket_peers"
local program = require "spec.support.program"
local testing = require "green.testing"
local websocket = require "green.websocket"
local wsgi = require "green.wsgi"

local _, it = testing.busted()

local SIZES = { 0, 1, 125, 126, 65535, 65536, 300000 }

local function connect(port, path, opts)
  return websocket.connect("ws://127.0.0.1:" .. port .. path, opts)
end

--- Everything comes back as it was sent.
local function echoes(ws)
  for _, size in ipairs(SIZES) do
    local text = ("é"):rep(math.floor(size / 2)) .. ("x"):rep(size % 2)
    local bytes = ("\255"):rep(size)
    assert(ws:send(text))
    assert(ws:send_binary(bytes))
    local got, is_binary = ws:recv(20)
    assert.is_true(got == text)
    assert.is_false(is_binary)
    got, is_binary = ws:recv(20)
    assert.is_true(got == bytes)
    assert.is_true(is_binary)
  end
end

for peer in pairs(peers.words) do
  describe("a client of " .. peer, function()
    peers.need()

    it("gets back what it sends, compressed or not", function()
      peers.beside(peer, "gate", function(port)
        for _, compression in ipairs { false, true, { takeover = false },
          { window_bits = 10, threshold = 0 }, { level = 1, threshold = 0 } } do
          local ws = assert(connect(port, "/", { compression = compression }))
          assert.equal(compression ~= false, ws.compressed or false)
          echoes(ws)
          ws:close()
          assert.equal(1000, ws.close_code)
        end
      end)
    end)

    it("agrees on a sub-protocol, and says who it is", function()
      peers.beside(peer, "gate", function(port)
        local ws = assert(connect(port, "/say", { protocols = { "x", "chat" },
          origin = "http://here.example", cookies = { a = "b" }, compression = false }))
        assert.equal("chat", ws.protocol)
        assert.equal("http://here.example", ws.origin)
        assert.equal('["http://here.example","chat","a=b",[]]', (ws:recv(20):gsub(" ", "")))
        ws:close()
        ws = assert(connect(port, "/say"))
        assert.is_nil(ws.protocol)
        assert.equal('[null,null,null,["permessage-deflate"]]', (ws:recv(20):gsub(" ", "")))
        ws:close()
      end)
    end)

    it("is told why it is refused", function()
      peers.beside(peer, "gate", function(port)
        local ws, err = connect(port, "/refuse")
        assert.is_nil(ws)
        assert.same({ "EHTTPSTATUS", "status", 403, "not you\n", "because" }, { err.code, err.phase,
          err.status, err.body, err.headers.x_why })
      end)
    end)

    it("sees how the server ends", function()
      peers.beside(peer, "gate", function(port)
        local ws = assert(connect(port, "/close"))
        assert(ws:send "x")
        assert.is_nil((ws:recv(20)))
        assert.same({ 3001, "enough" }, { ws.close_code, ws.close_reason })
        ws:close()
        ws = assert(connect(port, "/drop"))
        assert(ws:send "x")
        assert.is_nil((ws:recv(20)))
        assert.equal(1006, ws.close_code)
        ws:close()
      end)
    end)

    it("connects again where it is dropped", function()
      peers.beside(peer, "gate", function(port)
        local opened, got = 0, {}
        local client = websocket.reconnecting("ws://127.0.0.1:" .. port .. "/", {
          delay = 0.01,
          on_open = function(ws)
            opened = opened + 1
            return ws:send("hello " .. opened)
          end,
        })
        for text in client:messages() do
          got[#got + 1] = text
          if opened < 3 then
            client.ws:abort()
          else
            client:close()
          end
        end
        assert.same({ "hello 1", "hello 2", "hello 3" }, got)
      end)
    end)

    it("of theirs is let in, with what was agreed on, or refused", function()
      local server = assert(wsgi.new("127.0.0.1:0", websocket.handler(function(ws)
        for text, is_binary in ws:messages() do
          if text == "bye" then
            return
          end
          assert((is_binary and ws.send_binary or ws.send)(ws, text))
        end
      end, { protocols = { "chat" }, legacy = true }), { log = false }))
      server:start()
      local ok, out = pcall(peers.run, peer, "visit",
        (server.url:gsub("^http", "ws"):gsub("/?$", "/")))
      server:stop { grace = 2, force_after = 0.1 }
      assert(ok, out)
      assert.equal("plain None  1000\ncompressed None permessage-deflate 1000\n"
        .. "narrow None permessage-deflate 1000\nprotocol chat  1000\nown page None  1000\n"
        .. "other page 403\n" .. (peer == "node's ws" and "draft 8 None  1000\n" or ""), out)
    end)
  end)
end

--- Run body(url, server) beside a server of ours that sends back what comes.
local function beside_ours(opts, body, handler_opts)
  local options = { log = false }
  local at = opts.at or "127.0.0.1:0"
  for name, value in pairs(opts) do
    options[name] = name ~= "at" and value or nil
  end
  local server = assert(wsgi.new(at, websocket.handler(function(ws)
    for text, is_binary in ws:messages() do
      assert((is_binary and ws.send_binary or ws.send)(ws, text))
    end
  end, handler_opts), options))
  server:start()
  local ok, err = pcall(body, (server.url:gsub("^http", "ws"):gsub("/?$", "/")), server)
  server:stop { grace = 2, force_after = 0.1 }
  if not ok then
    error(err, 0)
  end
end

describe("a client of our own server", function()
  it("gets back what it sends, by TLS", function()
    beside_ours({ tls = { cert = certs.path "a.pem", key = certs.path "a.key" } }, function(url)
      assert.matches("^wss://", url)
      for _, compression in ipairs { false, true } do
        local ws = assert(websocket.connect(url, { tls = { ca = certs.path "ca.pem" },
          compression = compression }))
        echoes(ws)
        assert(ws:close())
        assert.equal(1000, ws.close_code)
      end
    end)
  end)

  it("gets back what it sends, over a UNIX socket", function()
    local path = os.tmpname()
    os.remove(path)
    beside_ours({ at = "unix:" .. path }, function()
      local ws = assert(websocket.connect("ws://localhost/x?y", { unix = path,
        origin = "http://localhost" }))
      assert.equal("/x", ws.path)
      echoes(ws)
      ws:close()
    end)
    os.remove(path)
  end)

  it("gets back what it sends, through a proxy that other people have made", function()
    http_peers.need("tinyproxy", "tinyproxy-bin")
    local config
    beside_ours({}, function(url)
      http_peers.beside(function(port)
        config = program.file(("Port %d\nListen 127.0.0.1\nTimeout 60\n"):format(port))
        return { "tinyproxy", "-d", "-c", config }
      end, function(port)
        local ws = assert(websocket.connect(url, { proxy = "http://127.0.0.1:" .. port }))
        echoes(ws)
        ws:close()
      end)
      os.remove(config)
      http_peers.need("microsocks", "microsocks")
      http_peers.beside(function(port)
        return { "microsocks", "-i", "127.0.0.1", "-p", tostring(port) }
      end, function(port)
        local ws = assert(websocket.connect(url, { proxy = "socks5://127.0.0.1:" .. port }))
        echoes(ws)
        ws:close()
      end)
    end)
  end)

  it("is refused as the server's options say", function()
    beside_ours({}, function(url)
      local function status_of(opts, path)
        local ws, err = websocket.connect(url .. (path or ""), opts)
        assert.is_nil(ws)
        return err.status
      end
      assert.equal(403, status_of { origin = "http://evil.example" })
      assert.equal(403, status_of { headers = { Host = "rebound.example" } })
      assert.equal(401, status_of({}, "?deny"))
      local ws = assert(websocket.connect(url .. "?as=me", { protocols = { "a", "b" } }))
      assert.equal("b", ws.protocol)
      assert.equal("me", ws.headers.x_user)
      ws:close()
    end, {
      hosts = { "127.0.0.1" },
      protocols = { "a", "b" },
      accept = function(env)
        if env.QUERY_STRING == "deny" then
          return 401, nil, "who?"
        end
        return { protocol = env.QUERY_STRING and "b", headers = {
          ["X-User"] = (env.QUERY_STRING or ""):match "as=(%w+)" } }
      end,
    })
  end)

  it("reaches no server of its own network for strangers", function()
    beside_ours({}, function(url)
      local ws, err = websocket.connect(url, { allow = "public" })
      assert.is_nil(ws)
      assert.same({ "EACCES", "connect", url }, { err.code, err.phase, err.url })
    end)
  end)

  it("is closed with 1001 where that stops, and connects again to the next", function()
    local function start(address)
      local server = assert(wsgi.new(address, websocket.handler(function(ws)
        for text in ws:messages() do
          ws:send(text)
        end
      end), { log = false, listen = { reuse_port = true } }))
      server:start()
      return server
    end
    local server = start "127.0.0.1:0"
    local url = server.url:gsub("^http", "ws")
    local opened = 0
    local client = websocket.reconnecting(url, { delay = 0.01, on_open = function(ws)
      opened = opened + 1
      return ws:send("again " .. opened)
    end })
    local got = {}
    local reader = green.spawn(function()
      for text in client:messages() do
        got[#got + 1] = text
      end
    end)
    testing.settle_io(function() return got[1] end)
    server:stop { grace = 1, force_after = 0.1 }
    testing.settle_io(function() return client.ws == nil end)
    assert.equal(1001, client.close_code)
    local second = start((url:gsub("^ws://", ""):gsub("/$", "")))
    testing.settle_io(function() return got[2] end)
    assert.same({ "again 1", "again 2" }, got)
    client:close()
    reader:wait()
    second:stop { grace = 1, force_after = 0.1 }
  end)
end)
