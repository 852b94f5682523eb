-- TLS beside other programs: openssl's and GnuTLS's clients, curl, openssl's server.
local certs = require "spec.support.certs"
local program = require "spec.support.program"

local SERVER = [[
  local green = require "green"
  local l = assert(green.listen "127.0.0.1:0")
  print(select(2, l:sockname()))
  io.flush()
  green.serve(l, function(conn)
    if not conn:read_until "\r\n\r\n" then return end
    local info, cert = conn:info(), conn:peer_certificate()
    conn:write("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n", "over ", info.version, " ",
      info.alpn or "-", " ", info.server_name or "-", " ", cert and cert.subject or "-", " ",
      tostring(info.resumed), "\n")
  end, { tls = { cert = arg[1], key = arg[2], ca = arg[3],
    verify = arg[4] == "demand" and "demand" or nil, alpn = "http/1.1" } })
]]

local CLIENT = [[
  local green = require "green"
  local conn, err = green.connect("127.0.0.1", tonumber(arg[1]), { timeout = 20, tls = {
    host = arg[2], ca = arg[3], cert = arg[4] ~= "" and arg[4] or nil,
    key = arg[5] ~= "" and arg[5] or nil, max_version = arg[6] } })
  if not conn then print(err) os.exit(0) end
  conn:write "GET / HTTP/1.0\r\n\r\n"
  local text, why = conn:read_all()
  print(conn:info().version, conn:info().cipher, #(text or ""), why)
  print(text and text:match "HTTP/1.0 200" or "no page")
]]

local REQUEST = "GET / HTTP/1.0\r\n\r\n"

--- Run body(port, greenlua) beside our server.
local function with_server(verify, body)
  local script = program.file(SERVER)
  local server = program.start_greenlua { script, certs.path "a.pem", certs.path "a.key",
    certs.path "ca.pem", verify }
  local port = server:expect("\n")
  local ok, err = pcall(body, port)
  server:kill(15)
  server:wait()
  os.remove(script)
  if not ok then
    error(err, 0)
  end
  assert.equal("", server.err)
end

--- The same beside openssl's.
local function with_s_server(options, body)
  local argv = { "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certs.path "a.pem",
    "-key", certs.path "a.key", "-www" }
  for _, option in ipairs(options) do
    argv[#argv + 1] = option
  end
  local server = program.start(argv)
  server:expect "ACCEPT 127.0.0.1:"
  local ok, err = pcall(body, server:expect "\n")
  server:kill(15)
  server:wait()
  if not ok then
    error(err, 0)
  end
end

local function client(...)
  local script = program.file(CLIENT)
  local run = program.run_greenlua { script, ... }
  os.remove(script)
  return run.out .. run.err
end

--- openssl's client, asking for a.test.
local function s_client(port, ...)
  local argv = { "openssl", "s_client", "-connect", "127.0.0.1:" .. port, "-servername", "a.test",
    "-verify_hostname", "a.test", "-verify_return_error", "-CAfile", certs.path "ca.pem",
    "-quiet", "-ign_eof", input = REQUEST }
  for _, option in ipairs { ... } do
    argv[#argv + 1] = option
  end
  local run = program.run(argv)
  return run.out .. run.err
end

local function curl(host, port, ...)
  return program.run { "curl", "-sS", "--max-time", "20", "--cacert", certs.path "ca.pem",
    "--resolve", ("%s:%s:127.0.0.1"):format(host, port), ("https://%s:%s/"):format(host, port),
    ... }
end

local function has(text, wanted)
  assert.truthy(text:find(wanted, 1, true), text)
end

describe("a TLS server of ours", function()
  it("answers openssl s_client, of both versions", function()
    with_server("none", function(port)
      for option, version in pairs { ["-tls1_2"] = "TLSv1.2", ["-tls1_3"] = "TLSv1.3" } do
        has(s_client(port, option, "-alpn", "http/1.1"),
          "over " .. version .. " http/1.1 a.test - false")
      end
    end)
  end)

  it("gives openssl s_client a session that it takes up again", function()
    with_server("none", function(port)
      local kept = os.tmpname()
      for _, option in ipairs { "-tls1_2", "-tls1_3" } do
        has(s_client(port, option, "-sess_out", kept), "- false")
        has(s_client(port, option, "-sess_in", kept), "- true")
      end
      os.remove(kept)
    end)
  end)

  it("answers curl, and curl refuses it under another name", function()
    with_server("none", function(port)
      has(curl("a.test", port).out, "over TLSv1.3 http/1.1 a.test")
      assert.equal(60, curl("b.test", port).status) -- the certificate cannot be verified
    end)
  end)

  it("answers gnutls-cli", function()
    with_server("none", function(port)
      local run = program.run { "gnutls-cli", "--x509cafile", certs.path "ca.pem",
        "--sni-hostname", "a.test", "--verify-hostname", "a.test", "-p", port, "127.0.0.1",
        input = REQUEST }
      has(run.out .. run.err, "over TLSv1.3 - a.test")
    end)
  end)

  it("demands a client's certificate, and knows whose it is", function()
    with_server("demand", function(port)
      local run = curl("a.test", port, "--cert", certs.path "client.pem", "--key",
        certs.path "client.key")
      has(run.out .. run.err, "alice")
      assert.not_equal(0, curl("a.test", port).status)
      assert.not_equal(0, curl("a.test", port, "--cert", certs.path "self.pem", "--key",
        certs.path "self.key").status)
    end)
  end)
end)

describe("a TLS client of ours", function()
  it("reads a page of openssl s_server, of both versions", function()
    with_s_server({}, function(port)
      has(client(port, "a.test", certs.path "ca.pem"), "TLSv1.3")
    end)
    with_s_server({ "-tls1_2" }, function(port)
      local text = client(port, "a.test", certs.path "ca.pem")
      has(text, "TLSv1.2")
      has(text, "HTTP/1.0 200")
    end)
  end)

  it("shows openssl s_server its certificate", function()
    with_s_server({ "-Verify", "3", "-CAfile", certs.path "ca.pem", "-verify_return_error" },
      function(port)
        has(client(port, "a.test", certs.path "ca.pem", certs.path "client.pem",
          certs.path "client.key"), "HTTP/1.0 200")
      end)
  end)

  it("says what does not fit", function()
    with_s_server({ "-tls1_3" }, function(port)
      has(client(port, "b.test", certs.path "ca.pem"), "(ECERTHOST)")
      has(client(port, "a.test", certs.path "self.pem"), "(ECERTUNKNOWN)")
      has(client(port, "a.test", certs.path "ca.pem", "", "", "1.2"), "ETLS")
    end)
  end)
end)
