-- Whose certificate is believed: chains that openssl made, shown over streams in memory.
local green = require "green"
local testing = require "green.testing"
local tls = require "green.tls"

local certs = require "spec.support.certs"
local program = require "spec.support.program"
local virtual_it, it = testing.busted()

local function key_of(name, more)
  local opts = { cert = certs.chain(name .. ".pem"), key = certs.chain(name .. ".key") }
  for key, value in pairs(more or {}) do
    opts[key] = value
  end
  return opts
end

--- A client that believes our authority, unless more says other.
local function client_of(host, more)
  local opts = { host = host, ca = certs.chain "ca.pem" }
  for key, value in pairs(more or {}) do
    opts[key] = value
  end
  return opts
end

--- Both handshakes. The client's error, the server's; nil: it was well.
local function meet(client_opts, server_opts)
  local a, b = testing.stream_pair()
  local there = green.spawn(tls.server, b, server_opts)
  local client, err = tls.client(a, client_opts)
  local server, why = there:wait()
  if client and server then
    assert(client:write "x")
    assert.equal("x", server:read(1))
  end
  if client then client:close() end
  if server then server:close() end
  return err, why
end

local function accepts(name, host, more, server_more)
  local err = meet(client_of(host or name .. ".test", more), key_of(name, server_more))
  assert.is_nil(err, tostring(err))
end

local function has(text, ...)
  for _, part in ipairs { ... } do
    assert.truthy(text:find(part, 1, true), ("no '%s' in: %s"):format(part, text))
  end
end

--- The client's error, with that code and these words in it.
local function refuses(name, host, more, code, ...)
  local err = meet(client_of(host or name .. ".test", more), key_of(name))
  assert.is_true(green.is_error(err, code), tostring(err))
  has(tostring(err), ...)
  return err
end

describe("a chain", function()
  virtual_it("may be long, as far as the depth allows", function()
    for i = 1, 5 do
      accepts("deep" .. i)
    end
    accepts("deep5", nil, { depth = 5 })
    local err = refuses("deep5", nil, { depth = 4 }, "ECERTINVALID", "chain too long",
      "the option depth", "may stand 4")
    assert.truthy(err.certificate.subject:find("Middle 1", 1, true), err.certificate.subject)
    refuses("deep1", nil, { depth = 0 }, "ECERTINVALID", "chain too long")
  end)

  virtual_it("must be whole, and says who is missing", function()
    local err = refuses("alone", "deep1.test", nil, "ECERTUNKNOWN", "the server's own certificate",
      "has an issuer that is not known here", "verify = false",
      'give the certificate of "CN=Middle 1"', "option ca",
      "does not send the certificates between")
    assert.equal("CN=deep1.test", err.certificate.subject)
    assert.equal("CN=Middle 1", err.certificate.issuer)
    assert.equal(1, err.chain_index)
  end)

  virtual_it("may end at one in between, if that is asked for", function()
    refuses("deep3", nil, { ca = certs.chain "m2.one" }, "ECERTUNKNOWN", "number 3 of the server's "
      .. 'chain, certificate "CN=Middle 2"', 'give the certificate of "CN=Middle 1"')
    accepts("deep3", nil, { ca = certs.chain "m2.one", partial_chain = true })
    refuses("deep1", nil, { ca = certs.chain "m2.one", partial_chain = true }, "ECERTUNKNOWN")
    accepts("deep1", nil, { ca = certs.chain "deep1.one", partial_chain = true })
  end)

  virtual_it("may lead to two authorities, of which one is believed", function()
    accepts("crossed", "deep1.test")
    accepts("crossed", "deep1.test", { ca = certs.chain "other.pem" })
    refuses("crossed", "deep1.test", { ca = certs.chain "self.pem" }, "ECERTUNKNOWN")
  end)

  virtual_it("has no more certificates than the depth and ten", function()
    local err = meet(client_of "deep1.test", key_of "many")
    assert.is_true(green.is_error(err, "ECERTINVALID"), tostring(err))
    has(tostring(err), "the server shows 102 certificates", "no more than 20")
    local same = meet(client_of("deep1.test", { depth = 100 }), key_of "many")
    assert.is_nil(same)
    local _, why = meet(client_of("deep1.test", key_of "many"),
      key_of("deep1", { verify = "ask", ca = certs.chain "ca.pem" }))
    assert.is_true(green.is_error(why, "ECERTINVALID"), tostring(why))
    has(tostring(why), "the client shows 102 certificates", "no more than 20")
  end)

  virtual_it("has no more than 100 KB, whether anybody verifies or not", function()
    local err = meet(client_of "large.test", key_of "large")
    assert.is_true(green.is_error(err, "ECERTINVALID"), tostring(err))
    has(tostring(err), "the server sends more than is accepted", "102400 bytes")
    err = meet({ verify = false }, key_of "large")
    assert.is_true(green.is_error(err, "ECERTINVALID"), tostring(err))
    local _, why = meet(client_of("deep1.test", key_of "large"),
      key_of("deep1", { verify = "ask", ca = certs.chain "ca.pem" }))
    assert.is_true(green.is_error(why, "ECERTINVALID"), tostring(why))
    has(tostring(why), "the client sends more")
  end)

  virtual_it("of a self-signed certificate, or a stranger's, is believed when given", function()
    local err = refuses("self", "self.test", nil, "ECERTUNKNOWN",
      "is self-signed, and not known here", "give its file as the option ca")
    assert.equal(1, err.chain_index)
    accepts("self", "self.test", { ca = certs.chain "self.pem" })
    refuses("stranger", nil, nil, "ECERTUNKNOWN", '"CN=Other Root" as the option ca')
    accepts("stranger", nil, { ca = certs.chain "other.pem" })
    accepts("stranger", nil, { ca = { certs.chain "ca.pem", certs.chain "other.pem" } })
  end)
end)

