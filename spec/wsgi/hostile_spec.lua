local core = require "green.core"
local green = require "green"
local testing = require "green.testing"

local http = dofile("spec/support/http.lua")
local program = require "spec.support.program"
local virtual_it, real_it = testing.busted()
local it, timed_it = http.its(real_it), http.its(virtual_it, testing.advance)

local answer, ask, get, post, reset = http.answer, http.ask, http.get, http.post, http.reset

local function hello()
  return 200, {}, "hello\n"
end

--- Somebody else is served as ever.
local function others_are_served(server)
  local conn = server:connect()
  assert.equal("hello\n", ask(conn, get "/").body)
  conn:close()
end

describe("slow clients of green.wsgi:", function()
  timed_it("a header byte by byte is cut off after header_timeout in all", function(serve)
    local server = serve(hello, { header_timeout = 10 })
    local conn = server:connect()
    local text = get "/"
    for i = 1, 9 do
      conn:write(text:sub(i, i))
      testing.advance(1)
      others_are_served(server)
    end
    testing.advance(2)
    assert.equal(408, answer(conn).status)
    assert.is_nil(conn:read_some())
  end)

  timed_it("headers line by line, too, on a kept connection", function(serve)
    local server = serve(hello, { header_timeout = 10, keepalive = 100 })
    local conn = server:connect()
    ask(conn, get "/")
    testing.advance(50)
    conn:write "GET / HTTP/1.1\r\n"
    for i = 1, 9 do
      conn:write("X-" .. i .. ": y\r\n")
      testing.advance(1)
    end
    testing.advance(2)
    assert.equal(408, answer(conn).status)
  end)

  timed_it("who says nothing is closed without a word", function(serve)
    local server = serve(hello, { header_timeout = 10 })
    local conn = server:connect()
    testing.settle_io()
    testing.advance(11)
    assert.is_nil(conn:read_some())
  end)

  timed_it("a body that stops is an error after body_timeout", function(serve)
    local errs = {}
    local server = serve(function(env)
      if env.PATH_INFO == "/" then
        return hello()
      end
      local _, err = env.input:read()
      errs[#errs + 1] = err.code
      return 400, {}, "slow"
    end, { body_timeout = 10 })
    local plain = server:connect "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"
    local chunked = server:connect(
      "POST /slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
    testing.settle_io()
    others_are_served(server)
    testing.advance(11)
    for _, conn in ipairs { plain, chunked } do
      local a = answer(conn)
      assert.equal(400, a.status)
      assert.equal("close", a.headers.connection)
    end
    assert.same({ "ETIMEDOUT", "ETIMEDOUT" }, errs)
    others_are_served(server)
  end)

  timed_it("the rest of a body that nobody wants is not waited for without end", function(serve)
    local server = serve(hello, { header_timeout = 10 })
    local conn = server:connect "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"
    assert.equal(200, answer(conn).status)
    testing.settle_io()
    testing.advance(11)
    assert.is_nil(conn:read_some())
  end)

  timed_it("who does not read is cut off after write_timeout; pieces wait", function(serve)
    local made, closed = 0, 0
    local body = setmetatable({ close = function() closed = closed + 1 end },
      { __call = function()
        made = made + 1
        return ("x"):rep(65536)
      end })
    local server = serve(function(env)
      if env.PATH_INFO == "/endless" then
        return 200, {}, body
      end
      return hello()
    end, { write_timeout = 10 })
    local conn = server:connect(get "/endless")
    testing.settle_io()
    local before = made
    assert.is_true(made > 0 and made < 500, "so many pieces: " .. made)
    others_are_served(server)
    testing.settle_io()
    assert.equal(before, made)
    testing.advance(11)
    assert.equal(1, closed)
    conn:close()
    others_are_served(server)
  end)

  timed_it("a large string to a client that does not read", function(serve)
    local text = ("x"):rep(16 * 1024 * 1024)
    local server = serve(function(env)
      if env.PATH_INFO == "/large" then
        return 200, {}, text
      end
      return hello()
    end, { write_timeout = 10 })
    local slow, good = server:connect(get "/large"), server:connect(get "/large")
    testing.settle_io()
    others_are_served(server)
    assert.equal(text, answer(good).body)
    testing.advance(11)
    local got = slow:read_all() or ""
    assert.is_true(#got < #text)
  end)

  timed_it("pipelining without reading", function(serve)
    local served = 0
    local text = ("x"):rep(10000)
    local server = serve(function(env)
      if env.PATH_INFO == "/" then
        return hello()
      end
      served = served + 1
      return 200, {}, text
    end, { write_timeout = 10 })
    local conn = server:connect()
    local writer = green.spawn(conn.write, conn, get("/x"):rep(20000))
    for _ = 1, 3 do
      testing.settle() -- the client and the server in turn
    end
    local before = served
    assert.is_true(before < 2000, "so many are answered: " .. before)
    others_are_served(server)
    testing.settle_io()
    assert.equal(before, served)
    testing.advance(11)
    testing.settle_io()
    others_are_served(server)
    conn:close()
    writer:wait()
  end)
end)

describe("odd ends of connections to green.wsgi:", function()
  it("a reset in the middle of a body", function(serve)
    local got
    local server = serve(function(env)
      if env.PATH_INFO == "/" then
        return hello()
      end
      got = { env.input:read() }
      return 200, {}, "x"
    end)
    local conn = server:connect "POST /r HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"
    testing.settle_io()
    reset(conn)
    testing.settle_io()
    assert.is_nil(got[1])
    assert.is_true(got[2]:is "ECONNRESET")
    others_are_served(server)
  end)

  it("a reset in the middle of a head, of an answer, and when idle", function(serve)
    local server = serve(function(env)
      if env.PATH_INFO == "/" then
        return hello()
      end
      green.sleep(0.005) -- most are at it still when the reset comes
      return 200, {}, ("x"):rep(100000)
    end)
    for _, bytes in ipairs { "", "GET / HT", get "/slow", get "/slow" .. get "/slow", "\r\n" } do
      local conn = server:connect(bytes)
      testing.settle_io()
      reset(conn)
    end
    local conn = server:connect()
    ask(conn, get "/")
    reset(conn)
    testing.settle_io(function() return server.server:stats().busy == 0 end)
    others_are_served(server)
    assert.equal("", table.concat(server.log))
  end)

  it("a client that has ended its side gets the answer that it waits for", function(serve)
    local server = serve(function(env)
      green.sleep(0.005) -- the client's end comes before the answer
      return 200, {}, env.input:read() or "nothing"
    end)
    local text = server:ended(post("/", "abc") .. get "/")
    assert.matches("abc.*nothing$", text)
  end)

  it("random bytes", function(serve)
    local server = serve(function(env)
      env.input:read()
      return 200, {}, "hello\n"
    end)
    local seed = 7
    local function random(n)
      seed = (seed * 16807) % 2147483647
      return seed % n
    end
    local parts = { "GET / HTTP/1.1\r\nHost: a\r\n", "\r\n", "POST / HTTP/1.1\r\nHost: a\r\n",
      "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n", "0\r\n\r\n",
      "\0", "\n", "Expect: 100-continue\r\n", "hello", ":", " ", "\255" }
    for _ = 1, 300 do
      local text = {}
      for i = 1, random(12) do
        text[i] = parts[random(#parts) + 1]
      end
      server:ended(table.concat(text))
    end
    others_are_served(server)
  end)

  it("a server that ends with connections in every state leaves nothing", function(serve)
    local never = green.Event()
    local server = serve(function(env)
      if env.PATH_INFO == "/never" then
        never:wait()
      elseif env.PATH_INFO == "/read" then
        env.input:read()
      elseif env.PATH_INFO == "/endless" then
        return 200, {}, function() return ("x"):rep(65536) end
      end
      return hello()
    end)
    server:connect()
    server:connect "GET / HT"
    ask(server:connect(), get "/")
    answer(server:connect "bad\r\n\r\n")
    answer(server:connect "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
    server:connect(get "/never")
    server:connect(get "/" .. get "/never" .. get "/")
    server:connect "POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"
    server:connect(get "/endless")
    testing.settle_io()
    others_are_served(server)
    local clients = server.clients
    server.clients = {}
    server:close(green.sleep)
    for _, conn in ipairs(clients) do
      conn:close()
    end
  end)
end)

local SERVER = [[
local green, wsgi = require "green", require "green.wsgi"
local l = assert(green.listen("127.0.0.1:0", { backlog = 4096 }))
io.write("port ", (select(2, l:sockname())), "\n")
io.flush()
wsgi.server(l, function(env)
  if env.PATH_INFO == "/rss" then
    collectgarbage() collectgarbage()
    local text = io.open("/proc/self/status"):read("*a")
    return 200, {}, text:match "VmRSS:%s+(%d+)"
  end
  return 200, {}, "hello\n"
end, { access_log = false, error_log = false, OPTIONS })
]]

--- Run fn(server) with a server in a process of its own, under that many files.
local function with_child(files, options, fn)
  local path = program.file((SERVER:gsub("OPTIONS", options)))
  local child = program.start { "sh", "-c", 'ulimit -n "$1" && exec "$2" "$3"', "sh",
    tostring(files), program.greenlua, path }
  local server = setmetatable({ clients = {} }, { __index = {
    connect = function(self, text)
      local conn, err = green.connect("127.0.0.1", self.port)
      if not conn then
        error(err, 0)
      end
      self.clients[#self.clients + 1] = conn
      if text then
        conn:write(text)
      end
      return conn
    end,
  } })
  local ok, err = pcall(function()
    child:expect "port "
    server.port = tonumber(child:expect "\n")
    fn(server)
  end)
  for _, conn in ipairs(server.clients) do
    conn:close()
  end
  child:kill(program.KILL):wait()
  os.remove(path)
  if not ok then
    error(err, 0)
  end
end

describe("many clients of green.wsgi:", function()
  it("more than max_connections wait their turn", function(serve)
    local server = serve(hello, { max_connections = 3 })
    local kept = {}
    for i = 1, 3 do
      kept[i] = server:connect "GET / HT" -- none of them could be spared
    end
    local more = server:connect(get "/")
    testing.settle_io()
    assert.is_nil((more:read_some(1, { timeout = 0 })))
    kept[1]:close()
    assert.equal("hello\n", answer(more).body)
    for _, conn in ipairs(server.clients) do
      conn:close()
    end
    green.sleep(0.06) -- it looks again after 0.05 s
  end)

  real_it("more than there are files for: the server goes on", function()
    with_child(40, "", function(server)
      local conns = {}
      for i = 1, 60 do
        conns[i] = server:connect()
      end
      assert.equal("hello\n", ask(conns[1], get "/").body)
      green.sleep(0.02) -- in its process it may run out of files meanwhile, or later
      for i = 1, 40 do
        conns[i]:close()
      end
      assert.equal("hello\n", ask(conns[60], get "/").body)
      assert.equal("hello\n", ask(server:connect(), get "/").body)
    end)
  end)

  real_it("10,000 idle ones take little memory each", function()
    local wanted, opened = 10000, 0
    with_child(20000, "keepalive = 600", function(server)
      local first = server:connect()
      for _ = 1, 100 do
        ask(first, get "/")
      end
      local before = tonumber(ask(first, get "/rss").body)
      for _ = 1, wanted do
        local ok, conn = pcall(server.connect, server)
        if not ok then
          break -- as many as this process may open
        end
        ask(conn, get "/")
        opened = opened + 1
      end
      local bytes = (tonumber(ask(first, get "/rss").body) - before) * 1024 / opened
      assert.is_true(opened > 500)
      if not program.build:find("asan", 1, true) then
        assert.is_true(bytes < 1536, bytes .. " bytes")
      end
      assert.equal("hello\n", ask(server.clients[opened], get "/").body)
    end)
  end)

  it("that send bodies slowly do not use up max_size", function(serve)
    local server = serve(function(env)
      return 200, {}, env.input:read() or "hello\n"
    end, { max_size = 2 })
    local slow = {}
    for i = 1, 20 do
      slow[i] = server:connect "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab"
    end
    testing.settle_io()
    others_are_served(server)
    for _, conn in ipairs(slow) do
      conn:write "cdefghi"
    end
    for _, conn in ipairs(slow) do
      assert.equal("abcdefghi", answer(conn).body)
    end
    assert.equal(0, server.server:stats().busy)
  end)

  it("that read slowly do not use up max_size", function(serve)
    local large = ("x"):rep(8000000)
    local server = serve(function(env)
      return 200, {}, env.PATH_INFO == "/large" and large or "hello\n"
    end, { max_size = 2 })
    local slow = {}
    for i = 1, 20 do
      slow[i] = server:connect(get "/large")
    end
    testing.settle_io()
    others_are_served(server)
    for _, conn in ipairs(slow) do
      assert.equal(#large, #answer(conn).body)
    end
  end)

  it("that are slow are let in up to ten times max_size, the rest waits", function(serve)
    local server = serve(function(env)
      return 200, {}, env.input:read() or "hello\n"
    end, { max_size = 1 })
    for _ = 1, 30 do
      server:connect "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab"
    end
    testing.settle_io()
    assert.equal(11, server.server:stats().busy)
  end)

  it("that were slow leave no more handlers at a time than max_size", function(serve)
    local now, most = 0, 0
    local server = serve(function(env)
      if env.input:read() then
        return hello()
      end
      now = now + 1
      most = math.max(most, now)
      green.sleep(0)
      now = now - 1
      return hello()
    end, { max_size = 2 })
    local slow, fast = {}, {}
    for i = 1, 20 do
      slow[i] = server:connect "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"
    end
    testing.settle_io()
    for i = 1, 20 do
      slow[i]:write "x"
      answer(slow[i])
      fast[i] = server:connect(get "/" .. get "/" .. get "/")
    end
    for i = 1, 20 do
      for _ = 1, 3 do
        answer(fast[i])
      end
    end
    assert.equal(2, most)
  end)

  it("and a wait that is not allowed leave no trace in what may wait", function(serve)
    local server = serve(function(env)
      return 200, {}, (("x"):gsub("x", function()
        return (env.input:read())
      end))
    end, { error_log = false })
    for _ = 1, 3 do
      local conn = server:connect "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
      assert.equal(500, answer(conn).status)
    end
    assert.equal(0, server.server.slow)
  end)

  it("500 that send half a head each do not keep others from being served", function(serve)
    local server = serve(hello, { max_size = 4 })
    for _ = 1, 500 do
      server:connect "GET / HTTP/1.1\r\nHost:"
    end
    testing.settle_io()
    others_are_served(server)
    assert.is_true(#core.threads() < 20)
  end)
end)
