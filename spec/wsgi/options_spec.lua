local core = require "green.core"
local green = require "green"
local testing = require "green.testing"
local wsgi = require "green.wsgi"

local http = dofile("spec/support/http.lua")
local kit = dofile("spec/support/wsgi_kit.lua")
local virtual_it, it = testing.busted()
local timed_it = http.its(virtual_it, testing.advance)

local with = kit.with
local GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

local function hello()
  return 200, nil, "hello"
end

--- The message of calling fn, which must fail and blame the line it is called on.
local function blamed(fn)
  local info = debug.getinfo(fn, "S")
  local ok, err = pcall(fn)
  assert.is_false(ok)
  local place = ("%s:%d: "):format(info.short_src, info.linedefined + 1)
  assert.equal(place, err:sub(1, #place))
  return err:sub(#place + 1)
end

describe("options", function()
  it("have Eventlet's names", function()
    local opts = {
      environ = {}, max_size = 10, max_http_version = "HTTP/1.1", minimum_chunk_size = 1,
      log_x_forwarded_for = true, keepalive = 5, log_output = true,
      log_format = "%(client_ip)s", url_length_limit = 100, debug = true, socket_timeout = 1,
      capitalize_response_headers = true, custom_pool = green.GreenPool(5),
    }
    with(hello, opts, function(client)
      assert.equal("hello", (select(3, client:get("/"))))
      assert.equal(414, (client:get("/" .. ("x"):rep(200))))
    end)
  end)

  it("are checked, by name and value", function()
    local bad = {
      { { max_siez = 1 }, "did you mean 'max_size'" },
      { { keepalive = "yes" }, "option 'keepalive' must be true, false or seconds" },
      { { custom_pool = {} }, "an object with spawn and waitall" },
      { { custom_pool = newproxy() }, "an object with spawn and waitall" },
      { { max_http_version = "HTTP/2" }, '"HTTP/1.0" or "HTTP/1.1"' },
      { { protocol = {} }, "does not exist here" },
      { { body_timeout = -1 }, "option 'body_timeout' must be seconds, or false" },
      { { max_size = 0 / 0 }, "option 'max_size' must be a number of at least 1" },
      { { max_body = "1M" }, "option 'max_body' must be bytes, or false" },
      { { log_format = true }, "option 'log_format' must be a text with fields" },
      { { log_format = "%(client_op)s" }, "did you mean 'client_ip'" },
      { { log_format = "100%", log = {} }, "begins no field: '%'" },
      { { log_format = "combined" }, "log_format has no field, such as %(path)s" },
      { { log_format = "" }, "log_format has no field, such as %(path)s" },
      { { log = 5 }, "option 'log' must be a path" },
      { { error_log = { true, "error.log" } }, "option 'error_log' must be one place to write to" },
      { { server_software = 1 }, "option 'server_software' must be a string" },
      { { listen = { baklog = 1 } }, "did you mean 'backlog'" },
      { "fast", "options must be a table" },
    }
    for _, case in ipairs(bad) do
      local message = blamed(function()
        local server = wsgi.new("127.0.0.1:0", hello, case[1])
        return server
      end)
      assert.truthy(message:find("wsgi.new: ", 1, true), message)
      assert.truthy(message:find(case[2], 1, true), message)
    end
  end)

  it("blame the caller of each function that takes them", function()
    local listener = assert(green.listen("127.0.0.1:0"))
    assert.truthy(blamed(function()
      local ok = wsgi.serve("127.0.0.1:0", hello, { max_siez = 1 })
      return ok
    end):find("wsgi.serve: unknown option 'max_siez'", 1, true))
    assert.truthy(blamed(function()
      local ok = wsgi.server(listener, hello, { debug = 1 })
      return ok
    end):find("wsgi.server: option 'debug' must be true or false, not 1", 1, true))
    assert.truthy(blamed(function()
      local server = wsgi.new({}, hello)
      return server
    end):find("wsgi.new: ", 1, true))
    local server = assert(wsgi.new(listener, hello))
    assert.truthy(blamed(function()
      local ok = server:stop({ grase = 1 })
      return ok
    end):find("did you mean 'grace'", 1, true))
    assert.truthy(blamed(function()
      local ok = server:stop({ force_after = -1 })
      return ok
    end):find("stop: force_after must be", 1, true))
    server:stop()
  end)

  it("that are wrong leave no listener behind", function()
    local _, port = assert(green.listen("127.0.0.1:0")):sockname()
    collectgarbage()
    pcall(wsgi.new, "127.0.0.1:" .. port, hello, { max_siez = 1 })
    local again = assert(green.listen("127.0.0.1:" .. port))
    again:close()
  end)

  it("may be as large as numbers are", function()
    local opts = { max_body = 1e300, max_drain = math.huge, max_requests = 1e300,
      max_connections = math.huge, max_headers = 1e9, max_header_size = 1e18,
      max_header_line = 1e18, url_length_limit = 1e18, max_size = math.huge,
      keepalive = math.huge, header_timeout = math.huge, write_timeout = 1e300 }
    with(function(env) return 200, nil, env.input:read() end, opts, function(client)
      assert.equal("abc", (select(3, client:get("/", { "X-A: b" }, "abc"))))
    end)
  end)
end)

describe("the option", function()
  it("keepalive decides whether there is a second request", function()
    local two = GET .. "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    local function answers(opts)
      local n
      with(hello, opts, function(client)
        n = select(2, client:raw(two):gsub("HTTP/1%.%d 200", ""))
      end)
      return n
    end
    assert.same({ 2, 2, 1, 1, 1 }, { answers {}, answers { keepalive = 5 },
      answers { keepalive = false }, answers { keepalive = 0 }, answers { max_requests = 1 } })
  end)

  it("max_requests says so in the last answer", function()
    with(hello, { max_requests = 3 }, function(client)
      local text = client:raw(GET:rep(5))
      assert.equal(3, select(2, text:gsub("HTTP/1.1 200", "")))
      assert.equal(1, select(2, text:gsub("Connection: close", "")))
      assert.truthy(text:find("Connection: close\r\n\r\nhello$"))
    end)
  end)

  it("max_http_version pretends to be old", function()
    with(function() return 200, nil, coroutine.wrap(function() coroutine.yield("x") end) end,
      { max_http_version = "HTTP/1.0" }, function(client)
        local text = client:raw(GET)
        assert.truthy(text:find("^HTTP/1%.0 200 OK"))
        assert.is_nil(text:find("chunked", 1, true))
        assert.truthy(text:find("\r\n\r\nx$"))
      end)
  end)

  it("max_size and a custom pool bound how many requests are in hand", function()
    for _, opts in ipairs { { max_size = 2 }, { custom_pool = green.GreenPool(2) } } do
      local now, most = 0, 0
      with(function()
        now = now + 1
        most = math.max(most, now)
        green.sleep(0)
        now = now - 1
        return hello()
      end, opts, function(client, server)
        local threads = {}
        for i = 1, 8 do
          threads[i] = green.spawn(client.get, client, "/")
        end
        for _, t in ipairs(threads) do assert.equal(200, (t:wait())) end
        assert.equal(2, most)
        assert.equal(8, server:stats().requests)
      end)
    end
  end)

  it("minimum_chunk_size gathers small pieces; an env may say otherwise [b107]", function()
    local gate = green.Event()
    with(function(env)
      env["green.minimum_write_chunk_size"] = tonumber(env.QUERY_STRING)
      local n = 0
      return 200, nil, function()
        n = n + 1
        if n == 2 then gate:wait() end
        return n < 3 and ("x"):rep(10) or nil
      end
    end, function(client)
      local gathered = client:connect(GET)
      local at_once = client:connect((GET:gsub("/ ", "/?0 ", 1)))
      local enough = client:connect((GET:gsub("/ ", "/?10 ", 1)))
      assert.truthy(at_once:read_until("xxxxxxxxxx\r\n"))
      assert.truthy(enough:read_until("xxxxxxxxxx\r\n"))
      testing.settle_io()
      assert.is_nil((gathered:read_some(1, { timeout = 0 })))
      gate:send(true)
      assert.truthy(gathered:read_until("0\r\n\r\n"))
      for _, conn in ipairs { gathered, at_once, enough } do conn:close() end
    end)
  end)

  it("max_body refuses bodies that are longer", function()
    local errs = {}
    with(function(env)
      local body, err = env.input:read()
      errs[#errs + 1] = err and err.code
      return body and 200 or 413, nil, body
    end, { max_body = 5 }, function(client)
      assert.equal("abcde", (select(3, client:get("/", nil, "abcde"))))
      assert.equal(413, (client:get("/", nil, "abcdef")))
      local chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      local status, headers = kit.parse(client:raw(chunked .. "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"))
      assert.same({ 413, "close" }, { status, headers.connection })
      assert.same({ "ETOOBIG" }, errs) -- the other one never came to the handler
    end)
  end)

  it("max_drain ends connections whose unread body is longer", function()
    local function post(n)
      return ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"):format(n) .. ("x"):rep(n)
    end
    local last = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with(hello, { max_drain = 100 }, function(client)
      assert.equal(2, select(2, client:raw(post(100) .. last):gsub("HTTP/1.1 200", "")))
      local text = client:raw(post(101) .. last)
      assert.equal(1, select(2, text:gsub("HTTP/1.1 200", "")))
      assert.truthy(text:find("\r\nConnection: close\r\n", 1, true))
    end)
  end)

  it("max_header_size bounds all headers together [b114]", function()
    with(hello, { max_header_size = 1000 }, function(client)
      assert.equal(200, (client:get("/", { "X-A: " .. ("x"):rep(500) })))
      assert.equal(431, (client:get("/", { "X-A: " .. ("x"):rep(500), "X-B: " .. ("x"):rep(500) })))
    end)
  end)

  it("date_header adds a date, and lets one's own be", function()
    local function dates(opts, headers)
      local text
      with(function() return 200, headers, "" end, opts, function(client)
        text = client:raw("GET / HTTP/1.0\r\n\r\n")
      end)
      return select(2, text:gsub("\r\nDate: ", "")), text
    end
    assert.equal(1, (dates({})))
    assert.equal(0, (dates({ date_header = false })))
    local n, text = dates({}, { date = "today" })
    assert.equal(1, n)
    assert.truthy(text:find("\r\nDate: today\r\n", 1, true))
  end)

  it("server_software is in every env", function()
    local function app(env) return 200, nil, env.SERVER_SOFTWARE end
    with(app, function(client)
      assert.equal("greenlua/" .. core.version, (select(3, client:get("/"))))
    end)
    with(app, { server_software = "mine/1" }, function(client)
      assert.equal("mine/1", (select(3, client:get("/"))))
    end)
  end)

  it("listen is handed to green.listen", function()
    local first = assert(wsgi.new("127.0.0.1:0", hello, { listen = { reuse_port = true } }))
    local second = assert(wsgi.new(first.url:gsub("^http://", ""), hello,
      { listen = { reuse_port = true } }))
    local third, err = wsgi.new(first.url:gsub("^http://", ""), hello)
    assert.is_nil(third)
    assert.is_true(err:is("EADDRINUSE"))
    first:stop()
    second:stop()
  end)

  it("stop_grace is the grace of a stop that says none", function()
    local killed
    with(function()
      killed = kit.is_killed_asleep()
    end, { stop_grace = 0 }, function(client, server)
      local conn = client:connect(GET)
      testing.settle_io()
      server:stop()
      assert.is_true(killed)
      conn:close()
    end)
  end)

  timed_it("socket_timeout is for heads, bodies and answers, if they have none of their own",
    function(serve)
      local got
      local function app(env)
        if env.PATH_INFO == "/large" then
          return 200, {}, function() return ("x"):rep(65536) end
        end
        local _, err = env.input:read()
        got = err and err.code
        return hello()
      end
      local server = serve(app, { socket_timeout = 10, write_timeout = 100 })
      local head = server:connect("GET / HT")
      local body = server:connect("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
      server:connect(http.get("/large"))
      testing.settle_io()
      testing.advance(11)
      assert.equal(408, http.answer(head).status)
      assert.equal(200, http.answer(body).status)
      assert.equal("ETIMEDOUT", got)
      assert.equal(1, server.server:stats().busy)
      testing.advance(101)
      assert.equal(0, server.server:stats().busy)
    end)

  timed_it("keepalive ends connections that ask nothing for so long", function(serve)
    local server = serve(hello, { keepalive = 5 })
    local conn = server:connect()
    http.ask(conn, http.get("/"))
    testing.advance(4)
    http.ask(conn, http.get("/"))
    testing.advance(4)
    assert.equal(1, server.server:stats().idle)
    testing.advance(2)
    assert.equal(0, server.server:stats().connections)
    assert.is_nil(conn:read_some())
  end)
end)
