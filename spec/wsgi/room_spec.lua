-- Connections between requests that make room: at max_connections, and where there
-- are no descriptors.

local green = require "green"
local testing = require "green.testing"

local http = dofile("spec/support/http.lua")
local program = require "spec.support.program"
local virtual_it, real_it = testing.busted()
local it = http.its(real_it)

local ask, get, answer = http.ask, http.get, http.answer

local function handler(env)
  if env.PATH_INFO == "/wait" then
    green.sleep(0.1)
  end
  return 200, {}, env.PATH_INFO
end

--- A client whose connection is between requests.
local function idle(server)
  local conn = server:connect()
  assert.equal("/", ask(conn, get "/").body)
  testing.settle_io()
  return conn
end

describe("at max_connections", function()
  it("the oldest idle connection makes room", function(serve)
    local server = serve(handler, { max_connections = 3 })
    local a, b, c = idle(server), idle(server), idle(server)
    local d = server:connect()
    assert.equal("/d", ask(d, get "/d").body)
    assert.is_nil(a:read_line()) -- closed
    assert.equal("/b", ask(b, get "/b").body) -- that makes it the youngest
    testing.settle_io()
    assert.equal("/e", ask(server:connect(), get "/e").body)
    assert.is_nil(c:read_line())
    local stats = server.server:stats()
    assert.equal(2, stats.evicted)
    assert.equal(3, stats.connections)
  end)

  it("none goes before somebody comes", function(serve)
    local server = serve(handler, { max_connections = 2 })
    local a, b = idle(server), idle(server)
    green.sleep(0.12) -- it looks every 0.05 s
    assert.equal("/a", ask(a, get "/a").body)
    assert.equal("/b", ask(b, get "/b").body)
    assert.equal(0, server.server:stats().evicted)
  end)

  it("none goes that has a request: who comes waits", function(serve)
    local server = serve(handler, { max_connections = 2 })
    local a, b = server:connect(get "/wait"), server:connect(get "/wait")
    testing.settle_io()
    local c = server:connect(get "/c")
    assert.equal("/c", answer(c).body) -- as soon as one of them is idle
    assert.equal("/wait", answer(a).body)
    assert.equal("/wait", answer(b).body)
    assert.equal(1, server.server:stats().evicted)
  end)

  -- The clock stands still: nobody can be waiting for a second look.
  for how, ending in pairs { ["comes to rest"] = "", ["is closed"] = "Connection: close\r\n" } do
    virtual_it("who waits is let in at once when a connection " .. how, function()
      local gate = green.Event()
      local server = http.serve(function(env)
        if env.PATH_INFO == "/wait" then
          gate:wait()
        end
        return 200, {}, env.PATH_INFO
      end, { max_connections = 1 })
      local a = server:connect(("GET /wait HTTP/1.1\r\nHost: x\r\n%s\r\n"):format(ending))
      testing.settle()
      local b = server:connect(get "/b")
      testing.settle()
      assert.equal(1, server.server:stats().accepted)
      gate:send(true)
      local reader = green.spawn(answer, b)
      testing.settle_io(function() return reader:dead() end)
      assert.equal("/b", reader:wait().body)
      assert.equal("/wait", answer(a).body)
      server:close(testing.advance)
    end)
  end

  it("a crowd is served, one after the other", function(serve)
    local server = serve(handler, { max_connections = 5 })
    local done = 0
    local group = {}
    for i = 1, 100 do
      group[i] = green.spawn(function()
        local conn = server:connect()
        assert.equal("/" .. i, ask(conn, get("/" .. i)).body)
        done = done + 1
      end)
    end
    green.joinall(group)
    assert.equal(100, done)
    assert.equal(95, server.server:stats().evicted)
  end)

  it("the log tells, once in a while", function(serve)
    local lines = {}
    local server = serve(handler, { max_connections = 1, log = lines, access_log = false,
      error_log = true })
    for _ = 1, 5 do
      idle(server)
    end
    local told = 0
    for _, line in ipairs(lines) do
      if line:find("max_connections are open: 1 idle connections closed to make room", 1, true)
      then
        told = told + 1
      end
    end
    assert.equal(1, told, table.concat(lines, "\n"))
  end)
end)

describe("out of descriptors", function()
  local SERVER = [[
    local green, wsgi = require "green", require "green.wsgi"
    local l = assert(green.listen("127.0.0.1:0", { backlog = 256 }))
    io.write("port ", (select(2, l:sockname())), "\n")
    io.flush()
    local lines = {}
    wsgi.server(l, function(env)
      if env.PATH_INFO == "/stats" then
        return 200, {}, env["green.server"]:stats().evicted .. "\n" .. table.concat(lines)
      end
      return 200, {}, "hello"
    end, { access_log = false, error_log = lines, max_connections = 1e6 })
  ]]

  local function with_child(hub, fn)
    local path = program.file(SERVER)
    local child = program.start { "sh", "-c", 'ulimit -n 30 && exec "$1" "$2"', "sh",
      program.greenlua, path, env = { GREENLUA_HUB = hub } }
    local conns = {}
    local ok, err = pcall(function()
      child:expect "port "
      local port = tonumber(child:expect "\n")
      fn(function()
        conns[#conns + 1] = assert(green.connect("127.0.0.1", port))
        return conns[#conns]
      end, child)
    end)
    for _, conn in ipairs(conns) do
      conn:close()
    end
    child:kill(program.KILL):wait()
    os.remove(path)
    if not ok then
      error(err, 0)
    end
  end

  for _, hub in ipairs { "epoll", "poll", "select" } do
    real_it("a hundred clients are served under ulimit -n 30, with " .. hub, function()
      with_child(hub, function(connect)
        for _ = 1, 100 do
          assert.equal("hello", ask(connect(), get "/").body)
        end
        local evicted, log = ask(connect(), get "/stats").body:match "^(%d+)\n(.*)$"
        assert.is_true(tonumber(evicted) >= 70 and tonumber(evicted) < 100, evicted)
        assert.matches("%(EMFILE%): %d+ idle connections closed to make room", log)
        assert.equal(1, http.count(log, "EMFILE"))
      end)
    end)
  end

  real_it("who has a request keeps it", function()
    with_child("epoll", function(connect)
      local half = {}
      for i = 1, 5 do
        half[i] = connect()
        half[i]:write "GET / HTTP/1.1\r\nHo"
      end
      for _ = 1, 60 do
        assert.equal("hello", ask(connect(), get "/").body)
      end
      for i = 1, 5 do
        half[i]:write "st: a\r\n\r\n"
        assert.equal("hello", answer(half[i]).body)
      end
    end)
  end)
end)
