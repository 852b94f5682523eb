-- What goes around requests of green.http: cookies, credentials, proxies, further tries, hooks,
-- addresses that may be connected to, redirects.

local green = require "green"
local http = require "green.http"
local peers = require "spec.support.http_peers"
local testing = require "green.testing"

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

local function url_of(server, path)
  return "http://127.0.0.1:" .. server.port .. (path or "/")
end

local function echo(env)
  return 200, nil, ("%s %s cookie=%s auth=%s"):format(env.REQUEST_METHOD, env.PATH_INFO,
    env.HTTP_COOKIE or "-", env.HTTP_AUTHORIZATION or "-")
end

describe("green.http, around a request,", function()
  it("keeps cookies, if it is told to", function(serve)
    local server = serve(function(env)
      return 200, { ["set-cookie"] = "n=1; Path=/" }, env.HTTP_COOKIE or "none"
    end)
    local url = url_of(server)
    with_session({ cookies = true }, function(session)
      assert.equal("none", session:get(url):text())
      assert.equal("n=1", session:get(url):text())
      assert.equal("n=1; own=2", session:get(url, { cookies = { own = 2 } }):text())
      assert.equal("none", session:get(url, { cookies = false }):text())
      assert.equal(1, #session.cookies:list())
    end)
    with_session({}, function(session)
      assert.equal("none", session:get(url):text())
      assert.equal("none", session:get(url):text())
      assert.equal("a=b", session:get(url, { cookies = { a = "b" } }):text())
    end)
  end)

  it("sends credentials, of the option or the URL", function(serve)
    local server = serve(echo)
    with_session({}, function(session)
      local basic = "GET / cookie=- auth=Basic dTpwIHc="
      assert.equal(basic, session:get(url_of(server), { auth = { "u", "p w" } }):text())
      assert.equal(basic, session:get("http://u:p%20w@127.0.0.1:" .. server.port):text())
      assert.equal("GET / cookie=- auth=Bearer t", session:get(url_of(server), {
        auth = http.auth.bearer "t" }):text())
      assert.equal("GET / cookie=- auth=mine GET", session:get(url_of(server), {
        auth = function(request) return "mine " .. request.method end }):text())
    end)
  end)

  it("refuses credentials of a URL that cannot be sent, without showing them", function()
    for _, part in ipairs { "us%3Aer:p", "us%0D%0Aer:p", "u:hush%00", "u:hush%0A", "%7F:p" } do
      local resp, err = http.get("http://" .. part .. "@127.0.0.1:1/")
      assert.is_nil(resp)
      assert.equal("EINVAL", err.code)
      assert.is_nil(tostring(err):find("hush", 1, true))
    end
  end)

  it("answers a challenge of digest, with a body that can be sent again", function(serve)
    local asked = 0
    local server = serve(function(env)
      asked = asked + 1
      local body = env.input:read() or ""
      local sent = env.HTTP_AUTHORIZATION
      if not sent or not sent:find('username="u"', 1, true) then
        return 401, { ["www-authenticate"] = 'Digest realm="r", nonce="n", qop="auth"' }, "who?"
      end
      return 200, nil, body
    end)
    with_session({ auth = http.auth.digest("u", "p") }, function(session)
      assert.equal("body", session:post(url_of(server), { body = "body" }):text())
      assert.equal(2, asked)
      assert.equal("again", session:post(url_of(server), { body = "again" }):text())
      assert.equal(3, asked)
      assert.same({ open = 1, idle = 1, waiting = 0 }, session:stats())
    end)
  end)

  it("takes nothing secret along to another origin", function(serve)
    local other = serve(echo)
    local server = serve(function(env)
      if env.PATH_INFO == "/here" then
        return 307, { location = "/echo" }
      elseif env.PATH_INFO == "/echo" then
        return echo(env)
      end
      return 307, { location = url_of(other, "/there") }
    end)
    with_session({ auth = { "u", "p" } }, function(session)
      local opts = { headers = { Cookie = "c=1" } }
      assert.equal("GET /echo cookie=c=1 auth=Basic dTpw", session:get(url_of(server, "/here"),
        opts):text())
      assert.equal("GET /there cookie=- auth=-", session:get(url_of(server, "/away"), opts):text())
      opts.headers.Authorization = "mine"
      assert.equal("GET /there cookie=- auth=-", session:get(url_of(server, "/away"), opts):text())
    end)
  end)

  it("has the methods that the statuses ask for", function(serve)
    local status
    local server = serve(function(env)
      if env.PATH_INFO == "/" then
        return status, { location = "/b" }
      end
      return 200, nil, env.REQUEST_METHOD .. ":" .. (env.input:read() or "") .. ":"
        .. (env.CONTENT_TYPE or "-")
    end)
    with_session({}, function(session)
      local function ask(method, of_status)
        status = of_status
        return session:request(method, url_of(server), { body = "x",
          headers = { ["Content-Type"] = "t/x" } }):text()
      end
      assert.equal("GET::-", ask("POST", 301))
      assert.equal("GET::-", ask("POST", 302))
      assert.equal("GET::-", ask("PUT", 303))
      assert.equal("PUT:x:t/x", ask("PUT", 301))
      assert.equal("POST:x:t/x", ask("POST", 307))
      assert.equal("POST:x:t/x", ask("POST", 308))
      status = 307
      local sent = false
      local resp, err = session:post(url_of(server), { body = function()
        sent = not sent
        return sent and "x" or nil
      end })
      assert.is_nil(resp)
      assert.equal("EREDIRECT", err.code)
      assert.equal(307, err.response.status)
    end)
  end)

  it("gives up following", function(serve)
    local server = serve(function(env)
      local n = tonumber(env.PATH_INFO:match "%d+")
      local to = { "ftp://x/", "http://", "//[", "javascript:x" }
      return 302, { location = to[n] or "/x" }
    end)
    with_session({}, function(session)
      for i = 0, 4 do
        local resp, err = session:get(url_of(server, "/" .. i))
        assert.is_nil(resp)
        assert.equal("EREDIRECT", err.code)
        assert.equal("redirect", err.phase)
      end
      assert.equal(302, session:get(url_of(server), { redirects = false }).status)
      assert.equal(0, session:stats().waiting)
    end)
  end)

  it("tries again as the policy says, and heeds Retry-After", function(serve)
    local asked = 0
    local server = serve(function()
      asked = asked + 1
      return asked < 3 and 503 or 200, { ["retry-after"] = "0" }, "try " .. asked
    end)
    with_session({ retries = { tries = 4, base = 0.001 } }, function(session)
      assert.equal("try 3", session:get(url_of(server)):text())
      asked = 0
      assert.equal(503, session:post(url_of(server)).status)
      assert.equal(1, asked)
      asked = 0
      assert.equal(503, session:get(url_of(server), { retries = 1 }).status)
      assert.equal(2, asked)
    end)
  end)

  it("calls hooks before and after, and for redirects", function(serve)
    local server = serve(function(env)
      if env.PATH_INFO == "/a" then
        return 302, { location = "/b" }
      end
      return 200, nil, env.HTTP_X_SIGNED
    end)
    local seen = {}
    local hooks = {
      before = function(request)
        seen[#seen + 1] = "before " .. request.method .. " " .. request.url:match("/%w$")
        request.headers["X-Signed"] = "yes" .. #seen
      end,
      after = function(resp)
        seen[#seen + 1] = "after " .. resp.status
      end,
      on_redirect = function(resp, request)
        seen[#seen + 1] = resp.status .. " to " .. request.url:match("/%w$")
      end,
    }
    with_session({ hooks = hooks }, function(session)
      assert.equal("yes4", session:get(url_of(server, "/a")):text())
      assert.same({ "before GET /a", "after 302", "302 to /b", "before GET /b", "after 200" }, seen)
      hooks.after = function() error("mine", 0) end
      assert.has_error(function() session:get(url_of(server, "/b")) end, "mine")
      assert.equal(session:stats().idle, session:stats().open)
    end)
  end)

  it("connects to allowed addresses alone, at redirects too", function(serve)
    local server = serve(function()
      return 302, { location = "http://localhost:1/" }
    end)
    with_session({ allow = "public" }, function(session)
      local resp, err = session:get(url_of(server))
      assert.is_nil(resp)
      assert.equal("EACCES", err.code)
      assert.equal("connect", err.phase)
    end)
    local asked = {}
    with_session({ allow = function(address)
      asked[#asked + 1] = address.host
      return address.port == server.port, "not that port"
    end }, function(session)
      local resp, err = session:get(url_of(server))
      assert.is_nil(resp)
      assert.equal("EACCES", err.code)
      assert.matches("not that port", err.message)
      assert.is_true(#asked >= 2)
      assert.equal("127.0.0.1", asked[1])
    end)
  end)

  it("shares no connection that was not asked about", function(serve)
    local server = serve(function() return 200, {}, "ok" end)
    local function loopback(address) return address.host == "127.0.0.1" end
    with_session({}, function(session)
      local function get(allow)
        local resp, err = session:get(url_of(server), { allow = allow })
        return resp and resp:text() or err.code
      end
      assert.equal("ok", session:get(url_of(server)):text())
      assert.equal("EACCES", get("public"))
      assert.equal("EACCES", get(function() return false end))
      assert.equal("ok", get(loopback))
      assert.equal("ok", get(loopback))
      assert.equal("EACCES", get("public"))
      assert.equal(2, session:stats().idle)
    end)
  end)

  it("asks over a UNIX socket", function()
    local path = os.tmpname()
    os.remove(path)
    local listener = assert(green.listen("unix:" .. path))
    local server = green.spawn(green.serve, listener, function(conn)
      while conn:read_until("\r\n\r\n") do
        conn:write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      end
    end)
    with_session({ unix = path }, function(session)
      assert.equal("ok", assert(session:get("http://service/x")):text())
    end)
    listener:close()
    server:kill()
    os.remove(path)
  end)

  it("goes through proxies of HTTP and SOCKS5", function(serve)
    local server = serve(echo)
    local url = url_of(server, "/by")
    peers.beside(function(port)
      return { "microsocks", "-i", "127.0.0.1", "-p", tostring(port) }
    end, function(port)
      with_session({ proxy = "socks5://127.0.0.1:" .. port }, function(session)
        assert.equal("GET /by cookie=- auth=-", assert(session:get(url)):text())
      end)
    end)
    local config = os.tmpname()
    peers.beside(function(port)
      local file = assert(io.open(config, "w"))
      file:write(("Port %d\nListen 127.0.0.1\nBasicAuth user secret\n"):format(port))
      file:close()
      return { "tinyproxy", "-d", "-c", config }
    end, function(port)
      with_session({ proxy = "http://user:secret@127.0.0.1:" .. port }, function(session)
        for _ = 1, 2 do
          assert.equal("GET /by cookie=- auth=-", assert(session:get(url)):text())
        end
        assert.equal("GET /by cookie=- auth=-", assert(session:get(url, {
          proxy = false })):text())
      end)
      with_session({ proxy = "http://127.0.0.1:" .. port }, function(session)
        assert.equal(407, assert(session:get(url)).status)
      end)
    end)
    os.remove(config)
  end)
end)

describe("green.http, of events and traces,", function()
  it("reads server-sent events over connections that end", function(serve)
    local ids = {}
    local server = serve(function(env)
      ids[#ids + 1] = env.HTTP_LAST_EVENT_ID or "-"
      if #ids == 3 then
        return 204
      end
      return 200, { ["content-type"] = "text/event-stream" },
        ("retry: 100\nid: %d\ndata: one\n\ndata: two\n\n"):format(#ids)
    end)
    with_session({}, function(session)
      local seen = {}
      for event in session:events(url_of(server)):events() do
        seen[#seen + 1] = event.id .. event.data
      end
      assert.same({ "1one", "1two", "2one", "2two" }, seen)
      assert.same({ "-", "1", "2" }, ids)
      local server2 = serve(function() return 404 end)
      local event, err = session:events(url_of(server2)):next()
      assert.is_nil(event)
      assert.equal("EHTTPSTATUS", err.code)
    end)
  end)

  it("tells of requests, but no secrets", function(serve)
    local server = serve(function()
      return 200, { { "X-A", "b" }, { "Set-Cookie", "s=secret" } }, "x"
    end)
    local told = {}
    with_session({ auth = { "u", "p" }, cookies = true, trace = function(entry)
      told[#told + 1] = entry
    end }, function(session)
      session:get(url_of(server))
      session:get(url_of(server))
      assert.is_nil((session:get("http://127.0.0.1:1/")))
    end)
    assert.equal(3, #told)
    local fields = {}
    for _, entry in ipairs { told[1], told[3], told[1].request, told[1].response } do
      local names = {}
      for name in pairs(entry) do names[#names + 1] = name end
      table.sort(names)
      fields[#fields + 1] = table.concat(names, " ")
    end
    assert.same({ "request response seconds started timings", "error request seconds started",
      "headers method url", "headers reason status version" }, fields)
    assert.same({ name = "X-A", value = "b" }, told[1].response.headers[1])
    assert.is_true(told[1].seconds >= 0 and told[1].started > 1.7e9)
    assert.equal(url_of(server), told[1].request.url)
    assert.equal(200, told[2].response.status)
    assert.equal("GET", told[2].request.method)
    assert.equal("ECONNREFUSED", told[3].error.code)
    local text = {}
    for _, entry in ipairs(told) do
      for _, list in ipairs { entry.request.headers, entry.response and entry.response.headers } do
        for _, header in ipairs(list or {}) do
          text[#text + 1] = header.name .. ": " .. header.value
        end
      end
    end
    text = table.concat(text, "\n")
    assert.truthy(text:find("Authorization: (hidden)", 1, true))
    assert.is_nil(text:find("secret", 1, true))
  end)

  it("asks a function for the credentials of each sending", function(serve)
    local server = serve(function(env)
      if env.PATH_INFO == "/" then
        return 307, { location = "/b?c" }
      end
      return 200, nil, tostring(env.HTTP_AUTHORIZATION)
    end)
    local seen = {}
    local function sign(request)
      seen[#seen + 1] = ("%s %s %s %s"):format(request.method, request.url, request.target,
        request.origin)
      green.sleep() -- it may wait
      return #seen == 2 and "Signed " .. request.target or nil
    end
    with_session({}, function(session)
      assert.equal("Signed /b?c", session:get(url_of(server), { auth = sign }):text())
      local origin = url_of(server):match "^(.*)/$"
      assert.same({ ("GET %s/ / %s"):format(origin, origin),
        ("GET %s/b?c /b?c %s"):format(origin, origin) }, seen)
      local own = { auth = http.auth.custom(sign) }
      assert.equal("nil", session:get(url_of(server, "/b"), own):text())
      for _, value in ipairs { "a\r\nb", "a\0", 5 } do
        local ok, err = pcall(session.get, session, url_of(server, "/b"), {
          auth = function() return value end })
        assert.is_false(ok)
        assert.matches("auth", err)
      end
      assert.equal(0, session:stats().open - session:stats().idle)
    end)
  end)
end)
