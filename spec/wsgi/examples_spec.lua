local green = require "green"
local testing = require "green.testing"

local kit = dofile("spec/support/wsgi_kit.lua")
local program = require "spec.support.program"
local _, it = testing.busted()

local TERM = 15

--- Run body(port) while an example serves.
local function with(name, body)
  return function()
    local run = program.start_greenlua { "examples/" .. name .. ".lua", "0" }
    run:expect("serving on http://127.0.0.1:")
    run:expect("\n")
    local port = tonumber(run.out:match("127%.0%.0%.1:(%d+)"))
    local ok, err = pcall(body, port)
    run:kill(TERM)
    run:wait()
    if not ok then
      error(err, 0)
    end
  end
end

local function raw(port, text)
  local conn = assert(green.connect("127.0.0.1", port))
  conn:settimeout(8)
  conn:write(text)
  local answer = conn:read_all()
  conn:close()
  return kit.parse(answer)
end

local function ask(port, line, rest)
  return raw(port, line .. " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" .. (rest or "\r\n"))
end

describe("examples", function()
  it("streaming.lua sends its answer bit by bit", with("streaming", function(port)
    assert.equal("1 of 2\n2 of 2\n", (select(3, ask(port, "GET /2"))))
  end))

  it("upload.lua sends chunked uploads back", with("upload", function(port)
    local _, _, body = ask(port, "POST /",
      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
    assert.equal("abcdefg", body)
    assert.equal(405, (ask(port, "GET /")))
  end))

  it("takeover.lua speaks another protocol", with("takeover", function(port)
    local conn = assert(green.connect("127.0.0.1", port))
    conn:settimeout(8)
    conn:write("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\nhi\n")
    assert.truthy(conn:read_until("\r\n\r\n"):find("^HTTP/1.1 101 "))
    assert.equal("HI", conn:read_line())
    conn:close()
    assert.equal(426, (ask(port, "GET /")))
  end))

  it("wsapi.lua serves a WSAPI application", with("wsapi", function(port)
    local status, headers, body = ask(port, "GET /there")
    assert.same({ 200, "text/html" }, { status, headers["content-type"] })
    assert.truthy(body:find("Your path is '/there'</p><p>Your query is ''", 1, true))
  end))

  it("conformance.lua is what HTTP test suites expect", with("conformance", function(port)
    for _, method in ipairs { "GET", "OPTIONS" } do
      assert.equal("OK", (select(3, ask(port, method .. " /any"))))
    end
    local status, headers, body = ask(port, "HEAD /any")
    assert.same({ 200, "2", "" }, { status, headers["content-length"], body })
    assert.equal("ab", (select(3, ask(port, "PUT /any", "Content-Length: 2\r\n\r\nab"))))
    assert.equal("abc", (select(3, ask(port, "POST /any",
      "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"))))
    assert.equal("Host: x\nConnection: close\nx-a_b: 1\nX-A_b: 2\n",
      (select(3, ask(port, "GET /echo", "x-a_b: 1\r\nX-A_b:  2 \r\n\r\n"))))
    assert.equal("OK", (select(3, ask(port, "OPTIONS *"))))
    for _, method in ipairs { "POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW" } do
      local got, head, none = ask(port, method .. " /any")
      assert.same({ 200, "0", "" }, { got, head["content-length"], none })
    end
    local _, echo_head, no_body = ask(port, "HEAD /echo")
    assert.same({ "26", "" }, { echo_head["content-length"], no_body })
    assert.equal("a=b\nc=\"d\"\nf=g=h\nz=\n", (select(3, ask(port, "POST /cookie",
      "Cookie: a=b; c=\"d\"; ; lost\r\ncookie: f = g=h;z=\r\n\r\n"))))
    assert.equal("", (select(3, ask(port, "GET /cookie"))))
  end))

  it("conformance.lua tells headers and cookies of any shape", with("conformance", function(port)
    local function sent(path, ...)
      local status, _, body = ask(port, "GET " .. path, table.concat({ ... }, "\r\n") .. "\r\n\r\n")
      return status, (body:gsub("^Host: x\nConnection: close\n", ""))
    end
    for value, told in pairs { ["foo=bar"] = "foo=bar\n", ["foo="] = "foo=\n", ["===;;;"] = "===\n",
      [""] = "", ["a=hello world; b=x=y"] = "a=hello world\nb=x=y\n" } do
      assert.same({ 200, "Cookie: " .. value .. "\n" }, { sent("/echo", "Cookie: " .. value) })
      assert.same({ 200, told }, { sent("/cookie", "Cookie: " .. value) })
    end
    assert.same({ 200, "Cookie: a=1\nCookie: b=2\n" },
      { sent("/echo", "Cookie: a=1", "Cookie: b=2") })
    local many = {}
    for i = 1, 500 do
      many[i] = ("k%d=v%d"):format(i, i)
    end
    assert.same({ 200, table.concat(many, "\n") .. "\n" },
      { sent("/cookie", "Cookie: " .. table.concat(many, "; ")) })
    assert.equal(431, (sent("/echo", "Cookie: big=" .. ("A"):rep(65536))))
    for _, field in ipairs { "Cookie: a=\0b", "Cookie: a=\1\2\3", "Cookie : a=b",
      "Coo\tkie: a=b" } do
      assert.equal(400, (sent("/echo", field)))
    end
    assert.same({ 200, "TRANSFER-ENCODING: chunked\nTransfer_Encoding: gzip\n" }, { sent("/echo",
      "TRANSFER-ENCODING: chunked", "Transfer_Encoding: gzip", "", "0") })
  end))

  it("http_client.lua fetches", with("conformance", function(port)
    local run = program.run_greenlua { "examples/http_client.lua", "127.0.0.1:" .. port .. "/" }
    assert.truthy(run.out:find("HTTP/1.1 200 OK", 1, true))
  end))
end)
