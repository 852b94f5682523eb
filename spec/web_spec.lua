-- examples/web.lua does what docs/web.md says of it.

local green = require "green"
local testing = require "green.testing"

local program = require "spec.support.program"
local _, it = testing.busted()

local TERM = 15

--- Run body(port) while the example serves.
local function serving(body)
  return function()
    local run = program.start_greenlua { "examples/web.lua", "127.0.0.1:0" }
    run:expect("serving on http://127.0.0.1:")
    run:expect("\n")
    local ok, err = pcall(body, tonumber(run.out:match("127%.0%.0%.1:(%d+)")), run)
    run:kill(TERM)
    run:wait()
    if not ok then
      error(err, 0)
    end
  end
end

local function dial(port, line, rest)
  local conn = assert(green.connect("127.0.0.1", port, { timeout = 8 }))
  conn:settimeout(8)
  conn:write(line, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", rest or "\r\n")
  return conn
end

--- The whole answer as text: status, head, body.
local function ask(port, line, rest)
  local conn = dial(port, line, rest)
  local text = conn:read_all()
  conn:close()
  local head, body = text:match("^(.-)\r\n\r\n(.*)$")
  return tonumber(head:match("^HTTP/1.1 (%d+)")), head, body
end

--- A page that is open: it has been told so.
local function open_page(port)
  local conn = dial(port, "GET /events")
  assert.truthy(conn:read_until("data: welcome\n\n"))
  return conn
end

describe("examples/web.lua", function()
  it("finds a route by method and path", serving(function(port)
    local status, head, body = ask(port, "GET /hello/ann")
    assert.same({ 200, "hello, ann\n" }, { status, body })
    assert.truthy(head:find("Content-Type: text/plain; charset=utf-8", 1, true))
    assert.equal(404, (ask(port, "GET /nothing")))
    status, head = ask(port, "PUT /say")
    assert.equal(405, status)
    assert.truthy(head:find("\r\nAllow: POST\r\n", 1, true))
    status, _, body = ask(port, "HEAD /hello/ann")
    assert.same({ 200, "" }, { status, body })
  end))

  it("keeps a number in a cookie", serving(function(port)
    local _, head, body = ask(port, "GET /visits", "Cookie: a=1; visits=3\r\n\r\n")
    assert.equal("visit 4\n", body)
    assert.truthy(head:find("\r\nSet-Cookie: visits=4; Path=/; HttpOnly", 1, true))
  end))

  it("sends files of its folder and no others", serving(function(port)
    local file = assert(io.open("examples/hello.lua"))
    local text = file:read("*a")
    file:close()
    local status, _, body = ask(port, "GET /files/hello.lua")
    assert.same({ 200, text }, { status, body })
    for _, path in ipairs { "/files/../README.md", "/files/..%2fREADME.md", "/files/nosuch.lua",
      "/files/.", "/files/..", "/files/" } do
      assert.equal(404, (ask(port, "GET " .. path)))
    end
  end))

  it("tells every open page what is said", serving(function(port)
    local first, second = open_page(port), open_page(port)
    assert.equal(204, (ask(port, "POST /say", "Content-Length: 4\r\n\r\na\r\nb")))
    for _, conn in ipairs { first, second } do
      assert.truthy(conn:read_until("data: a b\n\n"))
      conn:close()
    end
  end))

  it("stops at once though a page is open", serving(function(port, run)
    local page = open_page(port)
    run:kill(TERM)
    local rest, err = page:read_all() -- dial's limit is shorter than the grace
    assert.is_false(err ~= nil and err:is("ETIMEDOUT"), rest)
    page:close()
    assert.equal(0, run:wait().status)
  end))
end)
