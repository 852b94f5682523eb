-- What both sides of a TLS connection that comes to nothing say: a fixed word, a sentence that
-- a newcomer understands, and fields.
local green = require "green"
local testing = require "green.testing"
local tls = require "green.tls"

local certs = require "spec.support.certs"
local virtual_it, it = testing.busted()

local function has(err, code, ...)
  assert.is_true(green.is_error(err, code), tostring(err))
  for _, part in ipairs { ... } do
    assert.truthy(tostring(err):find(part, 1, true), ("no '%s' in: %s"):format(part,
      tostring(err)))
  end
  return err
end

--- Both handshakes, and a read of the client's where its handshake was well. Two errors.
local function fail(client_opts, server_opts)
  local a, b = testing.stream_pair()
  local there = green.spawn(tls.server, b, server_opts)
  local client, err = tls.client(a, client_opts)
  if client then
    local _
    _, err = client:read_some()
    client:close()
  end
  local server, why = there:wait()
  if server then
    local _
    _, why = server:read_some()
    server:close()
  end
  return err, why
end

--- A client at a peer that says these bytes once it has heard something, and closes.
local function hears(bytes, opts)
  local a, b = testing.stream_pair()
  local there = green.spawn(function()
    b:read_some()
    b:write(bytes)
    b:shutdown "write"
  end)
  local client, err = tls.client(a, opts or certs.client "a.test")
  there:wait()
  b:close()
  assert.is_nil(client)
  return err
end

local function alert(number, level)
  return "\21\3\3\0\2" .. string.char(level or 2, number)
end

describe("nothing in common", function()
  virtual_it("of versions: both sides tell what both have", function()
    local err, why = fail(certs.client("a.test", { max_version = "1.2" }),
      certs.server("a", { min_version = "1.3" }))
    has(err, "ETLSVERSION", "takes no TLS version that we offer: TLS 1.2 (", "max_version",
      "protocol_version (70)")
    assert.equal(70, err.alert)
    has(why, "ETLSVERSION", "the client offers up to TLS 1.2, and this server takes TLS 1.3 (",
      "min_version")
    err, why = fail(certs.client("a.test", { min_version = "1.3" }),
      certs.server("a", { max_version = "1.2" }))
    has(err, "ETLSVERSION", "that we offer: TLS 1.3 (")
    has(why, "ETLSVERSION", "the client offers TLS 1.3, and this server takes TLS 1.2 (")
    why = select(2, fail(certs.client("a.test", { min_version = "1.2" }),
      certs.server("a", { min_version = "1.0", max_version = "1.1",
        ciphers = "ALL:@SECLEVEL=0" })))
    has(why, "ETLSVERSION", "the client offers TLS 1.2, TLS 1.3, and this server takes "
      .. "TLS 1.0 to TLS 1.1 (")
  end)

  virtual_it("of versions, where the server wants one that was not offered", function()
    local hello = "\2\0\0\38\3\2" .. ("r"):rep(32) .. "\0\192\19\0"
    local err = hears("\22\3\2\0\42" .. hello)
    has(err, "ETLSVERSION", "the server wants TLS 1.1, and we take TLS 1.2 to TLS 1.3 (",
      "min_version")
  end)

  virtual_it("of ciphers: each tells what it has, the server also what the client has", function()
    local err, why = fail(certs.client("a.test", { ciphersuites = "TLS_CHACHA20_POLY1305_SHA256",
      min_version = "1.3" }), certs.server("a", { ciphersuites = "TLS_AES_256_GCM_SHA384" }))
    has(err, "ETLSALERT", "handshake_failure (40)", "nothing of what we offer: TLS 1.3, "
      .. "the ciphers TLS_CHACHA20_POLY1305_SHA256, the groups X25519")
    has(why, "ETLS", "no cipher in common", "the client offers TLS_CHACHA20_POLY1305_SHA256; "
      .. "we allow TLS_AES_256_GCM_SHA384")
    err, why = fail(certs.client("a.test", { ciphers = "ECDHE-RSA-AES128-GCM-SHA256",
      max_version = "1.2" }), certs.server "a")
    has(err, "ETLSALERT", "TLS 1.2, the ciphers ECDHE-RSA-AES128-GCM-SHA256,")
    has(why, "ETLS", "the client offers ECDHE-RSA-AES128-GCM-SHA256; we allow ECDHE-ECDSA",
      " more")
  end)

  virtual_it("of versions and ciphers that are allowed here", function()
    local _, why = fail(certs.client "a.test", certs.server("a", { min_version = "1.0",
      max_version = "1.1" }))
    has(why, "ETLS", "no cipher that is allowed here fits a TLS version", "options ciphers")
    local err = fail(certs.client("a.test", { min_version = "1.0", max_version = "1.1" }),
      certs.server "a")
    has(err, "ETLS", "allowed here")
  end)

  virtual_it("of groups", function()
    local err = fail(certs.client("a.test", { groups = "P-384" }),
      certs.server("a", { groups = "X25519" }))
    has(err, "ETLSALERT", "handshake_failure (40)", "the groups P-384")
  end)

  virtual_it("of application protocols", function()
    local err, why = fail(certs.client("a.test", { alpn = { "h2", "x/1" } }),
      certs.server("a", { alpn = { "http/1.1", "http/1.0" } }))
    has(err, "ETLSALERT", "no_application_protocol (120)", "(ALPN): h2, x/1")
    assert.equal("no_application_protocol", err.alert_name)
    has(why, "ETLS", "(ALPN) in common: the client offers h2, x/1; this server has http/1.1, "
      .. "http/1.0")
  end)
end)

