-- Contexts of TLS: reading anew, pins, answers about revocation, passwords, expiry.
local core = require "green.core"
local green = require "green"
local testing = require "green.testing"
local tls = require "green.tls"
local wsgi = require "green.wsgi"

local certs = require "spec.support.certs"
local kit = require "spec.support.tls_kit"
local virtual_it, it = testing.busted()
local both, is_refused = kit.both, kit.is_refused

--- Whose certificate a client of any name sees there.
local function shown(context, host)
  local client, err, server = both(certs.client(host, { verify = false }), { context = context })
  assert(client, tostring(err))
  local subject = client:peer_certificate().subject
  client:close()
  server:close()
  return subject
end

--- Run body(told), where told is what goes to stderr meanwhile.
local function listening(body)
  local told = {}
  local output = require "green.patch.stdio.output"
  core.on_complain(function(text) told[#told + 1] = text end)
  local ok, err = pcall(body, told)
  output.install(output.on_broken)
  if not ok then
    error(err, 0)
  end
end

--- Certificate and key of that name stand where the server "own" has them.
local function become(name)
  certs.put("own.pem", certs.text(name .. ".pem"))
  certs.put("own.key", certs.text(name .. ".key"))
end

local function own(more)
  become "a"
  local opts = certs.server("own", more)
  opts.server = true
  return assert(tls.context(opts))
end

describe("context:reload", function()
  virtual_it("gives new connections the new certificate, and leaves open ones alone", function()
    local context = own()
    local client, err, server = both(certs.client "a.test", { context = context })
    assert(client, tostring(err))
    become "b"
    assert.equal("CN=a.test", shown(context, "a.test"))
    assert.is_true(context:reload())
    assert.equal("CN=b.test", shown(context, "b.test"))
    assert(client:write "still here\n")
    assert.equal("still here", server:read_line())
    client:close()
    server:close()
    become "rsa"
    assert.is_true(context:reload())
    assert.equal("CN=rsa", shown(context, "a.test"))
  end)

  virtual_it("reaches contexts that have it among their names", function()
    local named = own()
    local context = assert(tls.context(certs.server("rsa", { server = true,
      names = { ["b.test"] = named } })))
    assert.equal("CN=a.test", shown(context, "b.test"))
    become "b"
    assert(named:reload())
    assert.equal("CN=b.test", shown(context, "b.test"))
    assert.is_true(context:reload())
    assert.equal("CN=b.test", shown(context, "b.test"))
    assert.equal("CN=rsa", shown(context, "a.test"))
  end)

  virtual_it("keeps what was there when the new files cannot be used", function()
    local context = own()
    certs.put("own.key", certs.text "b.key")
    local ok, err = context:reload()
    assert.is_nil(ok)
    is_refused(err, "EKEYINVALID", "own.key")
    assert.equal("CN=a.test", shown(context, "a.test"))
    os.remove(certs.path "own.pem")
    ok, err = context:reload()
    assert.is_nil(ok)
    is_refused(err, "ENOENT", "own.pem")
    assert.equal("CN=a.test", shown(context, "a.test"))
  end)

  virtual_it("reads authorities, too, and takes no notice of changed tables", function()
    certs.put("trusted.pem", certs.text "ca.pem")
    local opts = { ca = { certs.path "trusted.pem" } }
    local context = assert(tls.context(opts))
    opts.ca[1] = "/nowhere"
    certs.put("trusted.pem", certs.text "self.pem")
    assert.is_true(context:reload())
    local client, err = both({ context = context, host = "a.test" }, certs.server "a")
    assert.is_nil(client)
    is_refused(err, "ECERTUNKNOWN")
  end)

  it("reaches a server of green.wsgi that runs", function()
    local context = own()
    local server = assert(wsgi.new("127.0.0.1:0", function() return 200, nil, "hello" end,
      { tls = context, log = false }))
    local running = green.spawn(server.serve_forever, server)
    local function subject()
      local conn = assert(green.connect("127.0.0.1", server.port, { tls = { verify = false } }))
      local cert = conn:peer_certificate().subject
      conn:close()
      return cert
    end
    assert.equal("CN=a.test", subject())
    become "b"
    assert.is_true(context:reload())
    assert.equal("CN=b.test", subject())
    server:stop()
    running:wait()
  end)
end)

describe('the option reload = "on_change"', function()
  virtual_it("reads files that have changed, once a second at most", function()
    local context = own { reload = "on_change" }
    assert.equal("CN=a.test", shown(context, "a.test"))
    become "b"
    assert.equal("CN=a.test", shown(context, "a.test"))
    green.sleep(1)
    assert.equal("CN=b.test", shown(context, "b.test"))
  end)

  virtual_it("tells a failure once for each change, and keeps what was there", function()
    local context = own { reload = "on_change" }
    listening(function(told)
      certs.put("own.key", certs.text "b.key")
      for _ = 1, 3 do
        assert.equal("CN=a.test", shown(context, "a.test"))
        green.sleep(1)
      end
      assert.equal(1, #told)
      assert.truthy(told[1]:find("own.key: it does not match the certificate", 1, true), told[1])
      assert.truthy(told[1]:find("what was read before stays", 1, true), told[1])
      certs.put("own.pem", "nothing")
      assert.equal("CN=a.test", shown(context, "a.test"))
      assert.equal(2, #told)
      become "b"
      green.sleep(1)
      assert.equal("CN=b.test", shown(context, "b.test"))
      assert.equal(2, #told)
    end)
  end)

  virtual_it("holds for names of a context, whatever that one does", function()
    local named = own { reload = "on_change" }
    local context = assert(tls.context(certs.server("rsa", { server = true,
      names = { ["b.test"] = named } })))
    assert.equal("CN=a.test", shown(context, "b.test"))
    become "b"
    green.sleep(1)
    assert.equal("CN=b.test", shown(context, "b.test"))
  end)

  --- A context whose key has a password, told by a function; and its next question waits.
  local function asking()
    local asked, gate, asks = green.Event(), green.Event(), 0
    certs.put("own.pem", certs.text "a.pem")
    certs.put("own.key", certs.text "locked.key")
    local context = assert(tls.context(certs.server("own", { server = true, reload = "on_change",
      password = function()
        asks = asks + 1
        if asks == 2 then
          asked:send(true)
          gate:wait()
        end
        return "secret"
      end })))
    certs.put("own.key", certs.text "locked.key" .. "\n")
    return context, asked, function() return asks end
  end

  local ends = { killed = {}, abandoned = { force_after = 0 } }

  for name, how in pairs(ends) do
    it("loses no connection where the question for a password is " .. name, function()
      local context, asked, asks = asking()
      local l = assert(green.listen("127.0.0.1:0", { tls = context }))
      local port = select(2, l:sockname())
      local lost = assert(green.connect("127.0.0.1", port))
      local taker = green.spawn(l.accept, l)
      asked:wait()
      taker:kill(how)
      testing.settle_io(function() return taker:dead() end)
      assert.is_nil((lost:read(1))) -- it was closed
      green.sleep(1) -- until files are looked at again
      local client = green.spawn(green.connect, "127.0.0.1", port, { tls = certs.client "a.test" })
      local conn = assert(l:accept())
      assert.equal(3, asks())
      assert(conn:handshake())
      for _, one in ipairs { lost, conn, l, (assert(client:wait())) } do
        one:close()
      end
    end)

    it("closes a stream that was to be a server's where the question is " .. name, function()
      local context, asked = asking()
      local a, b = testing.stream_pair()
      local server = kit.serving(b, { context = context })
      asked:wait()
      server:kill(how)
      testing.settle_io(function() return server:dead() end)
      assert.is_nil((a:read(1)))
      a:close()
    end)

    it("closes the stream of a handler where the question is " .. name, function()
      local context, asked = asking()
      local a, b = testing.stream_pair()
      local server = green.spawn(assert(tls.handler({ context = context }, print)), b)
      asked:wait()
      server:kill(how)
      testing.settle_io(function() return server:dead() end)
      assert.is_nil((a:read(1)))
      a:close()
    end)
  end

  it("holds for a server of green.wsgi", function()
    become "a"
    local server = assert(wsgi.new("127.0.0.1:0", function() return 200, nil, "hello" end,
      { tls = certs.server("own", { reload = "on_change" }), log = false }))
    local running = green.spawn(server.serve_forever, server)
    become "b"
    local conn = assert(green.connect("127.0.0.1", server.port, { tls = { verify = false } }))
    assert.equal("CN=b.test", conn:peer_certificate().subject)
    conn:close()
    server:stop()
    running:wait()
  end)
end)

describe("a folder of authorities", function()
  local folder = certs.path "trusted"

  --- Only that authority is in it.
  local function hold(name)
    assert(0 == os.execute(("mkdir -p %s && rm -f %s/* && cp %s %s && openssl rehash %s"):format(
      folder, folder, certs.path(name), folder, folder)))
  end

  --- A connection of these contexts, which may go on with a session: true; nil, err.
  local function connects(client_context, server_context)
    local client, err, server = both({ context = client_context, host = "a.test" },
      { context = server_context })
    if not client then
      return nil, err
    end
    server:write "hello\n"
    assert.equal("hello", client:read_line())
    client:close()
    server:close()
    return true
  end

  virtual_it("decides about sessions by what is in it", function()
    hold "ca.pem"
    local server = assert(tls.context(certs.server("a", { server = true })))
    local context = assert(tls.context { ca_folder = folder })
    assert(connects(context, server))
    hold "self.pem"
    assert(context:reload())
    local ok, err = connects(context, server)
    assert.is_nil(ok)
    is_refused(err, "ECERTUNKNOWN")
  end)

  virtual_it('is looked at by reload = "on_change"', function()
    hold "ca.pem"
    local server = assert(tls.context(certs.server("a", { server = true })))
    local context = assert(tls.context { ca_folder = folder, reload = "on_change" })
    assert(connects(context, server))
    hold "self.pem"
    green.sleep(1)
    local ok, err = connects(context, server)
    assert.is_nil(ok)
    is_refused(err, "ECERTUNKNOWN")
  end)
end)

describe("pins", function()
  local function pin(name)
    return certs.text(name .. ".pin")
  end

  virtual_it("are looked for besides the verification", function()
    local client, err, server = both(certs.client("a.test", { pins = { pin "b", pin "a" } }),
      certs.server "a")
    assert(client, tostring(err))
    client:close()
    server:close()
    local none, refused = both(certs.client("a.test", { pins = pin "b" }), certs.server "a")
    assert.is_nil(none)
    is_refused(refused, "ECERTPIN", pin "a")
    none, refused = both({ host = "a.test", pins = pin "a" }, certs.server "a")
    assert.is_nil(none)
    is_refused(refused, "ECERTUNKNOWN")
  end)

  virtual_it("are the verification where there is no other", function()
    local client, err, server = both({ verify = false, pins = pin "a" }, certs.server "a")
    assert(client, tostring(err))
    client:close()
    server:close()
    local none, refused = both({ verify = false, pins = pin "b" }, certs.server "a")
    assert.is_nil(none)
    is_refused(refused, "ECERTPIN", pin "a")
  end)

  virtual_it("tell a server which clients are its own", function()
    local opts = certs.server("a", { pins = pin "client" })
    local client, err, server = both(certs.client("a.test", { cert = certs.path "client.pem",
      key = certs.path "client.key" }), opts)
    assert(client, tostring(err))
    client:close()
    server:close()
    local _, _, none, refused = both(certs.client("a.test", { max_version = "1.2",
      cert = certs.path "b.pem", key = certs.path "b.key" }), opts)
    assert.is_nil(none)
    is_refused(refused, "ECERTPIN", pin "b")
  end)
end)

describe("the key of a context", function()
  local function a_works(opts, subject, client_opts)
    local client, err, server = both(certs.client("a.test", client_opts), opts)
    assert(client, tostring(err))
    assert.equal(subject, client:peer_certificate().subject)
    client:close()
    server:close()
  end

  virtual_it("may be ECDSA, RSA, Ed25519, encrypted, or of a PKCS#12 file", function()
    a_works(certs.server "a", "CN=a.test")
    a_works(certs.server "rsa", "CN=rsa")
    a_works(certs.server "ed", "CN=ed")
    a_works({ cert = certs.path "a.pem", key = certs.path "locked.key", password = "secret" },
      "CN=a.test")
    a_works({ pkcs12 = certs.path "a.p12", password = "secret" }, "CN=a.test")
  end)

  virtual_it("is one of several, as the client can", function()
    local opts = { cert = { certs.server "a", certs.server "rsa" } }
    a_works(opts, "CN=rsa", { max_version = "1.2", ciphers = "aRSA" })
    a_works(opts, "CN=a.test", { max_version = "1.2", ciphers = "aECDSA" })
    a_works(opts, "CN=a.test")
  end)

  virtual_it("may have a function for its password, called when it is encrypted", function()
    local calls = 0
    local function password()
      calls = calls + 1
      green.sleep(1)
      return "secret"
    end
    a_works({ cert = certs.path "a.pem", key = certs.path "locked.key", password = password },
      "CN=a.test")
    assert.equal(1, calls)
    a_works({ cert = certs.path "a.pem", key = certs.path "a.key", password = password },
      "CN=a.test")
    assert.equal(1, calls)
    a_works({ pkcs12 = certs.path "a.p12", password = password }, "CN=a.test")
    assert.equal(2, calls)
  end)

  virtual_it("passes on what that function says instead", function()
    local function context(password)
      return tls.context { server = true, cert = certs.path "a.pem",
        key = certs.path "locked.key", password = password }
    end
    local none, err = context(function() return nil, "the vault is shut" end)
    assert.is_nil(none)
    assert.equal("the vault is shut", err)
    local ok, raised = pcall(context, function() error("the vault is gone", 0) end)
    assert.is_false(ok)
    assert.equal("the vault is gone", raised)
    ok, raised = pcall(context, function() return 7 end)
    assert.is_false(ok)
    assert.truthy(tostring(raised):find("what the function password returns must be a string, "
      .. "not a number", 1, true), tostring(raised))
    none, err = context(function() return "wrong" end)
    assert.is_nil(none)
    is_refused(err, "EKEYINVALID", "locked.key: wrong password")
  end)

  virtual_it("names the PKCS#12 file that will not do, and why", function()
    local _, err = tls.context { server = true, pkcs12 = certs.path "a.p12", password = "wrong" }
    is_refused(err, "EKEYINVALID", "a.p12: wrong password")
    _, err = tls.context { server = true, pkcs12 = certs.path "a.p12" }
    is_refused(err, "EKEYINVALID", "a.p12: no password given (option password)")
    _, err = tls.context { server = true, pkcs12 = certs.path "a.pem" }
    is_refused(err, "EKEYINVALID", "a.pem: it is no PKCS#12 file")
  end)
end)

describe("the expiry of a context", function()
  virtual_it("is known to programs", function()
    local context = own()
    local left = (context:expires() - os.time()) / 86400
    assert.is_true(left > 19 and left <= 20, left)
    assert.is_nil(assert(tls.context { verify = false }):expires())
    assert.is_true(context.server)
    assert.is_false(assert(tls.context { verify = false }).verify)
  end)

  virtual_it("is told 14 days before, when it is made and when it is read anew", function()
    listening(function(told)
      local context = own()
      assert.same({}, told)
      become "soon"
      assert.is_true(context:reload())
      assert.equal(1, #told)
      assert.truthy(told[1]:find('certificate "CN=soon.test" (file ', 1, true), told[1])
      assert.truthy(told[1]:find("UTC, in 3 days or less", 1, true), told[1])
      assert(tls.context { server = true, cert = { certs.server "a", certs.server "old" } })
      assert.equal(2, #told)
      assert.truthy(told[2]:find("old.pem) expired on 20", 1, true), told[2])
      assert.equal(context:expires() > os.time(), true)
    end)
  end)
end)

describe("tickets of a context", function()
  virtual_it("may have keys that others have, too", function()
    certs.put("tickets", ("0123456789"):rep(8))
    assert(tls.context(certs.server("a", { server = true, ticket_keys = certs.path "tickets" })))
    assert(tls.context(certs.server("a", { server = true, ticket_keys = { ("k"):rep(80) } })))
    assert(tls.context(certs.server("a", { server = true, ticket_lifetime = 3600 })))
    certs.put("tickets", "short")
    local _, err = tls.context(certs.server("a", { server = true,
      ticket_keys = certs.path "tickets" }))
    is_refused(err, "EKEYINVALID", "it has 5 bytes")
  end)
end)

describe("tls.context", function()
  virtual_it("refuses an answer about revocation that is none", function()
    assert(tls.context(certs.server("a", { server = true, ocsp = certs.path "a.ocsp" })))
    local one = certs.server("a", { ocsp = certs.path "a.ocsp" })
    assert(tls.context { server = true, cert = { one } })
    local _, err = tls.context(certs.server("a", { server = true, ocsp = certs.path "a.pem" }))
    is_refused(err, "ECERTINVALID", "a.pem: it is no OCSP response in DER")
    _, err = tls.context(certs.server("b", { server = true, ocsp = certs.path "a.ocsp" }))
    is_refused(err, "ECERTINVALID", "it is about another certificate")
  end)

  virtual_it("finds one of a thousand names", function()
    local named = assert(tls.context(certs.server("b", { server = true })))
    local names = { ["b.test"] = named }
    for i = 1, 1000 do
      names[("n%d.test"):format(i)] = named
    end
    local context = assert(tls.context(certs.server("a", { server = true, names = names })))
    for _, host in ipairs { "n1.test", "n500.test", "n1000.test", "b.test" } do
      assert.equal("CN=b.test", shown(context, host))
    end
    assert.equal("CN=a.test", shown(context, "n1001.test"))
  end)

  virtual_it("tells mistakes with the caller's line, and shows no secret", function()
    local a = certs.server("a", { server = true })
    local function with(more)
      local opts = {}
      for name, value in pairs(a) do opts[name] = value end
      for name, value in pairs(more) do opts[name] = value end
      return opts
    end
    for _, wrong in ipairs {
      { with { reload = "always" }, 'reload must be "on_change", not "always"' },
      { with { password = 7 }, "password must be a string or a function, not a number" },
      { with { ticket_keys = { "hush" } }, "ticket_keys[1] must be a string of 80 bytes" },
      { with { ticket_keys = {} }, "ticket_keys must be a list of at least one key" },
      { with { ticket_keys = "/x", ticket_lifetime = 1 }, "ticket_lifetime must be left out" },
      { with { ticket_lifetime = -1 }, "ticket_lifetime must be a whole number" },
      { with { key = certs.text "a.key" }, "cert and key must both be paths" },
      { with { pins = 7 }, "pins must be a list of strings" },
      { with { keylog = 7 }, "keylog must be a string" },
      { with { ocsp = 7 }, "ocsp must be a string" },
      { { ocsp = "/x" }, "ocsp must be left out where server is not true" },
      { { ticket_keys = "hush" }, "ticket_keys must be left out where server is not true" },
      { with { cert = { "hush" } }, "cert[1] must be a table, not a string" },
      { { key = "-----BEGIN hush" }, "key must be left out where there is no cert" },
      { { cert = { { cert = "/x", certt = 1 } } }, "did you mean 'cert'" },
    } do
      local ok, err = pcall(tls.context, wrong[1])
      assert.is_false(ok, wrong[2])
      assert.truthy(tostring(err):find(wrong[2], 1, true), tostring(err))
      assert.truthy(tostring(err):find("context_spec.lua:", 1, true), tostring(err))
      assert.is_nil(tostring(err):find("hush", 1, true))
    end
    local _, err = tls.context { pins = "sha256//short" }
    is_refused(err, "EINVAL", '"sha256//short" is no pin')
  end)

  virtual_it("of a client is not blind because nothing was said", function()
    local client, err = both({ host = "a.test" }, certs.server "a")
    assert.is_nil(client)
    is_refused(err, "ECERTUNKNOWN")
    local a, b = testing.stream_pair()
    local ok, raised = pcall(tls.client, a, {})
    assert.is_false(ok)
    assert.truthy(tostring(raised):find("host must be the name that the server's certificate must",
      1, true), tostring(raised))
    a:close()
    b:close()
  end)
end)
