-- The short way from request to request (lualib/green/wsgi/exchange.lua) and the doors of
-- green.core give the same answers, whatever a handler does. Which of them is gone is seen
-- from within only: `server.rest` is the number of requests that go through the doors.

local green = require "green"
local testing = require "green.testing"

local kit = dofile("spec/support/wsgi_kit.lua")
local _, it = testing.busted()

local with = kit.with

local LONG = ("x"):rep(5000) -- more than the buffer of an exchange

--- What a handler may return, or do; a name a path.
local handlers = {
  none = function() return 200, nil, "no headers" end,
  empty = function() return 200, {}, "" end,
  one = function() return 201, { ["x-one"] = "1" }, "one" end,
  two = function() return 200, { A = "1", B = "2" }, "two" end,
  three = function() return 200, { A = "1", B = "2", C = "3" }, "three" end,
  four = function() return 200, { A = "1", B = "2", C = "3", D = "4" }, "four" end,
  five = function() return 200, { A = "1", B = "2", C = "3", D = "4", E = "5" }, "five" end,
  number = function() return 200, { ["X-N"] = 42 }, "number" end,
  list = function() return 200, { A = { "1", "2" } }, "list" end,
  pairs = function() return 200, { { "A", "1" }, { "A", "2" } }, "pairs" end,
  line = function() return "404 Nowhere", { A = "1" }, "line" end,
  nothing = function() return 204, { A = "1" }, "" end,
  length = function() return 200, { ["Content-Length"] = "6", B = "2" }, "length" end,
  wrong_length = function() return 200, { A = "1", ["Content-Length"] = "7" }, "short" end,
  bad_status = function() return 200.5, { A = "1" }, "bad" end,
  small_status = function() return 99, { A = "1" }, "bad" end,
  bad_headers = function() return 200, "A: 1", "bad" end,
  bad_name = function() return 200, { ["A B"] = "1" }, "bad" end,
  bad_value = function() return 200, { A = "1\r\nB: 2" }, "bad" end,
  bad_third = function() return 200, { A = "1", B = "2", C = "3\n" }, "bad" end,
  raises = function() error("mine", 0) end,
  pieces = function() return 200, { A = "1" }, { "a", "b" } end,
  date = function() return 200, { Date = "today", B = "2" }, "date" end,
  large = function() return 200, { A = "1" }, ("0123456789"):rep(3000) end,
  hook = function(env)
    env.posthooks[1] = { function(e) e["green.server"].hooked = true end }
    return 200, { A = "1" }, "hook"
  end,
  waits = function()
    green.sleep(0)
    return 200, { A = "1" }, "waits"
  end,
  scope = function()
    return green.with_timeout(1, function() return 200, { A = "1" }, "scope" end)
  end,
  env = function(env)
    local seen = {}
    for _, key in ipairs { "REQUEST_METHOD", "PATH_INFO", "RAW_PATH_INFO", "QUERY_STRING",
      "REQUEST_URI", "HTTP_HOST", "SERVER_PROTOCOL", "HTTP_X_ONE", "HTTP_X_TWO", "HTTP_X_LONG",
      "HTTP_NO", "SCRIPT_NAME", "CONTENT_LENGTH" } do
      seen[#seen + 1] = key .. "=" .. tostring(env[key]) .. tostring(rawget(env, key) == env[key])
    end
    return 200, nil, table.concat(seen, "\n") .. tostring(env[1]) .. tostring(env[{}])
  end,
  body = function(env)
    local some = env.input:read(3)
    return 200, nil, tostring(env.input.length) .. tostring(some) .. tostring(env.input:read())
      .. tostring(env.input:read())
  end,
  lines = function(env)
    return 200, nil, tostring(env.input:read_line()) .. tostring(env.input:read_some(2))
      .. tostring(env.input:read_line())
  end,
}

local function app(env)
  local name = env.PATH_INFO:match("^/([%w_]*)")
  local handler = handlers[name]
  if handler then
    return handler(env)
  end
  return 200, { ["Content-Type"] = "text/plain" }, env.PATH_INFO
end

local function bare(text)
  return (text:gsub("\r\nDate: [^\r]*GMT", "\r\nDate: -"))
end

--- The answers to these requests, one behind the other on one connection.
local function answers_to(client, requests)
  return bare(client:raw(table.concat(requests)
    .. "GET /end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
end

local function get(path, more, body)
  return ("%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n%s"):format(body and "POST" or "GET", path,
    (more or "") .. (body and "Content-Length: " .. #body .. "\r\n" or ""), body or "")
end

--- Asked both ways, each often enough to be compiled meanwhile, the server says the same.
local function assert_the_same(requests, opts)
  with(app, opts or {}, function(client, server)
    server.rest = 1e9
    local wanted = answers_to(client, requests)
    assert.truthy(wanted:find("/end", 1, true), wanted)
    server.rest = 0
    for _ = 1, 100 do
      local got = answers_to(client, requests)
      if got ~= wanted then
        assert.equal(wanted, got)
      end
      server.rest = 0 -- whether it was compiled or not
    end
  end)
end

describe("The short way", function()
  it("gives the answers that the doors give", function()
    for _, name in ipairs { "none", "empty", "one", "two", "three", "four", "five", "number",
      "list", "pairs", "line", "nothing", "length", "pieces", "date", "large", "hook", "waits",
      "scope", "other" } do
      assert_the_same { get("/" .. name), get("/one"), get("/" .. name), get("/two") }
    end
  end)

  it("is gone in fact: for what comes next on a connection, and on another", function()
    with(app, function(client, server)
      client:raw(get("/one") .. get("/b") .. get("/c", "Connection: close\r\n"))
      assert.equal("/c", server.last_path)
      client:raw(get("/d?x", "Connection: close\r\n"))
      assert.equal("/c", server.last_path) -- the first of a batch comes through a door
    end)
  end)

  it("leaves mistakes to the doors, and nothing of an answer that was begun", function()
    for _, name in ipairs { "wrong_length", "bad_status", "small_status", "bad_headers",
      "bad_name", "bad_value", "bad_third", "raises" } do
      with(app, function(client, server, log)
        for _ = 1, 3 do
          server.rest = 0
          local status, headers, text = client:get("/" .. name)
          assert.same({ 500, "Internal Server Error\n" }, { status, text }, name)
          assert.equal(nil, headers.a)
        end
        server.log:flush()
        assert.truthy(table.concat(log, "\n"):find('" 500 22', 1, true))
      end)
    end
  end)

  it("tells of a request what the doors tell", function()
    local more = "X-One: 1\r\nX-Two: a\r\nX-Two: b\r\nX-Long: " .. LONG .. "\r\n"
    assert_the_same { get("/env", more), get("/env?"), get("/env?q=1", "X-One: 2\r\n"),
      get("/env/%41%2f", more), get("http://y.example/env?x"), get("/env", nil, "abc") }
  end)

  it("reads bodies as the doors do", function()
    local requests = {}
    for _, body in ipairs { "", "ab", "abc", "abcd", "a\nb\nc\n", LONG, "abc" .. LONG,
      LONG .. "\n" .. LONG } do
      requests[#requests + 1] = get("/body", nil, body)
      requests[#requests + 1] = get("/lines", nil, body)
    end
    requests[#requests + 1] = "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "2\r\nab\r\n5\r\ncdefg\r\n0\r\n\r\n"
    assert_the_same(requests)
  end)

  it("takes a path for the one before only where it is", function()
    local long = "/" .. ("p"):rep(63)
    assert_the_same { get("/a"), get("/a"), get("/b"), get("/a"), get("/%61"), get("/a"),
      get("/aa"), get(long), get(long), get(long .. "q"), get(long .. "q"), get(long .. "r"),
      get(long), get("/a?x"), get("/a?y"), get("/one"), get("/") }
  end)

  it("goes on where a log, a limit of requests or capitals are wanted", function()
    local requests = { get("/one"), get("/two"), get("/a"), get("/env"), get("/large") }
    assert_the_same(requests, { capitalize_response_headers = true })
    assert_the_same(requests, { environ = { X = "y" } })
    assert_the_same(requests, { handler_timeout = 5 })
    assert_the_same(requests, { log_output = false })
    with(app, { max_requests = 3 }, function(client)
      local text = client:raw(get("/one") .. get("/two") .. get("/a") .. get("/b"))
      assert.equal(3, select(2, text:gsub("HTTP/1.1 20", "")))
      assert.truthy(text:find("Connection: close", 1, true))
    end)
  end)

  it("has a line in the log for each request, in their order", function()
    with(app, { log_format = "%(path)s %(status_code)s" }, function(client, server, log)
      client:raw(get("/one") .. get("/bad_third"))
      for _ = 1, 50 do
        client:raw(get("/one") .. get("/pieces") .. get("/two") .. get("/bad_third"))
      end
      server.log:flush()
      local lines = table.concat(log, "\n")
      assert.equal(51, select(2, lines:gsub("/bad_third 500", "")))
      assert.equal(51, select(2, lines:gsub("/one 201", "")))
      assert.equal(50, select(2, lines:gsub("/one 201[^/]*/pieces 200[^/]*/two 200", "")))
    end)
  end)

  it("sees what a handler has changed in a table of headers that it keeps", function()
    local headers, n = { A = "0" }, 0
    with(function()
      n = n + 1
      headers.A = tostring(n)
      headers.B = n % 2 == 0 and "even" or nil
      return 200, headers, "x"
    end, function(client)
      local text = client:raw(get("/"):rep(200) .. get("/", "Connection: close\r\n"))
      local seen = 0
      for head in text:gmatch("HTTP/1.1 200 OK\r\n(.-)\r\n\r\n") do
        seen = seen + 1
        assert.truthy(head:find("A: " .. seen .. "\r\n", 1, true), head)
        assert.equal(seen % 2 == 0, head:find("B: even", 1, true) ~= nil)
      end
      assert.equal(201, seen)
    end)
  end)

  it("gives each request an env of its own, which can be kept", function()
    local kept = {}
    with(function(env)
      kept[#kept + 1] = env
      return 200, nil, env.QUERY_STRING
    end, function(client)
      local requests = {}
      for i = 1, 200 do
        requests[i] = get("/" .. i % 3 .. "?" .. i)
      end
      client:raw(table.concat(requests) .. get("/", "Connection: close\r\n"))
      assert.equal(201, #kept)
      for i = 1, 200 do
        assert.same({ "/" .. i % 3, tostring(i) }, { kept[i].PATH_INFO, kept[i].QUERY_STRING })
        assert.equal(nil, kept[i].REQUEST_METHOD) -- it is over
        assert.equal(nil, kept[i].SCRIPT_NAME)
      end
    end)
  end)

  it("is not gone by a thread that scripts know, nor by one that is killed", function()
    local threads = {}
    with(function(env)
      threads[#threads + 1] = green.getcurrent()
      if env.PATH_INFO == "/kill" then
        green.getcurrent():kill_soon()
      end
      return 200, nil, "x"
    end, function(client)
      client:raw(get("/") .. get("/") .. get("/", "Connection: close\r\n"))
      assert.equal(3, #threads)
      assert.is_true(threads[1] ~= threads[2] and threads[2] ~= threads[3])
      client:raw(get("/kill") .. get("/"))
      assert.equal(4, #threads) -- its connection has gone with it
    end)
  end)

  it("is left for a while where the interpreter goes it, and tried again", function()
    with(app, function(client, server)
      local status = jit.status()
      jit.off()
      jit.flush()
      local rest
      for _ = 1, 30 do
        client:raw(get("/one"):rep(10) .. get("/", "Connection: close\r\n"))
        rest = rest or server.rest > 0 and server.rest
      end
      if status then
        jit.on()
      end
      assert.truthy(rest)
      server.rest = 1
      client:raw(get("/one") .. get("/", "Connection: close\r\n"))
      assert.equal(0, server.rest)
    end)
  end)
end)
