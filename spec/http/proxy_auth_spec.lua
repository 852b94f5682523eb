-- Proxies that want to know who asks: digest (RFC 7616) beside basic, for plain HTTP and for
-- tunnels; at squid where there is one, and at a proxy of ours.

local certs = require "spec.support.certs"
local digest = require "green.digest"
local http = require "green.http"
local lfs = require "lfs"
local peers = require "spec.support.http_peers"
local program = require "spec.support.program"
local testing = require "green.testing"

local client_kit = dofile("spec/support/http_client.lua")
local kit = dofile("spec/support/http.lua")
local _, it_real = testing.busted()
local it = client_kit.its(it_real)
local it_serves = kit.its(it_real)

local function with_session(opts, fn)
  local session = http.session(opts)
  local ok, err = pcall(fn, session)
  session:close()
  if not ok then
    error(err, 0)
  end
end

local function hashed(...)
  return digest.hex(digest.md5(table.concat({ ... }, ":")))
end

local REALM, NONCE = "a realm", "a nonce"

--- Is that what joe says whose password is "secret"? The count of its nonce, or false.
local function checked(method, target, said)
  local got = {}
  for name, value in said:gmatch '([%w]+)="?([^",]*)"?' do
    got[name] = value
  end
  local wanted = hashed(hashed("joe", REALM, "secret"), NONCE, got.nc or "", got.cnonce or "",
    "auth", hashed(method, target))
  return said:find "^Digest " and got.uri == target and got.response == wanted and got.nc
end

local ASKS = ('Proxy-Authenticate: Digest realm="%s", nonce="%s", qop="auth"\r\n'):format(REALM,
  NONCE)
local REFUSED = "HTTP/1.1 407 Who\r\n" .. ASKS .. "Content-Length: 4\r\n\r\nwho?"

