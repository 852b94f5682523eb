-- TLS beside other programs, both ways: openssl's and GnuTLS's clients and servers, curl.
local certs = require "spec.support.certs"
local peers = require "spec.support.tls_peers"

local with_server, client = peers.with_server, peers.client

local function has(text, ...)
  for _, part in ipairs { ... } do
    assert.truthy(text:find(part, 1, true), ("no '%s' in: %s"):format(part, text))
  end
end

local function server_opts(more)
  return certs.server("a", more)
end

local ALICE = { pem = certs.path "client.pem", key = certs.path "client.key" }
local SELF = { pem = certs.path "self.pem", key = certs.path "self.key" }

-- How each of their clients is told: a version, a certificate, protocols, ciphers.
local clients = {
  ["openssl s_client"] = {
    run = peers.s_client,
    version = { ["1.2"] = { "-tls1_2" }, ["1.3"] = { "-tls1_3" } },
    cert = function(one) return { "-cert", one.pem, "-key", one.key } end,
    alpn = function(name) return { "-alpn", name } end,
    plain_alpn = "-",
  },
  curl = {
    run = peers.curl,
    version = { ["1.2"] = { "--tlsv1.2", "--tls-max", "1.2" }, ["1.3"] = { "--tlsv1.3" } },
    cert = function(one) return { "--cert", one.pem, "--key", one.key } end,
    plain_alpn = "http/1.1", -- it always offers that
  },
  ["gnutls-cli"] = {
    run = peers.gnutls_cli,
    version = { ["1.2"] = { "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2" },
      ["1.3"] = { "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.3" } },
    cert = function(one) return { "--x509certfile", one.pem, "--x509keyfile", one.key } end,
    alpn = function(name) return { "--alpn", name } end,
    plain_alpn = "-",
  },
}