describe("a server whose certificate is refused", function()
  virtual_it("hears why", function()
    local cases = {
      { certs.client("a.test", { ca = certs.path "self.pem" }), "a", "unknown_ca (48)",
        "it does not trust the authority of our certificate" },
      { certs.client "old.test", "old", "certificate_expired (45)",
        "our certificate has expired" },
      { certs.client "other.test", "a", "bad_certificate (42)",
        "it does not accept our certificate" },
    }
    for _, case in ipairs(cases) do
      local _, why = fail(case[1], certs.server(case[2]))
      has(why, "ETLSALERT", case[3], case[4])
    end
  end)
end)

describe("an alert", function()
  virtual_it("is told by name and number, with what it means", function()
    local meanings = {
      [20] = "bad_record_mac (20): what it received from us makes no sense to it",
      [40] = "handshake_failure (40): it accepts nothing of what we offer: TLS 1.2 to TLS 1.3",
      [49] = "access_denied (49): it does not let us in",
      [80] = "internal_error (80): it has a fault of its own",
      [90] = "user_canceled (90)",
      [112] = 'unrecognized_name (112): it has nothing for the name that we ask for, "a.test"',
      [116] = "certificate_required (116)",
      [200] = "unknown (200)",
    }
    for number, meaning in pairs(meanings) do
      local err = hears(alert(number))
      has(err, "ETLSALERT", "the peer ended TLS with the alert " .. meaning)
      assert.equal(number, err.alert)
      assert.equal(number ~= 200, err.alert_name ~= nil)
    end
  end)

  virtual_it("that is only a warning about the name changes nothing", function()
    has(hears(alert(112, 1)), "ETLSTRUNCATED", "in the middle of it")
  end)

  virtual_it("that says good-bye in the handshake is an end", function()
    has(hears(alert(0, 1)), "ETLSTRUNCATED", "closed the connection during the TLS handshake")
  end)
end)

