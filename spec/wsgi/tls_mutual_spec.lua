-- HTTPS where clients show who they are: what env tells of that, and whom it counts for.
local testing = require "green.testing"
local tls = require "green.tls"

local certs = require "spec.support.certs"
local kit = dofile("spec/support/wsgi_kit.lua")
local program = require "spec.support.program"

local _, it = testing.busted()

local KEYS = { "SSL_CLIENT_VERIFY", "SSL_CLIENT_S_DN", "SSL_CLIENT_I_DN", "SSL_CLIENT_M_SERIAL",
  "SSL_CLIENT_V_START", "SSL_CLIENT_V_END", "SSL_CLIENT_CERT", "SSL_SESSION_RESUMED" }

local SERVER = [[
  local wsgi = require "green.wsgi"
  local opts = { cert = arg[1], key = arg[2], ca = arg[3], verify = "ask" }
  local server = assert(wsgi.new("127.0.0.1:0", function(env)
    return 200, nil, env.SSL_SESSION_RESUMED .. " " .. tostring(env.SSL_CLIENT_S_DN)
  end, { tls = opts, signals = true }))
  print(server.port)
  io.flush()
  server:serve_forever()
]]

--- What openssl says of the client's certificate, or the file.
local function openssl(...)
  local run = program.run { "openssl", "x509", "-in", certs.path "client.pem", "-noout", ... }
  return (run.out:gsub("\n$", "")):match("=(.*)") or run.out
end

