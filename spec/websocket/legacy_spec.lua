-- Handshakes of the drafts: 75 and 76 without a version number, hybi-8 with one. They are
-- told apart by their headers, and spoken only if that is wanted.

local certs = require "spec.support.certs"
local green = require "green"
local handshake = require "green.websocket.handshake"
local testing = require "green.testing"
local web = require "spec.support.websocket"
local websocket = require "green.websocket"

local kit = dofile("spec/support/wsgi_kit.lua")
local _, it = testing.busted()

-- The example of draft-hixie-thewebsocketprotocol-76, 1.2.
local KEY1, KEY2 = "4 @1  46546xW%0l 1 5", "12998 5 Y3 1  .P00"
local BODY, ANSWER = "^n:ds[4U", "8jKS'y:G*Co,Wxa-"

local function options(opts)
  opts = opts or {}
  opts.legacy = true
  opts.origins = opts.origins or "*"
  return handshake.options(opts, "handler")
end

local function old_env(changes)
  local env = web.env_of {
    HTTP_SEC_WEBSOCKET_KEY = false,
    HTTP_SEC_WEBSOCKET_VERSION = false,
    HTTP_HOST = "example.com",
    HTTP_ORIGIN = "http://example.com",
    REQUEST_URI = "/demo",
  }
  for key, value in pairs(changes or {}) do
    env[key] = value or nil
  end
  return env
end

local function env_76(changes)
  local env = old_env { HTTP_SEC_WEBSOCKET_KEY1 = KEY1, HTTP_SEC_WEBSOCKET_KEY2 = KEY2 }
  for key, value in pairs(changes or {}) do
    env[key] = value or nil
  end
  return env
end

local function status_of(env, opts)
  local shake, refusal = handshake.read(env, options(opts))
  assert.is_nil(shake)
  assert.equal("close", refusal[2].Connection)
  assert.equal("text/plain", refusal[2]["Content-Type"])
  return refusal[1]
end

describe("draft 76", function()
  it("is answered as in the draft's own example [S19] [S50]", function()
    local shake = assert(handshake.read(env_76 { HTTP_SEC_WEBSOCKET_PROTOCOL = "sample" },
      options { protocols = { "sample" } }))
    assert.equal(76, shake.version)
    assert.equal(8, shake.wants)
    assert.equal("101 WebSocket Protocol Handshake", shake.status_line)
    assert.same({
      { "Upgrade", "WebSocket" }, { "Connection", "Upgrade" },
      { "Sec-WebSocket-Origin", "http://example.com" },
      { "Sec-WebSocket-Location", "ws://example.com/demo" },
      { "Sec-WebSocket-Protocol", "sample" },
    }, shake.headers)
    handshake.finish(shake, BODY)
    assert.equal(ANSWER, shake.body)
  end)

  it("has numbers up to four bytes", function()
    local function body_of(key1, key2)
      local shake = handshake.read(env_76 { HTTP_SEC_WEBSOCKET_KEY1 = key1,
        HTTP_SEC_WEBSOCKET_KEY2 = key2 }, options())
      if shake then
        handshake.finish(shake, BODY)
      end
      return shake and shake.body
    end
    local md5 = require("green.digest").md5
    assert.equal(md5("\255\255\255\255\0\0\0\0" .. BODY), body_of("4294967295 x", "0 x"))
    assert.equal(md5("\128\0\0\0\127\255\255\255" .. BODY), body_of("2147483648 x",
      "2147483647 x"))
    assert.is_nil(body_of("4294967296 x", "0 x"))
    assert.equal(md5("\0\0\0\1\0\0\0\1" .. BODY), body_of("a 2 b", "a 1b"))
  end)

  it("refuses keys that are none with 400 [S50]", function()
    assert.equal(400, status_of(env_76 { HTTP_SEC_WEBSOCKET_KEY2 = false }))
    assert.equal(400, status_of(env_76 { HTTP_SEC_WEBSOCKET_KEY1 = false }))
    -- Without digits, without blanks, a number that they do not divide, one that is too large.
    for _, key in ipairs { "", "x", "x x", "123", "1 23 x", "12 3 x 5", "9999999999999999 1" } do
      assert.equal(400, status_of(env_76 { HTTP_SEC_WEBSOCKET_KEY1 = key }), key)
      assert.equal(400, status_of(env_76 { HTTP_SEC_WEBSOCKET_KEY2 = key }), key)
    end
  end)

  it("may come by a proxy that counts what stands behind the head", function()
    assert(handshake.read(env_76 { CONTENT_LENGTH = "8" }, options()))
    assert.equal(400, status_of(env_76 { CONTENT_LENGTH = "9" }))
  end)
end)

