local green = require "green"
local testing = require "green.testing"

local http = dofile("spec/support/http.lua")
local _, real_it = testing.busted()
local it = http.its(real_it)

local answer, ask, get, post = http.answer, http.ask, http.get, http.post

--- An iterator over the pieces; a function among them is called for its value.
local function pieces(...)
  local list, i = { ... }, 0
  return function()
    i = i + 1
    local piece = list[i]
    if type(piece) == "function" then
      return piece()
    end
    return piece
  end
end

--- Serve one answer, again and again.
local function always(...)
  local values = { n = select("#", ...), ... }
  return function()
    return unpack(values, 1, values.n)
  end
end

local function hello()
  return 200, {}, "hello\n"
end

describe("answers of green.wsgi", function()
  it("to HEAD have the head that GET has, and no body", function(serve)
    local server = serve(function(env)
      if env.PATH_INFO == "/pieces" then
        return 200, {}, pieces("ab", "cd")
      elseif env.PATH_INFO == "/length" then
        return 200, { ["Content-Length"] = 1000 }, nil
      end
      return 200, {}, "hello\n"
    end)
    local conn = server:connect()
    assert.equal("6", ask(conn, get("/", nil, "HEAD")).headers["content-length"])
    assert.equal("1000", ask(conn, get("/length", nil, "HEAD")).headers["content-length"])
    local a = ask(conn, get("/pieces", nil, "HEAD"))
    assert.equal("chunked", a.headers["transfer-encoding"])
    assert.equal("hello\n", ask(conn, get "/").body)
  end)

  it("204 and 304 have no length, no coding, no body, and keep the connection [b106]",
    function(serve)
      local server = serve(function(env)
        local body = env.QUERY_STRING == "pieces" and pieces("a", "b") or "text"
        return tonumber(env.PATH_INFO:sub(2)), {}, body
      end)
      local conn = server:connect()
      for _, path in ipairs { "/204", "/304", "/204?pieces", "/304?pieces" } do
        local a = ask(conn, get(path))
        assert.equal(tonumber(path:match "%d+"), a.status)
        assert.is_nil(a.headers["content-length"])
        assert.is_nil(a.headers["transfer-encoding"])
      end
      assert.equal("text", ask(conn, get "/200").body)
    end)

  it("cannot be 1xx: that is a 500 [b106]", function(serve)
    for _, status in ipairs { 100, 101, "103 Early Hints", 42, 1000, "abc", "20", "" } do
      assert.matches("^HTTP/1.1 500 ", serve(always(status, {}, "x")):raw(get "/"))
    end
  end)

  it("have the handler's Content-Length once [b106]", function(serve)
    for _, name in ipairs { "Content-Length", "content-length" } do
      local conn = serve(always(200, { [name] = "2" }, "ab")):connect()
      local a = ask(conn, get "/")
      assert.equal("ab", a.body)
      assert.equal(1, http.count(table.concat(a.raw, "\n"):lower(), "content-length"))
    end
  end)

  it("in pieces skip empty ones [b103]", function(serve)
    local conn = serve(always(200, {}, nil)):connect()
    assert.equal("", ask(conn, get "/").body)
    conn = serve(function()
      return 200, {}, pieces("", "ab", "", "cd", "")
    end, { minimum_chunk_size = 0 }):connect()
    for _ = 1, 2 do
      local a = ask(conn, get "/")
      assert.same({ "ab", "cd" }, a.chunks)
      assert.is_true(a.whole)
    end
  end)

  it("of only empty pieces, or none, have one end [b104]", function(serve)
    for _, list in ipairs { { "" }, { "", "" }, {} } do
      local conn = serve(function()
        return 200, {}, pieces(unpack(list))
      end):connect()
      for _ = 1, 2 do
        local a = ask(conn, get "/")
        assert.same({}, a.chunks)
        assert.is_true(a.whole)
      end
    end
  end)

  it("in pieces of a known length are not chunked", function(serve)
    local conn = serve(function()
      return 200, { ["Content-Length"] = 4 }, pieces("ab", "cd")
    end):connect()
    for _ = 1, 2 do
      local a = ask(conn, get "/")
      assert.equal("abcd", a.body)
      assert.is_nil(a.headers["transfer-encoding"])
    end
  end)

  it("longer than their Content-Length are caught", function(serve)
    local server = serve(function(env)
      local body = env.PATH_INFO == "/text" and "abcd" or pieces("ab", "cd")
      return 200, { ["Content-Length"] = 3 }, body
    end)
    assert.matches("^HTTP/1.1 500 ", server:raw(get "/text"))
    local text = server:raw(get "/pieces" .. get "/text")
    assert.equal(1, http.count(text, "HTTP/1.1"))
    assert.not_matches("abcd", text)
    assert.matches("length", table.concat(server.log):lower())
  end)

  it("shorter than their Content-Length end the connection", function(serve)
    local server = serve(function(env)
      local body = env.PATH_INFO == "/text" and "a" or pieces("a")
      return 200, { ["Content-Length"] = 3 }, body
    end)
    assert.matches("^HTTP/1.1 500 ", server:raw(get "/text"))
    assert.equal(1, http.count(server:raw(get "/pieces" .. get "/text"), "HTTP/1.1"))
  end)

  it("cannot be split", function(serve)
    for _, headers in ipairs {
      { ["X-A"] = "a\r\nX-B: b" }, { ["X-A"] = "a\nb" }, { ["X-A"] = "a\r\n\r\n<html>" },
      { ["X-A\r\nX-B"] = "a" }, { ["X A"] = "a" }, { [""] = "a" }, { ["X-A"] = "a\0b" },
      { ["X-A"] = { "a", "b\r\nc: d" } }, { { "X-A", "b\r\nc: d" } },
      { Connection = "close\r\nX: y" }, { ["Content-Length"] = "5\r\nX: y" },
      { ["Transfer-Encoding"] = "chunked" }, { ["X-A"] = false },
    } do
      local server = serve(always(200, headers, "hello"))
      local text = server:raw(get "/")
      assert.matches("^HTTP/1.1 500 Internal Server Error\r\n", text)
      assert.matches("\r\nConnection: close\r\n", text)
      assert.not_matches("\nX%-B", text)
      assert.not_matches("hello", text)
      assert.is_true(#server.log > 0)
    end
    assert.matches("^HTTP/1.1 500 ", serve(always("200 OK\r\nX: y", {}, "")):raw(get "/"))
  end)
end)

describe("errors of a handler of green.wsgi", function()
  it("give 500 without a traceback, and end the connection [b123]", function(serve)
    local server = serve(function()
      error "secret"
    end)
    local text = server:raw(get "/" .. get "/")
    assert.matches("^HTTP/1.1 500 Internal Server Error\r\n", text)
    assert.matches("Connection: close", text)
    assert.not_matches("secret", text)
    assert.equal(1, http.count(text, "HTTP/1.1"))
    assert.matches("secret", table.concat(server.log))
  end)

  it("are shown when debug is set [b123]", function(serve)
    local server = serve(function()
      error "secret"
    end, { debug = true })
    assert.matches("secret.*stack traceback", server:raw(get "/"))
  end)

  it("before the first piece give 500, and close the body", function(serve)
    local closed = 0
    local body = setmetatable({ close = function() closed = closed + 1 end },
      { __call = function() error "no first piece" end })
    local text = serve(always(200, { ["X-A"] = "b" }, body)):raw(get "/")
    assert.matches("^HTTP/1.1 500 ", text)
    assert.not_matches("X%-A", text)
    assert.equal(1, closed)
  end)

  it("after the first piece cut the answer off [b105]", function(serve)
    local slept = false
    local server = serve(function()
      return 200, {}, pieces("first", function()
        green.sleep(0)
        slept = true
        error "later"
      end)
    end, { minimum_chunk_size = 0 })
    local conn = server:connect(get "/")
    local a = answer(conn)
    assert.equal("first", a.body)
    assert.is_false(a.whole)
    assert.is_nil(conn:read_some())
    assert.is_true(slept)
  end)

  it("while a head waits for its first piece do not mix two heads", function(serve)
    local go = green.Event()
    local server = serve(function(env)
      if env.PATH_INFO == "/" then
        return hello()
      end
      return 200, { ["X-Wrong"] = "1" }, pieces(function() go:wait() error "late" end)
    end)
    local conn = server:connect(get "/" .. get "/late")
    assert.equal("hello\n", answer(conn).body)
    testing.settle_io()
    go:send(true)
    local a = answer(conn)
    assert.equal(500, a.status)
    assert.is_nil(a.headers["x-wrong"])
  end)

  it("do not end the server: timeouts in the handler [b124]", function(serve)
    local ends = {}
    local server = serve(function(env)
      if env.PATH_INFO == "/" then
        return hello()
      end
      local list = env.PATH_INFO == "/late" and { "first" } or {}
      list[#list + 1] = function()
        local scope = green.Timeout(0.001)
        local _, err = pcall(green.sleep, 5)
        ends[env.PATH_INFO] = err == scope
        error(err, 0)
      end
      return 200, {}, pieces(unpack(list))
    end, { minimum_chunk_size = 0 })
    assert.matches("^HTTP/1.1 500 ", server:raw(get "/early"))
    assert.matches("first\r\n$", server:raw(get "/late"))
    assert.same({ ["/early"] = true, ["/late"] = true }, ends)
    assert.equal("hello\n", ask(server:connect(), get "/").body)
  end)

  it("in odd answers give 500", function(serve)
    for _, values in ipairs { {}, { 200, "x", "y" }, { 200, {}, 5 }, { 200, {}, true },
      { nil, {}, "x" }, { 200, {}, { "a", {} } }, { {}, {}, "" } } do
      local server = serve(always(unpack(values, 1, 3)))
      assert.matches("^HTTP/1.1 500 ", server:raw(get "/"))
    end
  end)
end)

describe("a handler of green.wsgi", function()
  it("may overwrite any key of env [b130]", function(serve)
    local conn = serve(function(env)
      for _, key in ipairs { "REQUEST_METHOD", "PATH_INFO", "SERVER_PROTOCOL", "HTTP_HOST",
        "CONTENT_LENGTH", "HTTP_CONNECTION", "input", "QUERY_STRING", "REMOTE_ADDR" } do
        env[key] = "garbage"
      end
      env.HTTP_HOST = nil
      return 200, {}, "ok"
    end):connect()
    for _ = 1, 2 do
      assert.equal("ok", ask(conn, post("/", "body")).body)
    end
    assert.equal("", ask(conn, get("/", nil, "HEAD")).body)
    assert.equal("ok", ask(conn, get "/").body)
  end)

  it("that keeps the input beyond its request reads nothing", function(serve)
    local kept
    local conn = serve(function(env)
      kept = kept or env.input
      env.input = nil
      return 200, {}, "ok"
    end):connect()
    ask(conn, post("/", "one"))
    ask(conn, post("/", "two"))
    assert.is_nil((kept:read()))
  end)

  it("has posthooks run after the answer, in order [b121]", function(serve)
    local ran = {}
    local function hook(_, name)
      ran[#ran + 1] = name
    end
    local server = serve(function(env)
      env.posthooks[1] = { hook, "first" }
      if env.PATH_INFO == "/replaced" then
        env.posthooks = { { hook, "other" } }
      end
      env.posthooks[#env.posthooks + 1] = { hook, "last" }
      if env.PATH_INFO == "/error" then
        error "oops"
      end
      return 200, {}, "ok"
    end)
    ask(server:connect(), get "/")
    ask(server:connect(), get "/replaced")
    ask(server:connect(), get "/error")
    testing.settle_io()
    assert.same({ "first", "last", "other", "last", "first", "last" }, ran)
  end)

  it("whose client vanishes is closed quietly, posthooks run [b122, b121]", function(serve)
    local ran, closed = 0, 0
    local body = setmetatable({ close = function() closed = closed + 1 end },
      { __call = function() green.sleep(0) return ("x"):rep(65536) end })
    local server = serve(function(env)
      env.posthooks[1] = { function() ran = ran + 1 end }
      return 200, {}, body
    end)
    local conn = server:connect(get "/")
    conn:read(100000)
    conn:close()
    testing.settle_io()
    assert.equal(1, closed)
    assert.equal(1, ran)
    assert.equal("", table.concat(server.log))
  end)
end)