describe("the time", function()
  virtual_it("of each certificate counts, and the sentence says whose it is", function()
    local err = refuses("late", nil, nil, "ECERTEXPIRED", "the server's own certificate "
      .. '"CN=late.test"', "expired on 2021-01-01T00:00:00Z", "the clock here says 20")
    assert.equal("2021-01-01T00:00:00Z", err.certificate.not_after)
    refuses("early", nil, nil, "ECERTEXPIRED", "is not valid before 2045-01-01T00:00:00Z")
    err = refuses("lateissuer", nil, nil, "ECERTEXPIRED", "number 2 of the server's chain",
      '"CN=Old Middle"', "expired on 2021")
    assert.equal(2, err.chain_index)
    refuses("lateroot", nil, { ca = certs.chain "oldroot.pem" }, "ECERTEXPIRED",
      "an authority that is trusted here", '"CN=Old Root"', "expired on 2021")
  end)
end)

describe("the host", function()
  virtual_it("is looked for among the alternative names alone", function()
    local err = refuses("cn", nil, nil, "ECERTHOST", "is for no name (a common name is none)",
      "not for cn.test")
    assert.same({}, err.certificate.names)
    assert.equal("cn.test", err.host)
    err = refuses("a", "b.test", nil, "ECERTHOST", "is for a.test, *.w.test, 127.0.0.1",
      "not for b.test")
    assert.equal("DNS:a.test", err.certificate.names[1])
  end)

  virtual_it("may be met by a star for one whole label", function()
    accepts("partial", "x.w.test")
    for _, host in ipairs { "w.test", "x.y.w.test", "fo.p.test", "f.p.test", "xw.test" } do
      refuses("partial", host, nil, "ECERTHOST", "f*.p.test, *.w.test", "not for " .. host)
    end
  end)

  virtual_it("is the same in capitals and with a dot behind", function()
    accepts("a", "A.TesT")
    accepts("a", "a.test.")
    accepts("idn", "upper.test")
    accepts("idn", "XN--bcher-KVA.test.")
    refuses("idn", "xn--bcher-kvb.test", nil, "ECERTHOST")
  end)

  virtual_it("that is an address is met by an address alone", function()
    accepts("a", "127.0.0.1")
    accepts("a", "::1")
    accepts("a", "0:0:0:0:0:0:0:1")
    refuses("a", "127.0.0.2", nil, "ECERTHOST", "not for 127.0.0.2")
    refuses("a", "::2", nil, "ECERTHOST", "not for ::2")
    refuses("ipname", "127.0.0.1", nil, "ECERTHOST", "not for 127.0.0.1")
  end)

  virtual_it("must be a name", function()
    for _, host in ipairs { "", ".", "*.w.test", "bücher.test", "a b", ".a.test" } do
      local a, b = testing.stream_pair()
      local ok, err = pcall(tls.client, a, client_of(host))
      assert.is_false(ok)
      has(tostring(err), "host must be a name or an address")
      a:close()
      b:close()
    end
  end)

  virtual_it("stays within what the issuer may name", function()
    accepts("inside", "in.ok.test")
    for name, host in pairs { outside = "out.test", excluded = "x.bad.ok.test" } do
      local err = refuses(name, host, nil, "ECERTINVALID", "the server's own certificate",
        "name constraints")
      assert.equal("CN=Constrained", err.certificate.issuer)
    end
  end)
end)