--- A proxy of ours that lets joe in: lists what it was asked, with the count of the nonce.
local function proxy_of(asked, answer)
  return function(conn)
    while true do
      local head = client_kit.read_head(conn)
      if not head then
        return
      end
      local method, target = head:match "^(%S+) (%S+) "
      local said = head:match "\r\nProxy%-Authorization: ([^\r\n]+)"
      local count = said and checked(method, target, said)
      asked[#asked + 1] = method .. " " .. target .. " " .. tostring(count or said)
      if not count then
        conn:write(REFUSED)
      elseif answer(conn, method, head) == "end" then
        return
      end
    end
  end
end

local function ok(conn)
  conn:write "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
end

local function via(server, auth)
  return { all = "http://127.0.0.1:" .. server.port, auth = auth }
end

local JOE = { "joe", "secret" }

describe("green.http at a proxy that wants digest", function()
  it("answers once, and uses the nonce for what follows", function(serve)
    local asked = {}
    local server = serve(proxy_of(asked, ok))
    with_session({ proxy = via(server, http.auth.digest(unpack(JOE))) }, function(session)
      for i = 1, 3 do
        assert.equal("ok", assert(session:get("http://a.test/" .. i)):text())
      end
      assert.equal("ok", session:post("http://b.test/", { body = "x" }):text())
      assert.same({ open = 1, idle = 1, waiting = 0 }, session:stats()) -- for every host
    end)
    assert.same({ "GET http://a.test/1 nil", "GET http://a.test/1 00000001",
      "GET http://a.test/2 00000002", "GET http://a.test/3 00000003" },
      { asked[1], asked[2], asked[3], asked[4] })
    assert.equal("POST http://b.test/ 00000004", asked[5])
  end)

  it("answers for a tunnel, over another connection", function(serve)
    local asked = {}
    local server = serve(proxy_of(asked, function(conn)
      conn:write "HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n"
      return "end"
    end))
    with_session({ proxy = via(server, http.auth.digest(unpack(JOE))) }, function(session)
      for _ = 1, 2 do
        local resp, err = session:get "https://a.test/"
        assert.is_nil(resp)
        assert.equal("proxy", err.phase)
        assert.equal(502, err.cause.status)
      end
      local _, err = session:get "https://[::1]:81/"
      assert.equal(502, err.cause.status)
    end)
    assert.same({ "CONNECT a.test:443 nil", "CONNECT a.test:443 00000001",
      "CONNECT a.test:443 00000002", "CONNECT [::1]:81 00000003" }, asked)
  end)

  it("asks no longer when it is refused", function(serve)
    local asked = {}
    local server = serve(proxy_of(asked, ok))
    with_session({ proxy = via(server, http.auth.digest("joe", "wrong")) }, function(session)
      local resp = assert(session:get "http://a.test/")
      assert.equal(407, resp.status)
      assert.equal("who?", resp:text())
      assert.equal(2, #asked)
      local _, err = session:get "https://a.test/"
      assert.equal("EACCES", err.code)
      assert.equal(407, err.cause.status)
      assert.is_nil(tostring(err):find("wrong", 1, true))
    end)
  end)

  it("is no answer to a server that says 407", function(serve)
    local n = 0
    local server = serve(function(conn)
      while client_kit.read_head(conn) do
        n = n + 1
        conn:write(REFUSED)
      end
    end)
    with_session({ proxy = { all = "http://127.0.0.1:1", no = "127.0.0.1",
      auth = http.auth.digest(unpack(JOE)) } }, function(session)
      assert.equal(407, session:get(server.url).status)
    end)
    assert.equal(1, n)
  end)

  it("sends it to nobody else, and knows the server apart from the proxy", function(serve)
    local asked, heads = {}, {}
    local server = serve(proxy_of(asked, function(conn, _, head)
      heads[#heads + 1] = head
      if head:find("\r\nAuthorization: ", 1, true) then
        ok(conn)
      else
        conn:write('HTTP/1.1 401 Who\r\nWWW-Authenticate: Digest realm="b", nonce="c"\r\n',
          "Content-Length: 0\r\n\r\n")
      end
    end))
    with_session({ proxy = via(server, http.auth.digest(unpack(JOE))),
      auth = http.auth.digest("ann", "other") }, function(session)
      assert.equal("ok", session:get("http://a.test/"):text())
    end)
    assert.equal(3, #asked)
    assert.matches('\r\nAuthorization: Digest username="ann", realm="b"', heads[2])
  end)

  it("has basic, a token and functions, too", function(serve)
    local said = {}
    local server = serve(function(conn)
      local head = client_kit.read_head(conn)
      while head do
        said[#said + 1] = head:match "\r\nProxy%-Authorization: ([^\r\n]+)" or "-"
        ok(conn)
        head = client_kit.read_head(conn)
      end
    end)
    for _, auth in ipairs { { "joe", "secret" }, http.auth.bearer "t", function(request)
      return request.method .. " " .. request.target .. " " .. request.origin
    end } do
      with_session({ proxy = via(server, auth) }, function(session)
        assert.equal("ok", session:get("http://a.test/x"):text())
      end)
    end
    assert.same({ "Basic am9lOnNlY3JldA==", "Bearer t",
      "GET http://a.test/x http://127.0.0.1:" .. server.port }, said)
  end)

  it("shares no connection between two users", function(serve)
    local server = serve(client_kit.answers "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    with_session({}, function(session)
      for _, auth in ipairs { http.auth.basic("a", "x"), http.auth.basic("b", "x"), false } do
        assert.equal("ok", session:get("http://a.test/", {
          proxy = via(server, auth or nil) }):text())
      end
      assert.equal(3, session:stats().idle)
    end)
  end)

  it_real("raises for what is none, and shows no password", function()
    local function raises(proxy, text)
      local done, err = pcall(http.session, { proxy = proxy })
      assert.is_false(done)
      assert.matches(text, err)
      assert.is_nil(err:find("secret", 1, true))
    end
    raises({ all = "http://p", auth = "secret" }, "proxy%.auth must be { user, password }")
    raises({ all = "socks5://p", auth = JOE }, "proxy%.auth is for HTTP proxies")
    raises({ all = "http://u:secret@p", auth = JOE }, "give proxy%.auth, or a user in the proxy's")
  end)
end)

local SQUID = [[
http_port 127.0.0.1:%d
auth_param digest program /usr/lib/squid/digest_file_auth -c %s
auth_param digest children 1
auth_param digest realm a realm
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
cache deny all
access_log none
cache_log /dev/null
pid_filename none
pinger_enable off
shutdown_lifetime 0 seconds
]]

describe("green.http at squid", function()
  --- Run body(port) beside a squid that lets joe in.
  local function with_squid(body)
    local users = program.file("joe:a realm:" .. hashed("joe", REALM, "secret") .. "\n")
    os.execute("chmod a+r " .. users)
    local conf
    local done, err = pcall(peers.beside, function(port)
      conf = program.file(SQUID:format(port, users))
      return { "/usr/sbin/squid", "-N", "-f", conf }
    end, body)
    os.remove(users)
    os.remove(conf)
    if not done then
      error(err, 0)
    end
  end

  it_serves("is let in with digest, for plain HTTP and for tunnels", function(serve)
    if lfs.attributes("/usr/sbin/squid", "mode") ~= "file" then
      return pending "no squid"
    end
    local function app(env) return 200, nil, "at " .. env.PATH_INFO end
    local plain = serve(app)
    local secure = serve(app, { tls = { cert = certs.path "a.pem", key = certs.path "a.key" } })
    local function get(session, scheme, server, path)
      return session:get(scheme .. "://127.0.0.1:" .. server.port .. path)
    end
    with_squid(function(port)
      local function via_squid(auth)
        return { proxy = via({ port = port }, auth), tls = { ca = certs.path "ca.pem" } }
      end
      with_session(via_squid(http.auth.digest(unpack(JOE))), function(session)
        for i = 1, 3 do
          assert.equal("at /" .. i, assert(get(session, "http", plain, "/" .. i)):text())
          assert.equal("at /" .. i, assert(get(session, "https", secure, "/" .. i)):text())
          session:close_idle()
        end
      end)
      with_session(via_squid(http.auth.digest("joe", "wrong")), function(session)
        assert.equal(407, get(session, "http", plain, "/").status)
        assert.equal(407, select(2, get(session, "https", secure, "/")).cause.status)
      end)
      with_session(via_squid(JOE), function(session)
        assert.equal(407, get(session, "http", plain, "/").status)
      end)
    end)
  end)
end)
