-- The client's side of the opening handshake: what is asked, what is taken for an answer, and
-- what is told of all else.

local certs = require "spec.support.certs"
local client = require "green.websocket.client"
local digest = require "green.digest"
local green = require "green"
local http = require "green.http"
local testing = require "green.testing"
local web = require "spec.support.websocket"

local peers = dofile("spec/support/http_client.lua")
local _, it_real = testing.busted()
local it = peers.its(it_real)

--- Shake hands; the stream, and what was agreed, or nil, err.
local function open(url, opts)
  return client.open(url, client.plan(opts, "connect"), "connect")
end

--- A server that grants what it is asked, with changes, and keeps the heads.
local function granting(changes, heads, more)
  return function(conn)
    local head = peers.read_head(conn)
    heads[#heads + 1] = head
    conn:write(web.granting(head, changes), more or "")
    conn:read_all()
  end
end

local function ws_url(server, path)
  return "ws://127.0.0.1:" .. server.port .. (path or "/")
end

--- The handshake's head, when a client with these options connects.
local function head_of(serve, opts, path)
  local heads = {}
  local stream = assert(open(ws_url(serve(granting({}, heads)), path), opts))
  stream:close()
  return heads[1]
end

--- What is told when a server does that with each connection.
local function fails(serve, fn, opts)
  local server = serve(fn)
  local stream, err = open(ws_url(server, "/chat?a=b"), opts)
  assert.is_nil(stream)
  assert.equal(("ws://127.0.0.1:%d/chat?a=b"):format(server.port), err.url)
  assert.matches("^connect ws://127", tostring(err))
  return err
end

describe("a websocket's client asks", function()
  it("as RFC 6455 says, and with no more than that", function(serve)
    local head = head_of(serve, { compression = false }, "/chat?a=b")
    assert.matches("^GET /chat%?a=b HTTP/1%.1\r\nHost: 127%.0%.0%.1:%d+\r\n", head)
    assert.equal("websocket", web.field(head, "Upgrade"))
    assert.equal("Upgrade", web.field(head, "Connection"))
    assert.equal("13", web.field(head, "Sec-WebSocket-Version"))
    assert.equal(16, #digest.unbase64(web.field(head, "Sec-WebSocket-Key")))
    for _, name in ipairs { "Accept", "Accept-Encoding", "Origin", "Sec-WebSocket-Protocol",
      "Sec-WebSocket-Extensions", "Content-Length", "Cookie", "Authorization" } do
      assert.is_nil(web.field(head, name), name)
    end
  end)

  it("with another key each time", function(serve)
    assert.not_equal(web.field(head_of(serve), "Sec-WebSocket-Key"),
      web.field(head_of(serve), "Sec-WebSocket-Key"))
  end)

  it("with what the options say", function(serve)
    local head = head_of(serve, {
      origin = "http://example.com",
      protocols = { "chat.v2", "chat" },
      headers = { ["X-Own"] = "1", { "X-Two", "2" }, ["User-Agent"] = false },
      cookies = { a = "b" },
      auth = { "user", "secret" },
      params = { token = "x y" },
    }, "/p?q=1")
    assert.matches("^GET /p%?q=1&token=x%+y HTTP", head)
    assert.equal("http://example.com", web.field(head, "Origin"))
    assert.equal("chat.v2, chat", web.field(head, "Sec-WebSocket-Protocol"))
    assert.equal("1", web.field(head, "X-Own"))
    assert.equal("2", web.field(head, "X-Two"))
    assert.is_nil(web.field(head, "User-Agent"))
    assert.equal("a=b", web.field(head, "Cookie"))
    assert.equal("Basic dXNlcjpzZWNyZXQ=", web.field(head, "Authorization"))
    assert.equal("permessage-deflate; client_max_window_bits",
      web.field(head, "Sec-WebSocket-Extensions"))
  end)

  it("under its schemes and those of HTTP", function(serve)
    local heads = {}
    local server = serve(granting({}, heads))
    for _, scheme in ipairs { "ws", "WS", "http" } do
      local stream, answer = open(scheme .. "://127.0.0.1:" .. server.port .. "/x")
      assert(stream, answer)
      stream:close()
      assert.equal("ws://127.0.0.1:" .. server.port .. "/x", answer.target.shown)
    end
    local stream = assert(open(require("green.url").parse(ws_url(server))))
    stream:close()
  end)

  it("for no URL that is none, and shows no password", function()
    for _, text in ipairs { "ftp://a/", "a", "//a/", "ws://", "ws://a/#part", "ws://u:hush@a:0/",
      "ftp://u:hush@a/", "wss://u:hush@a b/", "http://u:hush@a/#x" } do
      local stream, err = open(text)
      assert.is_nil(stream)
      assert.equal("EINVAL", err.code, text)
      assert.equal("url", err.phase)
      assert.is_nil(tostring(err):find("hush", 1, true), tostring(err))
      assert.is_nil((err.url or ""):find("hush", 1, true))
    end
  end)

  it("with credentials of the URL, which are not shown", function(serve)
    local heads = {}
    local server = serve(granting({}, heads))
    local stream, answer = open("ws://u:hush@127.0.0.1:" .. server.port .. "/")
    stream:close()
    assert.equal("Basic dTpodXNo", web.field(heads[1], "Authorization"))
    assert.is_nil(answer.target.shown:find("hush", 1, true))
  end)
end)

describe("a websocket's client takes", function()
  it("an answer that grants it, with the frames behind it", function(serve)
    local heads = {}
    local server = serve(granting({
      Upgrade = "WebSocket", Connection = "keep-alive, upgrade",
      ["Sec-WebSocket-Protocol"] = "b",
      ["Sec-WebSocket-Extensions"] = "permessage-deflate; server_no_context_takeover",
      ["X-More"] = "yes",
    }, heads, "\129\2hi"))
    local stream, answer = assert(open(ws_url(server), { protocols = { "a", "b" } }))
    assert.equal("b", answer.protocol)
    assert.same({ server_no_takeover = true, client_no_takeover = false, server_bits = 15,
      client_bits = 15 }, answer.offer)
    assert.equal("yes", answer.headers.x_more)
    assert.equal("\129\2hi", stream:read(4))
    stream:close()
  end)

  it("no sub-protocol and no compression where the server wants none", function(serve)
    local stream, answer = assert(open(ws_url(serve(granting({}, {}))), { protocols = { "a" } }))
    assert.is_nil(answer.protocol)
    assert.is_nil(answer.offer)
    stream:close()
  end)

  local faults = {
    ["no Upgrade"] = { { Upgrade = false }, "Upgrade" },
    ["another Upgrade"] = { { Upgrade = "h2c" }, "Upgrade" },
    ["a list in Upgrade"] = { { Upgrade = "websocket, h2c" }, "Upgrade" },
    ["no Connection"] = { { Connection = false }, "Connection" },
    ["another Connection"] = { { Connection = "close" }, "Connection" },
    ["no Sec-WebSocket-Accept"] = { { ["Sec-WebSocket-Accept"] = false }, "Accept" },
    ["another Sec-WebSocket-Accept"] = { { ["Sec-WebSocket-Accept"] = web.accept_of "x" },
      "Accept" },
    ["two of Sec-WebSocket-Accept"] = { { ["Sec-WebSocket-Accept"] = { "x", "y" } }, "Accept" },
    ["a sub-protocol that was not asked for"] = { { ["Sec-WebSocket-Protocol"] = "c" },
      "sub-protocol" },
    ["a sub-protocol in other letters"] = { { ["Sec-WebSocket-Protocol"] = "A" },
      "sub-protocol" },
    ["an empty sub-protocol"] = { { ["Sec-WebSocket-Protocol"] = "" }, "sub-protocol" },
    ["two sub-protocols"] = { { ["Sec-WebSocket-Protocol"] = { "a", "b" } }, "sub-protocol" },
    ["a list of sub-protocols"] = { { ["Sec-WebSocket-Protocol"] = "a, b" }, "sub-protocol" },
    ["an extension that was not offered"] = { { ["Sec-WebSocket-Extensions"] = "x" },
      "extensions" },
    ["an extension twice"] = { { ["Sec-WebSocket-Extensions"] = { "permessage-deflate",
      "permessage-deflate" } }, "extensions" },
    ["parameters that there are not"] = { { ["Sec-WebSocket-Extensions"] =
      "permessage-deflate; client_max_window_bits=7" }, "extensions" },
  }
  for what, fault in pairs(faults) do
    it("no answer with " .. what .. ", and closes", function(serve)
      local ended
      local err = fails(serve, function(conn)
        conn:write(web.granting(peers.read_head(conn), fault[1]))
        ended = (conn:read_all() or "") == ""
      end, { protocols = { "a", "b" } })
      assert.equal("EPROTO", err.code)
      assert.equal("handshake", err.phase)
      assert.equal(101, err.status)
      assert.matches(fault[2], err.message, 1, true)
      testing.settle_io(function() return ended ~= nil end)
      assert.is_true(ended)
    end)
  end

  it("no compression that it has not offered", function(serve)
    local err = fails(serve, granting({ ["Sec-WebSocket-Extensions"] = "permessage-deflate" }, {}),
      { compression = false })
    assert.equal("EPROTO", err.code)
  end)
end)

describe("a websocket's client tells", function()
  it("the status of a refusal, and how its body begins", function(serve)
    local server = serve(peers.answers("HTTP/1.1 403 Go away\r\nX-Why: you\r\nContent-Length: 5000"
      .. "\r\n\r\nbecause" .. ("."):rep(4993)))
    local stream, err = open(ws_url(server))
    assert.is_nil(stream)
    assert.equal("EHTTPSTATUS", err.code)
    assert.equal("status", err.phase)
    assert.same({ 403, "Go away", "you" }, { err.status, err.reason, err.headers.x_why })
    assert.equal(1024, #err.body)
    assert.matches("^because%.", err.body)
    assert.matches("the server answered 403 Go away", tostring(err), 1, true)
  end)

  it("that of a server that knows nothing of websockets", function(serve)
    local err = fails(serve, peers.answers "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    assert.same({ "EHTTPSTATUS", 200, "hi" }, { err.code, err.status, err.body })
    err = fails(serve, peers.answers("HTTP/1.1 426 Upgrade Required\r\n"
      .. "Sec-WebSocket-Version: 8\r\nContent-Length: 0\r\n\r\n"))
    assert.same({ 426, "8", "" }, { err.status, err.headers.sec_websocket_version, err.body })
  end)

  it("how far it came, and why not farther", function(serve)
    local err = fails(serve, function(conn) conn:close() end)
    assert.truthy(err.code == "EEOF" or err.code == "ECONNRESET", err.code)
    assert.equal("head", err.phase)
    err = fails(serve, peers.answers "What?\r\n\r\n")
    assert.same({ "EPROTO", "head" }, { err.code, err.phase })
    local port = serve(function() end)
    port.close()
    local _, refused = open(ws_url(port))
    assert.same({ "ECONNREFUSED", "connect" }, { refused.code, refused.phase })
    assert.equal("ECONNREFUSED", refused.cause.code)
    local _, stranger = open(ws_url(port), { allow = "public" })
    assert.same({ "EACCES", "connect" }, { stranger.code, stranger.phase })
    local _, unknown = open("ws://nobody.invalid/")
    assert.equal("resolve", unknown.phase)
  end)

  it("where a redirect leads, and follows it only if told to", function(serve)
    local heads = {}
    local target = serve(granting({}, heads))
    local server = serve(peers.answers("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:"
      .. target.port .. "/there\r\nContent-Length: 0\r\n\r\n"))
    local stream, err = open(ws_url(server))
    assert.is_nil(stream)
    assert.same({ "EHTTPSTATUS", 302 }, { err.code, err.status })
    assert.matches("/there$", err.headers.location)
    stream = assert(open(ws_url(server), { redirects = 1 }))
    stream:close()
    assert.matches("^GET /there ", heads[1])
  end)
end)

describe("a websocket's client goes", function()
  it("over TLS, whose failures have their phase", function()
    local listener = assert(green.listen("127.0.0.1:0", { tls = { cert = certs.path "a.pem",
      key = certs.path "a.key" } }))
    local server = green.spawn(green.serve, listener, granting({}, {}, "x"))
    local url = "wss://127.0.0.1:" .. select(2, listener:sockname()) .. "/"
    local stream, answer = open(url, { tls = { ca = certs.path "ca.pem" } })
    assert(stream, answer)
    assert.equal("x", stream:read(1))
    stream:close()
    local none, err = open(url)
    assert.is_nil(none)
    assert.same({ "ECERTUNKNOWN", "tls", url }, { err.code, err.phase, err.url })
    listener:close()
    server:kill()
    testing.settle_io()
  end)

  it("over a UNIX socket", function()
    local path = os.tmpname()
    os.remove(path)
    local listener = assert(green.listen("unix:" .. path))
    local server = green.spawn(green.serve, listener, granting({}, {}))
    local stream = assert(open("ws://localhost/", { unix = path }))
    stream:close()
    listener:close()
    server:kill()
    os.remove(path)
    testing.settle_io()
  end)

  it("through a proxy, by a tunnel", function(serve)
    local heads = {}
    local proxy = serve(function(conn)
      heads[1] = peers.read_head(conn)
      conn:write("HTTP/1.1 200 Connected\r\n\r\n")
      granting({}, heads)(conn)
    end)
    local stream = assert(open("ws://elsewhere.test/x", { proxy = proxy.url }))
    stream:close()
    assert.matches("^CONNECT elsewhere%.test:80 ", heads[1])
    assert.matches("^GET /x ", heads[2])
    local none, err = open("ws://elsewhere.test/x", {
      proxy = serve(peers.answers "HTTP/1.1 403 No\r\n\r\n").url })
    assert.is_nil(none)
    assert.same({ "EACCES", "proxy", "ws://elsewhere.test/x" }, { err.code, err.phase, err.url })
  end)

  it("with a session's cookies, and brings them home", function(serve, session)
    session.cookies = http.cookies()
    local heads = {}
    local server = serve(granting({ ["Set-Cookie"] = "a=1; Path=/" }, heads))
    for _ = 1, 2 do
      local stream = assert(open(ws_url(server), { session = session }))
      stream:close()
    end
    assert.is_nil(web.field(heads[1], "Cookie"))
    assert.equal("a=1", web.field(heads[2], "Cookie"))
    assert.same({ open = 0, idle = 0, waiting = 0 }, session:stats())
  end)

  it("again with credentials if the server asks for them", function(serve)
    local heads = {}
    local server = serve(function(conn)
      heads[#heads + 1] = peers.read_head(conn)
      if not web.field(heads[#heads], "Authorization") then
        conn:write('HTTP/1.1 401 Who?\r\nWWW-Authenticate: Digest realm="r", nonce="n", '
          .. 'qop="auth"\r\nContent-Length: 0\r\n\r\n')
        heads[#heads + 1] = peers.read_head(conn)
      end
      conn:write(web.granting(heads[#heads]))
      conn:read_all()
    end)
    local stream = assert(open(ws_url(server), { auth = http.auth.digest("u", "p") }))
    stream:close()
    assert.matches("^Digest ", web.field(heads[2], "Authorization"))
  end)
end)

describe("options of a websocket's client", function()
  it("raise when they make no sense, before anything is sent", function()
    local function says(opts, pattern)
      local ok, err = pcall(client.plan, opts, "connect")
      assert.is_false(ok)
      assert.truthy(tostring(err):find(pattern, 1, true), tostring(err))
    end
    says({ protocol = "x" }, "connect: unknown option 'protocol'; did you mean 'protocols'?")
    says({ protocols = "x" }, "protocols must be a list")
    says({ protocols = { "a b" } }, "protocols[1] must be a sub-protocol's name")
    says({ protocols = { "a", "a" } }, "protocols has \"a\" twice")
    says({ origin = 1 }, "origin must be a string")
    says({ headers = { Upgrade = "x" } }, "the header Upgrade is the library's own")
    says({ headers = { { "sec-websocket-key", "x" } } }, "is the library's own")
    says({ headers = "x" }, "headers must be a table")
    says({ session = {} }, "session must be what http.session gave")
    says({ compression = 1 }, "compression must be true, false or a table")
    says({ headers = { ["X-A"] = "a\r\nb: c" } }, "connect: the header X-A must not have CR")
    says({ origin = "a\r\nb: c" }, "connect: the header Origin must not have CR")
    says({ timeout = "5" }, "connect: timeout must be a number of seconds")
    says({ redirects = "5" }, "connect: redirects must be a number")
    says({ max_message = 0 }, "connect: option 'max_message' must be bytes")
    says({ body = "x" }, "unknown option 'body'")
    says({ upgrade = "x" }, "unknown option 'upgrade'")
  end)
end)
