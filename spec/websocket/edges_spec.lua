-- Places between two others: a handler that goes on behind its connection's end, one that only
-- sends, what is cut while it waits.

local green = require "green"
local testing = require "green.testing"
local websocket = require "green.websocket"
local wsgi = require "green.wsgi"

local certs = require "spec.support.certs"
local kit = require "spec.support.websocket_kit"
local shake = require "spec.support.websocket_shake"

local _, it = testing.busted()

--- body(url, server) while an app is served.
local function serve(app, body)
  local server = assert(wsgi.new("127.0.0.1:0", app, { access_log = false, error_log = false }))
  server:start()
  local ok, err = xpcall(body, debug.traceback, (server.url:gsub("^http", "ws")), server)
  server:stop { grace = 0.2, force_after = 0.1 }
  if not ok then error(err, 0) end
end

describe("a handler of websockets", function()
  it("that goes on behind its connection's end takes nobody's place", function()
    local sleeper, go_on = nil, green.Event()
    local ended
    serve(websocket.handler(function(ws)
      if ws.path == "/first" then
        ws:abort()
        go_on:wait()
        return
      end
      sleeper = green.getcurrent()
      local ok, err = pcall(green.sleep, 60)
      ended = not ok and err
    end), function(url, server)
      assert(websocket.connect(url .. "/first")):abort()
      testing.settle_io()
      local second = assert(websocket.connect(url .. "/second"))
      testing.settle_io(function() return sleeper end)
      go_on:send(true) -- the first one's end, after its place was taken
      testing.settle()
      server:stop { grace = 0, force_after = 1 }
      testing.settle()
      assert.is_true(green.is_error(ended, "ECANCELED"))
      second:abort()
    end)
  end)
end)

describe("a handler that only sends", function()
  local forms = {
    ["with a thread"] = function(run) return run end,
    ["of the light form"] = function(run)
      return { open = run, message = function() end }
    end,
  }

  for name, form in pairs(forms) do
    it("goes on while its peer is there, and learns how it ends: " .. name, function()
      local seen
      serve(websocket.handler(form(function(ws)
        local ok, err
        repeat
          green.sleep(0.01)
          ok, err = ws:send "tick"
        until not ok
        seen = { err.code, tostring(err), ws.closed, ws.close_code, ws.close_reason }
      end), { ping_interval = 0.2, ping_timeout = 0.2 }), function(url)
        local ws = assert(websocket.connect(url))
        local over = green.now() + 1 -- some pings and their timeouts
        repeat
          assert.equal("tick", (ws:recv()))
        until green.now() > over
        ws:close(4001, "enough")
        testing.settle_io(function() return seen end)
        assert.same({ "ECLOSED", "send: the websocket has ended (ECLOSED)", true, 4001, "enough" },
          seen)
      end)
    end)
  end
end)

-- -- Writers ---------------------------------------------------------------------

--- What more than fills a connection whose peer does not read: until a write has to wait.
local function fill(ws, writer)
  local piece = ("x"):rep(2 ^ 16)
  while true do
    local ok, err = green.timeout(0.05, writer.write, writer, piece)
    if not ok then
      return err
    end
    assert(ws.buffered < 2 ^ 18)
  end
end