describe("a peer that has said why and gone", function()
  --- A client without the certificate that the server demands, and a server that is gone.
  local function refused(version)
    local a, b = testing.stream_pair()
    local there = green.spawn(tls.server, b, certs.server("a", { verify = "demand",
      ca = certs.path "ca.pem" }))
    local client, err = tls.client(a, certs.client("a.test", { max_version = version }))
    local _, why = there:wait()
    has(why, "ECERTINVALID", "shows no certificate")
    return client, err
  end

  virtual_it("is heard by who writes, though nobody takes that", function()
    local client = assert(refused "1.3")
    local _, err = client:write "question"
    has(err, "ETLSALERT", "certificate_required (116)", "we have none (the options cert and key)")
    assert.equal(116, err.alert)
    client:close()
  end)

  virtual_it("is heard by who is still in the handshake", function()
    local client, err = refused "1.2"
    assert.is_nil(client)
    has(err, "ETLSALERT", "handshake_failure (40)", "and we have none (the options cert and key)")
  end)
end)

describe("a peer that does not speak TLS", function()
  virtual_it("is told by its first bytes", function()
    has(hears "HTTP/1.1 400 Bad Request\r\n\r\n", "ETLSPLAIN", "it answers in plain HTTP",
      "is it the right port?")
    has(hears "SSH-2.0-OpenSSH_9.2\r\n", "ETLSPLAIN", "it speaks SSH")
    has(hears "220 mail.test ESMTP\r\n", "ETLSPLAIN", 'its first bytes are "220 m"')
    has(hears "\1\2\3\4\5\6\7\8", "ETLSPLAIN", "something else")
  end)

  virtual_it("is told to a server, too", function()
    for text, words in pairs { ["GET / HTTP/1.1\r\n\r\n"] = "it sent a plain HTTP request",
      ["EHLO mail.test\r\n"] = '"EHLO "' } do
      local a, b = testing.stream_pair()
      a:write(text)
      local server, err = tls.server(b, certs.server "a")
      assert.is_nil(server)
      has(err, "ETLSPLAIN", words)
      a:close()
    end
  end)
end)

describe("a peer that goes", function()
  virtual_it("before it has said anything", function()
    has(hears "", "ETLSTRUNCATED", "before it said a word of TLS")
    local a, b = testing.stream_pair()
    a:close()
    local _, err = tls.server(b, certs.server "a")
    has(err, "ETLSTRUNCATED", "before it said a word of TLS")
  end)

  virtual_it("that never answers takes the timeout", function()
    local a, b = testing.stream_pair()
    local _, err = tls.client(a, certs.client("a.test", { timeout = 3 }))
    has(err, "ETIMEDOUT", "did not finish the TLS handshake in time")
    b:close()
    a, b = testing.stream_pair()
    _, err = tls.server(b, certs.server("a", { timeout = 3 }))
    has(err, "ETIMEDOUT", "did not finish the TLS handshake in time")
    a:close()
  end)

  it("with a reset", function()
    local l = assert(green.listen "127.0.0.1:0")
    local _, port = l:sockname()
    local there = green.spawn(function()
      local conn = assert(l:accept())
      conn:read(1)
      conn:setoption("SO_LINGER", 0)
      conn:close()
    end)
    local conn, err = green.connect("127.0.0.1", port, { timeout = 20,
      tls = { ca = certs.path "ca.pem" } })
    there:wait()
    l:close()
    assert.is_nil(conn)
    has(err, "ECONNRESET", "reset the connection during the TLS handshake")
  end)
end)

-- -- Cut at each message ---------------------------------------------------------

