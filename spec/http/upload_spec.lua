-- session:forward: bodies of requests that go on while their answers come back.

local green = require "green"
local http = require "green.http"
local testing = require "green.testing"

local kit = dofile("spec/support/http.lua")
local raw = dofile("spec/support/http_client.lua")
local _, it_real = testing.busted()
local its = kit.its(it_real)

local SIZE = 8000000 -- more than the sockets of a connection take
local LIMIT = 20 -- seconds, of what a failing spec would wait for

--- An `it` whose body gets a function that makes a proxy to a server that does with each
-- connection what a function says: the proxy, its session, and what its handlers ended with.
local function it(title, fn)
  its(title, function(serve)
    local others, sessions = {}, {}
    local ok, err = pcall(fn, function(answer, opts, handler)
      local other, session, ends = raw.serve(answer), http.session(opts), {}
      others[#others + 1], sessions[#sessions + 1] = other, session
      local origin = other.url:sub(1, -2)
      local proxy = serve(handler and function(env) return handler(env, session, origin) end
        or function(env)
          local ok, resp, problem = pcall(session.forward, session, env, origin)
          if not ok or not resp then
            ends[#ends + 1] = tostring(ok and problem or resp)
            return 502, nil, ends[#ends]
          end
          local passed, failure, _, done = pcall(resp.pass_on, resp, env)
          ends[#ends + 1] = passed or tostring(failure)
          if not passed then
            error(failure, 0)
          end
          return nil, nil, done
        end, { max_body = false })
      return proxy, session, ends
    end, serve)
    for i = 1, #others do
      sessions[i]:close()
      others[i].close()
    end
    if not ok then
      error(err, 0)
    end
  end)
end

local function head_of(size)
  return ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"):format(size)
end

--- Send a body in a thread of its own: whoever answers early is read at once.
local function post(proxy, size)
  local conn = proxy:connect(head_of(size))
  local thread = green.spawn(function() conn:write(("x"):rep(size)) end)
  return conn, thread
end

--- Wait for it, as long as a spec may take.
local function expect(event)
  assert.is_true(event:wait(LIMIT))
end

local HELLO = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

describe("green.http: bodies that are forwarded", function()
  it("may be left unread by a server that has answered", function(make)
    local ended = green.Event()
    local proxy, session, ends = make(function(conn)
      raw.read_head(conn)
      conn:read(1000)
      conn:write(HELLO)
      ended:wait()
    end, { timeout = { between = LIMIT } })
    local conn, thread = post(proxy, SIZE)
    assert.equal("hello", kit.answer(conn).body)
    assert.same({ true }, ends)
    testing.settle_io()
    assert.same({ open = 0, idle = 0, waiting = 0 }, session:stats())
    ended:send(true)
    conn:close()
    thread:kill()
  end)

  it("go on while the answer comes, whoever waits for whom", function(make)
    local proxy, session = make(function(conn)
      while raw.read_head(conn) do
        conn:write("HTTP/1.1 200 OK\r\nContent-Length: " .. SIZE .. "\r\n\r\n")
        local left = SIZE
        while left > 0 do
          local piece = conn:read_some(65536)
          left = left - #piece
          conn:write(piece)
        end
      end
    end)
    local conn
    for _ = 1, 2 do
      local body = {}
      for i = 1, SIZE / 8 do
        body[i] = ("%08x"):format(i)
      end
      body = table.concat(body)
      conn = conn or proxy:connect()
      local thread = green.spawn(function() conn:write(head_of(SIZE), body) end)
      assert.is_true(kit.answer(conn).body == body)
      thread:wait()
    end
    assert.same({ open = 1, idle = 1, waiting = 0 }, session:stats())
  end)

  it("may wait for their answers", function(make)
    local proxy, session = make(function(conn)
      raw.read_head(conn)
      assert.equal("3\r\none\r\n", conn:read(8))
      conn:write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
      assert.equal("3\r\ntwo\r\n0\r\n\r\n", conn:read(13))
      conn:write("4\r\nlast\r\n0\r\n\r\n")
      assert.is_nil(conn:read(1))
    end)
    local conn = proxy:connect("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "3\r\none\r\n")
    assert(conn:read_until("first\r\n"))
    conn:write("3\r\ntwo\r\n0\r\n\r\n")
    assert(conn:read_until("last\r\n0\r\n\r\n"))
    testing.settle_io()
    assert.same({ open = 1, idle = 1, waiting = 0 }, session:stats())
    session:close()
  end)

  it("end with an answer that makes them useless", function(make)
    local ended = green.Event()
    local proxy, session = make(function(conn)
      raw.read_head(conn)
      conn:write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
      ended:wait(LIMIT)
    end)
    local conn, thread = post(proxy, SIZE)
    local a = kit.answer(conn)
    assert.equal(413, a.status)
    assert.equal("big", a.body)
    testing.settle_io()
    assert.equal(0, session:stats().open)
    ended:send(true)
    conn:close()
    thread:kill()
  end)

  it("are told of a server that resets", function(make)
    for _, first in ipairs { "", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello" } do
      local proxy, session, ends = make(function(conn)
        raw.read_head(conn)
        conn:read(1000)
        conn:write(first)
        kit.reset(conn)
      end)
      local conn, thread = post(proxy, SIZE)
      conn:read_all()
      testing.settle_io()
      assert.matches("E%u+", ends[1])
      assert.equal(0, session:stats().open)
      conn:close()
      thread:kill()
    end
  end)

  it("are cut when the client goes, before and behind the answer's head", function(make)
    for _, first in ipairs { "", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello" } do
      local ended, begun = green.Event(), green.Event()
      local proxy, session, ends = make(function(conn)
        raw.read_head(conn)
        conn:read(1000)
        conn:write(first)
        begun:send(true)
        while conn:read_some() do end
        ended:send(true)
      end)
      local conn = proxy:connect(head_of(SIZE) .. ("x"):rep(2000))
      expect(begun)
      if first ~= "" then
        assert(conn:read_until("hello"))
      end
      testing.settle_io()
      conn:close()
      expect(ended)
      testing.settle_io()
      assert.equal(1, #ends)
      assert.is_string(ends[1])
      assert.equal(0, session:stats().open)
    end
  end)

  it("are cut where they are no HTTP", function(make)
    local ended, begun = green.Event(), green.Event()
    local proxy, session, ends = make(function(conn)
      raw.read_head(conn)
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
      begun:send(true)
      ended:send(conn:read_all())
    end)
    local conn = proxy:connect("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "3\r\none\r\n")
    expect(begun)
    assert(conn:read_until("hello"))
    conn:write("no chunk\r\n")
    assert.equal("3\r\none\r\n", ended:wait(LIMIT))
    testing.settle_io()
    assert.matches("read request body", ends[1])
    assert.is_nil(conn:read(1))
    assert.equal(0, session:stats().open)
  end)

  it("end with their handler, wherever it is", function(make)
    for i = 1, 3 do
      local begun, ended, handler = green.Event(), green.Event(), nil
      local proxy, session = make(function(conn)
        raw.read_head(conn)
        if i > 1 then
          conn:write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
        end
        begun:send(true)
        while conn:read_some() do end
        ended:send(true)
      end, nil, function(env, session, origin)
        handler = green.getcurrent()
        local resp = session:forward(env, origin)
        if i == 3 then
          resp:close()
          return 200, nil, "closed"
        end
        return resp:pass_on(env)
      end)
      local conn = proxy:connect(head_of(SIZE) .. ("x"):rep(2000))
      expect(begun)
      testing.settle_io()
      if i == 3 then
        assert(conn:read_until("closed"))
      else
        handler:kill()
      end
      expect(ended)
      testing.settle_io()
      assert.equal(0, session:stats().open)
      conn:close()
    end
  end)

  it("end with the request of a handler that lets the answer lie", function(make)
    local ended = green.Event()
    local proxy = make(function(conn)
      raw.read_head(conn)
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
      while conn:read_some() do end
      ended:send(true)
    end, nil, function(env, session, origin)
      assert(session:forward(env, origin))
      return 200, nil, "other"
    end)
    local conn = proxy:connect(head_of(SIZE) .. ("x"):rep(2000))
    assert(conn:read_until("other"))
    conn:close()
    expect(ended)
  end)

  it("end when their time is up", function(make)
    for i = 1, 2 do
      local ended = green.Event()
      local proxy, session, ends = make(function(conn)
        raw.read_head(conn)
        if i == 2 then
          conn:write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
        end
        ended:wait(LIMIT)
      end, { timeout = 0.1 })
      local conn, thread = post(proxy, SIZE)
      conn:read_all()
      assert.matches("ETIMEDOUT", ends[1])
      assert.equal(0, session:stats().open)
      ended:send(true)
      conn:close()
      thread:kill()
    end
  end)

  it("that nobody wants do no harm to the answer, nor to the next client", function(make)
    local proxy = make(function(conn)
      while raw.read_head(conn) do
        conn:write(HELLO)
        conn:read(20000)
      end
    end)
    for _ = 1, 20 do
      local conn = proxy:connect(head_of(20000) .. ("x"):rep(9000))
      assert.equal("hello", kit.answer(conn).body)
      conn:write(("x"):rep(11000))
      assert.is_nil(conn:read(1))
      conn:close()
    end
  end)

  it("are asked for where the client waits to be", function(make)
    local proxy = make(function(conn)
      while raw.read_head(conn) do
        conn:write(("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n%s"):format(conn:read(5)))
      end
    end)
    local conn = proxy:connect()
    for _ = 1, 3 do
      local a = kit.ask(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
        .. "Expect: 100-continue\r\n\r\n")
      assert.equal(100, a.status)
      assert.equal("hello", kit.ask(conn, "hello").body)
    end
  end)

  it("that are too long are told of as such", function(_, serve)
    local session = http.session()
    local other = serve(function(env) return 200, nil, env.input:read() end)
    local proxy = serve(function(env)
      return assert(session:forward(env, "http://127.0.0.1:" .. other.port)):pass_on(env)
    end, { max_body = 10 })
    local long = ("x"):rep(11)
    for _, text in ipairs { kit.post("/", long), kit.post_chunks("/", { long }) } do
      assert.equal(413, kit.ask(proxy:connect(), text).status)
    end
    session:close()
  end)

  it("are no more than answered where a request is a session's own", function(make, serve)
    local ended = green.Event()
    local other, session = raw.serve(function(conn)
      raw.read_head(conn)
      conn:write(HELLO)
      ended:wait()
    end), http.session { timeout = { between = 0.05 } }
    local resp = assert(session:post(other.url, { body = ("x"):rep(SIZE) }))
    assert.equal("hello", resp:text())
    assert.equal(0, session:stats().open)
    ended:send(true)
    session:close()
    other.close()
    assert(make and serve)
  end)
end)
