local green = require "green"
local testing = require "green.testing"

local http = dofile("spec/support/http.lua")
local _, real_it = testing.busted()
local it = http.its(real_it)

local get, post = http.get, http.post

--- The paths that reached the handler.
local function recorder()
  local seen = {}
  return seen, function(env)
    seen[#seen + 1] = env.REQUEST_METHOD .. " " .. env.RAW_PATH_INFO
    env.input:read()
    return 200, {}, "served"
  end
end

--- A request head of these lines.
local function lines(...)
  return table.concat({ ... }, "\r\n") .. "\r\n\r\n"
end

local function with_field(...)
  return lines("GET / HTTP/1.1", "Host: a", ...)
end

local SMUGGLED = get "/smuggled"

local function body_with(...)
  return lines("POST / HTTP/1.1", "Host: a", ...) .. "0\r\n\r\n" .. SMUGGLED
end

--- What is refused: a title, the bytes, and the status (400).
local refused = {
  { "no version", "GET /\r\n\r\n" },
  { "a request line of two words with headers", lines("GET /", "Host: a") },
  { "a version of another kind", lines("GET / HTTPS/1.1", "Host: a") },
  { "a version in small letters", lines("GET / http/1.1", "Host: a") },
  { "HTTP/2.0", lines("GET / HTTP/2.0", "Host: a"), 505 },
  { "HTTP/0.9", lines("GET / HTTP/0.9", "Host: a"), 505 },
  { "HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505 },
  { "two blanks in the request line", lines("GET  / HTTP/1.1", "Host: a") },
  { "a tab in the request line", lines("GET\t/ HTTP/1.1", "Host: a") },
  { "a blank at its end", lines("GET / HTTP/1.1 ", "Host: a") },
  { "a blank in the target", lines("GET /a b HTTP/1.1", "Host: a") },
  { "a method that is no token", lines("G(T / HTTP/1.1", "Host: a") },
  { "an endless method", lines(("G"):rep(100) .. " / HTTP/1.1", "Host: a"), 501 },
  { "TLS", "\22\3\1\2\0\1\0\1\252\3\3" .. ("x"):rep(50) .. "\r\n\r\n" },
  { "a fragment", lines("GET /a#b HTTP/1.1", "Host: a") },
  { "bytes beyond ASCII in the target", lines("GET /\195\164 HTTP/1.1", "Host: a") },
  { "a NUL in the target", lines("GET /a\0b HTTP/1.1", "Host: a") },
  { "%00 in the path", lines("GET /a%00b HTTP/1.1", "Host: a") },
  { "a bad escape", lines("GET /a%zz HTTP/1.1", "Host: a") },
  { "half an escape", lines("GET /a%4 HTTP/1.1", "Host: a") },
  { "a relative target", lines("GET a HTTP/1.1", "Host: a") },
  { "an absolute target of another scheme", lines("GET ftp://a/ HTTP/1.1", "Host: a") },
  { "an asterisk that is not for OPTIONS", lines("GET * HTTP/1.1", "Host: a") },
  { "CONNECT without a port", lines("CONNECT a HTTP/1.1", "Host: a") },
  { "authority form that is not for CONNECT", lines("GET a:80 HTTP/1.1", "Host: a") },
  { "no Host", lines("GET / HTTP/1.1", "X: y") },
  { "two Hosts", with_field("Host: a") },
  { "two different Hosts", with_field("Host: b") },
  { "an empty Host", lines("GET / HTTP/1.1", "Host:") },
  { "a Host with a path", lines("GET / HTTP/1.1", "Host: a/b") },
  { "a Host with a user", lines("GET / HTTP/1.1", "Host: u@a") },
  { "a Host with a bad port", lines("GET / HTTP/1.1", "Host: a:99999") },
  { "two Hosts in one", lines("GET / HTTP/1.1", "Host: a, b") },
  { "a blank before a colon", with_field("X-A : b") },
  { "a blank before a header", with_field(" X-A: b") },
  { "a folded header", with_field("X-A: b", " c") },
  { "a folded first header", lines("GET / HTTP/1.1", " Host: a") },
  { "a header without a colon", with_field("X-A") },
  { "a header without a name", with_field(": b") },
  { "a name that is no token", with_field("X[A]: b") },
  { "a name beyond ASCII", with_field("X-\195\164: b") },
  { "a NUL in a value", with_field("X-A: a\0b") },
  { "a control byte in a value", with_field("X-A: a\1b") },
  { "a bare CR in a value", with_field("X-A: a\rb") },
  { "a bare LF behind a header", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n" },
  { "bare LFs", "GET / HTTP/1.1\nHost: a\n\n" },
  { "a bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n" },
  { "a bare CR at the end", "GET / HTTP/1.1\r\nHost: a\r\n\rX" },
  { "blank lines before the request", "\r\n\r\n\r\n" .. get "/" },
  { "another expectation", with_field("Expect: 200-ok"), 417 },
  -- Where a body ends.
  { "two lengths", body_with("Content-Length: 5", "Content-Length: 5") },
  { "two different lengths", body_with("Content-Length: 5", "Content-Length: 6") },
  { "two lengths in one", body_with("Content-Length: 5, 5") },
  { "a negative length [b115]", body_with("Content-Length: -5") },
  { "a signed length", body_with("Content-Length: +5") },
  { "a length in hex", body_with("Content-Length: 0x5") },
  { "a length with zeros", body_with("Content-Length: 005") },
  { "a length with blanks [b115]", body_with("Content-Length: 5 5") },
  { "an empty length [b115]", body_with("Content-Length:") },
  { "a length of words [b115]", body_with("Content-Length: five") },
  { "a length with an underscore", body_with("Content-Length: 1_0") },
  { "a length beyond 64 bits", body_with("Content-Length: 99999999999999999999") },
  { "a length that wraps around", body_with("Content-Length: 18446744073709551621") },
  { "a length and chunks [b116]", body_with("Content-Length: 5", "Transfer-Encoding: chunked") },
  { "chunks and a length [b116]", body_with("Transfer-Encoding: chunked", "Content-Length: 5") },
  { "chunks twice", body_with("Transfer-Encoding: chunked, chunked") },
  { "chunks twice in two headers",
    body_with("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") },
  { "chunks that are not last", body_with("Transfer-Encoding: chunked, gzip") },
  { "a coding without chunks", body_with("Transfer-Encoding: gzip") },
  { "identity", body_with("Transfer-Encoding: identity") },
  { "an empty coding", body_with("Transfer-Encoding:") },
  { "a coding that is none", body_with("Transfer-Encoding: xchunked") },
  { "a vertical tab before chunked", body_with("Transfer-Encoding: \vchunked") },
  { "quoted chunks", body_with('Transfer-Encoding: "chunked"') },
  { "chunks with parameters", body_with("Transfer-Encoding: chunked;a=b") },
  { "chunks in HTTP/1.0", lines("POST / HTTP/1.0", "Transfer-Encoding: chunked") .. "0\r\n\r\n" },
  { "a coding before chunks", body_with("Transfer-Encoding: gzip, chunked"), 501 },
  { "a name with a blank: Transfer-Encoding",
    body_with("Content-Length: 5", "Transfer-Encoding : chunked") },
  -- Sizes.
  { "a request line over the limit",
    lines("GET /" .. ("x"):rep(9000) .. " HTTP/1.1", "Host: a"), 414 },
  { "a request line without an end", "GET /" .. ("x"):rep(9000), 414 },
  { "a header line over the limit", with_field("X: " .. ("x"):rep(9000)), 431 },
  { "too many headers", with_field(("X: y\r\n"):rep(200) .. "X: y"), 431 },
  { "headers over the limit",
    with_field(("X: " .. ("x"):rep(8000) .. "\r\n"):rep(9) .. "X: y"), 431 },
  { "a body over the limit",
    lines("POST / HTTP/1.1", "Host: a", "Content-Length: 99999999999"), 413 },
}

describe("green.wsgi refuses", function()
  for _, case in ipairs(refused) do
    local title, bytes, status = case[1], case[2], case[3] or 400
    it(("%s: %d and a close"):format(title, status), function(serve)
      local seen, app = recorder()
      local text = serve(app):raw(bytes .. SMUGGLED)
      assert.matches("^HTTP/1.1 " .. status .. " [^\r\n]+\r\n", text)
      assert.matches("\r\nConnection: close\r\n", text)
      assert.matches("\r\nContent%-Length: %d+\r\n", text)
      assert.equal(1, http.count(text, "HTTP/1.1 "))
      assert.same({}, seen)
    end)
  end

  local chunks = {
    ["a negative size"] = "-3\r\nabc\r\n0\r\n\r\n", ["hex with 0x"] = "0x3\r\nabc\r\n0\r\n\r\n",
    ["an underscore"] = "1_0\r\nabc\r\n0\r\n\r\n", ["a plus"] = "+3\r\nabc\r\n0\r\n\r\n",
    ["a blank before the size"] = " 3\r\nabc\r\n0\r\n\r\n",
    ["a size without digits"] = "\r\nabc\r\n0\r\n\r\n",
    ["a size beyond 64 bits"] = "10000000000000003\r\nabc\r\n0\r\n\r\n",
    ["data beyond the size"] = "3\r\nabcd\r\n0\r\n\r\n",
    ["a bare LF behind the size"] = "3\nabc\r\n0\r\n\r\n",
    ["a bare LF behind the data"] = "3\r\nabc\n0\r\n\r\n",
    ["a bare CR behind the size"] = "3\rabc\r\n0\r\n\r\n",
    ["a bare LF in an extension"] = "3;a\nb\r\nabc\r\n0\r\n\r\n",
    ["a bad trailer"] = "3\r\nabc\r\n0\r\nbad trailer\r\n\r\n",
  }
  for title, bytes in pairs(chunks) do
    it("chunks with " .. title .. ", and never reads on", function(serve)
      local seen, errs = {}, {}
      local server = serve(function(env)
        seen[#seen + 1] = env.PATH_INFO
        local _, err = env.input:read()
        errs[#errs + 1] = err and err.code
        return 200, {}, "served"
      end)
      local head = lines("POST /first HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")
      local text = server:raw(head .. bytes .. SMUGGLED)
      assert.matches("\r\nConnection: close\r\n", text)
      assert.same({ "/first" }, seen)
      assert.same({ "EPROTO" }, errs)
      -- The same when nobody reads the body.
      seen = {}
      server = serve(function(env)
        seen[#seen + 1] = env.PATH_INFO
        return 200, {}, "served"
      end)
      server:raw(head .. bytes .. SMUGGLED)
      assert.same({ "/first" }, seen)
    end)
  end

  it("nothing of these", function(serve)
    local seen, app = recorder()
    local server = serve(app)
    local fine = {
      "\r\n" .. get "/crlf-before",
      lines("GET http://b:81/absolute?q HTTP/1.1", "Host: a"),
      lines("OPTIONS * HTTP/1.1", "Host: a"),
      lines("GET /1.5 HTTP/1.5", "Host: a"),
      lines("get /own-method HTTP/1.1", "Host: a"),
      lines("GET /empty HTTP/1.1", "Host: a", "X-Empty:"),
      lines("GET /tabs HTTP/1.1", "Host:\ta\t", "X: a\tb"),
      lines("GET /high HTTP/1.1", "Host: a", "X: \195\164\255"),
      lines("GET /v6 HTTP/1.1", "Host: [::1]:8080"),
      lines("POST /zero HTTP/1.1", "Host: a", "Content-Length: 0"),
      lines("POST /case HTTP/1.1", "Host: a", "Transfer-encoding: CHUNKED") .. "0\r\n\r\n",
      post("/last", "abc"),
    }
    local conn = server:connect(table.concat(fine))
    for _ = 1, #fine do
      assert.equal(200, http.answer(conn).status)
    end
    assert.same({ "GET /crlf-before", "GET /absolute", "OPTIONS *", "GET /1.5", "get /own-method",
      "GET /empty", "GET /tabs", "GET /high", "GET /v6", "POST /zero", "POST /case",
      "POST /last" }, seen)
  end)

  it("with an answer that arrives, however much more the client sends", function(serve)
    local _, app = recorder()
    local server = serve(app)
    local conn = server:connect(lines("GET / HTTP/1.1", "X: y"))
    testing.settle_io()
    for _ = 1, 50 do
      conn:write(("x"):rep(20000))
      green.sleep(0)
    end
    local text = conn:read_all()
    assert.matches("^HTTP/1.1 400 ", text)
  end)

  it("a part of a request at its limits, not a byte below [b114]", function(serve)
    local _, app = recorder()
    local server = serve(app, { url_length_limit = 100, max_header_line = 90, max_headers = 3 })
    local line = "GET /%s HTTP/1.1"
    local fill = 100 - #line:format ""
    assert.matches("^HTTP/1.1 200", server:ended(lines(line:format(("x"):rep(fill)), "Host: a")))
    assert.matches("^HTTP/1.1 414", server:raw(lines(line:format(("x"):rep(fill + 1)), "Host: a")))
    assert.matches("^HTTP/1.1 200", server:ended(with_field("X: " .. ("x"):rep(87))))
    assert.matches("^HTTP/1.1 431", server:raw(with_field("X: " .. ("x"):rep(88))))
    assert.matches("^HTTP/1.1 200", server:ended(with_field("X: y", "X: y")))
    assert.matches("^HTTP/1.1 431", server:raw(with_field("X: y", "X: y", "X: y")))
  end)
end)
