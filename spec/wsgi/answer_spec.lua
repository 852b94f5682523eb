local green = require "green"
local testing = require "green.testing"

local kit = dofile("spec/support/wsgi_kit.lua")
local program = require "spec.support.program"
local _, it = testing.busted()

local with = kit.with

--- An iterator object that counts its closes.
local function closing(pieces, counts)
  local i = 0
  return setmetatable({
    close = function() counts.closed = (counts.closed or 0) + 1 end,
  }, {
    __call = function()
      i = i + 1
      return type(pieces) == "function" and pieces(i) or type(pieces) == "table" and pieces[i]
        or nil
    end,
  })
end

describe("bodies", function()
  it("may be a string, a list, an iterator, something with read, or nothing", function()
    local forms = {
      string = "abc",
      list = { "a", "b", "c" },
      reader = { parts = { "ab", "c" }, read = function(self)
        return table.remove(self.parts, 1)
      end },
    }
    with(function(env)
      local name = env.PATH_INFO:sub(2)
      if name == "iterator" then
        return 200, nil, closing({ "a", "", "bc" }, {})
      end
      return 200, nil, forms[name]
    end, function(client)
      for _, name in ipairs { "string", "list", "iterator", "reader" } do
        assert.equal("abc", (select(3, client:get("/" .. name))), name)
      end
      local status, headers = client:get("/nothing")
      assert.same({ 200, "0" }, { status, headers["content-length"] })
    end)
  end)

  it("of regular files have their length and are sent as they are", function()
    local text = ("0123456789abcdef"):rep(200000) -- 3.2 MB
    for _, size in ipairs { 10, 16384, 16385, #text } do
      local path = program.file(text:sub(1, size))
      with(function() return 200, nil, io.open(path) end, function(client)
        local _, headers, body = client:get("/")
        assert.equal(tostring(size), headers["content-length"])
        assert.is_true(body == text:sub(1, size))
        local status, head, none = client:get("/", nil, nil, "HEAD")
        assert.same({ 200, tostring(size), "" }, { status, head["content-length"], none })
      end)
      os.remove(path)
    end
  end)

  it("of files begin where the file stands and end at the Content-Length", function()
    local path = program.file("0123456789")
    with(function(env)
      local file = io.open(path)
      file:seek("set", 3)
      return 206, { ["Content-Length"] = env.QUERY_STRING }, file
    end, function(client)
      assert.equal("345", (select(3, client:get("/?3"))))
      assert.equal("3456789", (select(3, client:get("/?7"))))
      assert.equal(500, (client:get("/?8")))
    end)
    os.remove(path)
  end)

  it("of files go to many slow readers at once, each file closed", function()
    local text = ("x"):rep(2000000)
    local path = program.file(text)
    local fds = testing.open_fds()
    with(function() return 200, nil, io.open(path) end, function(client)
      local conns = {}
      for i = 1, 5 do
        conns[i] = client:connect("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      end
      testing.settle_io() -- all are stuck
      for _, conn in ipairs(conns) do
        local _, _, body = kit.parse(conn:read_all())
        assert.equal(#text, #body)
        conn:close()
      end
    end)
    os.remove(path)
    collectgarbage()
    assert.is_true(testing.open_fds() <= fds + 1)
  end)

  it("are closed once in every case", function()
    local counts = {}
    local pieces = {
      ["/good"] = { "a", "b" },
      ["/early"] = function() error("early") end,
      ["/late"] = function(i) return i < 3 and "x" or error("late") end,
      ["/type"] = function() return {} end,
      ["/long"] = { "abc" },
    }
    with(function(env)
      local headers = env.PATH_INFO == "/long" and { ["Content-Length"] = 1 } or nil
      return env.PATH_INFO == "/status" and 99 or 200, headers,
        closing(pieces[env.PATH_INFO], counts)
    end, function(client)
      local n = 0
      for _, path in ipairs { "/good", "/early", "/late", "/type", "/long", "/status" } do
        client:get(path)
        n = n + 1
        assert.equal(n, counts.closed, path)
      end
      assert.equal(500, (client:get("/early")))
    end)
  end)

  it("are closed when the client has gone, and nobody is told more than that [b122]", function()
    local counts = {}
    with(function()
      return 200, nil, closing(function() return ("x"):rep(100000) end, counts)
    end, function(client, _, log)
      local conn = client:connect("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      conn:read(10)
      conn:close()
      testing.settle_io(function() return counts.closed end)
      testing.settle_io()
      assert.equal(1, counts.closed)
      assert.is_nil(table.concat(log, "\n"):find("traceback", 1, true))
    end)
  end)

  it("that fail half-way cut the connection", function()
    with(function()
      return 200, nil, closing(function(i) return i < 3 and "x" or error("late") end, {})
    end, { minimum_chunk_size = 0 }, function(client)
      local text = client:raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      assert.truthy(text:find("chunked", 1, true))
      assert.is_nil(text:find("\r\n0\r\n", 1, true))
    end)
  end)
end)

describe("answers to CONNECT", function()
  local request = "CONNECT a.b:80 HTTP/1.1\r\nHost: a.b:80\r\n\r\n"
  local allowed = { connect = true }

  it("are 501 and the end, unless the server is to hand it out", function()
    with(function() error("asked") end, function(client)
      local status, headers = kit.parse(client:raw(request .. "GET / HTTP/1.1\r\n"))
      assert.same({ 501, "close" }, { status, headers.connection })
    end)
  end)

  it("have no length and no body when they accept, and end the connection", function()
    local path = program.file("a file")
    local bodies = { "text", { "a", "list" }, function() return nil end, io.open(path) }
    for _, body in ipairs(bodies) do
      with(function() return 200, { ["Content-Length"] = "6" }, body end, allowed, function(client)
        local status, headers, rest = kit.parse(client:raw(request .. "GET / HTTP/1.1\r\n"))
        assert.same({ 200, "close", "" }, { status, headers.connection, rest })
        assert.is_nil(headers["content-length"])
        assert.is_nil(headers["transfer-encoding"])
      end)
    end
    os.remove(path)
  end)

  it("are as others when they refuse", function()
    with(function() return 405, nil, "no" end, allowed, function(client)
      local conn = client:connect(request .. request)
      assert.same({ 405, "no" }, { (kit.read_answer(conn)), (select(3, kit.read_answer(conn))) })
      conn:close()
    end)
  end)
end)

describe("failures", function()
  it("answer 500, say Connection: close, and close [S37]", function()
    with(function() error("boom") end, function(client)
      local text = client:raw("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
      assert.truthy(text:find("^HTTP/1.1 500 "))
      assert.truthy(text:find("\r\nConnection: close\r\n", 1, true))
      assert.is_nil(text:find("HTTP/1.1", 10, true))
    end)
  end)

  it("show a traceback only with debug [b123]", function()
    local function app() error("a secret") end
    with(app, function(client)
      assert.is_nil((select(3, client:get("/"))):find("secret", 1, true))
    end)
    with(app, { debug = true }, function(client)
      local _, headers, body = client:get("/")
      assert.truthy(body:find("a secret", 1, true))
      assert.truthy(body:find("answer_spec.lua", 1, true))
      assert.equal("close", headers["connection"])
    end)
  end)

  it("by a timeout, the handler's or the server's, end no worker [b124]", function()
    with(function(env)
      if env.PATH_INFO == "/own" then
        green.Timeout(0.001)
        green.sleep(5)
      elseif env.PATH_INFO == "/late" then
        return 200, nil, function() green.Timeout(0.001) green.sleep(5) end
      end
      green.sleep(env.PATH_INFO == "/slow" and 5 or 0)
      return 200, nil, "in time"
    end, { handler_timeout = 0.05 }, function(client)
      for _, path in ipairs { "/own", "/late", "/slow" } do
        assert.equal(500, (client:get(path)), path)
        assert.equal("in time", (select(3, client:get("/"))))
      end
    end)
  end)
end)

describe("header names", function()
  it("are capitalised, values never, and not at all on request [b125]", function()
    local function app()
      return 200, { ["x-some-thing"] = "as-is", ["x-list"] = { "a", "b" } }, ""
    end
    with(app, function(client)
      local text = client:raw("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      assert.truthy(text:find("X-Some-Thing: as-is\r\n", 1, true))
      assert.truthy(text:find("X-List: a\r\nX-List: b\r\n", 1, true))
    end)
    with(app, { capitalize_response_headers = false }, function(client)
      local text = client:raw("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      assert.truthy(text:find("x-some-thing: as-is\r\n", 1, true))
    end)
  end)
end)
