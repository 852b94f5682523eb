-- Listeners whose connections speak TLS; the handshake is the connection's affair.
local green = require "green"
local testing = require "green.testing"
local tls = require "green.tls"
local wsgi = require "green.wsgi"

local certs = require "spec.support.certs"
local kit = require "spec.support.tls_kit"
local virtual_it, it = testing.busted()
local fails = kit.fails

local function listen(more)
  local l = assert(green.listen("127.0.0.1:0", { tls = certs.server("a", more) }))
  return l, select(2, l:sockname())
end

local function connect(port)
  return green.connect("127.0.0.1", port, { timeout = 20, tls = certs.client "a.test" })
end

--- Run body(port) beside green.serve with that listener.
local function with_server(l, handler, body, opts)
  local server = green.spawn(green.serve, l, handler, opts)
  local ok, err = pcall(body, select(2, l:sockname()))
  l:close()
  server:wait()
  if not ok then
    error(err, 0)
  end
end

describe("a listener with tls", function()
  it("accepts at once; the first read does the handshake", function()
    local l, port = listen()
    local client = green.spawn(connect, port)
    local conn, address = assert(l:accept())
    assert.equal("127.0.0.1", address.host)
    assert.matches("in its handshake", tostring(conn))
    fails("EAGAIN", "handshake() does it", conn:info())
    fails("EAGAIN", "handshake() does it", conn:peer_certificate())
    local reader = green.spawn(conn.read, conn, 5)
    local peer = assert(client:wait())
    peer:write "hello"
    assert.equal("hello", reader:wait())
    assert.equal("a.test", conn:info().server_name)
    peer:close()
    conn:close()
    l:close()
  end)

  it("has connections whose first write does it, or their handshake()", function()
    local l, port = listen()
    for _, first in ipairs { "write", "handshake" } do
      local client = green.spawn(connect, port)
      local conn = assert(l:accept())
      if first == "handshake" then
        assert.is_true(conn:handshake())
        assert.is_true(conn:handshake()) -- again: nothing
        assert.equal("TLSv1.3", conn:info().version)
      end
      assert(conn:write "hello")
      local peer = assert(client:wait())
      assert.equal("hello", peer:read(5))
      assert.is_true(peer:handshake())
      peer:close()
      conn:close()
    end
    l:close()
  end)

  it("lets a reader, a writer and others come before the handshake is done", function()
    local l, port = listen()
    local raw = assert(green.connect("127.0.0.1", port))
    local conn = assert(l:accept())
    local reader = green.spawn(conn.read, conn, 5)
    local writer = green.spawn(conn.write, conn, "there")
    local others = { green.spawn(conn.handshake, conn), green.spawn(conn.handshake, conn) }
    local killed = green.spawn(conn.handshake, conn)
    testing.settle_io()
    reader:kill() -- who drove it: another goes on
    killed:kill()
    reader = green.spawn(conn.read, conn, 5)
    local peer = assert(tls.client(raw, certs.client "a.test"))
    for _, t in ipairs(others) do
      assert.is_true(t:wait())
    end
    assert.is_true(writer:wait())
    assert.equal("there", peer:read(5))
    peer:write "hello"
    assert.equal("hello", reader:wait())
    peer:close()
    conn:close()
    l:close()
  end)

  it("is not delayed by clients that are silent [b91]", function()
    local l, port = listen()
    local silent, threads = {}, {}
    for i = 1, 20 do
      silent[i] = assert(green.connect("127.0.0.1", port))
    end
    local server = green.spawn(function()
      for i = 1, 21 do
        local conn = assert(l:accept())
        threads[i] = green.spawn(function()
          conn:write(conn:read_line() or "", "\n")
          conn:close()
        end)
      end
    end)
    local conn = assert(connect(port))
    conn:write "I am not\n"
    assert.equal("I am not", conn:read_line())
    conn:close()
    for _, one in ipairs(silent) do
      one:close()
    end
    server:wait()
    for _, t in ipairs(threads) do
      t:wait()
    end
    l:close()
  end)

  it("gives a handshake its own time, whatever a call's is", function()
    local l, port = listen { timeout = 0.05 }
    local silent = assert(green.connect("127.0.0.1", port))
    local conn = assert(l:accept())
    fails("ETIMEDOUT", "", conn:read_some(1, { timeout = 0.001 })) -- may be tried again
    fails("EAGAIN", "", conn:read_some(1, { timeout = 0 }))
    fails("EAGAIN", "", conn:handshake { timeout = 0 })
    fails("EAGAIN", "", conn:write("x", { timeout = 0 }))
    fails("ETIMEDOUT", "too slow in its TLS handshake: 0.05 s are over", conn:read_line())
    fails("ETIMEDOUT", "too slow", conn:handshake())
    fails("ETIMEDOUT", "too slow", conn:write "x")
    conn:close()
    silent:close()
    l:close()
  end)

  it("says why there was no TLS, to each call", function()
    local l, port = listen()
    local plain = assert(green.connect("127.0.0.1", port))
    plain:write "GET / HTTP/1.1\r\n\r\n"
    local conn = assert(l:accept())
    for _ = 1, 2 do
      fails("ETLSPLAIN", "it sent a plain HTTP request", conn:read_line())
      fails("ETLSPLAIN", "it sent a plain HTTP request", conn:write "x")
      fails("ETLSPLAIN", "it sent a plain HTTP request", conn:handshake())
    end
    conn:close()
    plain:close()
    l:close()
  end)

  it("goes with what listeners can", function()
    local l = listen { timeout = 7 }
    assert.equal("127.0.0.1", (l:sockname()))
    assert.matches("^green.tls.listener", tostring(l))
    assert.is_number(l:fileno())
    fails("EAGAIN", "", l:accept { timeout = 0 })
    l:settimeout(0.001)
    fails("ETIMEDOUT", "", l:accept())
    assert.equal(0.001, l:gettimeout())
    l:settimeout(nil)
    local t = green.spawn(l.accept, l)
    testing.settle_io()
    l:close()
    fails("ECLOSED", "", t:wait())
    l:close()
    assert.matches("closed", tostring(l))
    fails("ECLOSED", "", l:accept())
    local path = os.tmpname()
    os.remove(path)
    local u = assert(green.listen("unix:" .. path, { tls = certs.server "a" }))
    local client = green.spawn(green.connect, "unix:" .. path, { tls = certs.client "a.test" })
    local conn = assert(u:accept())
    assert.is_true(conn:handshake())
    client:wait():close()
    conn:close()
    u:close()
    os.remove(path)
  end)

  it("takes a context itself, as serve and connect do", function()
    local context = assert(tls.context(certs.server("a", { server = true })))
    local clients = assert(tls.context(certs.client(nil)))
    local l = assert(green.listen("127.0.0.1:0", { tls = context }))
    local plain = assert(green.listen("127.0.0.1:0", { tls = false }))
    local function greet(conn)
      conn:write "hi"
    end
    local function greeted(port)
      local conn = assert(green.connect("127.0.0.1", port, { tls = clients }))
      assert.equal("hi", conn:read_all())
      conn:close()
    end
    with_server(l, greet, greeted)
    with_server(plain, greet, greeted, { tls = context })
    local ok, err = pcall(green.listen, "127.0.0.1:0", { tls = clients })
    assert.is_false(ok)
    assert.truthy(tostring(err):find("listen: tls: the context is for clients", 1, true),
      tostring(err))
  end)

  it("is made by wrap_ssl, too, of one that listens", function()
    local l = assert(tls.wrap_ssl(assert(green.listen "127.0.0.1:0"), { server_side = true,
      certfile = certs.path "a.pem", keyfile = certs.path "a.key" }))
    with_server(l, function(conn)
      conn:write "hi"
    end, function(port)
      local conn = assert(connect(port))
      assert.equal("hi", conn:read_all())
      conn:close()
    end)
  end)

  it("does not begin where its certificate cannot be used, nor take a port", function()
    local probe = assert(green.listen "127.0.0.1:0")
    local _, port = probe:sockname()
    probe:close()
    fails("ENOENT", "/nowhere.pem", green.listen("127.0.0.1", port,
      { tls = { cert = "/nowhere.pem" } }))
    green.listen("127.0.0.1", port):close()
  end)

  virtual_it("tells mistakes with the caller's line", function()
    local cert = { cert = certs.path "a.pem", key = certs.path "a.key" }
    local l = assert(green.listen("127.0.0.1:0", { tls = cert }))
    for text, fn in pairs {
      ["listen: tls must be a table, not true"] = function()
        green.listen("127.0.0.1:0", { tls = true })
      end,
      ["listen: tls must be a table with a cert or a context"] = function()
        green.listen("127.0.0.1:0", { tls = {} })
      end,
      ["listen: tls: unknown option 'certt'; did you mean 'cert'?"] = function()
        green.listen("127.0.0.1:0", { tls = { certt = "x" } })
      end,
      ["serve: tls must be left out: the listener has its own"] = function()
        green.serve(l, print, { tls = cert })
      end,
      ["wsgi.server: tls must be left out: the listener has its own"] = function()
        wsgi.server(l, print, { tls = cert })
      end,
      ["tls.server: stream must be a connection, not a listener"] = function()
        local plain = assert(green.listen "127.0.0.1:0")
        local ok, err = pcall(tls.server, plain, cert)
        plain:close()
        error(ok and "no error" or err, 0)
      end,
      ["tls.client: stream must be a stream"] = function()
        tls.client(l, certs.client "a.test")
      end,
    } do
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.truthy(tostring(err):find(text, 1, true), tostring(err))
      assert.truthy(tostring(err):find("listen_spec.lua:", 1, true), tostring(err))
    end
    l:close()
  end)
end)

