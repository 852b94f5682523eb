-- From plain to TLS in the middle of a stream, and back: STARTTLS, unwrap, connect after
-- wrap; beside ourselves, openssl's client, and those and the servers of GnuTLS and Python.
local green = require "green"
local socket = require "green.socket"
local testing = require "green.testing"
local tls = require "green.tls"

local certs = require "spec.support.certs"
local peers = require "spec.support.tls_peers"
local program = require "spec.support.program"
local kit = require "spec.support.tls_kit"
local virtual_it, it = testing.busted()
local fails, tcp_pair = kit.fails, kit.tcp_pair

--- TLS over both ends of a pair.
local function over(a, b, client_more, server_more)
  local there = green.spawn(tls.server, b, certs.server("a", server_more))
  local client = assert(tls.client(a, certs.client("a.test", client_more)))
  return client, assert(there:wait())
end

-- -- Dialogues ------------------------------------------------------------------

--- A mail server's side of one connection. What it got after STARTTLS is returned.
local function smtp_server(conn, opts)
  local heard, secure = {}, false
  assert(conn:write "220 mail.test ESMTP\r\n")
  for line in function() return conn:read_line() end do
    heard[#heard + 1] = line
    local verb = line:upper():match "^%a+"
    if verb == "STARTTLS" then
      conn:write "220 go ahead\r\n"
      local upper, err = tls.server(conn, opts)
      if not upper then
        return heard, err
      end
      conn = upper
      heard, secure = {}, true
    elseif verb == "EHLO" then
      conn:write("250-mail.test\r\n", secure and "" or "250-STARTTLS\r\n", "250 SMTPUTF8\r\n")
    else
      conn:write(verb == "QUIT" and "221 bye\r\n" or "250 ok\r\n")
    end
    if verb == "QUIT" then
      break
    end
  end
  conn:close()
  return heard
end

--- The lines of an answer.
local function answer(conn)
  local lines = {}
  repeat
    local line = assert(conn:read_line())
    lines[#lines + 1] = line
  until line:sub(4, 4) ~= "-"
  return table.concat(lines, "\n")
end

local function ask(conn, ...)
  assert(conn:write(..., "\r\n"))
  return answer(conn)
end

local function strict(more)
  local opts = certs.server("a", { buffered = "refuse" })
  for name, value in pairs(more or {}) do
    opts[name] = value
  end
  return opts
end

describe("STARTTLS", function()
  virtual_it("changes from plain to TLS in mid-stream, as mail does", function()
    local a, b = testing.stream_pair()
    local there = green.spawn(smtp_server, b, strict())
    assert.equal("220 mail.test ESMTP", answer(a))
    assert.equal("250-mail.test\n250-STARTTLS\n250 SMTPUTF8", ask(a, "EHLO me"))
    assert.equal("220 go ahead", ask(a, "STARTTLS"))
    local conn = assert(tls.client(a, certs.client "a.test"))
    assert.equal("250-mail.test\n250 SMTPUTF8", ask(conn, "EHLO me"))
    assert.equal("250 ok", ask(conn, "MAIL FROM:<x>"))
    assert.equal("221 bye", ask(conn, "QUIT"))
    conn:close()
    assert.same({ "EHLO me", "MAIL FROM:<x>", "QUIT" }, there:wait())
  end)

  virtual_it("changes as XMPP does, where there are no lines", function()
    local a, b = testing.stream_pair()
    local function serve(conn)
      assert(conn:read_until("<stream>"))
      conn:write "<stream><features><starttls/></features>"
      assert(conn:read_until("<starttls/>"))
      conn:write "<proceed/>"
      conn = assert(tls.server(conn, strict()))
      local name = conn:read_until("</iq>"):match("<iq>(.*)")
      conn:write("<iq>hello ", name, "</iq>")
      conn:close()
    end
    local there = green.spawn(serve, b)
    a:write "<stream>"
    a:read_until "</features>"
    a:write "<starttls/>"
    a:read_until "<proceed/>"
    local conn = assert(tls.client(a, certs.client "a.test"))
    conn:write "<iq>ann</iq>"
    assert.equal("<iq>hello ann</iq>", conn:read_all())
    conn:close()
    there:wait()
  end)

  virtual_it("refuses commands that came in plain behind it (CVE-2011-0411)", function()
    local a, b = testing.stream_pair()
    local there = green.spawn(smtp_server, b, strict())
    answer(a)
    a:write "STARTTLS\r\nRCPT TO:<victim>\r\n"
    local heard, err = there:wait()
    assert.same({ "STARTTLS" }, heard)
    fails("ETLSPLAIN", 'has sent 18 bytes in plain text where TLS begins: "RCPT TO:<victim>', nil,
      err)
    assert.equal("220 go ahead", answer(a))
    assert.is_nil((a:read_some())) -- it was closed
    a:close()
  end)

  virtual_it("never takes plain bytes for something that came over TLS, kept or not", function()
    local a, b = testing.stream_pair()
    local there = green.spawn(smtp_server, b, certs.server "a")
    answer(a)
    a:write "STARTTLS\r\nRCPT TO:<victim>\r\n"
    local heard, err = there:wait()
    assert.same({ "STARTTLS" }, heard)
    fails("ETLSPLAIN", "", nil, err)
    a:close()
  end)

  virtual_it("refuses answers that came in plain before TLS", function()
    local a, b = testing.stream_pair()
    b:write "220 go ahead\r\n250 AUTH PLAIN\r\n"
    assert.equal("220 go ahead", a:read_line())
    fails("ETLSPLAIN", '250 AUTH PLAIN', tls.client(a, certs.client "a.test"))
    fails("ECLOSED", "", a:write "x")
    b:close()
  end)

  virtual_it("keeps bytes where the protocol wants that: TLS behind a line", function()
    local a, b = testing.stream_pair()
    local there = green.spawn(function()
      assert.equal("PROXY TCP4 192.0.2.1 192.0.2.2 1 2", b:read_line())
      return tls.server(b, certs.server "a")
    end)
    a:write "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" -- and no answer is waited for
    local client = assert(tls.client(a, certs.client "a.test"))
    local server = assert(there:wait())
    client:write "hello"
    assert.equal("hello", server:read(5))
    client:close()
    server:close()
  end)

  virtual_it("knows these two ways only", function()
    local a, b = testing.stream_pair()
    local ok, err = pcall(tls.client, a, certs.client("a.test", { buffered = true }))
    assert.is_false(ok)
    assert.truthy(tostring(err):find('buffered must be "refuse" or "keep", not true', 1, true),
      tostring(err))
    a:close()
    b:close()
  end)
end)

-- -- Other programs ---------------------------------------------------------------

--- Serve one mail client after the other.
local function with_smtp(body)
  local l = assert(green.listen "127.0.0.1:0")
  local server = green.spawn(green.serve, l, function(conn)
    smtp_server(conn, strict())
  end)
  local _, port = l:sockname()
  local ok, err = pcall(body, port)
  l:close()
  server:wait()
  if not ok then
    error(err, 0)
  end
end

--- Run a program beside our own threads.
local function beside(argv)
  local p = program.start(argv)
  p:write(argv.input or "")
  while not p:poll() do
    p:listen(1)
    green.sleep(0.001)
  end
  return p:wait()
end

local PYTHON_SERVER = [[
import socket, ssl, sys
ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
ctx.load_cert_chain(sys.argv[1], sys.argv[2])
if len(sys.argv) > 3: ctx.maximum_version = ssl.TLSVersion.TLSv1_2
l = socket.create_server(("127.0.0.1", 0))
print(l.getsockname()[1], flush=True)
c, _ = l.accept()
def line(s):
  text = b""
  while not text.endswith(b"\n"): text += s.recv(1)
  return text
assert line(c) == b"STARTTLS\r\n"
c.sendall(b"220 go ahead\r\n")
s = ctx.wrap_socket(c, server_side=True)
s.sendall(b"secret " + line(s))
c = s.unwrap()
c.sendall(b"plain again\n")
print(line(c).decode(), end="", flush=True)
c.close()
]]

local PYTHON_CLIENT = [[
import smtplib, ssl, sys
ctx = ssl.create_default_context(cafile=sys.argv[2])
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=20)
s._host = "a.test" # what its certificate must have
print(s.starttls(context=ctx)[0], s.sock.version())
print(s.docmd("NOOP")[0], s.quit()[0])
]]

describe("STARTTLS beside other programs", function()
  it("serves openssl s_client -starttls smtp [S59]", function()
    with_smtp(function(port)
      for _, version in ipairs { "-tls1_2", "-tls1_3" } do
        local run = beside { "openssl", "s_client", "-starttls", "smtp", "-connect",
          "127.0.0.1:" .. port, "-CAfile", certs.path "ca.pem", "-verify_return_error",
          "-verify_hostname", "a.test", version, "-quiet", "-crlf", input = "NOOP\nQUIT\n" }
        assert.truthy(run.out:find("250 ok\r\n221 bye", 1, true), run.out .. run.err)
      end
    end)
  end)

  it("serves gnutls-cli --starttls-proto=smtp", function()
    with_smtp(function(port)
      for _, version in ipairs { "VERS-TLS1.2", "VERS-TLS1.3" } do
        local run = beside { "gnutls-cli", "--starttls-proto=smtp", "-p", tostring(port),
          "--x509cafile", certs.path "ca.pem", "--sni-hostname", "a.test", "--verify-hostname",
          "a.test", "--priority", "NORMAL:-VERS-ALL:+" .. version, "127.0.0.1",
          input = "NOOP\r\nQUIT\r\n" }
        assert.truthy(run.out:find("250 ok\r\n221 bye", 1, true), run.out .. run.err)
        assert.truthy(run.out:find("trusted", 1, true), run.out)
      end
    end)
  end)

  --- A server that begins in plain and goes on with GnuTLS: of each client it takes the line
  -- STARTTLS, and hands on what comes then to gnutls-serv at that port, and back.
  local function with_plain_beginning(inner, body)
    local l = assert(green.listen "127.0.0.1:0")
    local server = green.spawn(green.serve, l, function(conn)
      conn:write "220 mail.test ESMTP\r\n"
      assert(conn:read_line() == "STARTTLS")
      conn:write "220 go ahead\r\n"
      local there = assert(green.connect("127.0.0.1", inner))
      local back = green.spawn(function()
        for chunk in function() return there:read_some() end do
          conn:write(chunk)
        end
        conn:shutdown "write"
      end)
      for chunk in function() return conn:read_some() end do
        there:write(chunk)
      end
      there:shutdown "write"
      back:wait()
      there:close()
    end)
    local ok, err = pcall(body, select(2, l:sockname()))
    l:close()
    server:wait()
    if not ok then
      error(err, 0)
    end
  end

  it("is a client of gnutls-serv behind a plain beginning [S59]", function()
    for _, version in ipairs { "1.2", "1.3" } do
      peers.with_gnutls_serv({ "--priority", "NORMAL:-VERS-ALL:+VERS-TLS" .. version, "--echo" },
        function(inner)
          with_plain_beginning(tonumber(inner), function(port)
            local conn = assert(green.connect("127.0.0.1", port))
            assert.equal("220 mail.test ESMTP", conn:read_line())
            assert.equal("220 go ahead", ask(conn, "STARTTLS"))
            local secure = assert(tls.client(conn, certs.client "a.test"))
            assert.equal("TLSv" .. version, secure:info().version)
            secure:write "word\n"
            assert.equal("word", secure:read_line { timeout = 20 })
            secure:close()
          end)
        end)
    end
  end)

  it("serves Python's smtplib", function()
    with_smtp(function(port)
      local script = program.file(PYTHON_CLIENT)
      local run = beside { "python3", script, tostring(port), certs.path "ca.pem" }
      os.remove(script)
      assert.equal("220 TLSv1.3\n250 221\n", run.out .. run.err)
    end)
  end)

  for _, version in ipairs { "1.3", "1.2" } do
    it("is a client of a Python server, and takes TLS off again, " .. version .. " [b96]",
      function()
        local script = program.file(PYTHON_SERVER)
        local peer = program.start { "python3", script, certs.path "a.pem", certs.path "a.key",
          version == "1.2" and "1.2" or nil }
        local conn = assert(green.connect("127.0.0.1", tonumber(peer:expect "\n")))
        conn:write "STARTTLS\r\n"
        assert.equal("220 go ahead", conn:read_line())
        local secure = assert(tls.client(conn, certs.client "a.test"))
        assert.equal("TLSv" .. version, secure:info().version)
        secure:write "word\n"
        assert.equal("secret word", secure:read_line())
        local plain = assert(secure:unwrap { timeout = 20 })
        assert.equal(conn, plain)
        assert.equal("plain again", plain:read_line())
        plain:write "good bye\n"
        peer:expect "good bye\n"
        assert.is_nil((plain:read_some()))
        plain:close()
        peer:wait()
        os.remove(script)
        assert.equal("", peer.err)
      end)
  end
end)

-- -- Taking TLS off ---------------------------------------------------------------

describe("unwrap", function()
  local pairs_of = { memory = testing.stream_pair, TCP = tcp_pair }
  for kind, make in pairs(pairs_of) do
    (kind == "TCP" and it or virtual_it)("takes TLS off at both ends, which go on in plain, over "
      .. kind .. " [b96]", function()
      for _, version in ipairs { "1.2", "1.3" } do
        local a, b = make()
        local client, server = over(a, b, { max_version = version })
        client:write "over TLS"
        assert.equal("over TLS", server:read(8))
        local there = green.spawn(server.unwrap, server)
        assert.equal(a, client:unwrap())
        assert.equal(b, there:wait())
        a:write "plain\n"
        assert.equal("plain", b:read_line())
        b:write "too\n"
        assert.equal("too", a:read_line())
        fails("ECLOSED", "", client:write "x")
        fails("ECLOSED", "", client:read_some())
        fails("ECLOSED", "", client:unwrap())
        fails("ECLOSED", "", client:sockname())
        client:close() -- and what was below stays open
        server:close()
        a:write "still here\n"
        assert.equal("still here", b:read_line())
        a:close()
        b:close()
      end
    end)
  end

  virtual_it("keeps the bytes that came behind the peer's word, in their order", function()
    local a, b = testing.stream_pair()
    local client, server = over(a, b)
    local text = ("0123456789"):rep(20000) -- more than one fill brings
    local waiting = green.spawn(client.unwrap, client)
    testing.settle() -- it has said its word, and waits for the other
    local there = green.spawn(function()
      local plain = assert(server:unwrap())
      assert(plain:write(text)) -- so much of it as there is room comes with the word
      return plain
    end)
    assert.equal(a, waiting:wait())
    assert.is_true(a._in.tail - a._in.head > 0)
    assert.equal(text, a:read(#text))
    there:wait():close()
    a:close()
  end)

  virtual_it("does it in TLS in TLS for the upper one alone", function()
    local lower_a, lower_b = over(testing.stream_pair())
    local client, server = over(lower_a, lower_b)
    local there = green.spawn(server.unwrap, server)
    assert.equal(lower_a, client:unwrap())
    assert.equal(lower_b, there:wait())
    lower_a:write "one layer"
    assert.equal("one layer", lower_b:read(9))
    lower_a:close()
    lower_b:close()
  end)

  virtual_it("loses nothing that nobody has read, and goes on when it is read", function()
    local client, server = over(testing.stream_pair())
    server:write "unread"
    testing.settle()
    fails("ETLS", "6 bytes over TLS that nobody has read", client:unwrap())
    client:write "nothing has changed"
    assert.equal("nothing has changed", server:read(19))
    assert.equal("unread", client:read(6))
    local late = green.spawn(client.unwrap, client) -- says its word, and then:
    testing.settle()
    server:write "late"
    fails("ETLS", "4 bytes", late:wait())
    assert.equal("late", client:read(4))
    local there = green.spawn(server.unwrap, server)
    assert(client:unwrap()):close()
    there:wait():close()
  end)

  virtual_it("waits no longer than its timeout, ten seconds unless told, and can go on",
    function()
      local client, server = over(testing.stream_pair())
      local t0 = green.now()
      fails("ETIMEDOUT", "", client:unwrap { timeout = 2 })
      assert.equal(2, green.now() - t0)
      fails("ETIMEDOUT", "", client:unwrap())
      assert.equal(12, green.now() - t0)
      assert.is_nil((server:read_some())) -- the word has come
      server:write "half closed"
      assert.equal("half closed", client:read(11))
      local there = green.spawn(server.unwrap, server)
      assert(client:unwrap()):close()
      there:wait():close()
    end)

  virtual_it("says when the peer ends without its word", function()
    local a, b = testing.stream_pair()
    local client, server = over(a, b)
    local t = green.spawn(client.unwrap, client)
    testing.settle()
    b:close()
    fails("ETLSTRUNCATED", "cut off", t:wait())
    client:close()
    server:close()
  end)

  virtual_it("leaves the stream to a green thread that reads or writes", function()
    local client, server = over(testing.stream_pair())
    local reader = green.spawn(client.read_some, client)
    testing.settle()
    fails("EBUSY", "", client:unwrap())
    reader:kill()
    server:close()
    client:close()
  end)
end)

-- -- Wrapped before it is connected ----------------------------------------------

describe("a socket that is made TLS before it is connected [b98]", function()
  local function serving(body)
    local l = assert(green.listen("127.0.0.1:0", { tls = certs.server "a" }))
    local server = green.spawn(green.serve, l, function(conn)
      conn:write "welcome\n"
      conn:read_all()
    end)
    local _, port = l:sockname()
    local ok, err = pcall(body, port)
    l:close()
    server:wait()
    if not ok then
      error(err, 0)
    end
  end

  it("connects, does its handshake, and reads first", function()
    serving(function(port)
      for _, wrap in ipairs { tls.client, tls.wrap_ssl } do
        local conn = assert(wrap(socket.tcp(), { ca = certs.path "ca.pem" }))
        fails("ENOTCONN", "call connect(target, port) first", conn:read_some())
        fails("ENOTCONN", "", conn:write "x")
        assert.is_true(conn:connect("127.0.0.1", port, { timeout = 20 }))
        assert.equal("welcome", conn:read_line())
        fails("EISCONN", "", conn:connect("127.0.0.1", port))
        conn:close()
        fails("ECLOSED", "", conn:connect("127.0.0.1", port))
      end
    end)
  end)

  it("looks at the certificate, by the host that it was told, else the target's [b99]", function()
    serving(function(port)
      local conn = assert(tls.client(socket.tcp(), certs.client "b.test"))
      fails("ECERTHOST", "b.test", conn:connect("127.0.0.1:" .. port))
      fails("ECLOSED", "", conn:read_some())
      conn = assert(tls.client(socket.tcp(), { host = "127.0.0.1" }))
      fails("ECERTUNKNOWN", "", conn:connect("127.0.0.1:" .. port))
      conn = assert(tls.client(socket.tcp(), { verify = false }))
      assert(conn:connect("127.0.0.1:" .. port))
      conn:close()
    end)
  end)

  it("closes when it cannot connect", function()
    local l = assert(green.listen "127.0.0.1:0")
    local _, port = l:sockname()
    l:close()
    local conn = assert(tls.client(socket.tcp(), certs.client "a.test"))
    fails("ECONNREFUSED", "", conn:connect("127.0.0.1", port))
    fails("ECLOSED", "", conn:write "x")
  end)

  it("is told apart from one whose peer has reset it", function()
    local a, b = tcp_pair()
    b:setoption("SO_LINGER", 0)
    b:close()
    a:wait_readable()
    local conn, err = tls.client(a, certs.client "a.test")
    assert.is_nil(conn)
    assert.is_true(green.is_error(err))
  end)
end)