local function words(...)
  local all = {}
  for _, list in ipairs { ... } do
    for key, value in pairs(list) do
      if type(key) == "number" then
        all[#all + 1] = value
      else
        all[key] = value
      end
    end
  end
  return all
end

for name, peer in pairs(clients) do
  describe("a server of ours and " .. name, function()
    it("speak both versions", function()
      with_server(server_opts { alpn = "http/1.1" }, function(port)
        for version, option in pairs(peer.version) do
          has(peer.run(port, option), ("over TLSv%s %s a.test - false"):format(version,
            peer.plain_alpn))
        end
      end)
    end)

    it("find no version in common", function()
      for mine, theirs in pairs { ["1.2"] = "1.3", ["1.3"] = "1.2" } do
        with_server(server_opts { min_version = mine, max_version = mine }, function(port, server)
          peer.run(port, peer.version[theirs])
          server:expect "failed: "
          has(server:expect "\n", "ETLSVERSION", "this server takes TLS " .. mine .. " (")
        end)
      end
    end)

    it("agree on a protocol, or not", function()
      if not peer.alpn then return end
      with_server(server_opts { alpn = { "x/2", "x/1" } }, function(port, server)
        has(peer.run(port, peer.alpn "x/1"), "over TLSv1.3 x/1 ")
        peer.run(port, peer.alpn "y/1")
        server:expect "failed: "
        has(server:expect "\n", "the client offers y/1; this server has x/2, x/1")
      end)
    end)

    it("use the client's certificate", function()
      local opts = server_opts { verify = "demand", ca = certs.path "ca.pem" }
      with_server(opts, function(port, server)
        for version, option in pairs(peer.version) do
          has(peer.run(port, words(option, peer.cert(ALICE))), "over TLSv" .. version,
            "CN=alice,O=Clients")
          peer.run(port, option)
          server:expect "failed: "
          has(server:expect "\n", "ECERTINVALID", "shows no certificate")
          peer.run(port, words(option, peer.cert(SELF)))
          server:expect "failed: "
          -- GnuTLS shows none that the server's authorities have not signed.
          local told = server:expect "\n"
          assert.truthy(told:find("ECERTUNKNOWN", 1, true)
            or told:find("shows no certificate", 1, true), told)
        end
      end)
    end)

    it("have a certificate for each name, and the client refuses a wrong one", function()
      local names = { ["b.test"] = certs.server "b" }
      with_server(server_opts { names = names }, function(port, server)
        has(peer.run(port, { name = "b.test" }), "over TLSv1.3 ", " b.test - ")
        has(peer.run(port, {}), "over TLSv1.3 ", " a.test - ")
        local text, status = peer.run(port, { name = "c.test" })
        assert.not_equal(0, status)
        assert.is_nil(text:find("over TLS", 1, true))
        if name ~= "curl" then -- which looks at names when the handshake is over
          server:expect "failed: "
          server:expect "\n"
        end
      end)
    end)

    it("do not speak where the client does not know the authority", function()
      with_server(server_opts(), function(port, server)
        local _, status = peer.run(port, { ca = certs.path "self.pem" })
        assert.not_equal(0, status)
        server:expect "failed: "
        has(server:expect "\n", "ETLS")
      end)
    end)
  end)
end

describe("a server of ours", function()
  it("resumes the sessions of openssl s_client", function()
    with_server(server_opts(), function(port)
      local kept = os.tmpname()
      for _, option in ipairs { "-tls1_2", "-tls1_3" } do
        has(peers.s_client(port, { option, "-sess_out", kept }), "- false")
        has(peers.s_client(port, { option, "-sess_in", kept }), "- true")
      end
      os.remove(kept)
    end)
  end)

  it("resumes the sessions of gnutls-cli and curl", function()
    with_server(server_opts(), function(port)
      for _, option in pairs(clients["gnutls-cli"].version) do
        has(peers.gnutls_cli(port, words(option, { "--resume" })), "This is a resumed session",
          "- true")
      end
      -- With TLS 1.2 curl asks for no tickets.
      has(peers.curl(port, { "--tlsv1.3", "https://a.test:" .. port .. "/" }), "- false",
        "- true")
    end)
  end)

  it("and a client without a cipher in common part", function()
    with_server(server_opts { max_version = "1.2" }, function(port, server)
      local text = peers.s_client(port, { "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256" })
      has(text, "handshake failure")
      server:expect "failed: "
      has(server:expect "\n", "the client offers ECDHE-RSA-AES128-GCM-SHA256; we allow ECDHE")
    end)
  end)

  it("tells a client of plain HTTP nothing in TLS", function()
    with_server(server_opts(), function(port, server)
      local text = peers.curl(port, { "http://a.test:" .. port .. "/" })
      has(text, "over TLS") -- the first address, and no page from the other
      server:expect "failed: "
      has(server:expect "\n", "ETLSPLAIN", "a plain HTTP request")
    end)
  end)
end)

-- -- Our client ------------------------------------------------------------------

local function client_opts(more)
  return certs.client("a.test", more)
end

-- How their servers are told the same.
local servers = {
  ["openssl s_server"] = {
    with = peers.with_s_server,
    version = { ["1.2"] = { "-tls1_2" }, ["1.3"] = { "-tls1_3" } },
    demand = { "-Verify", "3", "-CAfile", certs.path "ca.pem", "-verify_return_error" },
    alpn = { "-alpn", "x/1" },
  },
  ["gnutls-serv"] = {
    with = peers.with_gnutls_serv,
    version = clients["gnutls-cli"].version,
    demand = { "--require-client-cert", "--verify-client-cert" },
    alpn = { "--alpn", "x/1", "--alpn-fatal" },
  },
}

for name, peer in pairs(servers) do
  describe("a client of ours and " .. name, function()
    it("speak both versions, and resume sessions", function()
      for version, option in pairs(peer.version) do
        peer.with(option, function(port)
          local text = client(port, client_opts { times = 2 })
          has(text, "TLSv" .. version, "full\tHTTP/1.0 200", "resumed\tHTTP/1.0 200")
        end)
      end
    end)

    it("find no version in common", function()
      for mine, theirs in pairs { ["1.2"] = "1.3", ["1.3"] = "1.2" } do
        peer.with(peer.version[theirs], function(port)
          has(client(port, client_opts { min_version = mine, max_version = mine }),
            "we offer", "TLS " .. mine) -- GnuTLS says handshake_failure
        end)
      end
    end)

    it("agree on a protocol, or not", function()
      peer.with(peer.alpn, function(port)
        has(client(port, client_opts { alpn = { "y/1", "x/1" } }), "\tx/1\t")
        has(client(port, client_opts { alpn = "y/1" }), "ETLSALERT",
          "no_application_protocol (120)", "(ALPN): y/1", "alert\t120\tno_application_protocol")
      end)
    end)

    it("find no cipher in common", function()
      peer.with(peer.version["1.2"], function(port)
        has(client(port, client_opts { ciphers = "ECDHE-RSA-AES128-GCM-SHA256",
          max_version = "1.2" }), "ETLSALERT", "handshake_failure (40)",
          "the ciphers ECDHE-RSA-AES128-GCM-SHA256,")
      end)
    end)

    it("use the client's certificate", function()
      for version, option in pairs(peer.version) do
        peer.with(words(option, peer.demand), function(port)
          local own = { cert = ALICE.pem, key = ALICE.key }
          has(client(port, client_opts(own)), "TLSv" .. version, "HTTP/1.0 200")
          has(client(port, client_opts()), "ETLSALERT", "a certificate of ours, and we have none",
            "options cert and key")
          has(client(port, client_opts { cert = SELF.pem, key = SELF.key }), "ETLSALERT",
            "our certificate")
        end)
      end
    end)

    it("part where the certificate is not good", function()
      peer.with({}, function(port)
        has(client(port, certs.client "b.test"), "ECERTHOST", "not for b.test")
        has(client(port, client_opts { ca = SELF.pem }), "ECERTUNKNOWN", "option ca")
        has(client(port, { verify = false }), "HTTP/1.0 200")
      end)
    end)
  end)
end

describe("a client of ours", function()
  it("hears of openssl s_server that it does not have a name", function()
    peers.with_s_server({ "-servername", "b.test", "-servername_fatal", "-cert2",
      certs.path "b.pem", "-key2", certs.path "b.key" }, function(port)
      has(client(port, certs.client "b.test"), "HTTP/1.0 200")
      has(client(port, client_opts()), "unrecognized_name (112)", '"a.test"')
    end)
  end)
end)