--- Where the records of these bytes end, and the messages in plain ones.
local function ends_of(bytes)
  local ends, at = {}, 1
  while at + 5 <= #bytes do
    local kind, high, low = bytes:byte(at), bytes:byte(at + 3, at + 4)
    local stop, message = at + 4 + high * 256 + low, at + 5
    while kind == 22 and message + 3 < stop do
      local a, b, c = bytes:byte(message + 1, message + 3)
      message = message + 4 + a * 65536 + b * 256 + c
      if message - 1 < stop then
        ends[#ends + 1] = message - 1
      end
    end
    ends[#ends + 1] = stop
    at = stop + 1
  end
  return ends
end

--- Carry what from says to to, up to so many bytes, then close both.
local function carry(from, to, most, said)
  return green.spawn(function()
    local n = 0
    while n < most do
      local bytes = from:read_some(most - n)
      if not bytes then break end
      n = n + #bytes
      said[#said + 1] = bytes
      to:write(bytes)
    end
    from:close()
    to:close()
  end)
end

--- A handshake through a middle that cuts the bytes of one side. Both errors, and what that
-- side has said.
local function through(version, of_client, most)
  local a, b = testing.stream_pair()
  local c, d = testing.stream_pair()
  local said, other = {}, {}
  local up = carry(b, c, of_client and most or math.huge, of_client and said or other)
  local down = carry(c, b, of_client and math.huge or most, of_client and other or said)
  local there = green.spawn(function()
    local server, why = tls.server(d, certs.server "a")
    if server then
      local _
      _, why = server:read(1)
      server:close()
    end
    return why
  end)
  local client, err = tls.client(a, certs.client("a.test", { max_version = version,
    sessions = false }))
  if client then
    if most < math.huge then
      local _
      _, err = client:read(1)
    end
    client:close()
  end
  local why = there:wait()
  up:wait()
  down:wait()
  return err, why, table.concat(said)
end

describe("a handshake that is cut", function()
  for _, version in ipairs { "1.2", "1.3" } do
    for _, of_client in ipairs { true, false } do
      local name = ("behind each message of the %s's, TLS %s, is told as that"):format(
        of_client and "client" or "server", version)
      virtual_it(name, function()
        local err, _, all = through(version, of_client, math.huge)
        assert.is_nil(err)
        local ends = ends_of(all)
        assert.is_true(#ends >= 3, tostring(#ends))
        for _, at in ipairs(ends) do
          if at < #all then
            local one, two = through(version, of_client, at)
            for _, told in pairs { one, two } do
              assert.is_true(green.is_error(told, "ETLSTRUNCATED"), tostring(told))
            end
            assert.truthy(one or two)
          end
        end
      end)
    end
  end
end)

describe("after the handshake", function()
  virtual_it("bytes that are no record of the connection end it", function()
    for _, garbage in ipairs { ("x"):rep(100), "HTTP/1.1 200 OK\r\n\r\n",
      "\23\3\3\0\32" .. ("x"):rep(32) } do
      local a, b = testing.stream_pair()
      local there = green.spawn(tls.server, b, certs.server "a")
      local client = assert(tls.client(a, certs.client "a.test"))
      local server = there:wait()
      b:write(garbage)
      local _, err = client:read_some()
      has(err, "ETLS", "what arrived is no TLS record of this connection",
        "somebody between has changed it")
      _, err = client:write "x"
      has(err, "ETLS", "no TLS record")
      _, err = server:read_some()
      has(err, "ETLSALERT", "the peer ended TLS with the alert")
      client:close()
      server:close()
    end
  end)

  virtual_it("an end without TLS's own is told in words", function()
    local a, b = testing.stream_pair()
    local there = green.spawn(tls.server, b, certs.server "a")
    local client = assert(tls.client(a, certs.client "a.test"))
    local server = there:wait()
    b:close()
    local _, err = client:read_all()
    has(err, "ETLSTRUNCATED", "cut off", "without TLS's own end")
    client:close()
    server:close()
  end)

  it("a reset is no end, either", function()
    local l = assert(green.listen "127.0.0.1:0")
    local _, port = l:sockname()
    local there = green.spawn(function()
      local lower = assert(l:accept())
      local server = assert(tls.server(lower, certs.server "a"))
      assert(server:read(2))
      server:write "half"
      lower:setoption("SO_LINGER", 0)
      lower:close()
    end)
    local conn = assert(green.connect("127.0.0.1", port, { timeout = 20,
      tls = { ca = certs.path "ca.pem" } }))
    conn:write "go"
    there:wait()
    l:close()
    local text, err
    repeat
      text, err = conn:read_some() -- "half" may have been lost
    until text ~= "half"
    assert.is_nil(text)
    has(err, "ETLSTRUNCATED", "without TLS's own end")
    conn:close()
  end)
end)
