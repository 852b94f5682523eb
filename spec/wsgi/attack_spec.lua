-- Bytes that look like a request to one server and like another, or like none,
-- to the next: families of them, each variant refused with one answer and a close.

local green = require "green"
local testing = require "green.testing"

local http = dofile("spec/support/http.lua")
local _, real_it = testing.busted()
local it = http.its(real_it)

local answer, ask, get, post, post_chunks = http.answer, http.ask, http.get, http.post,
  http.post_chunks

local SMUGGLED = get "/smuggled"

local function lines(...)
  return table.concat({ ... }, "\r\n") .. "\r\n\r\n"
end

local function with_field(field)
  return lines("GET / HTTP/1.1", "Host: a", field)
end

local function with_method(method)
  return lines(method .. " / HTTP/1.1", "Host: a")
end

local function with_target(target)
  return lines("GET " .. target .. " HTTP/1.1", "Host: a")
end

local function with_host(host)
  return lines("GET / HTTP/1.1", "Host: " .. host)
end

--- The paths that reached the handler, which reads the body.
local function recorder()
  local seen = {}
  return seen, function(env)
    seen[#seen + 1] = env.PATH_INFO
    local text, err = env.input:read()
    return err and 400 or 200, {}, text or ""
  end
end

--- Each control byte that can stand nowhere, and DEL.
local function controls()
  local list = { "\127" }
  for c = 0, 31 do
    if c ~= 9 and c ~= 10 and c ~= 13 then
      list[#list + 1] = string.char(c)
    end
  end
  return list
end

local families = {
  { "codings that are nearly chunked", 400, function(value)
    return lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: " .. value) .. "0\r\n\r\n"
  end, { "chunked\v", "\fchunked", "chunked\f", ", chunked", ",,chunked", "chunked,",
    "'chunked'", 'chunked"', "chunked\160", "\160chunked", "chunked ;", "chunked;", "ch unked",
    "chunked chunked", "chunked\t, identity", "chunked\0", "\239\187\191chunked",
    "cHuNkEd,cHuNkEd", 'gzip;q="a, chunked"', '"chunked", chunked', "trailers" } },
  { "fields that are nearly Transfer-Encoding, and a length", 400, function(field)
    return lines("POST / HTTP/1.1", "Host: a", field, "Content-Length: 5") .. "0\r\n\r\n"
  end, { "Transfer-Encoding\t: chunked", "Transfer-Encoding\0: chunked",
    "Transfer\173Encoding: chunked", "Transfer-Encoding:\r\n chunked",
    "X: y\r\n\tTransfer-Encoding: chunked", "Transfer-Encoding\r\n: chunked",
    "X: a\rTransfer-Encoding: chunked", "X: a\nTransfer-Encoding: chunked",
    "Transfer-Encoding:\vchunked", "Transfer-Encoding: chunked\r", '"Transfer-Encoding": chunked',
    "Transfer-Encoding;: chunked", "Transfer-Encoding", "Transfer-Encoding= chunked" } },
  { "codings beside a length, with a request as their chunk", 400, function(value)
    return lines("OPTIONS / HTTP/1.1", "Host: a", "Transfer-Encoding:" .. value,
      "Content-Length: 4") .. ("%x\r\n%s\r\n0\r\n\r\n"):format(#SMUGGLED, SMUGGLED)
  end, { " chunked", " chunked ", "\tchunked", " Chunked", " , chunked", " chunked,",
    " chunked;a=b", "\r\n chunked", " identity", " xchunked", "",
    " chunked\r\nTransfer-Encoding: identity", " identity\r\nTransfer-Encoding: chunked" } },
  { "lengths beside chunks", 400, function(value)
    return lines("POST / HTTP/1.1", "Host: a", "Content-Length:" .. value,
      "Transfer-Encoding: chunked") .. "0\r\n\r\n"
  end, { " 0", " 5", " 44", " +44", " 44x", "", " 0\r\nContent-Length: 5" } },
  { "lengths", 400, function(value)
    return lines("POST / HTTP/1.1", "Host: a", "Content-Length: " .. value) .. "hello"
  end, { "-0", "5;", "5,5", "5 ,", '"5"', "5\v", "5\160", "\1605", "5.0", "5e0", "00", "05", "0 5",
    "9223372036854775808", "18446744073709551616", ("1"):rep(400), "\217\165", " ", "\t", "5\0",
    "--5", "0b1", "5h" } },
  { "lengths beyond the limit", 413, function(value)
    return lines("POST / HTTP/1.1", "Host: a", "Content-Length: " .. value) .. "hello"
  end, { "9223372036854775807", "67108865" } },
  { "versions", 400, function(version)
    return lines("GET / " .. version, "Host: a")
  end, { " HTTP/1.1", "HTTP/1.", "HTTP/1", "HTTP/1.10", "HTTP/01.1", "HTTP/1,1", "HTTP/ 1.1",
    "HTTP/-1.1", "HTTP/a.b", "HTTP/1.1\t", "HTTP 1.1", "HTTP/1.1\v", "XTTP/1.1", "HTTP//1.1",
    "RTSP/1.1", "HTTP/1.1\r" } },
  { "targets", 400, with_target, { "\\", "a/b", "?q", "../", "#a", "", " ", "/\t", "*x", "*",
    "/%", "/%2", "/%2g", "/%u0041", "/a%?b", "/a%2?b", "/%+1", "/%0x", "/%00?", "http://",
    "http:///x", "http://:80/", "http://u@a/", "http://u:p@a/", "http://a:70000/", "http://a:-1/",
    "http://[::1/", "http://[::g]/", "http://::1/", "http:/a/", "http:a", "file:///etc/passwd",
    "http://a#b", "http://a\\b/", "http://a/%4", "http://a/%00", "http://[v1.a]/",
    "http://[::1]x/", "/a\\b", "/a\\", "http://a/b\\c?d",
    "a:80", "[::1]:80", "/\192\175", "/\128" } },
  { "targets of CONNECT", 400, function(target)
    return lines("CONNECT " .. target .. " HTTP/1.1", "Host: a")
  end, { "/", "a", "a:80/", "a:80?x", "http://a/", "*", ":80", "u@a:80", "a:99999", "a:",
    "[::1]" } },
  { "hosts", 400, with_host, { "a b", "a?b", "a#b", "http://a", "a:b", "a:-1", "a: 80", "a :80",
    ":80", "[::1", "::1", "[::1]x", "[]", "a\\b", '"a"', "<a>", "a%zz", "[fe80::1%25eth0]",
    "a:80:80", "a:+80", "a:0x50", "[1.2.3.4]" } },
  { "expectations", 417, function(value)
    return lines("POST / HTTP/1.1", "Host: a", "Expect: " .. value, "Content-Length: 5") .. "hello"
  end, { "", "100-continue,", "100-continue, 100-continue", "100-continue;q=1", '"100-continue"',
    "100_continue", "100-continue x" } },
  { "bytes before a request", 400, function(bytes)
    return bytes .. get "/"
  end, { "\n", "\r", " ", "\t", " \r\n", "\r\n ", "\r\r\n", "\0", "\239\187\191", "\r\n\n" } },
  { "line ends", 400, function(bytes)
    return bytes
  end, { "GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n",
    "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n", "GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n" } },
  { "names", 400, with_field, { "Content\tLength: 5", "X Y: z", "X\t: y", "X,Y: z", "X(Y): z",
    "X\\: y", "X{Y}: z", "X/Y: z", "X@Y: z", "X\128: y", '"X": y', "X;Y: z", "X=Y" } },
  { "names beyond the limit", 431, with_field, { ("X"):rep(9000) .. ": y", ("X"):rep(100000) } },
  { "methods", 400, with_method, { "", " GET", '"GET"', "GET:", "G,T", "G/T", "G{}T", "G\128T",
    "GET\t" } },
  { "methods beyond the limit", 501, with_method, { ("G"):rep(100), ("G"):rep(100000) } },
}

for place, make in pairs {
  name = function(c) return with_field("X" .. c .. "Y: z") end,
  value = function(c) return with_field("X: a" .. c .. "b") end,
  target = function(c) return with_target("/a" .. c .. "b") end,
  method = function(c) return with_method("G" .. c .. "T") end,
  host = function(c) return with_host("a" .. c .. "b") end,
} do
  families[#families + 1] = { "control bytes in a " .. place, 400, make, controls() }
end

describe("green.wsgi refuses all", function()
  for _, family in ipairs(families) do
    local title, status, make, variants = unpack(family)
    it(title, function(serve)
      local seen, app = recorder()
      local server, wrong = serve(app), {}
      for _, variant in ipairs(variants) do
        local text = server:raw(make(variant) .. SMUGGLED)
        if tonumber(text:match "^HTTP/1.1 (%d+) ") ~= status or http.count(text, "HTTP/1.1") ~= 1
          or not text:find("\r\nConnection: close\r\n", 1, true) then
          wrong[#wrong + 1] = ("%q: %s"):format(variant, text:match "^[^\r]*")
        end
      end
      assert.same({}, wrong)
      assert.same({}, seen)
    end)
  end

  local head = lines("POST /first HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")
  local chunks = { "3\r\nabc\r\n0\n\n", "3\r\nabc\r\n0\r\n\n", "3 \r\nabc\r\n", "3\t\r\nabc\r\n",
    "00000000000000003\r\nabc\r\n", "8000000000000000\r\n", "ffffffffffffffff\r\n",
    "3;\r\nabc\r\n", "3;a=\r\nabc\r\n", '3;a="\r\nabc\r\n', '3;a="b\nc"\r\nabc\r\n',
    '3;a="b\r\nc"\r\nabc\r\n', '3;a="b\\\r"\r\nabc', "3;a\0\r\nabc", "3;a=b c\r\nabc",
    '3;a=b"c"\r\nabc', "3;;a\r\nabc", "3;a\rX", "3;\255\r\nabc", "3\v\r\nabc", "3\r\rabc",
    "3\r\nabc\r\r\n0\r\n\r\n", "3\r\nabc0\r\n\r\n", "3\r\nabc\r\n\r\n0\r\n\r\n",
    "0\r\nX : y\r\n\r\n",
    "0\r\n: y\r\n\r\n", "0\r\n X: y\r\n\r\n", "0\r\nX: y\r\n z\r\n\r\n", "0\r\nX: a\0b\r\n\r\n",
    "0\r\nX: a\nb: c\r\n\r\n", "0\r\nX: a\rb: c\r\n\r\n", "0\r\nX\255: a\r\n\r\n", "0\r\n\rX",
    "3;" .. ("x"):rep(5000) .. "\r\nabc\r\n", "0\r\nX: " .. ("y"):rep(9000) .. "\r\n\r\n",
    "1;" .. ("x"):rep(4000) .. "\r\na\r\n1;" .. ("x"):rep(4000) .. "\r\na\r\n0\r\n\r\n" }

  it("chunks that are none, whether their handler reads them or not", function(serve)
    local seen, app = recorder()
    local reads, wrong = serve(app), {}
    local leaves = serve(function(env)
      seen[#seen + 1] = env.PATH_INFO
      return 200, {}, ""
    end)
    for _, bytes in ipairs(chunks) do
      local text = reads:raw(head .. bytes .. SMUGGLED) .. leaves:raw(head .. bytes .. SMUGGLED)
      if not text:find "^HTTP/1.1 400 .*HTTP/1.1 200 " or http.count(text, "HTTP/1.1") ~= 2 then
        wrong[#wrong + 1] = ("%q: %s"):format(bytes:sub(1, 20), text)
      end
    end
    assert.same({}, wrong)
    for _, path in ipairs(seen) do
      assert.equal("/first", path)
    end
  end)
end)

describe("green.wsgi takes for what it is", function()
  local fields = { "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 99",
    "Connection: upgrade\r\nUpgrade: unheard-of/1.0", "Upgrade: websocket",
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
    "Range: bytes=0-1", "Range: bytes=x-y", "Range: bytes=" .. ("0-,"):rep(1000) .. "0-",
    "If-None-Match: *", 'If-Match: "a"', "If-Modified-Since: never", "Accept: none/such",
    "If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT", "TE: trailers, gzip", "Max-Forwards: 0",
    "Content-Type: a/b\r\nContent-Type: c/d", "Authorization: Basic", "Transfer_Encoding: chunked",
    "Content_Length: 99", "Content-Lengths: 99", "X-Transfer-Encoding: chunked" }

  it("a field that asks it for nothing", function(serve)
    local seen, app = recorder()
    local conn = serve(app):connect()
    for _, field in ipairs(fields) do
      for _, request in ipairs { get("/", field .. "\r\n"), post("/", "text", field .. "\r\n"),
        get("/", field .. "\r\n", "HEAD"), post_chunks("/", { "text" }, field .. "\r\n") } do
        local a = ask(conn, request)
        assert.equal(200, a.status, field)
        assert.equal(request:find "^POST" and "text" or "", a.body)
      end
    end
    assert.equal(4 * #fields, #seen)
  end)

  it("a length between blanks", function(serve)
    local _, app = recorder()
    local conn = serve(app):connect()
    for _, value in ipairs { "5", "  5", " 5 ", "\t5", "\t 5\t " } do
      local head = lines("POST / HTTP/1.1", "Host: a", "Content-Length:" .. value)
      assert.equal("hello", ask(conn, head .. "hello").body)
    end
  end)

  it("a request line of 8,000 bytes", function(serve)
    local _, app = recorder()
    local path = "/" .. ("x"):rep(8000 - #"GET / HTTP/1.1")
    assert.equal(200, ask(serve(app):connect(), get(path)).status)
  end)

  it("a request in a body that nobody reads", function(serve)
    local conn = serve(function(env)
      return 200, { ["X-For"] = env.REQUEST_METHOD .. env.PATH_INFO }, ""
    end):connect()
    local half = SMUGGLED:sub(1, -3)
    for _, method in ipairs { "GET", "HEAD", "OPTIONS", "DELETE", "TRACE", "BREW" } do
      for _, text in ipairs { post("/", SMUGGLED), post_chunks("/", { SMUGGLED }),
        post("/", half), post_chunks("/", { half }) } do
        assert.equal(method .. "/", ask(conn, (text:gsub("^POST", method))).headers["x-for"])
        assert.equal("GET/next", ask(conn, "\r\n" .. get "/next").headers["x-for"])
      end
    end
  end)

  it("chunks without a coding: no request", function(serve)
    local seen, app = recorder()
    for _, field in ipairs { "Transfer_Encoding: chunked", "X: y", "TE: chunked" } do
      local text = lines("POST / HTTP/1.1", "Host: a", field) .. "0\r\n\r\n" .. SMUGGLED
      assert.matches("^HTTP/1.1 200 .*HTTP/1.1 400 ", serve(app):raw(text))
    end
    assert.same({ "/", "/", "/" }, seen)
  end)

  it("a body sent along with 100-continue", function(serve)
    local _, app = recorder()
    local server, expect = serve(app), "Expect: 100-continue\r\n"
    for _, text in ipairs { post("/", "abc", expect), post_chunks("/", { "abc" }, expect) } do
      assert.matches("HTTP/1.1 200 .*\r\n\r\nabcHTTP/1.1 200 ", server:ended(text .. get "/"))
      text = text:gsub("HTTP/1.1", "HTTP/1.0") -- It knows of no 100, nor of chunks.
      assert.matches(text:find "Transfer" and "^HTTP/1.1 400 " or "^HTTP/1.1 200 .*abc$",
        server:raw(text))
    end
  end)
end)

describe("green.wsgi, asked byte by byte,", function()
  --- The status of the answer to bytes that come so many at a time.
  local function status(server, bytes, step)
    local conn = server:connect()
    for at = 1, #bytes, step do
      if not conn:write(bytes:sub(at, at + step - 1)) then
        break
      end
      if at % 64 == 1 then
        green.sleep(0)
      end
    end
    local text = conn:read_all() or ""
    conn:close()
    return tonumber(text:match "^HTTP/1.1 (%d+) ")
  end

  it("has the same limits", function(serve)
    local _, app = recorder()
    local server = serve(app, { url_length_limit = 200, max_header_line = 200,
      max_header_size = 700, max_headers = 9 })
    local close = "Connection: close"
    local function line(n)
      return lines("GET /" .. ("x"):rep(n - 14) .. " HTTP/1.1", "Host: a", close)
    end
    local function field(n)
      return lines("GET / HTTP/1.1", "Host: a", "X: " .. ("y"):rep(n - 3), close)
    end
    local function fields(n)
      return lines("GET / HTTP/1.1", "Host: a", ("X: y\r\n"):rep(n - 3) .. "X: y", close)
    end
    local function head(n)
      local text = "GET / HTTP/1.1\r\nHost: a\r\n" .. ("X: " .. ("y"):rep(145) .. "\r\n"):rep(4)
      return lines(text .. "X: " .. ("z"):rep(n - #text - 3 - #close - 6), close)
    end
    for _, case in ipairs { { line, 200, 414 }, { field, 200, 431 }, { fields, 9, 431 },
      { head, 700, 431 } } do
      local make, limit, refusal = unpack(case)
      for _, step in ipairs { 1, 7, 64, 10000 } do
        assert.equal(200, status(server, make(limit), step))
        assert.equal(refusal, status(server, make(limit + 1), step))
      end
    end
  end)

  it("reads the same bodies", function(serve)
    local _, app = recorder()
    local server = serve(app)
    local all = post_chunks("/", { "a", "bc", "\r\n", "0\r\n\r\n" }) .. post("/", "GET / HTTP/1.1")
      .. "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. '3 ; a = "b\\"c" ;d\r\nxyz\r\n000\r\nContent-Length: 5\r\nHost: evil\r\n\r\n' .. get "/"
    for _, step in ipairs { 1, 2, 5, #all } do
      local conn = server:connect()
      for at = 1, #all, step do
        conn:write(all:sub(at, at + step - 1))
        green.sleep(0)
      end
      for _, body in ipairs { "abc\r\n0\r\n\r\n", "GET / HTTP/1.1", "xyz", "" } do
        assert.equal(body, answer(conn).body)
      end
      conn:close()
    end
  end)
end)

describe("a handler of green.wsgi cannot be fooled", function()
  it("by headers that share a CGI key with others", function(serve)
    local got
    local server = serve(function(env)
      require("green.wsgi").fill(env)
      got = env
      return 200, {}, ""
    end)
    ask(server:connect(), get("/", "X_User: evil\r\nX-User: good\r\nx_user: evil\r\n"
      .. "Content_Length: 7\r\nContent_Type: evil\r\nHTTP-Content-Length: 8\r\n"
      .. "Remote_Addr: evil\r\n"))
    assert.equal("good", got.HTTP_X_USER)
    assert.is_nil(got.CONTENT_LENGTH)
    assert.is_nil(got.CONTENT_TYPE)
    assert.is_nil(got.HTTP_CONTENT_LENGTH)
    assert.is_nil(got.HTTP_REMOTE_ADDR)
    assert.equal("127.0.0.1", got.REMOTE_ADDR)
    assert.equal(8, #got.headers_raw)
  end)

  it("by a header that CGI programs take for their proxy", function(serve)
    local got, raw
    local server = serve(function(env)
      require("green.wsgi").fill(env)
      got, raw = env.HTTP_PROXY, env.headers_raw[2]
      return 200, {}, ""
    end)
    for _, name in ipairs { "Proxy", "proxy", "PROXY" } do
      ask(server:connect(), get("/", name .. ": http://evil/\r\n"))
      assert.is_nil(got)
      assert.same({ name, "http://evil/" }, raw)
    end
  end)

  it("by fields behind its body", function(serve)
    local conn = serve(function(env)
      env.input:read()
      require("green.wsgi").fill(env)
      return 200, {}, env.HTTP_HOST .. #env.headers_raw
        .. tostring(env.CONTENT_TYPE or env.HTTP_AUTHORIZATION or env.CONTENT_LENGTH)
    end):connect()
    local text = post_chunks("/", { "hello" }):sub(1, -3) .. "Host: evil\r\nContent-Length: 50\r\n"
      .. "Transfer-Encoding: chunked\r\nAuthorization: evil\r\nContent-Type: evil\r\n\r\n"
    for _ = 1, 2 do
      assert.equal("a2nil", ask(conn, text).body)
    end
  end)

  it("by line ends in an escaped path", function(serve)
    local server = serve(function(env) return 302, { Location = env.PATH_INFO }, "" end)
    for _, escape in ipairs { "%0d%0a", "%0A", "%0D" } do
      local text = server:raw(get("/x" .. escape .. "X-Bad:%20evil"))
      assert.matches("^HTTP/1.1 500 ", text)
      assert.not_matches("X%-Bad", text)
    end
  end)

  it("by a Host beside an absolute target", function(serve)
    local server = serve(function(env)
      return 200, {}, env.HTTP_HOST .. " " .. env.PATH_INFO
    end)
    local a = ask(server:connect(), lines("GET http://good:81/x HTTP/1.1", "Host: evil"))
    assert.equal("good:81 /x", a.body)
  end)
end)

describe("a pipeline of green.wsgi", function()
  it("has every answer before the one to a bad request, even slow and large ones", function(serve)
    local large = ("x"):rep(3000000)
    local server = serve(function(env)
      if env.PATH_INFO == "/slow" then
        green.sleep(0.005) -- the rest of the pipeline is there before the answer
      end
      return 200, {}, env.PATH_INFO == "/large" and large or "small"
    end)
    for _, bad in ipairs { "BAD\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", ("G"):rep(40) } do
      local conn = server:connect(get "/" .. get "/slow" .. get "/large" .. get "/" .. bad
        .. get "/")
      for _, size in ipairs { 5, 5, #large, 5 } do
        local a = answer(conn)
        assert.equal(200, a.status)
        assert.equal(size, #a.body)
      end
      assert.is_true(answer(conn).status >= 400)
      assert.is_nil(conn:read_some())
    end
  end)

  it("ends with the answer to a handler that raised", function(serve)
    local server = serve(function(env)
      if env.PATH_INFO == "/bad" then
        error "oops"
      end
      return 200, {}, "fine"
    end)
    local conn = server:connect(get "/" .. get "/bad" .. get "/")
    assert.equal(200, answer(conn).status)
    assert.equal(500, answer(conn).status)
    assert.is_nil(conn:read_some())
  end)

  it("may end in a take-over, with all that follows", function(serve)
    local server = serve(function(env)
      if env.PATH_INFO == "/take" then
        local head = env.input:read(3)
        local s = assert(env.take_over())
        s:write(head .. "|" .. s:read(9))
        s:close()
        return
      end
      green.sleep(0)
      return 200, {}, "fine"
    end)
    local conn = server:connect(get "/" .. get "/" .. post("/take", "abcdef") .. "ghijkl")
    assert.equal("fine", answer(conn).body)
    assert.equal("fine", answer(conn).body)
    assert.equal("abc|defghijkl", conn:read_all())
  end)
end)
