-- session:forward and response:pass_on: a request handed on, and its answer back.

local certs = require "spec.support.certs"
local green = require "green"
local http = require "green.http"
local testing = require "green.testing"

local kit = dofile("spec/support/http.lua")
local _, it_real = testing.busted()
local it = kit.its(it_real)

local function url_of(server)
  return "http://127.0.0.1:" .. server.port
end

--- A listener that does with each connection what the function says; its address.
local function raw_server(fn)
  local listener = assert(green.listen("127.0.0.1:0"))
  local server = green.spawn(green.serve, listener, fn)
  return "http://127.0.0.1:" .. select(2, listener:sockname()), function()
    listener:close()
    server:kill()
    testing.settle_io()
  end
end

--- A server that hands all on to that address; its session.
local function proxy_to(serve, origin, opts, session_opts)
  local session = http.session(session_opts)
  local proxy = serve(function(env)
    local resp, err = session:forward(env, origin, opts)
    if not resp then
      return 502, nil, err.code .. " " .. tostring(err.may_retry)
    end
    return resp:pass_on(env)
  end, { cancel_on_disconnect = true, half_close = false })
  return proxy, session
end

local function shown(env)
  local lines = { env.REQUEST_METHOD .. " " .. env.REQUEST_URI }
  for _, pair in ipairs(env.headers_raw) do
    lines[#lines + 1] = pair[1] .. ": " .. pair[2]
  end
  lines[#lines + 1] = env.input:read() or ""
  return 200, { ["x-Lower"] = "1", ETag = '"a"' }, table.concat(lines, "\n")
end

describe("green.http: forward", function()
  it("hands heads on, both ways", function(serve)
    local proxy, session = proxy_to(serve, url_of(serve(shown)))
    local conn = proxy:connect()
    local a = kit.ask(conn, "GET http://b.test/x?y=%20 HTTP/1.1\r\nHost: b.test\r\nA: 1\r\n"
      .. "Connection: a\r\nx-b: 2\r\nTE: trailers\r\nVia: 1.0 first\r\nVia: 1.1 next\r\n\r\n")
    assert.equal(200, a.status)
    assert.equal('"a"', a.headers.etag)
    assert.equal("1.1 greenlua", a.headers.via)
    assert.equal("GET /x?y=%20\nHost: b.test\nx-b: 2\nVia: 1.0 first\nVia: 1.1 next\n"
      .. "X-Forwarded-For: 127.0.0.1\nX-Forwarded-Proto: http\nX-Forwarded-Host: b.test\n"
      .. "Via: 1.1 greenlua\n", a.body)
    for i = 1, 50 do -- the same connections
      a = kit.ask(conn, kit.get("/" .. i))
      assert.matches("^GET /" .. i .. "\nHost: a\n", a.body)
    end
    assert.same({ open = 1, idle = 1, waiting = 0 }, session:stats())
    session:close()
  end)

  it("says another Host and another name where it is told to", function(serve)
    local proxy, session = proxy_to(serve, url_of(serve(shown)), { host = "in.test", via = "me" })
    local a = kit.ask(proxy:connect(), kit.get("/"))
    assert.matches("\nHost: in.test\n", a.body)
    assert.matches("\nX%-Forwarded%-Host: a\n", a.body)
    assert.matches("\nVia: 1.1 me\n", a.body)
    assert.equal("1.1 me", a.headers.via)
    session:close()
  end)

  it("says the other server's Host for a client that says none", function(serve)
    local origin = serve(shown)
    local proxy, session = proxy_to(serve, url_of(origin))
    local got = proxy:raw("GET / HTTP/1.0\r\n\r\n")
    assert.matches("^HTTP/1.1 200 .*\nHost: 127.0.0.1:" .. origin.port .. "\n", got)
    assert.is_nil(got:find("X-Forwarded-Host", 1, true))
    session:close()
  end)

  it("hands bodies on, with a length and in chunks", function(serve)
    local proxy, session = proxy_to(serve, url_of(serve(function(env)
      local text = env.input:read() or ""
      if env.PATH_INFO == "/pieces" then
        return 200, nil, function()
          local piece = text:sub(1, 70000)
          text = text:sub(70001)
          return piece ~= "" and piece or nil
        end
      end
      return 200, nil, text
    end)))
    local conn = proxy:connect()
    for _, size in ipairs { 0, 1, 5000, 70000, 300000 } do
      local text = ("x"):rep(size)
      for _, path in ipairs { "/", "/pieces" } do
        assert.equal(#text, #kit.ask(conn, kit.post(path, text)).body)
        assert.equal(#text, #kit.ask(conn, kit.post_chunks(path, size > 0 and { text } or {})).body)
      end
    end
    assert.same({ open = 1, idle = 1, waiting = 0 }, session:stats())
    session:close()
  end)

  it("hands on by TLS, both ways", function(serve)
    local origin = serve(shown, { tls = certs.server "a" })
    local proxy, session = proxy_to(serve, "https://127.0.0.1:" .. origin.port,
      { host = "b.test" }, { tls = { ca = certs.path "ca.pem" } })
    local conn = proxy:connect()
    for _ = 1, 3 do
      local a = kit.ask(conn, kit.post("/x", ("y"):rep(100000)))
      assert.matches("^POST /x\nHost: b.test\n", a.body)
      assert.matches("\nX%-Forwarded%-Proto: http\n", a.body)
      assert.equal(("y"):rep(100000), a.body:match "y+$")
    end
    assert.same({ open = 1, idle = 1, waiting = 0 }, session:stats())
    session:close()
    proxy, session = proxy_to(serve, "https://127.0.0.1:" .. origin.port)
    assert.equal("ECERTUNKNOWN true", kit.ask(proxy:connect(), kit.post("/", "x")).body)
    session:close()
  end)

  it("answers HEAD, 204 and 304 without a body", function(serve)
    local proxy, session = proxy_to(serve, url_of(serve(function(env)
      local status = tonumber(env.PATH_INFO:match "%d+")
      return status, { ["X-Status"] = tostring(status) }, status == 200 and "hello" or nil
    end)))
    local conn = proxy:connect()
    local a = kit.ask(conn, kit.get("/200", nil, "HEAD"))
    assert.equal("5", a.headers["content-length"])
    for _, status in ipairs { 204, 304, 200, 404 } do
      a = kit.ask(conn, kit.get("/" .. status))
      assert.equal(status, a.status)
      assert.equal(tostring(status), a.headers["x-status"])
    end
    session:close()
  end)

  it("passes coded bodies on as they are", function(serve)
    local origin, stop = raw_server(function(conn)
      conn:read_until("\r\n\r\n")
      conn:write("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nno gz")
    end)
    local proxy, session = proxy_to(serve, origin)
    local a = kit.ask(proxy:connect(), kit.get("/"))
    assert.equal("gzip", a.headers["content-encoding"])
    assert.equal("no gz", a.body)
    session:close()
    stop()
  end)

  it("tells whether another server may be asked", function(serve)
    local origin, stop = raw_server(function(conn)
      conn:read_until("\r\n\r\n")
      conn:close()
    end)
    local proxy, session = proxy_to(serve, origin)
    local conn = proxy:connect()
    assert.equal("EEOF true", kit.ask(conn, kit.get("/")).body)
    assert.equal("EEOF false", kit.ask(conn, kit.get("/", nil, "POST")).body)
    assert.matches(" false$", kit.ask(proxy:connect(), kit.post("/", "x")).body)
    session:close()
    stop()
    proxy, session = proxy_to(serve, origin) -- nobody is there
    assert.equal("ECONNREFUSED true", kit.ask(proxy:connect(), kit.post("/", "x")).body)
    session:close()
  end)

  it("ends with its time", function(serve)
    local origin, stop = raw_server(function(conn) conn:read_all() end)
    local proxy, session = proxy_to(serve, origin, nil, { timeout = { first = 0.02 } })
    assert.equal("ETIMEDOUT true", kit.ask(proxy:connect(), kit.get("/")).body)
    session:close()
    proxy, session = proxy_to(serve, origin, nil, { timeout = 0.02 })
    assert.equal("ETIMEDOUT true", kit.ask(proxy:connect(), kit.get("/")).body)
    assert.equal(0, session:stats().open)
    session:close()
    stop()
  end)

  it("cuts the answer whose server ends too early", function(serve)
    local origin, stop = raw_server(function(conn)
      conn:read_until("\r\n\r\n")
      conn:write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n5\r\nsec")
      conn:close()
    end)
    local proxy, session = proxy_to(serve, origin)
    local a = kit.ask(proxy:connect(), kit.get("/"))
    assert.equal(200, a.status)
    assert.is_false(a.whole)
    assert.equal(0, session:stats().open)
    session:close()
    stop()
  end)

  it("lets go of the server when the client goes", function(serve)
    local ended = green.Event()
    local origin, stop = raw_server(function(conn)
      conn:read_until("\r\n\r\n")
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
      conn:read_all()
      ended:send(true)
    end)
    local proxy, session = proxy_to(serve, origin)
    local conn = proxy:connect(kit.get("/"))
    assert(conn:read_until("first"))
    conn:close()
    assert.is_true(ended:wait(10))
    testing.settle_io()
    assert.equal(0, session:stats().open)
    session:close()
    stop()
  end)

  it("raises what makes no sense", function(serve)
    local server = serve(function(env)
      local session = http.session()
      local function message(...)
        local ok, err = pcall(...)
        return ok and "no error" or tostring(err)
      end
      local lines = {
        message(session.forward, session, {}, "http://127.0.0.1:1"),
        message(session.forward, session, env, "http://127.0.0.1:1/path"),
        message(session.forward, session, env, "http://127.0.0.1:1", { hosts = "x" }),
        message(session.forward, session, env, 5),
        message(session.forward, session, env, "http://127.0.0.1:1", { host = "a\r\nX: 1" }),
        message(session.forward, session, env, "http://127.0.0.1:1", { host = "" }),
        message(session.forward, session, env, "http://127.0.0.1:1", { via = "a\r\n\r\n" }),
        message(session.forward, session, env, "http://127.0.0.1:1", { via = 5 }),
        tostring(select(2, session:forward(env, "no url"))),
      }
      session:close()
      return 200, nil, table.concat(lines, "\n")
    end)
    local body = kit.ask(server:connect(), kit.get("/")).body
    assert.matches("forward: env must be the env of a request in hand", body)
    assert.matches("forward: origin must be a URL without a path", body)
    assert.matches("forward: unknown option 'hosts'", body)
    assert.matches("forward: origin must be a string", body)
    assert.equal(2, kit.count(body, "forward: host must be a host, with a port if need be"))
    assert.equal(2, kit.count(body, "forward: via must be a name without blanks"))
    assert.matches("EINVAL", body)
  end)

  it("passes on all of a body, or none", function(serve)
    local ways = {
      function(resp) resp:read(2) end,
      function(resp) resp:read() end,
      function(resp) resp:read(2) resp:text() end,
      function(resp) resp:read_some(1) end,
      function(resp) resp:chunks()() end,
      function(resp) resp:save "/dev/null" end,
      function(resp) resp:close() end,
    }
    local origin, session = serve(function(env)
      local pieces = { "one", "two" }
      return 200, nil, env.PATH_INFO == "/whole" and "onetwo" or function()
        return table.remove(pieces, 1)
      end
    end), http.session()
    local way
    local proxy = serve(function(env)
      local resp = assert(session:forward(env, url_of(origin)))
      if way then
        way(resp)
        local ok, err = pcall(resp.pass_on, resp, env)
        assert(not ok and tostring(err):find("of which nothing was read", 1, true), err)
        return 200, nil, "refused"
      end
      assert(resp:text() == "onetwo")
      return resp:pass_on(env)
    end)
    for _, path in ipairs { "/whole", "/pieces" } do
      for i = 1, #ways do
        way = ways[i]
        local got = proxy:raw(kit.get(path, "Connection: close\r\n"))
        assert.matches("refused$", got, i .. path)
      end
      way = nil
      assert.equal("onetwo", kit.ask(proxy:connect(), kit.get(path)).body)
    end
    session:close()
  end)

  it("tells what is to be done with a connection that goes on as another protocol", function(serve)
    local origin, stop = raw_server(function(conn)
      conn:read_until("\r\n\r\n")
      conn:write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
      conn:read_all()
    end)
    local session, message = http.session(), nil
    local proxy = serve(function(env)
      local resp = session:forward(env, origin)
      message = tostring(select(2, pcall(resp.pass_on, resp, env)))
      resp:close()
      return 200
    end)
    kit.ask(proxy:connect(), kit.get("/", "Connection: Upgrade\r\nUpgrade: x\r\n"))
    assert.matches("after 101 .*resp:stream%(%) and env.take_over%(%)", message)
    session:close()
    stop()
  end)

  it("sends short bodies with their heads, again if a kept connection has ended", function(serve)
    local seen, connections = {}, 0
    local origin, stop = raw_server(function(conn)
      connections = connections + 1
      local is_first = true
      while true do
        local text = conn:read_some()
        if not text then
          return
        end
        seen[#seen + 1] = text
        if not is_first then
          return -- without a word
        end
        is_first = false
        conn:write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      end
    end)
    local proxy, session = proxy_to(serve, origin)
    local conn = proxy:connect()
    local function ask(text)
      seen, connections = {}, 0
      return kit.ask(conn, text).body
    end
    local post = kit.post("/", "hello")
    local put, chunked = post:gsub("^POST", "PUT"), kit.post_chunks("/", { "hel", "lo" })
    assert.equal("ok", ask(post))
    assert.matches("\r\n\r\nhello$", seen[1])
    assert.equal("ok", ask(put)) -- the connection ends
    assert.same({ 2, 1 }, { #seen, connections })
    assert.equal(seen[1], seen[2])
    assert.equal("EEOF false", ask(post))
    assert.equal(1, #seen)
    assert.equal("ok", ask(chunked))
    assert.matches("Transfer%-Encoding: chunked\r\n.*\r\n\r\n5\r\nhello\r\n0\r\n\r\n$", seen[1])
    assert.equal("ok", ask((kit.post_chunks("/", {}):gsub("^POST", "PUT"))))
    assert.matches("\r\n\r\n0\r\n\r\n$", seen[1])
    session:close()
    stop()
  end)
end)
