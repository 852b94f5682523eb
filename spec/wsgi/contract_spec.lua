local core = require "green.core"
local green = require "green"
local testing = require "green.testing"
local wsgi = require "green.wsgi"

local kit = dofile("spec/support/wsgi_kit.lua")
local program = require "spec.support.program"
local _, it = testing.busted()

local with = kit.with

local function hello()
  return 200, { ["Content-Type"] = "text/plain" }, "hello"
end

describe("applications", function()
  it("may be a function, a table with run, or something callable", function()
    local forms = {
      hello,
      { run = hello },
      setmetatable({}, { __call = function(_, env) return hello(env) end }),
    }
    for _, app in ipairs(forms) do
      with(app, function(client)
        local status, headers, body = client:get("/")
        assert.same({ 200, "text/plain", "hello" }, { status, headers["content-type"], body })
      end)
    end
  end)

  it("may be the name of a module or of a file", function()
    local path = program.file("return { run = function() return 200, {}, 'from a file' end }")
    package.preload["spec_wsgi_app"] = function() return { run = hello } end
    with("spec_wsgi_app", function(client)
      assert.equal("hello", select(3, client:get("/")))
    end)
    with(path, function(client)
      assert.equal("from a file", select(3, client:get("/")))
    end)
    package.preload["spec_wsgi_app"], package.loaded["spec_wsgi_app"] = nil, nil
    os.remove(path)
  end)

  it("are refused when they are none of these", function()
    local ok, err = pcall(wsgi.serve, "127.0.0.1:0", 5)
    assert.is_false(ok)
    assert.truthy(err:find("app must be a function", 1, true))
    assert.has_error(function() wsgi.serve("127.0.0.1:0", "no.such.module") end)
  end)

  it("run unmodified when they know only env and start_response [S01]", function()
    local function app(env, start_response)
      start_response("200 OK", { { "Content-Type", "text/plain" } })
      return { "you asked for ", env["PATH_INFO"] }
    end
    with(app, function(client)
      local status, headers, body = client:get("/this")
      assert.same({ 200, "text/plain", "you asked for /this" },
        { status, headers["content-type"], body })
      assert.equal("19", headers["content-length"])
    end)
  end)

  it("may write by what start_response returns, or call it late", function()
    with(function(_, start_response)
      local write = start_response("200 OK", {})
      write("one ")
      write("two ")
      return { "three" }
    end, function(client)
      assert.equal("one two three", select(3, client:get("/")))
    end)
    with(function(_, start_response)
      return coroutine.wrap(function()
        start_response(201, { ["X-Late"] = "yes" })
        coroutine.yield("a")
        coroutine.yield("b")
      end)
    end, function(client)
      local status, headers, body = client:get("/")
      assert.same({ 201, "yes", "ab" }, { status, headers["x-late"], body })
    end)
  end)

  it("may start anew with an error, until something has left", function()
    with(function(env, start_response)
      local write = start_response("200 OK", {})
      if env.PATH_INFO == "/late" then
        write(("x"):rep(10000))
      end
      start_response("503 Sorry", {}, "it failed")
      return { "sorry" }
    end, function(client)
      assert.same({ 503, "sorry" }, { (client:get("/")), (select(3, client:get("/"))) })
      local text = client:raw("GET /late HTTP/1.1\r\nHost: x\r\n\r\n")
      assert.is_nil(text:find("0\r\n\r\n$"))
    end)
  end)

  it("hold a thousand slow requests at once [S01]", function()
    local gate, inside = green.Event(), 0
    with(function(_, start_response)
      inside = inside + 1
      gate:wait()
      start_response("200 OK", {})
      return { "done" }
    end, { log = false, max_size = 1000 }, function(client)
      local conns = {}
      for i = 1, 1000 do
        conns[i] = client:connect("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      end
      testing.settle_io(function() return inside == 1000 end)
      gate:send(true)
      for _, conn in ipairs(conns) do
        assert.truthy(conn:read_all():find("done", 1, true))
        conn:close()
      end
    end)
  end)

  it("give the same answer when called with a plain table for env [S68]", function()
    local function app(env)
      return 200, { ["Content-Type"] = "text/plain" },
        { env.REQUEST_METHOD, " ", env.PATH_INFO, " ", env.input:read() or "nothing" }
    end
    local fake = { REQUEST_METHOD = "POST", PATH_INFO = "/p",
      input = { read = function() return "body" end } }
    local _, _, expected = app(fake)
    with(app, function(client)
      assert.equal(table.concat(expected), (select(3, client:get("/p", nil, "body"))))
    end)
  end)

  it("pass news on to many who wait while many more are idle, and serve others [S02]", function()
    local news = green.Event()
    with(function(env)
      if env.PATH_INFO == "/wait" then
        return 200, nil, news:wait()
      elseif env.PATH_INFO == "/say" then
        news:send(env.QUERY_STRING)
      end
      return 200, nil, "ok"
    end, { log = false }, function(client, server)
      local idle, waiting = {}, {}
      for i = 1, 500 do
        idle[i] = client:connect("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        kit.read_answer(idle[i])
      end
      testing.settle_io()
      local threads = core.stats().threads
      assert.is_true(threads < 100, threads .. " threads")
      for i = 1, 50 do
        waiting[i] = client:connect("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
      end
      testing.settle_io()
      for i = 1, 500, 50 do -- idle ones and new ones are answered meanwhile
        idle[i]:write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert.equal("ok", (select(3, kit.read_answer(idle[i]))))
        assert.equal("ok", (select(3, client:get("/"))))
      end
      testing.settle_io()
      local stats = server:stats()
      assert.same({ 550, 500, 50 }, { stats.connections, stats.idle, stats.busy })
      assert.is_true(stats.workers < 100, stats.workers .. " workers")
      client:get("/say?hello")
      for _, conn in ipairs(waiting) do
        assert.equal("hello", (select(3, kit.read_answer(conn))))
      end
      testing.settle_io()
      stats = server:stats()
      assert.same({ 550, 550, 0 }, { stats.connections, stats.idle, stats.busy })
      for _, conn in ipairs(waiting) do conn:close() end
      for _, conn in ipairs(idle) do conn:close() end
    end)
  end)
end)

describe("WSAPI applications", function()
  it("find \"\" for what is not there, and their body's length", function()
    local function run(env)
      local body = env.input:read(tonumber(env.CONTENT_LENGTH) or 0)
      return 200, { ["Content-type"] = "text/html" }, coroutine.wrap(function()
        coroutine.yield("[" .. env.QUERY_STRING .. env.HTTP_X_MISSING .. env.APP_PATH .. "]")
        coroutine.yield("")
        coroutine.yield(tostring(body))
      end)
    end
    with({ run = run }, { wsapi = true }, function(client)
      assert.equal("[]body", (select(3, client:get("/", nil, "body"))))
      assert.equal("[]nil", (select(3, client:get("/"))))
      local _, _, body = kit.parse(client:raw("POST / HTTP/1.1\r\nHost: x\r\n"
        .. "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        .. "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"))
      assert.equal("[]abcde", body)
    end)
  end)

  it("raise {404, message} for a page that is not there", function()
    with(function() error({ 404, "no such page" }) end, function(client, _, log)
      local status, _, body = client:get("/")
      assert.same({ 404, "no such page\n" }, { status, body })
      testing.settle_io()
      for _, line in ipairs(log) do assert.is_nil(line:find("traceback", 1, true)) end
    end)
  end)

  it("read nothing for a length of nothing, and write to env.error", function()
    with(function(env)
      env.error:write("a word ", "to the log\n")
      return 200, nil, tostring(env.input:read(0)) .. " " .. tostring(env.input:read())
    end, function(client, _, log)
      assert.equal("nil abc", (select(3, client:get("/", nil, "abc"))))
      testing.settle_io()
      assert.truthy(table.concat(log, "\n"):find("a word to the log", 1, true))
    end)
  end)
end)
