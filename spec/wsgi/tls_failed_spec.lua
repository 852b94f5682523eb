-- HTTPS servers tell why handshakes failed: the log, and a function.
local green = require "green"
local testing = require "green.testing"
local tls = require "green.tls"
local wsgi = require "green.wsgi"

local certs = require "spec.support.certs"
local failed = require "green.wsgi.failed"
local kit = dofile("spec/support/wsgi_kit.lua")

local virtual_it, it = testing.busted()

local function hello()
  return 200, nil, "hello"
end

--- body(client, server, log) with a server whose option tls has these, besides a certificate.
local function with(tls_opts, body)
  kit.with(hello, { tls = certs.server("a", tls_opts) }, function(client, server, log)
    client.target = "127.0.0.1:" .. server.port
    body(client, server, log)
  end)
end

--- A client that does not believe the server, and says so.
local function refuse(client)
  local conn, err = tls.client(client:connect(), { host = "a.test", ca = certs.path "self.pem" })
  assert.is_nil(conn)
  assert.equal("ECERTUNKNOWN", err.code)
end

--- How many lines of the log have that text.
local function count(log, text)
  local n = 0
  for line in table.concat(log, "\n"):gmatch "[^\n]+" do
    n = n + (line:find(text, 1, true) and 1 or 0)
  end
  return n
end

describe("the log of an HTTPS server", function()
  it("says which handshakes failed, and why", function()
    with(nil, function(client, _, log)
      refuse(client)
      testing.settle_io(function() return count(log, "unknown_ca (48)") == 1 end)
      assert.matches("TLS handshake with 127%.0%.0%.1:%d+: the peer ended TLS with the alert",
        table.concat(log, "\n"))
      local silent = client:connect()
      silent:close()
      testing.settle_io(function() return count(log, "before it said a word of TLS") == 1 end)
      local none = tls.client(client:connect(), certs.client("a.test", { max_version = "1.2",
        ciphers = "ECDHE-RSA-AES128-GCM-SHA256" }))
      assert.is_nil(none)
      testing.settle_io(function() return count(log, "no cipher in common") == 1 end)
    end)
  end)

  it("says it of clients that are too slow, too", function()
    kit.with(hello, { tls = certs.server "a", header_timeout = 0.05 }, function(client, server, log)
      client.target = "127.0.0.1:" .. server.port
      local silent = client:connect()
      assert.is_nil((silent:read(1)))
      silent:close()
      testing.settle_io(function() return count(log, "did not finish the TLS handshake") == 1 end)
    end)
  end)

  it("is not filled: it has some lines in a minute, and how many more there were", function()
    local lines, period = failed.lines, failed.period
    failed.lines, failed.period = 3, 1e6
    local told = 0
    with({ on_failure = function() told = told + 1 end }, function(client, _, log)
      for i = 1, 30 do
        refuse(client)
        testing.settle_io(function() return told == i end)
      end
      testing.settle_io(function() return count(log, "TLS handshake with") == 3 end)
      failed.period = 0 -- the minute is over
      refuse(client)
      testing.settle_io(function() return count(log, "TLS handshake with") == 4 end)
      assert.equal(1, count(log, "TLS handshakes: 27 more failed"))
    end)
    failed.lines, failed.period = lines, period
  end)

  it("is not filled by a function that refuses, either", function()
    local lines, period = failed.lines, failed.period
    failed.lines, failed.period = 3, 1e6
    local _, wrong = tls.context { ca = "/nowhere.pem" }
    local told = 0
    with({ choose = function() return nil, wrong end,
      on_failure = function() told = told + 1 end }, function(client, _, log)
      for i = 1, 10 do
        assert.is_nil((tls.client(client:connect(), certs.client "a.test")))
        testing.settle_io(function() return told == i end)
      end
      assert.equal(3, count(log, "/nowhere.pem"))
      failed.period = 0
      assert.is_nil((tls.client(client:connect(), certs.client "a.test")))
      testing.settle_io(function() return told == 11 end)
      assert.equal(4, count(log, "/nowhere.pem"))
      assert.equal(1, count(log, "TLS handshakes: 7 more failed"))
    end)
    failed.lines, failed.period = lines, period
  end)

  it("has nothing of it where nobody has said where logs go", function()
    local server = assert(wsgi.new("127.0.0.1:0", hello, { tls = certs.server "a" }))
    local running = green.spawn(server.serve_forever, server)
    local conn = tls.client(assert(green.connect("127.0.0.1", server.port)),
      { host = "a.test", ca = certs.path "self.pem" })
    assert.is_nil(conn)
    testing.settle_io(function() return server:stats().handshakes_failed == 1 end)
    assert.is_false(server.httpd.keeps_failures)
    server:stop()
    running:wait()
  end)
end)

