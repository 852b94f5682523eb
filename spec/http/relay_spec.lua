-- response:pass_on: long bodies, which go from one socket to the other past us.

local ffi = require "ffi"

local certs = require "spec.support.certs"
local green = require "green"
local http = require "green.http"
local testing = require "green.testing"
local tls = require "green.tls"
local wsgi = require "green.wsgi"

local kit = dofile("spec/support/http.lua")
ffi.cdef [[
  int relay_spec_fork(void) __asm__("fork");
  int relay_spec_waitpid(int pid, int *status, int options) __asm__("waitpid");
]]
local _, it_real = testing.busted()
local it = kit.its(it_real)

local SIZES = { 16000, 20480, 20481, 102400, 1500000 }

-- Its length is no multiple of a page: what is lost or twice there shows.
local block = {}
for i = 1, 8190 do
  block[i] = ("%08x"):format(i * 2654435761 % 2 ^ 32)
end
block = table.concat(block) .. "!"

local function text_of(size)
  return block:rep(math.ceil(size / #block)):sub(1, size)
end

--- Is that it? Texts this long are not to be printed.
local function is_text(size, got)
  assert.equal(size, #got)
  assert.is_true(got == text_of(size))
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

--- A server that hands all on to that address; its session; what its handler ended with.
local function proxy_to(serve, origin, server_opts, session_opts)
  local session, ends = http.session(session_opts), {}
  local proxy = serve(function(env)
    local resp = assert(session:forward(env, origin))
    local ok, err, _, done = pcall(resp.pass_on, resp, env)
    ends[#ends + 1] = ok or tostring(err)
    if not ok then
      error(err, 0)
    end
    return nil, nil, done
  end, server_opts or { cancel_on_disconnect = true, half_close = false })
  return proxy, session, ends
end

local function bodies(env)
  local size = tonumber(env.PATH_INFO:match "%d+")
  return 200, { ["Content-Length"] = tostring(size) }, text_of(size)
end

--- An answer's head, and as much of its body; then `more` with the connection.
local function half(more)
  return function(conn)
    conn:read_until("\r\n\r\n")
    conn:write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" .. text_of(400000))
    more(conn)
  end
end

describe("green.http: relayed bodies", function()
  it("are whole, of any size, and their connections go on", function(serve)
    local upstream = serve(bodies)
    local proxy, session = proxy_to(serve, "http://127.0.0.1:" .. upstream.port)
    local conn = proxy:connect()
    for _ = 1, 2 do
      for _, size in ipairs(SIZES) do
        is_text(size, kit.ask(conn, kit.get("/" .. size)).body)
      end
    end
    assert.equal("", kit.ask(conn, kit.get("/102400", nil, "HEAD")).body)
    is_text(50000, kit.ask(conn, kit.get("/50000")).body)
    assert.same({ open = 1, idle = 1, waiting = 0 }, session:stats())
    session:close()
  end)

  it("are whole with the JIT off", function(serve)
    local upstream = serve(bodies)
    local proxy, session = proxy_to(serve, "http://127.0.0.1:" .. upstream.port)
    local conn = proxy:connect()
    jit.off()
    local ok, err = pcall(function()
      for _, size in ipairs(SIZES) do
        is_text(size, kit.ask(conn, kit.get("/" .. size)).body)
      end
    end)
    jit.on()
    assert(ok, err)
    session:close()
  end)

  it("are whole for a client that speaks HTTP/1.0", function(serve)
    local upstream = serve(bodies)
    local proxy, session = proxy_to(serve, "http://127.0.0.1:" .. upstream.port)
    local got = proxy:raw("GET /102400 HTTP/1.0\r\nHost: a\r\n\r\n")
    is_text(102400, got:match("\r\n\r\n(.*)$"))
    session:close()
  end)

  it("are whole for clients that are slow, and for others meanwhile", function(serve)
    local upstream = serve(bodies)
    local proxy, session = proxy_to(serve, "http://127.0.0.1:" .. upstream.port)
    local slow, list, text = {}, {}, text_of(3000000)
    for i = 1, 4 do
      slow[i] = proxy:connect()
      assert(slow[i]:write(kit.get("/3000000")))
    end
    testing.settle_io()
    for i = 1, 8 do
      list[i] = green.spawn(function()
        return kit.ask(proxy:connect(), kit.get("/" .. 90000 + i)).body
      end)
    end
    for i = 1, 8 do
      is_text(90000 + i, (list[i]:wait()))
    end
    for i = 1, 4 do
      assert.is_true(kit.answer(slow[i]).body == text)
    end
    session:close()
  end)

  it("are cut when their server ends, or resets", function(serve)
    for _, more in ipairs { function(conn) conn:close() end, kit.reset } do
      local origin, stop = raw_server(half(more))
      local proxy, session, ends = proxy_to(serve, origin)
      local got = proxy:raw(kit.get("/"))
      assert.matches("^HTTP/1.1 200 ", got)
      assert.is_true(#got < 1000000)
      assert.matches("E%u+", ends[1])
      assert.equal(0, session:stats().open)
      session:close()
      stop()
    end
  end)

  it("are cut when the server's time is up", function(serve)
    local origin, stop = raw_server(half(function(conn) conn:read_all() end))
    local proxy, session, ends = proxy_to(serve, origin, nil, { timeout = { between = 0.02 } })
    assert.is_true(#proxy:raw(kit.get("/")) < 1000000)
    assert.matches("ETIMEDOUT", ends[1])
    assert.equal(0, session:stats().open)
    session:close()
    stop()
  end)

  it("end when the client goes, whoever waits", function(serve)
    local gone = green.Event()
    for _, is_full in ipairs { false, true } do
      local origin, stop = raw_server(function(conn)
        conn:read_until("\r\n\r\n")
        conn:write("HTTP/1.1 200 OK\r\nContent-Length: 90000000\r\n\r\n" .. text_of(100000))
        while is_full and conn:write(("x"):rep(100000)) do end
        conn:read_all()
        gone:send(true)
      end)
      local proxy, session = proxy_to(serve, origin)
      local conn = proxy:connect(kit.get("/"))
      assert(conn:read(100000))
      testing.settle_io()
      kit.reset(conn)
      assert.is_true(gone:wait(10))
      testing.settle_io()
      assert.equal(0, session:stats().open)
      session:close()
      stop()
      gone = green.Event()
    end
  end)

  it("end with their thread", function(serve)
    local origin, stop = raw_server(half(function(conn) conn:read_all() end))
    local session, handler = http.session()
    local proxy = serve(function(env)
      handler = green.getcurrent()
      return session:forward(env, origin):pass_on(env)
    end)
    local conn = proxy:connect(kit.get("/"))
    assert(conn:read(300000))
    testing.settle_io()
    handler:kill()
    assert.is_true(#(conn:read_all() or "") < 700000)
    assert.equal(0, session:stats().open)
    session:close()
    stop()
  end)

  it("end with their server", function(serve)
    local origin, stop = raw_server(half(function(conn) conn:read_all() end))
    local proxy, session = proxy_to(serve, origin)
    local conn = proxy:connect(kit.get("/"))
    assert(conn:read(300000))
    proxy.server:stop { grace = 0, force_after = 0.01 }
    assert.is_true(#(conn:read_all() or "") < 700000)
    testing.settle_io()
    assert.equal(0, session:stats().open)
    session:close()
    stop()
  end)

  it("leave nothing of what stands behind them to the next", function(serve)
    local n = 0
    local origin, stop = raw_server(function(conn)
      n = n + 1
      while conn:read_until("\r\n\r\n") do
        conn:write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" .. text_of(100000)
          .. "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad")
      end
    end)
    local proxy, session = proxy_to(serve, origin)
    local conn = proxy:connect()
    for _ = 1, 3 do
      is_text(100000, kit.ask(conn, kit.get("/")).body)
      testing.settle_io()
    end
    assert.equal(3, n)
    session:close()
    stop()
  end)

  it("go by reads where one of both speaks TLS", function(serve)
    local secret, plain = serve(bodies, { tls = certs.server "a" }), serve(bodies)
    local proxy, session = proxy_to(serve, "https://127.0.0.1:" .. secret.port, nil,
      { tls = { ca = certs.path "ca.pem" } })
    local conn = proxy:connect()
    for _, size in ipairs(SIZES) do
      is_text(size, kit.ask(conn, kit.get("/" .. size)).body)
    end
    session:close()
    proxy, session = proxy_to(serve, "http://127.0.0.1:" .. plain.port,
      { tls = certs.server "a" })
    conn = assert(tls.client(proxy:connect(), certs.client "a.test"))
    for _, size in ipairs(SIZES) do
      is_text(size, kit.ask(conn, kit.get("/" .. size)).body)
    end
    conn:close()
    session:close()
  end)

  it("are followed by the answers to what was asked behind them", function(serve)
    local upstream = serve(bodies)
    local proxy, session = proxy_to(serve, "http://127.0.0.1:" .. upstream.port)
    local conn = proxy:connect(kit.get("/300000") .. kit.get("/5") .. kit.get("/90000", nil, "HEAD")
      .. kit.get("/100000"))
    is_text(300000, kit.answer(conn).body)
    is_text(5, kit.answer(conn).body)
    assert.equal("90000", kit.answer(conn, "HEAD").headers["content-length"])
    is_text(100000, kit.answer(conn).body)
    session:close()
  end)

  it("come from UNIX sockets, too", function(serve)
    local path = os.tmpname()
    os.remove(path)
    local listener = assert(green.listen("unix:" .. path))
    local upstream = wsgi.new(listener, bodies, { access_log = false, error_log = false }):start()
    local proxy, session = proxy_to(serve, "http://in.test", nil, { unix = path })
    local conn = proxy:connect()
    for _, size in ipairs(SIZES) do
      is_text(size, kit.ask(conn, kit.get("/" .. size)).body)
    end
    session:close()
    upstream:stop()
    os.remove(path)
  end)

  it("are the parent's when the process forks", function(serve)
    local done, text, other = green.Event(), text_of(410000), nil
    local origin, stop = raw_server(function(conn)
      conn:read_until("\r\n\r\n")
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 410000\r\n\r\n" .. text:sub(1, 400000))
      other = conn
      done:wait()
    end)
    local proxy, session = proxy_to(serve, origin)
    local conn = proxy:connect(kit.get("/"))
    assert(conn:read_until("\r\n\r\n"))
    local got = assert(conn:read(400000))
    testing.settle_io()
    other:write(text:sub(400001)) -- it is there before anybody looks
    local pid = ffi.C.relay_spec_fork()
    if pid == 0 then
      testing.settle_io()
      os.exit(7)
    end
    local status = ffi.new("int[1]")
    ffi.C.relay_spec_waitpid(pid, status, 0)
    assert.equal(7 * 256, status[0])
    is_text(#text, got .. conn:read(10000))
    done:send(true)
    conn:close()
    session:close()
    stop()
  end)
end)
