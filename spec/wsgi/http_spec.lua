local green = require "green"
local testing = require "green.testing"

local http = dofile("spec/support/http.lua")
local virtual_it, real_it = testing.busted()
local it, timed_it = http.its(real_it), http.its(virtual_it, testing.advance)

local answer, ask, get, post, post_chunks = http.answer, http.ask, http.get, http.post,
  http.post_chunks

local function hello()
  return 200, { ["Content-Type"] = "text/plain" }, "hello\n"
end

--- Answers with the request's body.
local function echo(env)
  return 200, {}, (env.input:read() or "")
end

--- An app made of functions by path.
local function paths(list)
  return function(env)
    local fn = list[env.PATH_INFO] or hello
    return fn(env)
  end
end

describe("connections of green.wsgi", function()
  it("are kept", function(serve)
    local conn = serve(hello):connect()
    for _ = 1, 3 do
      local a = ask(conn, get "/")
      assert.equal(200, a.status)
      assert.equal("hello\n", a.body)
      assert.is_nil(a.headers.connection)
    end
  end)

  it("end when the client says so", function(serve)
    local text = serve(hello):raw(get("/", "Connection: close\r\n"))
    assert.matches("\r\nConnection: close\r\n", text)
  end)

  it("of HTTP/1.0 end, unless they are to be kept and the length is known [b102]", function(serve)
    local server = serve(paths {
      ["/pieces"] = function()
        return 200, {}, coroutine.wrap(function() coroutine.yield "ab" end)
      end,
    })
    assert.matches("Connection: close\r\n\r\nhello", server:raw "GET / HTTP/1.0\r\n\r\n")
    local kept = "GET %s HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    local conn = server:connect()
    for _ = 1, 2 do
      local a = ask(conn, kept:format "/")
      assert.equal("keep-alive", a.headers.connection)
      assert.equal("hello\n", a.body)
    end
    local text = server:raw(kept:format "/pieces")
    assert.not_matches("chunked", text)
    assert.matches("Connection: close\r\n\r\nab$", text)
  end)

  it("say how long they wait, in whole seconds, to clients that ask [b113]", function(serve)
    local conn = serve(hello, { keepalive = 2.5 }):connect()
    local a = ask(conn, get("/", "Connection: keep-alive\r\n"))
    assert.equal("timeout=2", a.headers["keep-alive"])
    assert.is_nil(ask(conn, get "/").headers["keep-alive"])
  end)

  timed_it("are closed when they were silent for `keepalive` seconds [b111]", function(serve)
    local server = serve(hello, { keepalive = 5 })
    local conn = server:connect()
    ask(conn, get "/")
    testing.advance(4.9)
    assert.equal(200, ask(conn, get "/").status)
    testing.advance(5.1)
    assert.is_nil(conn:read_some())
  end)

  timed_it("may take longer than `keepalive` within a request [b112]", function(serve)
    local conn = serve(echo, { keepalive = 2 }):connect()
    assert.equal(200, ask(conn, get "/").status)
    conn:write "POST / HTTP/1.1\r\nHost: a\r\n"
    testing.advance(5)
    conn:write "Content-Length: 3\r\n\r\nab"
    testing.advance(5)
    assert.equal("abc", ask(conn, "c").body)
  end)

  it("of clients that have ended their side are served to the end", function(serve)
    local text = serve(hello):ended(get "/" .. get "/")
    assert.equal(2, http.count(text, "hello\n"))
  end)
end)

