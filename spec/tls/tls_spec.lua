local green = require "green"
local testing = require "green.testing"
local tls = require "green.tls"

local certs = require "spec.support.certs"
local program = require "spec.support.program"
local kit = require "spec.support.tls_kit"
local virtual_it, it = testing.busted()
local serving, both, is_refused = kit.serving, kit.both, kit.is_refused

describe("a TLS connection", function()
  virtual_it("carries what is written, in both directions, and its end", function()
    local client, err, server = both(certs.client "a.test", certs.server "a")
    assert(client, err)
    local big = ("0123456789abcdef"):rep(20000)
    local writer = green.spawn(function()
      assert(server:write(big))
      server:shutdown("write")
    end)
    assert(client:write "question\n")
    assert.equal("question", server:read_line())
    assert.equal(big, client:read_all())
    writer:wait()
    client:close()
    assert.is_nil(server:read_some())
    server:close()
  end)

  virtual_it("tells what was agreed", function()
    local client, err, server = both(certs.client("a.test", { alpn = { "h2", "http/1.1" } }),
      certs.server("a", { alpn = "http/1.1" }))
    assert(client, err)
    assert.same({ version = "TLSv1.3", cipher = "TLS_AES_128_GCM_SHA256", alpn = "http/1.1",
      server_name = "a.test", resumed = false }, server:info())
    assert.same(client:info(), server:info())
    local cert = client:peer_certificate()
    assert.equal("CN=a.test", cert.subject)
    assert.equal("CN=Test Root", cert.issuer)
    assert.same({ "DNS:a.test", "DNS:*.w.test", "IP:127.0.0.1", "IP:0:0:0:0:0:0:0:1" },
      cert.names)
    assert.truthy(cert.not_after:find("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$"))
    assert.is_nil((server:peer_certificate()))
    assert.equal(client:channel_binding(), server:channel_binding())
    assert.equal(32, #client:channel_binding())
    assert.equal(client:export_keying_material("EXPERIMENTAL", 20, "c"),
      server:export_keying_material("EXPERIMENTAL", 20, "c"))
    client:close()
    local _, closed = client:info()
    is_refused(closed, "ECLOSED")
    server:close()
  end)

  virtual_it("may be of an older version, and no older than both allow", function()
    local client, err, server = both(certs.client("a.test", { max_version = "1.2" }),
      certs.server "a")
    assert(client, err)
    assert.equal("TLSv1.2", client:info().version)
    client:close()
    server:close()
    local none, refused = both(certs.client("a.test", { max_version = "1.2" }),
      certs.server("a", { min_version = "1.3" }))
    assert.is_nil(none)
    is_refused(refused, "ETLSVERSION", "version")
  end)

  virtual_it("ends for who reads when it is cut off, but not as an end", function()
    local a, b = testing.stream_pair()
    local there = serving(b, certs.server "a")
    local client = assert(tls.client(a, certs.client "a.test"))
    local server = there:wait()
    assert(client:write "half")
    a:close() -- below TLS: nothing is said
    assert.equal("half", server:read_some())
    local text, err = server:read_all()
    assert.is_nil(text)
    is_refused(err, "ETLSTRUNCATED")
    server:close()
    client:close()
  end)
end)

describe("a TLS client", function()
  virtual_it("refuses a certificate of another name, and says which names it has", function()
    local client, err, _, there = both(certs.client "b.test", certs.server "a")
    assert.is_nil(client)
    is_refused(err, "ECERTHOST", "b.test")
    is_refused(err, "ECERTHOST", "a.test")
    is_refused(there, "ETLSALERT", "certificate")
  end)

  virtual_it("knows names with a star for one label, and addresses", function()
    for _, host in ipairs { "x.w.test", "127.0.0.1", "::1" } do
      local client, err, server = both(certs.client(host), certs.server "a")
      assert(client, tostring(err))
      client:close()
      server:close()
    end
    for _, host in ipairs { "w.test", "x.y.w.test", "127.0.0.2", "a.test.w" } do
      local client, err = both(certs.client(host), certs.server "a")
      assert.is_nil(client)
      is_refused(err, "ECERTHOST")
    end
  end)

  virtual_it("refuses an authority that it does not know, unless told to", function()
    local client, err = both({ host = "self.test", ca = certs.path "ca.pem" }, certs.server "self")
    assert.is_nil(client)
    is_refused(err, "ECERTUNKNOWN", "self")
    local trusting, why, server = both({ host = "self.test", ca = certs.path "self.pem" },
      certs.server "self")
    assert(trusting, tostring(why))
    trusting:close()
    server:close()
    local blind, reason, other = both({ verify = false }, certs.server "self")
    assert(blind, tostring(reason))
    blind:close()
    other:close()
  end)

  virtual_it("refuses a certificate whose time is over, and says when that was", function()
    local client, err = both(certs.client "old.test", certs.server "old")
    assert.is_nil(client)
    is_refused(err, "ECERTEXPIRED", "20")
  end)

  virtual_it("must be told whom it expects", function()
    local a, b = testing.stream_pair()
    local ok, err = pcall(tls.client, a, { ca = certs.path "ca.pem" })
    assert.is_false(ok)
    assert.truthy(tostring(err):find("host must be the name", 1, true), tostring(err))
    a:close()
    b:close()
  end)

  virtual_it("says so when the other end does not speak TLS", function()
    local a, b = testing.stream_pair()
    b:write "HTTP/1.1 400 Bad Request\r\n\r\n"
    local client, err = tls.client(a, certs.client "a.test")
    assert.is_nil(client)
    is_refused(err, "ETLSPLAIN")
    b:close()
  end)

  virtual_it("shows its certificate to a server that demands one", function()
    local demanding = certs.server("a", { ca = certs.path "ca.pem", verify = "demand" })
    local client, err, server = both(certs.client("a.test",
      { cert = certs.path "client.pem", key = certs.path "client.key" }), demanding)
    assert(client, tostring(err))
    assert.equal("CN=alice,O=Clients", server:peer_certificate().subject)
    client:close()
    server:close()
    local bare, _, none, why = both(certs.client("a.test", { max_version = "1.2" }), demanding)
    assert.is_nil(bare)
    assert.is_nil(none)
    assert.is_true(green.is_error(why), tostring(why))
  end)

  virtual_it("takes no longer than its timeout, and closes the stream", function()
    local a, b = testing.stream_pair()
    local client, err = tls.client(a, certs.client("a.test", { timeout = 2 }))
    assert.is_nil(client)
    is_refused(err, "ETIMEDOUT")
    is_refused(select(2, a:write "x"), "ECLOSED")
    b:close()
  end)

  virtual_it("can be killed in its handshake, and leaves nothing open", function()
    local a, b = testing.stream_pair()
    local t = green.spawn(tls.client, a, certs.client "a.test")
    green.sleep(1)
    t:kill()
    is_refused(select(2, a:write "x"), "ECLOSED")
    b:close()
  end)
end)

describe("a TLS server", function()
  virtual_it("has a context for each name", function()
    local names = { ["b.test"] = assert(tls.context(certs.server("b", { server = true }))) }
    local context = assert(tls.context(certs.server("a", { server = true, names = names })))
    for _, host in ipairs { "a.test", "b.test" } do
      local client, err, server = both(certs.client(host), { context = context })
      assert(client, tostring(err))
      assert.equal("CN=" .. host, client:peer_certificate().subject)
      client:close()
      server:close()
    end
  end)

  virtual_it("refuses a client without a protocol in common", function()
    local client, err = both(certs.client("a.test", { alpn = "h2" }),
      certs.server("a", { alpn = "http/1.1" }))
    assert.is_nil(client)
    is_refused(err, "ETLSALERT", "protocol")
  end)

  virtual_it("says that a client speaks plain HTTP", function()
    local a, b = testing.stream_pair()
    a:write "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    local server, err = tls.server(b, certs.server "a")
    assert.is_nil(server)
    is_refused(err, "ETLSPLAIN")
    a:close()
  end)

  virtual_it("survives any cut of a client's first bytes", function()
    local a, b = testing.stream_pair()
    local t = green.spawn(tls.client, a, certs.client "a.test")
    green.sleep(1)
    local hello = b:read_some()
    t:kill()
    b:close()
    for cut = 0, #hello, 7 do
      local near, far = testing.stream_pair()
      near:write(hello:sub(1, cut))
      near:close()
      local server, err = tls.server(far, certs.server "a")
      assert.is_nil(server)
      assert.is_true(green.is_error(err), tostring(err))
    end
  end)
end)

describe("tls.context", function()
  virtual_it("names the file that cannot be used, and why", function()
    local _, err = tls.context { server = true, cert = "/nowhere/a.pem" }
    is_refused(err, "ENOENT", "/nowhere/a.pem")
    _, err = tls.context { server = true, cert = certs.path "a.pem", key = certs.path "b.key" }
    is_refused(err, "EKEYINVALID", "b.key")
    _, err = tls.context { server = true, cert = certs.path "a.pem", key = certs.path "locked.key" }
    is_refused(err, "EKEYINVALID", "password")
    _, err = tls.context { server = true, cert = certs.path "make.sh", key = certs.path "a.key" }
    is_refused(err, "ECERTINVALID", "make.sh")
    assert(tls.context { server = true, cert = certs.path "a.pem", key = certs.path "locked.key",
      password = "secret" })
  end)

  virtual_it("takes PEM texts, too", function()
    local function text(name)
      local file = assert(io.open(certs.path(name)))
      local all = file:read("*a")
      file:close()
      return all
    end
    local client, err, server = both({ host = "a.test", ca = text "ca.pem" },
      { cert = text "a.pem", key = text "a.key" })
    assert(client, tostring(err))
    client:close()
    server:close()
  end)

  virtual_it("tells mistakes with the caller's line", function()
    for _, wrong in ipairs {
      { { certt = 1 }, "did you mean 'cert'" },
      { { server = true }, "cert is missing: with server = true" },
      { { server = true, cert = "x", pkcs12 = "y" }, "pkcs12 must be left out" },
      { { verify = "demand" }, "verify must be true or false for a client" },
      { certs.server("a", { server = true, names = { ["b.test"] = "x" } }),
        'names["b.test"] must be what tls.context gave with server = true' },
      { { key = "x" }, "key must be left out where there is no cert" },
      { { verify = "maybe" }, 'verify must be true, false, "ask" or "demand"' },
      { { min_version = 1.2 }, 'min_version must be "1.0"' },
      { { alpn = 7 }, "alpn must be" },
      { { names = {} }, "names must be left out" },
      { { depth = -1 }, "depth" },
      { { cert = { "a.pem" } }, "cert[1] must be a table" },
    } do
      local ok, err = pcall(tls.context, wrong[1])
      assert.is_false(ok)
      assert.truthy(tostring(err):find(wrong[2], 1, true), tostring(err))
      assert.truthy(tostring(err):find("tls_spec.lua:", 1, true), tostring(err))
    end
  end)

  virtual_it("does not go below TLS 1.2 because only the newest version was said", function()
    local context, err = tls.context { max_version = "1.1" }
    assert.is_nil(context)
    is_refused(err, "EINVAL", "no TLS version is left: min_version is above max_version")
    context, err = tls.context(certs.server("a", { server = true, verify = "demand" }))
    assert.is_nil(context)
    is_refused(err, "EINVAL", "give the file of one as the option ca")
    local old = certs.server("a", { min_version = "1.0", max_version = "1.1",
      ciphers = "ALL:@SECLEVEL=0" })
    local _, refused = both(certs.client("a.test", { max_version = "1.2",
      ciphers = "ALL:@SECLEVEL=0" }), old)
    is_refused(refused, "ETLSVERSION")
  end)

  it("says which package is missing where there is no OpenSSL", function()
    local script = program.file [[
      local _, err = require("green.tls").context {}
      print(err)
    ]]
    local run = program.run_greenlua { script, env = { GREENLUA_LIBSSL = "/nowhere.so" } }
    os.remove(script)
    assert.truthy(run.out:find("libssl3", 1, true), run.out .. run.err)
    assert.truthy(run.out:find("ENOLIBRARY", 1, true), run.out)
  end)
end)

describe("green.connect and green.serve with tls", function()
  local function echo(conn)
    for line in conn:lines() do
      conn:write(line, "\n")
    end
  end

  local function with_server(opts, body)
    local l = assert(green.listen "127.0.0.1:0")
    local _, port = l:sockname()
    local server = green.spawn(green.serve, l, echo, opts)
    body(port)
    l:close()
    server:wait()
  end

  it("speak to each other, for the host that was asked for", function()
    with_server({ tls = certs.server "a" }, function(port)
      local conn = assert(green.connect("127.0.0.1", port, { tls = { ca = certs.path "ca.pem" } }))
      assert(conn:write "hello\n")
      assert.equal("hello", conn:read_line())
      conn:close()
      local none, err = green.connect("127.0.0.1", port, { tls = true, timeout = 20 })
      assert.is_nil(none)
      is_refused(err, "ECERTUNKNOWN")
    end)
  end)

  it("drop a client that fails, and tell who wants to know", function()
    local told = {}
    local failing = certs.server("a", { timeout = 5, on_failure = function(err, address)
      told[#told + 1] = err.code .. " " .. address.host
    end })
    with_server({ tls = failing }, function(port)
      local conn = assert(green.connect("127.0.0.1", port))
      conn:write "GET / HTTP/1.1\r\n\r\n"
      conn:read_all()
      conn:close()
      testing.settle_io()
      assert.same({ "ETLSPLAIN 127.0.0.1" }, told)
    end)
  end)

  it("do not begin where the certificate cannot be used", function()
    local l = assert(green.listen "127.0.0.1:0")
    local ok, err = green.serve(l, echo, { tls = { cert = "/nowhere.pem" } })
    assert.is_nil(ok)
    is_refused(err, "ENOENT", "/nowhere.pem")
    l:close()
  end)
end)