describe("a websocket's writer", function()
  local OPTIONS = { max_buffered = 2 ^ 16, compression = false }

  --- What it does with a message that is closed, and whose close is cut.
  local function cut_close(ws, seen)
    local writer = ws:writer(true)
    seen.full = fill(ws, writer)
    seen.first = select(2, green.timeout(0.01, writer.close, writer))
    seen.again = { writer:close() }
    seen.done = true
    ws:recv()
  end

  local forms = {
    ["with a thread"] = function(seen)
      return function(ws) return cut_close(ws, seen) end
    end,
    ["of the light form"] = function(seen)
      return { message = function() end, open = function(ws) return cut_close(ws, seen) end }
    end,
  }

  for name, form in pairs(forms) do
    it("has ended its message when its close is cut: " .. name, function()
      local seen = {}
      serve(websocket.handler(form(seen), OPTIONS), function(url)
        local ws = assert(websocket.connect(url))
        testing.settle_io(function() return seen.done end)
        assert.equal("ETIMEDOUT", seen.full.code)
        assert.equal("ETIMEDOUT", seen.first.code)
        assert.same({ true }, seen.again)
        local text, is_binary = ws:recv()
        assert.is_true(is_binary)
        assert.equal(0, #text % 2 ^ 16)
        ws:close()
        assert.equal(1000, ws.close_code)
      end)
    end)
  end
end)

-- -- Draft 76's last bytes ---------------------------------------------------------

describe("a handshake of draft 76 whose last bytes are not there", function()
  local HEAD = "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n"
    .. "Upgrade: WebSocket\r\nOrigin: https://example.com\r\n"
    .. "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\n"
    .. "Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n\r\n"

  --- body(stream, server, seen) with one that waits for them.
  local function half_open(body, opts)
    local seen = { log = {} }
    local options = { access_log = false, error_log = function(line)
      seen.log[#seen.log + 1] = line
    end }
    for name, value in pairs(opts or {}) do options[name] = value end
    local server = assert(wsgi.new("127.0.0.1:0", websocket.WebSocketWSGI(function(ws)
      seen.opened = true
      seen.text = ws:recv()
      seen.code = ws.close_code
    end), options)):start()
    local stream = assert(green.connect(server.host, server.port,
      { tls = opts and opts.tls and { verify = false } }))
    stream:write(HEAD, "^n:d")
    testing.settle_io()
    local ok, err = xpcall(body, debug.traceback, stream, server, seen)
    stream:close()
    server:stop { grace = 0, force_after = 1 }
    if not ok then error(err, 0) end
  end

  it("is ended by a stop whose grace is over", function()
    half_open(function(stream, server)
      assert.is_true(green.timeout(8, server.stop, server, { grace = 0.05, force_after = 8 }))
      assert.is_nil((stream:read_some()))
    end)
  end)

  it("is waited for by a stop until then, and told to go", function()
    half_open(function(stream, server, seen)
      local stopping = green.spawn(server.stop, server, { grace = 20 })
      testing.settle_io()
      assert.is_false(stopping:dead())
      stream:write "S47b\0late\255"
      assert.matches("^HTTP/1.1 101 ", (stream:read_until "\r\n\r\n"))
      testing.settle_io(function() return seen.code end)
      stream:write "\255\0"
      stream:close()
      assert.is_true(stopping:wait())
    end)
  end)

  it("comes to nothing when the peer goes, and to no line in the error log", function()
    half_open(function(stream, _, seen)
      stream:close()
      testing.settle_io()
      assert.equal(1, #seen.log) -- where it serves
      assert.is_nil(seen.opened)
    end)
  end)

  it("is one when they come, by TLS, too", function()
    for _, tls in ipairs { false, { cert = certs.path "a.pem", key = certs.path "a.key" } } do
      half_open(function(stream, _, seen)
        stream:write("S47b", "\0here\255")
        testing.settle_io(function() return seen.text end)
        assert.equal("here", seen.text)
        assert.matches("^HTTP/1.1 101 ", (stream:read_until "\r\n\r\n"))
        assert.equal(16, #stream:read(16))
      end, { tls = tls })
    end
  end)
end)

-- -- What is shared ------------------------------------------------------------------

describe("connections of the light form", function()
  it("share contexts, and no mistakes", function()
    serve(websocket.handler { message = function(ws, text) ws:send(text) end }, function(url)
      local text = ("packed"):rep(100)
      local one, other = assert(websocket.connect(url)), assert(websocket.connect(url))
      for _, broken in ipairs { "\255", "\7nothing", ("x"):rep(300) } do
        local bad = shake.open((url:gsub("^ws://", "")),
          { lines = { "Sec-WebSocket-Extensions: permessage-deflate" } })
        bad:send(kit.frame(kit.TEXT, broken, { rsv = 4 }))
        assert.equal("\3\239", bad:read().payload:sub(1, 2)) -- 1007
        bad.stream:close()
        for _, ws in ipairs { one, other } do
          assert(ws:send(text))
          assert.equal(text, (ws:recv(20)))
        end
      end
      one:close()
      other:close()
    end)
  end)

  it("are named when their opening raises", function()
    local log = {}
    local server = assert(wsgi.new("127.0.0.1:0", websocket.handler({
      open = function() error("on purpose", 0) end,
      message = function() end,
    }), { access_log = false, error_log = function(line) log[#log + 1] = line end })):start()
    local ws = assert(websocket.connect(server.url:gsub("^http", "ws") .. "/here?x=1"))
    assert.is_nil((ws:recv()))
    assert.equal(1011, ws.close_code)
    server:stop()
    assert.matches("GET /here: on purpose", table.concat(log, "\n"), 1, true)
  end)
end)