describe("green.serve on such a listener", function()
  it("calls the handler when the handshake is done", function()
    local l = listen()
    with_server(l, function(conn)
      conn:write(conn:info().version, "\n")
    end, function(port)
      local conn = assert(connect(port))
      assert.equal("TLSv1.3", conn:read_line())
      conn:close()
    end)
  end)

  it("calls none for clients that fail, and tells who wants to know", function()
    local told = {}
    local l = listen { timeout = 0.05, on_failure = function(err, address)
      told[#told + 1] = err.code .. " " .. address.host
    end }
    with_server(l, function()
      told[#told + 1] = "called"
    end, function(port)
      local silent = assert(green.connect("127.0.0.1", port))
      assert.is_nil((silent:read_some())) -- it was closed
      silent:close()
      local plain = assert(green.connect("127.0.0.1", port))
      plain:write "hello, is this plain?\n"
      plain:read_all()
      plain:close()
      testing.settle_io(function() return #told == 2 end)
    end)
    assert.same({ "ETIMEDOUT 127.0.0.1", "ETLSPLAIN 127.0.0.1" }, told)
  end)
end)

describe("an HTTP server on such a listener", function()
  it("speaks HTTPS", function()
    local l, port = listen()
    local server = assert(wsgi.new(l, function(env)
      return 200, nil, env["wsgi.url_scheme"] .. " " .. env.SSL_PROTOCOL
    end))
    local t = green.spawn(server.serve_forever, server)
    local conn = assert(connect(port))
    conn:write "GET / HTTP/1.0\r\n\r\n"
    assert.matches("https TLSv1.3$", conn:read_all())
    conn:close()
    server:stop()
    t:wait()
  end)
end)
