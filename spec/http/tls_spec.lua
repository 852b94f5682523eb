-- green.http over TLS: options, resumed sessions, what connections may be shared.

local certs = require "spec.support.certs"
local green = require "green"
local secure = require "green.http.secure"
local testing = require "green.testing"
local http = require "green.http"

local kit = dofile("spec/support/http.lua")
local _, it_real = testing.busted()
local it = kit.its(it_real)

local function with_session(opts, fn)
  local session = http.session(opts)
  local ok, err = pcall(fn, session)
  session:close()
  if not ok then
    error(err, 0)
  end
end

local SERVER = { tls = { cert = certs.path "a.pem", key = certs.path "a.key",
  ca = certs.path "ca.pem", verify = "ask" } }

local function app(env)
  return 200, nil, (env.SSL_CLIENT_S_DN or ""):match "CN=(%w+)" or env.HTTPS or "plain"
end

describe("green.http over TLS", function()
  it("verifies the server, and keeps the connection", function(serve)
    local server = serve(app, SERVER)
    local url = "https://127.0.0.1:" .. server.port .. "/"
    with_session({ tls = { ca = certs.path "ca.pem" } }, function(session)
      for _ = 1, 3 do
        assert.equal("on", assert(session:get(url)):text())
      end
      assert.same({ open = 1, idle = 1, waiting = 0 }, session:stats())
    end)
    with_session({}, function(session)
      local resp, err = session:get(url)
      assert.is_nil(resp)
      assert.equal("ECERTUNKNOWN", err.code)
      assert.equal("tls", err.phase)
      assert.equal(url, err.url)
      assert.equal(0, session:stats().open)
    end)
  end)

  it("shares no connection between other options of TLS", function(serve)
    local server = serve(app, SERVER)
    local url = "https://127.0.0.1:" .. server.port .. "/"
    local ca = certs.path "ca.pem"
    with_session({ tls = { ca = ca } }, function(session)
      assert.equal("on", assert(session:get(url)):text())
      local as_alice = { tls = { ca = ca, cert = certs.path "client.pem",
        key = certs.path "client.key" } }
      assert.equal("alice", assert(session:get(url, as_alice)):text())
      assert.equal("alice", assert(session:get(url, as_alice)):text())
      assert.equal("on", assert(session:get(url)):text())
      assert.equal("on", assert(session:get(url, { tls = { ca = ca } })):text())
      assert.same({ open = 2, idle = 2, waiting = 0 }, session:stats())
      assert.equal("on", assert(session:get(url, { tls = { verify = false } })):text())
      assert.equal("ECERTHOST", select(2, session:get(url, {
        tls = { ca = ca, host = "b.test" } })).code)
      assert.equal("on", assert(session:get(url, { headers = { Host = "a.test" },
        tls = { ca = ca, host = "a.test" } })):text())
    end)
  end)

  it("follows no redirect from https to http, unless asked, and takes no certificate along",
    function(serve)
      local plain = serve(app)
      local other = serve(app, SERVER)
      local target
      local server = serve(function()
        return 302, { location = target }
      end, SERVER)
      local url = "https://127.0.0.1:" .. server.port .. "/"
      with_session({ tls = { ca = certs.path "ca.pem", cert = certs.path "client.pem",
        key = certs.path "client.key" } }, function(session)
        target = "http://127.0.0.1:" .. plain.port .. "/"
        local resp, err = session:get(url)
        assert.is_nil(resp)
        assert.equal("EREDIRECT", err.code)
        assert.equal(302, err.response.status)
        assert.equal("plain", assert(session:get(url, { redirects = { to_http = true } })):text())
        target = "https://127.0.0.1:" .. other.port .. "/"
        assert.equal("on", assert(session:get(url)):text())
      end)
    end)

  it("streams a body both ways", function(serve)
    local server = serve(function(env)
      local n = 0
      for piece in function() return env.input:read(65536) end do
        n = n + #piece
      end
      local left = 100
      return 200, { ["x-got"] = tostring(n) }, function()
        left = left - 1
        return left >= 0 and ("y"):rep(10000) or nil
      end
    end, SERVER)
    with_session({ tls = { ca = certs.path "ca.pem" } }, function(session)
      local n = 0
      local resp = assert(session:post("https://127.0.0.1:" .. server.port .. "/", {
        body = function()
          n = n + 1
          return n <= 50 and ("x"):rep(20000) or nil
        end,
      }))
      assert.equal("1000000", resp.headers.x_got)
      assert.equal(1000000, #resp:text())
      assert.same({ open = 1, idle = 1, waiting = 0 }, session:stats())
    end)
  end)

  it_real("remembers options as long as they are used, not those of each request", function()
    local known = secure.new()
    local same = known:name { tls = { verify = false } }
    assert.equal(same, known:name { tls = { verify = false } })
    local names = {}
    for i = 1, 1000 do
      names[known:name { tls = { verify = false, host = "h" .. i } }] = true
    end
    local n = 0
    for _ in pairs(known.by_text) do
      n = n + 1
    end
    assert.is_true(n <= 100)
    n = 0
    for _ in pairs(names) do
      n = n + 1
    end
    assert.equal(1000, n) -- none has the name of another
  end)

  it("takes an answer that comes while a body finds no room", function()
    local listener = assert(green.listen("127.0.0.1:0", SERVER))
    local _, port = listener:sockname()
    local more = green.Semaphore(0)
    local server = green.spawn(green.serve, listener, function(conn)
      conn:read_until("\r\n\r\n")
      testing.settle_io()
      conn:write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
      more:acquire()
    end)
    with_session({ tls = { ca = certs.path "ca.pem" } }, function(session)
      local resp = assert(session:post("https://127.0.0.1:" .. port, {
        body = ("x"):rep(32 * 1024 * 1024), timeout = { between = 60 } }))
      assert.equal(413, resp.status)
      assert.equal("big", resp:text())
      assert.equal(0, session:stats().open)
    end)
    more:release()
    listener:close()
    server:kill()
  end)
end)