describe("a certificate", function()
  virtual_it("is used for what it is made for", function()
    accepts("asserver")
    refuses("asclient", nil, nil, "ECERTINVALID", "may not be a server's", "serverAuth")
    refuses("signonly", nil, nil, "ECERTINVALID", "may not be a server's")
  end)

  virtual_it("that is no authority's issues none", function()
    refuses("underfake", nil, nil, "ECERTINVALID", "number 2 of the server's chain",
      '"CN=No Authority"', "is no authority", "CA:TRUE")
    refuses("toodeep", nil, nil, "ECERTINVALID", "pathlen")
  end)

  virtual_it("that was revoked is refused, wherever it stands", function()
    local lists = { certs.chain "ca.crl", certs.chain "gonem.crl", certs.chain "m1.crl" }
    accepts("gone")
    refuses("gone", nil, { crl = lists }, "ECERTREVOKED", "the server's own certificate "
      .. '"CN=gone.test"', "was revoked by its issuer")
    refuses("undergone", nil, { crl = lists }, "ECERTREVOKED", "number 2 of the server's chain",
      '"CN=Gone Middle"')
    accepts("a", "a.test", { crl = lists })
    accepts("deep1", nil, { crl = lists })
  end)

  virtual_it("is refused where the list that it might stand on is missing or old", function()
    refuses("deep1", nil, { crl = certs.chain "ca.crl" }, "ECERTINVALID", "the server's own "
      .. "certificate", "the option crl has no list of its issuer")
    refuses("a", "a.test", { crl = certs.chain "lapsed.crl" }, "ECERTINVALID",
      "in the option crl is out of date")
  end)

  -- Our own servers do not take such certificates, either.
  it("that is weak is refused", function()
    local words = { rsa1024 = "key that is too short", sha1 = "SHA-1", md5 = "MD5" }
    for name, word in pairs(words) do
      local server = program.start { "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",
        certs.chain(name .. ".pem"), "-key", certs.chain(name .. ".key"), "-www", "-cipher",
        "ALL:@SECLEVEL=0" }
      server:expect "ACCEPT 127.0.0.1:"
      local conn, err = green.connect("127.0.0.1", tonumber(server:expect "\n"), { timeout = 20,
        tls = client_of(name .. ".test", { ca = certs.chain "rsaroot.pem" }) })
      server:kill(15)
      server:wait()
      assert.is_nil(conn)
      assert.is_true(green.is_error(err, "ECERTINVALID"), tostring(err))
      has(tostring(err), "the server's own certificate", word)
    end
  end)

  virtual_it("that is weak is none for a server", function()
    local context, err = tls.context(key_of("rsa1024", { server = true }))
    assert.is_nil(context)
    has(tostring(err), "rsa1024.pem")
  end)
end)

-- -- Clients' -------------------------------------------------------------------

local function server_of(verify, more)
  local opts = { verify = verify, ca = certs.chain "ca.pem" }
  for key, value in pairs(more or {}) do
    opts[key] = value
  end
  return key_of("a", opts)
end

--- A client with that certificate (nil: none) at a server: what the client's handshake says,
-- its first read, and what the server says.
local function show(name, verify, version, more)
  local a, b = testing.stream_pair()
  local there = green.spawn(function()
    local server, why = tls.server(b, server_of(verify, more))
    if server then
      server:write "welcome"
      server:close()
    end
    return why
  end)
  local own = client_of("a.test", name and key_of(name) or {})
  own.max_version = version
  local client, err = tls.client(a, own)
  local text, refusal
  if client then
    text, refusal = client:read_some()
    client:close()
  end
  return err, text, refusal, there:wait()
end

for _, version in ipairs { "1.2", "1.3" } do
  describe("a client of TLS " .. version, function()
    --- What it hears first, when the server has refused it.
    local function hears(name, verify, code, ...)
      local err, text, refusal, why = show(name, verify, version)
      assert.is_nil(text)
      assert.is_true(green.is_error(why, code), tostring(why))
      has(tostring(why), ...)
      local heard = err or refusal
      -- In TLS 1.3 a client is done before the server has seen its certificate.
      assert.equal(version == "1.3", err == nil)
      assert.is_true(green.is_error(heard, "ETLSALERT"), tostring(heard))
      return heard, why
    end

    virtual_it("is let in with a good certificate, or without where it is only asked", function()
      for _, verify in ipairs { "ask", "demand" } do
        local _, text, _, why = show("client", verify, version)
        assert.equal("welcome", text, tostring(why))
      end
      local _, text = show(nil, "ask", version)
      assert.equal("welcome", text)
      _, text = show("stranger", false, version)
      assert.equal("welcome", text)
    end)

    virtual_it("hears that its certificate is missing", function()
      local heard, why = hears(nil, "demand", "ECERTINVALID", "shows no certificate")
      has(tostring(heard), version == "1.3" and "certificate_required (116)"
        or "handshake_failure (40)", "a certificate of ours, and we have none", "cert and key")
      assert.equal(version == "1.3" and 116 or 40, heard.alert)
      assert.is_nil(why.certificate)
    end)

    virtual_it("hears that its certificate is bad", function()
      for _, verify in ipairs { "ask", "demand" } do
        local heard, why = hears("stranger", verify, "ECERTUNKNOWN", "the client's own certificate "
          .. '"CN=stranger.test"', "option ca")
        assert.equal("CN=stranger.test", why.certificate.subject)
        has(tostring(heard), "unknown_ca (48)", "the authority of our certificate")
        assert.equal("unknown_ca", heard.alert_name)
        heard = hears("late", verify, "ECERTEXPIRED", "expired on 2021")
        has(tostring(heard), "certificate_expired (45)", "our certificate has expired")
        hears("asserver", verify, "ECERTINVALID", "may not be a client's", "clientAuth")
      end
    end)

    virtual_it("is refused when its certificate was revoked", function()
      local _, text, _, why = show("gone", "demand", version, { crl = certs.chain "ca.crl" })
      assert.is_nil(text)
      assert.is_true(green.is_error(why, "ECERTREVOKED"), tostring(why))
    end)
  end)
end