describe("pipelined requests of green.wsgi", function()
  it("are answered in order, the answers to one read in one write", function(serve)
    local server = serve(function(env)
      return 200, {}, env.PATH_INFO
    end)
    local all, want = {}, {}
    for i = 1, 16 do
      all[i], want[i] = get("/" .. i), "/" .. i
    end
    local conn = server:connect(table.concat(all))
    testing.settle_io()
    local text = conn:read_some()
    local got = {}
    for body in text:gmatch("\r\n\r\n(/%d+)") do
      got[#got + 1] = body
    end
    assert.same(want, got)
  end)

  it("do not wait for later ones", function(serve)
    local go = green.Event()
    local server = serve(paths {
      ["/wait"] = function()
        return 200, {}, go:wait()
      end,
    })
    local conn = server:connect(get "/" .. get "/wait" .. get "/")
    assert.equal("hello\n", answer(conn).body)
    go:send "gone"
    assert.equal("gone", answer(conn).body)
    assert.equal("hello\n", answer(conn).body)
  end)

  it("may follow a body [b100]", function(serve)
    local conn = serve(echo):connect(post("/", "abc") .. post_chunks("/", { "de", "f" })
      .. post("/", "") .. get "/" .. post("/", "ghi"))
    for _, body in ipairs { "abc", "def", "", "", "ghi" } do
      assert.equal(body, answer(conn).body)
    end
  end)
end)

describe("env.input of green.wsgi", function()
  it("has lines across chunks, and large pieces [b120] [S55]", function(serve)
    local got = {}
    local server = serve(function(env)
      for line in env.input:lines() do
        got[#got + 1] = line
      end
      return 200, {}, "ok"
    end)
    local pieces = { "one\ntw", "o", "\nthr", "ee\n\nfour" }
    assert.equal("ok", ask(server:connect(), post_chunks("/", pieces)).body)
    assert.same({ "one\n", "two\n", "three\n", "\n", "four" }, got)
  end)

  it("may be read in part [b119, b101] [S55]", function(serve)
    local server = serve(function(env)
      return 200, {}, env.input:read(10)
    end)
    local conn = server:connect()
    local long = ("0123456789"):rep(5000)
    for _ = 1, 2 do
      assert.equal("0123456789", ask(conn, post("/", long)).body)
      assert.equal("0123456789", ask(conn, post_chunks("/", { "0123", "456789x", long })).body)
    end
  end)

  it("may be left alone [b101]", function(serve)
    local conn = serve(hello):connect()
    for _ = 1, 2 do
      assert.equal("hello\n", ask(conn, post("/", ("x"):rep(100000))).body)
      assert.equal("hello\n", ask(conn, post_chunks("/", { ("x"):rep(70000), "y" })).body)
    end
  end)

  it("is empty without a body, and at its end [b117]", function(serve)
    local got = {}
    local conn = serve(function(env)
      got = { env.input:read(), env.input:read(5), env.input:read_line(), env.input:read_some() }
      return 200, {}, tostring(#got)
    end):connect()
    assert.equal("0", ask(conn, get "/").body)
    assert.equal("1", ask(conn, post("/", "abc")).body)
    assert.equal("0", ask(conn, "POST / HTTP/1.1\r\nHost: a\r\n\r\n").body)
  end)

  it("waits for bytes that come later", function(serve)
    local conn = serve(echo):connect "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n"
    for _, part in ipairs { "ab", "cd", "ef" } do
      testing.settle_io()
      conn:write(part)
    end
    assert.equal("abcdef", answer(conn).body)
  end)

  it("takes what is large", function(serve)
    local body = ("0123456789abcdef"):rep(65536)
    local server = serve(echo)
    for _, request in ipairs { post("/", body), post_chunks("/", { body, body:sub(1, 77) }) } do
      local conn = server:connect()
      local writer = green.spawn(conn.write, conn, request)
      local a = answer(conn)
      writer:wait()
      assert.equal(body, a.body:sub(1, #body))
    end
  end)

  it("tells bad chunks from those that stop [b118] [S55]", function(serve)
    local errs = {}
    local server = serve(function(env)
      local _, err = env.input:read()
      errs[#errs + 1] = err and err.code or "none"
      return 200, {}, "ok"
    end)
    local head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert.matches("Connection: close", server:raw(head .. "xyz\r\n"))
    server:ended(head .. "5\r\nabc")
    server:ended(head .. "5\r\nabcde\r\n")
    assert.same({ "EPROTO", "EEOF", "EEOF" }, errs)
    assert.equal("ok", ask(server:connect(), post_chunks("/", {})).body)
    assert.equal("none", errs[4])
  end)

  it("drops chunk extensions and trailers [b118] [S55]", function(serve)
    local conn = serve(echo):connect()
    local a = ask(conn, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "3;a=b;c=\"d e\"\r\nabc\r\n0;x\r\nTrailer: x\r\nOther: y\r\n\r\n")
    assert.equal("abc", a.body)
    assert.equal(200, ask(conn, get "/").status)
  end)
end)

describe("100 Continue of green.wsgi", function()
  local head = "POST %s HTTP/1.1\r\nHost: a\r\nExpect: 100-%s\r\nContent-Length: 3\r\n\r\n"

  it("is sent when the body is first read, in any case of letters [b108]", function(serve)
    local go = green.Event()
    local server = serve(function(env)
      go:wait()
      return 200, {}, env.input:read()
    end)
    local conns = {}
    for i, word in ipairs { "continue", "Continue", "CONTINUE" } do
      conns[i] = server:connect(head:format("/", word))
    end
    testing.settle_io()
    for _, conn in ipairs(conns) do
      assert.is_nil((conn:read_some(1, { timeout = 0 })))
    end
    go:send(true)
    for _, conn in ipairs(conns) do
      assert.equal(100, answer(conn).status)
      assert.equal("abc", ask(conn, "abc").body)
      assert.equal(200, ask(conn, post("/", "abc")).status)
    end
  end)

  it("is not sent when the answer has begun [b108]", function(serve)
    local server = serve(function(env)
      local step = 0
      return 200, {}, function()
        step = step + 1
        return step == 1 and "first" or step == 2 and (env.input:read(3) or "none") or nil
      end
    end, { minimum_chunk_size = 0 })
    local conn = server:connect(head:format("/", "continue"))
    assert.equal(200, tonumber(conn:read_line():match(" (%d+)")))
    conn:write "abc"
    assert.matches("Connection: close.*first\r\n3\r\nabc\r\n0\r\n\r\n$", conn:read_all())
  end)

  it("is not sent when nobody reads, and the connection ends then [b109]", function(serve)
    local text = serve(hello):raw(head:format("/", "continue"))
    assert.not_matches("100 Continue", text)
    assert.matches("Connection: close", text)
  end)

  it("may have headers and come again [b110]", function(serve)
    local server = serve(function(env)
      env.input:set_hundred_continue_response_headers { { "X-Go", "on" }, { "X-More", "1" } }
      env.input:send_hundred_continue_response()
      return 200, {}, env.input:read()
    end)
    for _, framing in ipairs { "Content-Length: 3", "Transfer-Encoding: chunked" } do
      local conn = server:connect("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
        .. framing .. "\r\n\r\n")
      local a = answer(conn)
      assert.equal(100, a.status)
      assert.same({ "X-Go: on", "X-More: 1" }, a.raw)
      conn:write(framing:find "Length" and "abc" or "3\r\nabc\r\n0\r\n\r\n")
      a = answer(conn)
      while a.status == 100 do
        a = answer(conn)
      end
      assert.equal("abc", a.body)
    end
  end)
end)