describe("draft 75", function()
  it("is what has no keys [S49]", function()
    local shake = assert(handshake.read(old_env { HTTP_WEBSOCKET_PROTOCOL = "sample" },
      options { protocols = { "sample" } }))
    assert.equal(75, shake.version)
    assert.is_nil(shake.wants)
    assert.equal("101 Web Socket Protocol Handshake", shake.status_line)
    assert.same({
      { "Upgrade", "WebSocket" }, { "Connection", "Upgrade" },
      { "WebSocket-Origin", "http://example.com" },
      { "WebSocket-Location", "ws://example.com/demo" },
      { "WebSocket-Protocol", "sample" },
    }, shake.headers)
    assert.is_true(handshake.choose(shake, nil))
    assert.equal(4, #shake.headers)
  end)
end)

describe("both drafts", function()
  it("name the URL as it was asked for, query and all [S22] [S44]", function()
    for _, uri in ipairs { "/echo?x=1", "/echo?", "/", "/a%20b?c=%20", "/?/?" } do
      for _, env in ipairs { old_env { REQUEST_URI = uri }, env_76 { REQUEST_URI = uri } } do
        assert.equal("ws://example.com" .. uri, handshake.read(env, options()).headers[4][2])
        env["wsgi.url_scheme"] = "https"
        assert.equal("wss://example.com" .. uri, handshake.read(env, options()).headers[4][2])
      end
    end
    assert.equal("ws://example.com/x?y", handshake.read(old_env {
      REQUEST_URI = "http://example.com/x?y" }, options()).headers[4][2])
    assert.equal("ws://example.com/?y", handshake.read(old_env {
      REQUEST_URI = "http://example.com?y" }, options()).headers[4][2])
  end)

  it("must have an Origin, and one that may connect", function()
    for _, env in ipairs { old_env { HTTP_ORIGIN = false }, env_76 { HTTP_ORIGIN = false } } do
      assert.equal(400, status_of(env))
    end
    for _, env in ipairs { old_env { HTTP_ORIGIN = "http://x" }, env_76 { HTTP_ORIGIN =
      "http://x" } } do
      assert.equal(403, status_of(env, { origins = { "same" } }))
    end
  end)

  it("must be wanted", function()
    for _, env in ipairs { old_env(), env_76() } do
      local shake, refusal = handshake.read(env, handshake.options({}, "handler"))
      assert.is_nil(shake)
      assert.equal(400, refusal[1])
    end
  end)
end)

describe("draft 8", function()
  it("is answered as RFC 6455, if it is wanted [S51]", function()
    local env = web.env_of { HTTP_SEC_WEBSOCKET_VERSION = "8" }
    local shake = assert(handshake.read(env, options()))
    assert.equal(8, shake.version)
    assert.equal("101 Switching Protocols", shake.status_line)
    assert.same({ "Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" }, shake.headers[3])
    local _, refusal = handshake.read(env, handshake.options({}, "handler"))
    assert.equal(426, refusal[1])
  end)

  it("stands beside all the others on one port [S51]", function()
    local function version_of(env)
      return assert(handshake.read(env, options())).version
    end
    assert.equal(13, version_of(web.env_of()))
    assert.equal(8, version_of(web.env_of { HTTP_SEC_WEBSOCKET_VERSION = "8" }))
    assert.equal(76, version_of(env_76()))
    assert.equal(75, version_of(old_env()))
  end)
end)

describe("over a connection", function()
  --- The handler that a program would have, and what the log of its server says.
  local echo = websocket.WebSocketWSGI(function(ws)
    assert.is_true(ws.version ~= 13)
    while true do
      local text = ws:wait()
      if text == nil or text == "bye" then
        return
      end
      ws:send(ws.version .. ":" .. ws.path .. ":" .. text)
    end
  end, { protocols = { "sample" } })

  local function served(env)
    return echo(env)
  end

  local HEAD = "GET /demo?x=1 HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n"
    .. "Upgrade: WebSocket\r\nOrigin: http://example.com\r\n"
  local FRAMES = "\0hi\255" .. "\0\195\164\255" .. "\0bye\255"

  it("draft 76 has 8 bytes behind its head, and frames behind them [S19] [S44]", function()
    kit.with(served, function(client)
      local got = client:raw(HEAD .. "Sec-WebSocket-Key2: " .. KEY2 .. "\r\n"
        .. "Sec-WebSocket-Protocol: sample\r\nSec-WebSocket-Key1: " .. KEY1 .. "\r\n\r\n" .. BODY
        .. FRAMES)
      assert.equal("HTTP/1.1 101 WebSocket Protocol Handshake\r\nUpgrade: WebSocket\r\n"
        .. "Connection: Upgrade\r\nSec-WebSocket-Origin: http://example.com\r\n"
        .. "Sec-WebSocket-Location: ws://example.com/demo?x=1\r\n"
        .. "Sec-WebSocket-Protocol: sample\r\n\r\n" .. ANSWER
        .. "\00076:/demo:hi\255\00076:/demo:\195\164\255\255\0", got)
    end)
  end)

  it("draft 75 has frames at once [S49] [b137]", function()
    kit.with(served, function(client)
      assert.equal("HTTP/1.1 101 Web Socket Protocol Handshake\r\nUpgrade: WebSocket\r\n"
        .. "Connection: Upgrade\r\nWebSocket-Origin: http://example.com\r\n"
        .. "WebSocket-Location: ws://example.com/demo?x=1\r\n\r\n"
        .. "\00075:/demo:hi\255\00075:/demo:\195\164\255\255\0",
        client:raw(HEAD .. "\r\n" .. FRAMES))
    end)
  end)

  it("by TLS the location is one of wss [S22]", function()
    kit.with(served, { tls = { cert = certs.path "a.pem", key = certs.path "a.key" } },
      function(_, server)
        local conn = assert(green.connect(server.host, server.port, { tls = { verify = false } }))
        conn:write(HEAD:gsub("http:", "https:"), "\r\n", FRAMES)
        local got = conn:read_all()
        conn:close()
        assert.matches("\r\nWebSocket-Location: wss://example.com/demo?x=1\r\n", got, 1, true)
      end)
  end)

  it("what is malformed gets 400 and a close", function()
    kit.with(served, function(client)
      local status, headers, body = kit.parse(client:raw(HEAD .. "Sec-WebSocket-Key1: " .. KEY1
        .. "\r\n\r\n" .. BODY))
      assert.same({ 400, "close" }, { status, headers.connection })
      assert.truthy(body:find "^This is a WebSocket")
    end)
  end)
end)
