local core = require "green.core"
local green = require "green"
local socket = require "green.socket"
local testing = require "green.testing"
local wsgi = require "green.wsgi"

local kit = dofile("spec/support/wsgi_kit.lua")
local sockets = dofile("spec/support/sockets.lua")
local _, it = testing.busted()

local with = kit.with
local GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

local function hello()
  return 200, nil, "hello"
end

--- One request on a connection of its own: the body.
local function fetch(target)
  local conn = assert(green.connect(target))
  conn:settimeout(8)
  conn:write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
  local _, _, body = kit.parse(conn:read_all())
  conn:close()
  return body
end

describe("a server", function()
  it("starts once, however often it is told", function()
    with(hello, function(client, server, log)
      assert.equal(server, server:start())
      assert.equal(server, server:start())
      assert.equal("hello", (select(3, client:get("/"))))
      testing.settle_io()
      local _, starts = table.concat(log, "\n"):gsub("serving on", "")
      assert.equal(1, starts)
    end)
  end)

  it("stops once, however often it is told, and does not start again", function()
    local log = {}
    local server = assert(wsgi.new("127.0.0.1:0", hello, { log = log })):start()
    assert.is_true(server:stop())
    assert.is_true(server:stop())
    assert.is_true(server:stop({ grace = 0 }))
    assert.is_true(server:serve_forever())
    local ok, err = pcall(function() server:start() end)
    assert.is_false(ok)
    assert.truthy(err:find("server_spec.lua:%d+: start: the server was stopped$"), err)
    local _, stops = table.concat(log, "\n"):gsub("stopped http://", "")
    assert.equal(1, stops)
  end)

  it("that was stopped before it started lets serve_forever return at once", function()
    local server = assert(wsgi.new("127.0.0.1:0", hello, { log = {} }))
    local serving = green.spawn(server.serve_forever, server)
    assert.is_true(server:stop())
    assert.is_true(serving:wait())
  end)

  it("may be stopped from a handler that does not wait for it", function()
    local server
    with(function()
      green.spawn(server.stop, server)
      green.sleep(0)
      return 200, nil, "the last one"
    end, function(client, given)
      server = given
      server:start()
      local status, headers, body = kit.parse(client:raw(GET))
      assert.same({ 200, "close", "the last one" }, { status, headers.connection, body })
      assert.is_true(server:serve_forever())
    end)
  end)

  it("is not made of a listener that is closed", function()
    local listener = assert(green.listen("127.0.0.1:0"))
    listener:close()
    local server, err = wsgi.new(listener, hello)
    assert.is_nil(server)
    assert.is_true(err:is("ECLOSED"))
    local ok
    ok, err = wsgi.server(listener, hello)
    assert.is_nil(ok)
    assert.is_true(err:is("ECLOSED"))
  end)

  it("ends, and says why, when its socket does not listen", function()
    local sock = assert(socket.tcp())
    assert(sock:bind("127.0.0.1", 0))
    local log = {}
    assert.is_true(wsgi.server(sock, hello, { log = log }))
    assert.truthy(table.concat(log, "\n"):find("accept: invalid argument (EINVAL)", 1, true))
  end)

  it("is one of several in a process: each has its own numbers and its own end", function()
    with(hello, function(a, first)
      with(function() return 200, nil, "other" end, function(b, second)
        for _ = 1, 3 do a:get("/") end
        assert.equal("other", (select(3, b:get("/"))))
        assert.same({ 3, 1 }, { first:stats().requests, second:stats().requests })
        second:stop()
        assert.equal("hello", (select(3, a:get("/"))))
      end)
    end)
  end)

  it("may share its application, and its pool, with others", function()
    local seen, pool = {}, green.GreenPool(4)
    local function app(env)
      seen[env.SERVER_PORT] = (seen[env.SERVER_PORT] or 0) + 1
      return hello()
    end
    with(app, { custom_pool = pool }, function(a, first)
      with(app, { custom_pool = pool }, function(b, second)
        for _ = 1, 2 do
          a:get("/")
          b:get("/")
        end
        assert.same({ [first.port .. ""] = 2, [second.port .. ""] = 2 }, seen)
      end)
      assert.equal("hello", (select(3, a:get("/"))))
    end)
  end)
end)