describe("on_failure of an HTTPS server's tls", function()
  it("is called with the error and the client's address", function()
    local told = {}
    with({ on_failure = function(err, address) told[#told + 1] = { err, address } end },
      function(client)
        refuse(client)
        testing.settle_io(function() return #told == 1 end)
        local err, address = told[1][1], told[1][2]
        assert.same({ "ETLSALERT", 48, "unknown_ca" }, { err.code, err.alert, err.alert_name })
        assert.same({ "inet", "127.0.0.1" }, { address.family, address.host })
        local plain = client:connect()
        plain:write "GET / HTTP/1.0\r\n\r\n"
        assert.matches("^HTTP/1.1 400 ", plain:read_all())
        plain:close()
        testing.settle_io(function() return #told == 2 end)
        assert.equal("ETLSPLAIN", told[2][1].code)
      end)
  end)

  it("may wait, and raise: the next ones are told all the same", function()
    local calls, gate = 0, green.Event()
    with({ on_failure = function()
      calls = calls + 1
      if calls == 1 then
        gate:wait()
        error "this function is bad"
      end
    end }, function(client, server, log)
      for i = 1, 20 do
        refuse(client)
        testing.settle_io(function() return server:stats().handshakes_failed == i end)
      end
      assert.equal(1, calls)
      gate:send(true)
      testing.settle_io(function() return calls == 17 end) -- one, and those that were kept
      assert.equal(3, tonumber(server.httpd.failures_lost))
      testing.settle_io(function() return count(log, "this function is bad") > 0 end)
    end)
  end)

  it("is ended by the server's stop", function()
    local asked, ended = green.Event(), false
    with({ on_failure = function()
      green.finally(function()
        asked:send(true)
        green.sleep(600)
      end, function() ended = true end)
    end }, function(client)
      refuse(client)
      asked:wait()
    end)
    testing.settle_io(function() return ended end)
  end)

  it("is a listener's, too, or stands beside a context", function()
    local context = assert(tls.context(certs.server("a", { server = true })))
    local told = 0
    local opts = { context = context, on_failure = function() told = told + 1 end }
    local l = assert(green.listen("127.0.0.1:0", { tls = opts }))
    for i, server in ipairs { assert(wsgi.new(l, hello, { log = false })),
      assert(wsgi.new("127.0.0.1:0", hello, { tls = opts, log = false })) } do
      local running = green.spawn(server.serve_forever, server)
      local conn = tls.client(assert(green.connect("127.0.0.1", server.port)),
        { host = "a.test", ca = certs.path "self.pem" })
      assert.is_nil(conn)
      testing.settle_io(function() return told == i end)
      server:stop()
      running:wait()
    end
  end)

  virtual_it("is a function, and no option that a server cannot heed is dropped", function()
    local a = certs.server "a"
    local context = assert(tls.context(certs.server("a", { server = true })))
    local l = assert(green.listen("127.0.0.1:0", { tls = certs.server("a", { timeout = 5 }) }))
    local function new(tls_opts, where)
      return function() wsgi.new(where or "127.0.0.1:0", hello, { tls = tls_opts }) end
    end
    for text, fn in pairs {
      ["wsgi.new: tls: on_failure must be a function, not 5"] =
        new(certs.server("a", { on_failure = 5 })),
      ["wsgi.new: tls: unknown option 'timeout'; handshakes have the time of the server's option "
        .. "'header_timeout'"] = new(certs.server("a", { timeout = 5 })),
      ["wsgi.new: the listener's tls has a timeout, which an HTTP server cannot heed: leave it out "
        .. "there, and give the server header_timeout"] = new(nil, l),
      ["wsgi.new: tls: unknown option 'host'; it is one of tls.client"] =
        new(certs.server("a", { host = "a.test" })),
      ["wsgi.new: tls: cert belongs into the context"] = new { context = context, cert = a.cert },
      ["wsgi.new: tls: context must be a table, not 5"] = new { context = 5 },
    } do
      local ok, err = pcall(fn)
      assert.is_false(ok, text)
      assert.truthy(tostring(err):find(text, 1, true), tostring(err))
      assert.truthy(tostring(err):find("tls_failed_spec.lua:", 1, true), tostring(err))
    end
    l:close()
  end)
end)
