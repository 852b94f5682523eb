-- Sessions of clients: kept for the next connection of their kind, and of no other.
local green = require "green"
local process = require "green.process"
local sessions = require "green.tls.sessions"
local testing = require "green.testing"
local tls = require "green.tls"

local certs = require "spec.support.certs"
local virtual_it, it = testing.busted()

local server_context

--- The context of a server; new: with other ticket keys than the last.
local function context(new)
  if new or not server_context then
    server_context = assert(tls.context(certs.server("a", { server = true })))
  end
  return server_context
end

--- Connections of a client over memory; what it reads brings its session.
local function open(opts, of_server)
  local a, b = testing.stream_pair()
  local there = green.spawn(tls.server, b, { context = of_server or context() })
  local client, err = tls.client(a, opts)
  local server = there:wait()
  return client, server, err
end

local function close(client, server)
  assert(server:write "x")
  assert.equal("x", client:read(1))
  local resumed = client:info().resumed
  assert.equal(resumed, server:info().resumed)
  client:close()
  server:close()
  return resumed
end

--- One that speaks and ends. Was it resumed?
local function visit(opts, of_server)
  local client, server, err = open(opts, of_server)
  assert(client, tostring(err))
  return close(client, server)
end

for _, version in ipairs { "1.2", "1.3" } do
  describe("a client's session of TLS " .. version, function()
    before_each(sessions.clear)
    after_each(sessions.clear)

    local function client(host, more)
      local opts = certs.client(host, more)
      opts.max_version = version
      return opts
    end

    virtual_it("is used by its next connection", function()
      assert.is_false(visit(client "a.test"))
      for _ = 1, 3 do
        assert.is_true(visit(client "a.test"))
      end
      assert.is_true(visit(client "A.test."))
      assert.equal(1, sessions.size())
    end)

    virtual_it("tells the same of the server", function()
      local of_deep = assert(tls.context { server = true, cert = certs.chain "deep2.pem",
        key = certs.chain "deep2.key" })
      local told = {}
      for i = 1, 2 do
        local conn, server = open(client("deep2.test", { ca = certs.chain "ca.pem" }), of_deep)
        told[i] = conn:peer_certificate()
        assert.equal(i == 2, close(conn, server))
      end
      assert.equal("CN=deep2.test", told[1].subject)
      assert.equal(2, #told[1].chain)
      assert.same(told[1], told[2])
    end)

    virtual_it("is neither used nor kept where that is said", function()
      assert.is_false(visit(client("a.test", { sessions = false })))
      assert.equal(0, sessions.size())
      assert.is_false(visit(client "a.test"))
      assert.is_false(visit(client("a.test", { sessions = false })))
      assert.is_true(visit(client "a.test"))
    end)

    virtual_it("is used by one connection at a time", function()
      visit(client "a.test")
      local c1, s1 = open(client "a.test")
      local c2, s2 = open(client "a.test")
      assert.is_true(close(c1, s1))
      assert.is_false(close(c2, s2))
      assert.equal(2, sessions.size())
      c1, s1 = open(client "a.test")
      c2, s2 = open(client "a.test")
      assert.is_true(close(c1, s1))
      assert.is_true(close(c2, s2))
    end)

    virtual_it("is good for the same host, authorities and certificate alone", function()
      local wide = { ca = { certs.path "ca.pem", certs.path "self.pem" } }
      local own = { cert = certs.path "client.pem", key = certs.path "client.key" }
      assert.is_false(visit(client "a.test"))
      assert.is_false(visit(client "x.w.test"))
      assert.is_false(visit(client("a.test", wide)))
      assert.is_false(visit(client("a.test", own)))
      assert.is_false(visit(client("a.test", { depth = 3 })))
      for _, more in ipairs { {}, wide, own } do
        assert.is_true(visit(client("a.test", more)))
      end
    end)

    virtual_it("that nobody has verified serves none who verifies", function()
      local of_self = assert(tls.context(certs.server("self", { server = true })))
      local blind = client("self.test", { verify = false })
      assert.is_false(visit(blind, of_self))
      assert.is_true(visit(blind, of_self))
      local none, there, err = open(client "self.test", of_self)
      assert.is_nil(none)
      assert.is_nil(there)
      assert.is_true(green.is_error(err, "ECERTUNKNOWN"), tostring(err))
      none, there, err = open(client("a.test", { ca = certs.path "self.pem" }), of_self)
      assert.is_nil(none)
      assert.is_nil(there)
      assert.is_true(green.is_error(err, "ECERTHOST"), tostring(err))
      assert.is_true(visit(blind, of_self))
    end)

    virtual_it("that was verified serves none who does not", function()
      visit(client "a.test")
      assert.is_false(visit(client("a.test", { verify = false })))
      assert.is_true(visit(client "a.test"))
    end)

    virtual_it("that the server refuses costs a handshake in full", function()
      assert.is_false(visit(client "a.test"))
      assert.is_false(visit(client "a.test", context(true)))
      assert.is_true(visit(client "a.test"))
    end)

    virtual_it("is forgotten when its time is over", function()
      visit(client "a.test")
      green.sleep(86401)
      assert.is_false(visit(client "a.test"))
      assert.equal(1, sessions.size())
    end)

    virtual_it("of a connection that failed is not kept", function()
      local a, b = testing.stream_pair()
      local there = green.spawn(tls.server, b, { context = context() })
      local conn = assert(tls.client(a, client "a.test"))
      local server = there:wait()
      b:write(("garbage"):rep(100))
      local _, err = conn:read_some()
      assert.is_true(green.is_error(err, "ETLS"), tostring(err))
      conn:close()
      server:close()
      assert.equal(0, sessions.size())
    end)

    virtual_it("is one of a bounded number", function()
      local most = sessions.most
      sessions.most = 40
      for i = 1, 60 do
        visit(client(("h%d.test"):format(i), { verify = false }))
        assert.is_true(sessions.size() <= 40)
      end
      sessions.most = most
      assert.is_true(sessions.size() >= 12, tostring(sessions.size()))
      assert.is_true(visit(client("h60.test", { verify = false })))
      assert.is_false(visit(client("h1.test", { verify = false })))
    end)

    it("is its process's alone", function()
      visit(client "a.test")
      local pid = assert(process.fork(function()
        assert(not visit(client "a.test"))
        assert(sessions.size() == 1)
        assert(visit(client "a.test"))
      end))
      assert.same({ "exit", 0 }, { process.wait(pid, 30) })
      assert.equal(1, sessions.size())
      assert.is_true(visit(client "a.test"))
    end)
  end)
end

describe("a client's session", function()
  before_each(sessions.clear)
  after_each(sessions.clear)

  virtual_it("of TLS 1.2 is kept though nothing was read", function()
    local opts = certs.client("a.test", { max_version = "1.2" })
    local client, server = open(opts)
    client:close()
    server:close()
    assert.is_true(visit(opts))
  end)

  virtual_it("is not used for another version or other ciphers", function()
    assert.is_false(visit(certs.client("a.test", { max_version = "1.2" })))
    assert.is_false(visit(certs.client "a.test"))
    assert.is_false(visit(certs.client("a.test", { min_version = "1.3" })))
    assert.is_false(visit(certs.client("a.test", { max_version = "1.2",
      ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305" })))
  end)

  virtual_it("is shared by all ways to begin a connection", function()
    local a = assert(tls.context { ca = certs.path "ca.pem" })
    local b = assert(tls.context { ca = certs.path "ca.pem" })
    assert.is_false(visit { context = a, host = "a.test" })
    assert.is_true(visit { context = b, host = "a.test" })
    assert.is_true(visit(certs.client "a.test"))
    assert.is_false(visit { context = a, host = "a.test", sessions = false })
  end)

  virtual_it("is an option that is true or false", function()
    local a, b = testing.stream_pair()
    local ok, err = pcall(tls.client, a, { host = "x", sessions = 7 })
    assert.is_false(ok)
    assert.truthy(tostring(err):find("sessions must be", 1, true), tostring(err))
    a:close()
    b:close()
  end)

  it("is one port's", function()
    local function serve()
      local l = assert(green.listen "127.0.0.1:0")
      local _, port = l:sockname()
      local server = green.spawn(green.serve, l, function(conn) conn:write "x" end,
        { tls = { context = context() } })
      return port, function()
        l:close()
        server:wait()
      end
    end
    local function get(port)
      local conn = assert(green.connect("127.0.0.1", port, { timeout = 20,
        tls = { ca = certs.path "ca.pem" } }))
      assert.equal("x", conn:read_all())
      local resumed = conn:info().resumed
      conn:close()
      return resumed
    end
    local one, end_one = serve()
    local two, end_two = serve()
    assert.is_false(get(one))
    assert.is_false(get(two))
    assert.is_true(get(one))
    assert.is_true(get(two))
    end_one()
    end_two()
  end)

  it("is one address's where nobody has said a host", function()
    local l = assert(green.listen "0.0.0.0:0")
    local _, port = l:sockname()
    local server = green.spawn(green.serve, l, function(conn) conn:write "x" end,
      { tls = { context = context() } })
    local function get(address)
      local conn = assert(green.connect(address, port, { timeout = 20, tls = { verify = false } }))
      assert.equal("x", conn:read_all())
      local resumed = conn:info().resumed
      conn:close()
      return resumed
    end
    assert.is_false(get "127.0.0.1")
    assert.is_false(get "127.0.0.2")
    assert.is_true(get "127.0.0.1")
    l:close()
    server:wait()
  end)
end)