describe("memory that is short while a server is made", function()
  --- Call fn(...) while core makes no object of that kind.
  local function starved(kind, fn, ...)
    local object = core.object
    core.object = function(name, ...)
      if name == kind then
        error("not enough memory", 0)
      end
      return object(name, ...)
    end
    local ok, err = pcall(fn, ...)
    core.object = object
    assert.is_false(ok)
    assert.equal("not enough memory", err)
  end

  for _, kind in ipairs { "httpd", "httpd_log" } do
    it("is raised, and leaves the listener alone: " .. kind, function()
      local listener = assert(green.listen("127.0.0.1:0"))
      starved(kind, wsgi.new, listener, hello, { log = {} })
      assert.truthy(listener:fileno())
      listener:close()
    end)
  end
end)

describe("a server's address", function()
  it("is that of its listener", function()
    with(hello, function(_, server)
      local host, port = server:address()
      assert.same({ "127.0.0.1", server.port }, { host, port })
      assert.equal(("http://127.0.0.1:%d"):format(port), server.url)
    end)
  end)

  it("may be a port alone, on every IPv4 address", function()
    local server = assert(wsgi.new(0, hello, { log = {} })):start()
    assert.equal("0.0.0.0", (server:address()))
    assert.equal("hello", fetch("127.0.0.1:" .. server.port))
    server:stop()
  end)

  it("may be every address, of IPv4 too", function()
    if not sockets.has_ipv6() then
      pending("this machine has no ::1")
    end
    local server = assert(wsgi.new("[::]:0", function(env)
      return 200, nil, env.REMOTE_ADDR
    end, { log = {} })):start()
    assert.equal("http://[::]:" .. server.port, server.url)
    assert.equal("::1", fetch("[::1]:" .. server.port))
    assert.equal("::ffff:127.0.0.1", fetch("127.0.0.1:" .. server.port))
    server:stop()
  end)

  it("may be a UNIX socket, stopped as others are", function()
    local path = sockets.path()
    local gate = green.Event()
    with(function() return 200, nil, gate:wait() end, { at = "unix:" .. path },
      function(client, server, log)
        local idle, busy = client:connect(), client:connect(GET)
        testing.settle_io()
        local stopper = green.spawn(server.stop, server)
        assert.is_nil(idle:read_some())
        gate:send("done")
        assert.equal("done", (select(3, kit.read_answer(busy))))
        busy:close()
        assert.is_true(stopper:wait())
        idle:close()
        assert.equal("greenlua: serving on unix:" .. path, log[1])
      end)
    os.remove(path)
  end)
end)

describe("server:stats", function()
  it("has these numbers, all 0 at first", function()
    local server = assert(wsgi.new("127.0.0.1:0", hello, { log = {} }))
    local zeros = {}
    for _, name in ipairs { "connections", "idle", "accepted", "requests", "refused", "timeouts",
      "evicted", "failed", "workers", "busy", "taken_over", "websockets", "log_lines",
      "log_dropped" } do
      zeros[name] = 0
    end
    assert.same(zeros, server:stats())
    server:stop()
  end)

  it("tells what is now, and what has been", function()
    local gate = green.Event()
    with(function(env)
      if env.PATH_INFO == "/wait" then
        gate:wait()
      elseif env.PATH_INFO == "/take" then
        local stream = env.take_over()
        stream:read_some()
        stream:close()
        return nil
      elseif env.PATH_INFO == "/fail" then
        error("failed")
      end
      return hello()
    end, { header_timeout = 0.05, log = false, access_log = {}, error_log = {} },
      function(client, server)
        local function like(expected)
          testing.settle_io()
          local stats, got = server:stats(), {}
          for name in pairs(expected) do got[name] = stats[name] end
          assert.same(expected, got)
        end
        local idle = client:connect(GET)
        local busy = client:connect("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        kit.read_answer(idle)
        local taken = client:connect("GET /take HTTP/1.1\r\nHost: x\r\n\r\n")
        like { connections = 2, idle = 1, busy = 1, taken_over = 1, accepted = 3, requests = 3 }
        gate:send(true)
        kit.read_answer(busy)
        like { connections = 2, idle = 2, busy = 0 }
        taken:close()
        idle:close()
        busy:close()
        client:get("/fail")
        client:raw("nonsense\r\n\r\n")
        client:raw("GET / HT")
        like { connections = 0, idle = 0, busy = 0, taken_over = 0, accepted = 6, requests = 4,
          refused = 2, timeouts = 1, failed = 1, log_dropped = 0 }
        server:stop()
        like { workers = 0, log_lines = 6 + 3 } -- start, failure, stop
      end)
  end)
end)
