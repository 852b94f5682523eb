-- The server's side of the opening handshake: what is granted, and that everything else gets
-- its status and a close. RFC 6455, 4.2.

local handshake = require "green.websocket.handshake"
local testing = require "green.testing"
local web = require "spec.support.websocket"

local kit = dofile("spec/support/wsgi_kit.lua")
local _, it = testing.busted()

local env_of = web.env_of

local function options(opts)
  return handshake.options(opts or {}, "handler")
end

local function header_of(shake, name)
  local found
  for _, header in ipairs(shake.headers) do
    if header[1] == name then
      assert.is_nil(found)
      found = header[2]
    end
  end
  return found
end

--- The status that such a request is refused with, and the refusal.
local function refused(changes, opts)
  local shake, refusal = handshake.read(env_of(changes), options(opts))
  assert.is_nil(shake)
  return refusal[1], refusal
end

describe("green.websocket.handshake", function()
  it("grants RFC 6455's own example", function()
    local shake = handshake.read(env_of {
      REQUEST_URI = "/chat",
      HTTP_ORIGIN = "http://server.example.com",
      HTTP_SEC_WEBSOCKET_PROTOCOL = "chat, superchat",
    }, options { protocols = { "superchat", "chat" } })
    assert.equal(13, shake.version)
    assert.equal("101 Switching Protocols", shake.status_line)
    assert.equal("chat", shake.protocol) -- the first that the client names
    assert.same({ "chat", "superchat" }, shake.offered)
    assert.same({
      { "Upgrade", "websocket" }, { "Connection", "Upgrade" },
      { "Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" },
      { "Sec-WebSocket-Protocol", "chat" },
    }, shake.headers)
    assert.is_nil(shake.body)
    assert.is_nil(shake.wants)
  end)

  it("finds upgrade in a list of any case and order [b136]", function()
    for _, text in ipairs { "upgrade", "UPGRADE", "keep-alive, Upgrade", "Upgrade,keep-alive",
      "a ,\tuPgrade , b", ", Upgrade," } do
      assert(handshake.read(env_of { HTTP_CONNECTION = text }, options()), text)
    end
    for _, text in ipairs { "websocket", "WebSocket", "WEBSOCKET", "h2c, websocket" } do
      assert(handshake.read(env_of { HTTP_UPGRADE = text }, options()), text)
    end
  end)

  it("takes no sub-protocol that it does not know, and no name in another case", function()
    local shake = handshake.read(env_of { HTTP_SEC_WEBSOCKET_PROTOCOL = "a,Chat" },
      options { protocols = { "chat" } })
    assert.is_nil(shake.protocol)
    assert.is_nil(header_of(shake, "Sec-WebSocket-Protocol"))
    shake = handshake.read(env_of { HTTP_SEC_WEBSOCKET_PROTOCOL = "a, b" }, options())
    assert.is_nil(shake.protocol)
  end)

  it("lets accept choose another of those that the client has named", function()
    local shake = handshake.read(env_of { HTTP_SEC_WEBSOCKET_PROTOCOL = "a, b" },
      options { protocols = { "a" } })
    assert.is_true(handshake.choose(shake, "b"))
    assert.equal("b", header_of(shake, "Sec-WebSocket-Protocol"))
    assert.is_false(handshake.choose(shake, "c"))
    assert.equal("b", shake.protocol)
    assert.is_true(handshake.choose(shake, nil))
    assert.is_nil(header_of(shake, "Sec-WebSocket-Protocol"))
    assert.equal(3, #shake.headers)
  end)

  it("refuses what is no GET with 405", function()
    for _, method in ipairs { "POST", "HEAD", "PUT", "OPTIONS", "get" } do
      local status, refusal = refused { REQUEST_METHOD = method }
      assert.equal(405, status)
      assert.same({ Allow = "GET", Connection = "close", ["Content-Type"] = "text/plain" },
        refusal[2])
    end
  end)

  local malformed = {
    ["HTTP/1.0"] = { SERVER_PROTOCOL = "HTTP/1.0" },
    ["no Host"] = { HTTP_HOST = false },
    ["no Connection"] = { HTTP_CONNECTION = false },
    ["another Connection"] = { HTTP_CONNECTION = "keep-alive, upgrades" },
    ["no Upgrade"] = { HTTP_UPGRADE = false },
    ["another Upgrade"] = { HTTP_UPGRADE = "websocket2, h2c" },
    ["no key"] = { HTTP_SEC_WEBSOCKET_KEY = false },
    ["an empty key"] = { HTTP_SEC_WEBSOCKET_KEY = "" },
    ["a key of 15 bytes"] = { HTTP_SEC_WEBSOCKET_KEY = "AAAAAAAAAAAAAAAAAAAA" },
    ["a key of 17 bytes"] = { HTTP_SEC_WEBSOCKET_KEY = "AAAAAAAAAAAAAAAAAAAAAAA=" },
    ["a key of 18 bytes"] = { HTTP_SEC_WEBSOCKET_KEY = "AAAAAAAAAAAAAAAAAAAAAAAA" },
    ["a key that is no base64"] = { HTTP_SEC_WEBSOCKET_KEY = "AAAAAAAAAAA-AAAAAAAAAA==" },
    ["two keys"] = { HTTP_SEC_WEBSOCKET_KEY =
      "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==" },
    ["no version"] = { HTTP_SEC_WEBSOCKET_VERSION = false },
    ["a version that is no number"] = { HTTP_SEC_WEBSOCKET_VERSION = "thirteen" },
    ["a version with a sign"] = { HTTP_SEC_WEBSOCKET_VERSION = "+13" },
    ["two versions"] = { HTTP_SEC_WEBSOCKET_VERSION = "13, 8" },
    ["a sub-protocol that is no token"] = { HTTP_SEC_WEBSOCKET_PROTOCOL = "chat, su per" },
    ["a sub-protocol twice"] = { HTTP_SEC_WEBSOCKET_PROTOCOL = "chat, chat" },
    ["extensions that are none"] = { HTTP_SEC_WEBSOCKET_EXTENSIONS = "permessage-deflate; ;" },
    ["a body"] = { CONTENT_LENGTH = "5" },
    ["a body in chunks"] = { HTTP_TRANSFER_ENCODING = "chunked" },
    ["draft 76's keys without a version"] = { HTTP_SEC_WEBSOCKET_KEY = false,
      HTTP_SEC_WEBSOCKET_VERSION = false, HTTP_SEC_WEBSOCKET_KEY1 = "1 2",
      HTTP_SEC_WEBSOCKET_KEY2 = "1 2" },
  }
  for what, changes in pairs(malformed) do
    it("refuses " .. what .. " with 400, a close and a word about it [136]", function()
      local status, refusal = refused(changes)
      assert.equal(400, status)
      assert.same({ Connection = "close", ["Content-Type"] = "text/plain" }, refusal[2])
      assert.truthy(refusal[3]:find "^This is a WebSocket")
    end)
  end

  it("refuses an unknown version with 426 and the list of those it speaks [S53]", function()
    for _, version in ipairs { "0", "7", "8", "12", "14", "255", "999" } do
      local status, refusal = refused { HTTP_SEC_WEBSOCKET_VERSION = version }
      assert.equal(426, status)
      assert.same({ Connection = "upgrade, close", Upgrade = "websocket",
        ["Sec-WebSocket-Version"] = "13", ["Content-Type"] = "text/plain" }, refusal[2])
    end
    local _, refusal = refused({ HTTP_SEC_WEBSOCKET_VERSION = "7" }, { legacy = true })
    assert.equal("13, 8", refusal[2]["Sec-WebSocket-Version"])
  end)

  it("has an answer to whatever comes, and only to what is right the good one", function()
    local good, bytes = 0, { "", " ", ",", ";", "=", '"', "\0", "\255", "13", "-", "websocket" }
    local keys = {}
    for key in pairs(env_of { HTTP_ORIGIN = "x", HTTP_SEC_WEBSOCKET_PROTOCOL = "x",
      HTTP_SEC_WEBSOCKET_EXTENSIONS = "x", HTTP_SEC_WEBSOCKET_KEY1 = "x",
      HTTP_SEC_WEBSOCKET_KEY2 = "x", CONTENT_LENGTH = "0" }) do
      keys[#keys + 1] = key
    end
    table.sort(keys)
    local opts = { options(), options { legacy = true, origins = "*", protocols = { "a" } } }
    for _ = 1, 5000 do
      local env = env_of {}
      for _ = 1, math.random(3) do
        local key = keys[math.random(#keys)]
        local value = env[key] or "permessage-deflate; client_max_window_bits, chat"
        local at = math.random(#value + 1)
        env[key] = value:sub(1, at - 1) .. bytes[math.random(#bytes)]
          .. value:sub(at + math.random(0, 3))
      end
      local shake, refusal = handshake.read(env, opts[math.random(2)])
      if shake then
        good = good + 1
        assert.equal("101", shake.status_line:sub(1, 3))
      else
        assert.truthy(("400 403 405 426"):find(tostring(refusal[1]), 1, true))
        assert.matches("close", refusal[2].Connection)
        assert.matches("^[TN].+%.\n$", refusal[3])
      end
    end
    assert.is_true(good > 0 and good < 5000)
  end)

  it("is not confused by a body of no bytes", function()
    assert(handshake.read(env_of { CONTENT_LENGTH = "0" }, options()))
  end)

  it("wants options that make sense", function()
    assert.has_error(function() options { legacy = 1 } end)
    assert.has_error(function() options { protocols = "chat" } end)
    assert.has_error(function() options { protocols = { "a b" } } end)
    assert.has_error(function() options { protocols = { "" } } end)
  end)
end)

describe("a refused handshake", function()
  local function app(env)
    local shake, refusal = handshake.read(env, options())
    if shake then
      return 200, nil, "granted"
    end
    return unpack(refusal)
  end

  local function ask(client, changes, method)
    return kit.parse(client:raw(web.request(changes, method)))
  end

  it("ends the connection, whatever stands behind it", function()
    kit.with(app, function(client)
      local status, headers, body = ask(client, { ["Sec-WebSocket-Key"] = false })
      assert.same({ 400, "close" }, { status, headers.connection })
      assert.truthy(body:find "^This is a WebSocket")
      status, headers, body = ask(client, { Upgrade = false })
      assert.same({ 400, "close" }, { status, headers.connection })
      assert.truthy(body:find "^This is a WebSocket")
      status, headers = ask(client, {}, "POST")
      assert.same({ 405, "GET" }, { status, headers.allow })
      status, headers = ask(client, { Origin = "http://evil.example" })
      assert.same({ 403, "close" }, { status, headers.connection })
      status = ask(client, { Connection = "upgrade, close" })
      assert.equal(200, status)
    end)
  end)

  it("says both what the connection could become and that it ends", function()
    kit.with(app, function(client)
      local status, headers = ask(client, { ["Sec-WebSocket-Version"] = "12" })
      assert.equal(426, status)
      assert.equal("websocket", headers.upgrade)
      assert.equal("13", headers["sec-websocket-version"])
      assert.equal("upgrade, close", headers.connection)
    end)
  end)
end)