local function read_file(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

--- body(ask, server, log): ask(host, opts) is the status and the body of one request with
-- that Host; how: `name` that TLS asks for, `cert` true to show one, `target`.
local function with(opts, app, body)
  kit.with(app, { tls = opts }, function(client, server, log)
    client.target = "127.0.0.1:" .. server.port
    local function ask(host, how)
      local conn = assert(tls.client(client:connect(), certs.client(how.name or "a.test", {
        timeout = 20,
        cert = how.cert and certs.path "client.pem" or nil,
        key = how.cert and certs.path "client.key" or nil,
      })))
      conn:settimeout(20)
      assert(conn:write("GET ", how.target or "/", " HTTP/1.1\r\nHost: ", host,
        "\r\nConnection: close\r\n\r\n"))
      local status, _, text = kit.read_answer(conn)
      conn:close()
      return status, text
    end
    body(ask, server, log)
  end)
end

local function hello()
  return 200, nil, "hello"
end

local function asking(verify, more)
  local opts = certs.server("a", { ca = certs.path "ca.pem", verify = verify })
  for key, value in pairs(more or {}) do
    opts[key] = value
  end
  return opts
end

describe("env of an HTTPS server that asks for certificates", function()
  it("tells what mod_ssl tells [S23]", function()
    local seen
    with(asking "ask", function(env)
      seen = {}
      for _, key in ipairs(KEYS) do seen[key] = env[key] end
      return hello()
    end, function(ask)
      assert.equal(200, (ask("a.test", { cert = true })))
      assert.same({
        SSL_CLIENT_VERIFY = "SUCCESS",
        SSL_CLIENT_S_DN = "CN=alice,O=Clients",
        SSL_CLIENT_I_DN = "CN=Test Root",
        SSL_CLIENT_M_SERIAL = openssl "-serial",
        SSL_CLIENT_V_START = openssl "-startdate",
        SSL_CLIENT_V_END = openssl "-enddate",
        SSL_CLIENT_CERT = read_file(certs.path "client.pem"),
        SSL_SESSION_RESUMED = "Initial",
      }, seen)
      ask("a.test", {})
      assert.same({ SSL_CLIENT_VERIFY = "NONE", SSL_SESSION_RESUMED = "Initial" }, seen)
    end)
  end)

  it("tells of a session that goes on", function()
    local script, session = program.file(SERVER), os.tmpname()
    local server = program.start_greenlua { script, certs.path "a.pem", certs.path "a.key",
      certs.path "ca.pem" }
    local port = server:expect("\n")
    local function run(way)
      return program.run({ "openssl", "s_client", "-connect", "127.0.0.1:" .. port, "-quiet",
        "-ign_eof", "-tls1_2", "-cert", certs.path "client.pem", "-key", certs.path "client.key",
        "-servername", "a.test", way, session,
        input = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n" }).out
    end
    local first, second = run "-sess_out", run "-sess_in"
    server:kill(15)
    server:wait()
    os.remove(session)
    os.remove(script)
    assert.equal("Initial CN=alice,O=Clients", first:match("\r\n\r\n(.*)"))
    assert.equal("Resumed CN=alice,O=Clients", second:match("\r\n\r\n(.*)"))
  end)
end)

describe("a request for another host than the TLS connection's", function()
  it("is misdirected where certificates are asked for", function()
    for _, verify in ipairs { "ask", "demand" } do
      with(asking(verify), hello, function(ask, server, log)
        local alice = { cert = true }
        assert.equal(200, (ask("a.test", alice)))
        assert.equal(200, (ask("A.Test:8443", alice)))
        assert.equal(200, (ask("a.test.", alice)))
        local status, text = ask("b.test", alice)
        assert.equal(421, status)
        assert.equal("Misdirected Request", text)
        assert.equal(421, (ask("a.test.evil", alice)))
        assert.equal(421, (ask("127.0.0.1", alice)))
        assert.equal(421, (ask(("x"):rep(300), alice)))
        testing.settle_io(function() return #log >= 7 end)
        assert.truthy(table.concat(log, "\n"):find('" 421 ', 1, true))
        assert.equal(4, server:stats().refused)
      end)
    end
  end)

  it("is one for whoever named none", function()
    with(asking "demand", hello, function(ask)
      local alice = { cert = true, name = "127.0.0.1" }
      assert.equal(200, (ask("127.0.0.1", alice)))
      assert.equal(200, (ask("anything.test", alice)))
    end)
  end)

  it("is served without that", function()
    with(certs.server "a", hello, function(ask)
      assert.equal(200, (ask("b.test", {})))
      assert.equal(200, (ask("127.0.0.1", {})))
    end)
  end)

  it("is served where both names ask for none", function()
    local b = assert(tls.context(certs.server("b", { server = true })))
    with(certs.server("a", { names = { ["b.test"] = b } }), hello, function(ask)
      assert.equal(200, (ask("b.test", {})))
      assert.equal(200, (ask("a.test", { name = "b.test" })))
    end)
  end)

  it("is misdirected where that host asks for certificates, and this does not", function()
    local b = assert(tls.context(certs.server("b", { server = true, ca = certs.path "ca.pem",
      verify = "demand" })))
    with(certs.server("a", { names = { ["b.test"] = b, ["*.b.test"] = b } }), hello, function(ask)
      assert.equal(200, (ask("a.test", {})))
      assert.equal(200, (ask("c.test", {})))
      assert.equal(421, (ask("b.test", {})))
      assert.equal(421, (ask("B.TEST:443", {})))
      assert.equal(421, (ask("www.b.test", {})))
      assert.equal(200, (ask("b.test", { name = "b.test", cert = true })))
      assert.equal(421, (ask("a.test", { name = "b.test", cert = true })))
      assert.equal(421, (ask("b.test", { name = "127.0.0.1" })))
    end)
  end)

  it("is misdirected where a function chooses who asks for certificates", function()
    local b = assert(tls.context(certs.server("b", { server = true, ca = certs.path "ca.pem",
      verify = "demand" })))
    local function choose(seen)
      return seen.server_name == "b.test" and b or nil
    end
    with(certs.server("a", { choose = choose }), hello, function(ask)
      assert.equal(200, (ask("a.test", {})))
      assert.equal(421, (ask("b.test", {})))
      assert.equal(421, (ask("127.0.0.1", {})))
      assert.equal(200, (ask("B.test:443", { name = "b.test", cert = true })))
      assert.equal(421, (ask("b.test", { name = "127.0.0.1" })))
      assert.equal(421, (ask("1.b.test", { name = "127.0.0.1" })))
      assert.equal(200, (ask("127.0.0.1:443", { name = "127.0.0.1" })))
      assert.equal(200, (ask("[::1]:443", { name = "127.0.0.1" })))
    end)
    local function alpn() end
    with(certs.server("a", { alpn = alpn }), hello, function(ask)
      assert.equal(200, (ask("b.test", {})))
    end)
  end)

  it("is told apart by its target, too", function()
    with(asking "demand", hello, function(ask)
      local alice = { cert = true }
      alice.target = "https://a.test/"
      assert.equal(200, (ask("b.test", alice)))
      alice.target = "https://b.test/"
      assert.equal(421, (ask("a.test", alice)))
    end)
  end)
end)
