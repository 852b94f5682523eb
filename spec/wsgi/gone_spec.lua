-- Clients that go while their request is in hand: env["green.gone"], and the option
-- cancel_on_disconnect.

local green = require "green"
local testing = require "green.testing"

local http = dofile("spec/support/http.lua")
local program = require "spec.support.program"
local _, real_it = testing.busted()
local it = http.its(real_it)

local ask, get, answer, reset = http.ask, http.get, http.answer, http.reset

local function ok()
  return 200, {}, "ok"
end

--- A server whose handler is told to go by what it returns.
local function collect(fn)
  local got = { n = 0 }
  return got, function(env)
    got.n = got.n + 1
    local a, b = fn(env, got)
    got.first, got.second, got.is_done = a, b, true
    return 200, {}, "late"
  end
end

describe("env['green.gone']", function()
  it("is an event that is sent when the client resets", function(serve)
    local got, handler = collect(function(env)
      return env["green.gone"]:wait()
    end)
    local server = serve(handler)
    local conn = server:connect(get "/")
    testing.settle_io()
    assert.is_nil(got.is_done)
    reset(conn)
    testing.settle_io(function() return got.is_done end)
    assert.is_true(got.first)
    assert.equal("ok", ask(serve(ok):connect(), get "/").body)
  end)

  it("is ready then, and not before", function(serve)
    local states = {}
    local server = serve(function(env)
      local gone = env["green.gone"]
      states[1] = gone:ready()
      states[2] = tostring(gone)
      assert(gone:wait())
      states[3] = gone:ready()
      states[4] = tostring(gone)
      states[5] = gone == env["green.gone"]
      return 200, {}, ""
    end)
    local conn = server:connect(get "/")
    testing.settle_io()
    reset(conn)
    testing.settle_io(function() return states[5] end)
    assert.same({ false, "green.wsgi.gone{not gone}", true, "green.wsgi.gone{gone}", true }, states)
  end)

  it("is seen by a handler that never waits", function(serve)
    local n, was_gone = 0, false
    local conn
    local server = serve(function(env)
      local gone = env["green.gone"]
      reset(conn)
      repeat
        n = n + 1
        was_gone = gone:ready()
      until was_gone or n > 1e6
      return 200, {}, "x"
    end)
    conn = server:connect(get "/")
    testing.settle_io(function() return n > 0 end)
    assert.is_true(was_gone)
  end)

  it("can be waited for with others", function(serve)
    local which
    local server = serve(function(env)
      local gone, queue = env["green.gone"], green.Queue()
      which = green.wait({ queue, gone }, nil, 1)[1] == gone
      return 200, {}, "x"
    end)
    local conn = server:connect(get "/")
    testing.settle_io()
    reset(conn)
    testing.settle_io(function() return which ~= nil end)
    assert.is_true(which)
  end)

  it("waits no longer than it is told", function(serve)
    local code
    local server = serve(function(env)
      local _, err = env["green.gone"]:wait(0.01)
      code = err.code
      return 200, {}, "there"
    end)
    assert.equal("there", ask(server:connect(), get "/").body)
    assert.equal("ETIMEDOUT", code)
  end)

  it("ends with the request: a thread that was left behind is told", function(serve)
    local code, is_watched
    local server = serve(function(env)
      local gone = env["green.gone"]
      green.spawn(function()
        local _, err = gone:wait()
        code = err and err.code
      end)
      green.spawn(function()
        is_watched = green.wait({ gone })[1] == gone
      end)
      green.sleep(0)
      return 200, {}, "x"
    end)
    local conn = server:connect()
    for _ = 1, 3 do
      code, is_watched = nil, nil
      assert.equal("x", ask(conn, get "/").body)
      testing.settle_io()
      assert.equal("ECLOSED", code)
      assert.is_true(is_watched)
    end
  end)

  it("asked after the request says that it is over", function(serve)
    local kept
    local server = serve(function(env)
      kept = env["green.gone"]
      return 200, {}, "x"
    end)
    ask(server:connect(), get "/")
    testing.settle_io()
    local gone, err = kept:wait()
    assert.is_nil(gone)
    assert.equal("ECLOSED", err.code)
    assert.is_true(kept:ready())
    assert.equal("green.wsgi.gone{request over}", tostring(kept))
  end)

  it("says nothing of the next request's client", function(serve)
    local first
    local server = serve(function(env)
      if env.PATH_INFO == "/1" then
        first = env["green.gone"]
        first:wait(0)
        return 200, {}, "1"
      end
      return 200, {}, tostring(env["green.gone"] ~= first and not env["green.gone"]:ready())
    end)
    local conn = server:connect()
    ask(conn, get "/1")
    assert.equal("true", ask(conn, get "/2").body)
  end)

  it("leaves what is sent behind the request where it is", function(serve)
    local server = serve(function(env)
      local _, err = env["green.gone"]:wait(0.02)
      return 200, {}, env.PATH_INFO .. (err and err.code or "")
    end)
    local conn = server:connect(get "/1" .. get "/2")
    green.sleep(0.01) -- it is waiting
    conn:write(get "/3")
    for i = 1, 3 do
      assert.equal("/" .. i .. "ETIMEDOUT", answer(conn).body)
    end
  end)

  it("hears a reset behind bytes that nobody has read", function(serve)
    local got, handler = collect(function(env)
      return env["green.gone"]:wait()
    end)
    local server = serve(handler)
    local conn = server:connect(get "/1")
    testing.settle_io()
    conn:write(("x"):rep(100000))
    reset(conn)
    testing.settle_io(function() return got.is_done end)
    assert.is_true(got.first)
  end)

  for _, half_close in ipairs { true, false } do
    it("of a client that has ended its side, half_close = " .. tostring(half_close),
      function(serve)
        local server = serve(function(env)
          local gone = env["green.gone"]:wait(half_close and 0.05 or nil)
          return 200, {}, tostring(gone)
        end, { half_close = half_close })
        local conn = server:connect(get "/")
        testing.settle_io()
        conn:shutdown "write"
        assert.equal(tostring(not half_close or nil), answer(conn).body)
      end)
  end

  it("says no more once the connection is taken over", function(serve)
    local code, line
    local server = serve(function(env)
      local gone = env["green.gone"]
      green.spawn(function()
        local _, err = gone:wait()
        code = err and err.code
      end)
      green.sleep(0)
      local s = env.take_over()
      green.sleep(0)
      assert(code == "ECLOSED" and gone:ready())
      line = s:read_line()
      s:close()
    end)
    local conn = server:connect(get "/")
    conn:write "hello\n"
    testing.settle_io()
    assert.equal("hello", line)
    conn:close()
  end)

  it("is heard in a body's iterator, and while the body is read", function(serve)
    local streamed, read
    local server = serve(function(env)
      if env.PATH_INFO == "/read" then
        green.spawn(function() read = env["green.gone"]:wait() end)
        env.input:read()
        return 200, {}, ""
      end
      return 200, {}, function()
        streamed = env["green.gone"]:wait()
        return nil
      end
    end)
    local a = server:connect(get "/")
    local b = server:connect "POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"
    testing.settle_io()
    reset(a)
    reset(b)
    testing.settle_io(function() return streamed ~= nil and read ~= nil end)
    assert.is_true(streamed)
    assert.is_true(read)
  end)

  it("belongs to each of many", function(serve)
    local gone, there = 0, 0
    local server = serve(function(env)
      if env["green.gone"]:wait(env.PATH_INFO == "/stay" and 0.1 or nil) then
        gone = gone + 1
      else
        there = there + 1
      end
      return 200, {}, "x"
    end)
    local all = {}
    for i = 1, 100 do
      all[i] = server:connect(get(i % 2 == 0 and "/stay" or "/go"))
    end
    testing.settle_io()
    for i = 1, 100, 2 do
      reset(all[i])
    end
    testing.settle_io(function() return gone + there == 100 end)
    assert.equal(50, gone)
  end)

  it("that cannot be waited for, or is asked wrongly, watches nothing", function(serve)
    local core = require "green.core"
    local server = serve(function(env)
      local gone, httpd = env["green.gone"], env["green.server"].httpd_pointer
      local _, refused = pcall(string.gsub, "a", "a", function() gone:wait(1) end)
      local _, wrong = pcall(gone.wait, gone, "soon")
      assert(core.httpd_gone_fd(httpd) == nil)
      return 200, {}, refused .. "\n" .. wrong
    end)
    local text = ask(server:connect(), get "/").body
    assert.matches("cannot wait inside string.gsub", text)
    assert.matches("green.gone:wait: timeout", text)
  end)

  it("costs no descriptor where nobody asks, and none after the server", function(serve)
    local core = require "green.core"
    local server = serve(function(env)
      require("green.wsgi").fill(env)
      local httpd = env["green.server"].httpd_pointer
      if env.PATH_INFO == "/ask" then
        env["green.gone"]:wait(0)
      end
      return 200, {}, tostring(core.httpd_gone_fd(httpd) ~= nil)
    end)
    local conn = server:connect()
    assert.equal("false", ask(conn, get "/").body)
    assert.equal("true", ask(conn, get "/ask").body)
  end)
end)

describe("cancel_on_disconnect", function()
  local function cancelling(fn)
    local seen = { code = nil, n = 0 }
    return seen, function(env)
      local done, err = pcall(fn, env, seen)
      seen.ok, seen.err, seen.n = done, err, seen.n + 1
      if not done then
        error(err, 0)
      end
      return 200, {}, "late"
    end
  end

  local waits = {
    sleeps = function()
      green.sleep(60)
    end,
    ["reads the body"] = function(env)
      local _, err = env.input:read()
      assert(err.code == "ECONNRESET")
      green.sleep(60)
    end,
    ["waits for a queue"] = function()
      green.Queue():get()
    end,
    ["waits in a coroutine"] = function()
      coroutine.wrap(function() green.sleep(60) end)()
    end,
    computes = function(_, seen)
      reset(seen.conn)
      local stop = os.clock() + 0.02
      while os.clock() < stop do end -- the CPU, for the reset to arrive
      green.sleep(0)
      green.sleep(60)
    end,
    ["waits for its client, too"] = function(env)
      while true do
        env["green.gone"]:wait()
      end
    end,
  }

  for what, fn in pairs(waits) do
    it("ends a handler that " .. what, function(serve)
      local seen, handler = cancelling(fn)
      local lines = {}
      local server = serve(handler, { cancel_on_disconnect = true, access_log = lines,
        log_format = "%(status_code)s %(reason)s" })
      seen.conn = server:connect "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"
      testing.settle_io()
      if what ~= "computes" then
        reset(seen.conn)
      end
      testing.settle_io(function() return seen.n > 0 end)
      assert.is_false(seen.ok)
      assert.is_true(green.is_error(seen.err, "EGONE"), tostring(seen.err))
      testing.settle_io()
      assert.same({ "- client has gone" }, lines)
      assert.same({}, server.log)
      assert.equal(0, server.server:stats().busy)
      assert.equal(0, server.server:stats().failed)
    end)
  end

  it("ends a body that is being streamed, and closes it", function(serve)
    local closed, pieces = false, 0
    local server = serve(function()
      return 200, {}, setmetatable({ close = function() closed = true end }, {
        __call = function()
          pieces = pieces + 1
          green.sleep(pieces > 1 and 60 or 0)
          return ("x"):rep(5000)
        end,
      })
    end, { cancel_on_disconnect = true })
    local conn = server:connect(get "/")
    conn:read_until "\r\n\r\n"
    reset(conn)
    testing.settle_io(function() return closed end)
    assert.equal(2, pieces)
    assert.same({}, server.log)
  end)

  it("runs cleanups, shields and posthooks", function(serve)
    local order = {}
    local server = serve(function(env)
      env.posthooks[1] = { function() order[#order + 1] = "posthook" end }
      green.finally(function()
        green.shield(1, function()
          green.sleep(0.02)
          order[#order + 1] = "shield"
        end)
        pcall(green.sleep, 60)
        order[#order + 1] = "caught"
        green.sleep(60)
      end, function()
        green.sleep(0.001)
        order[#order + 1] = "cleanup"
      end)
    end, { cancel_on_disconnect = true })
    local conn = server:connect(get "/")
    testing.settle_io()
    reset(conn)
    testing.settle_io(function() return order[4] end)
    assert.same({ "shield", "caught", "cleanup", "posthook" }, order)
  end)

  it("leaves handlers alone whose client is there", function(serve)
    local server = serve(function()
      green.sleep(0.02)
      return 200, {}, "ok"
    end, { cancel_on_disconnect = true })
    local conn, other = server:connect(), server:connect(get "/")
    conn:write(get "/" .. get "/")
    reset(other)
    assert.equal("ok", answer(conn).body)
    assert.equal("ok", answer(conn).body)
    conn:write(get "/")
    conn:shutdown "write"
    assert.equal("ok", answer(conn).body)
  end)

  it("takes an end of the client's side for its end with half_close = false", function(serve)
    local seen, handler = cancelling(waits.sleeps)
    local server = serve(handler, { cancel_on_disconnect = true, half_close = false })
    local conn = server:connect(get "/1" .. get "/2")
    testing.settle_io()
    conn:shutdown "write"
    testing.settle_io(function() return seen.n == 1 end)
    assert.is_true(green.is_error(seen.err, "EGONE"))
    assert.is_nil(conn:read_line())
  end)

  it("ends with a take-over", function(serve)
    local got
    local server = serve(function(env)
      local s = env.take_over()
      got = { s:read_line() }
      green.sleep(0.01)
      got.went_on = true
      s:close()
    end, { cancel_on_disconnect = true, half_close = false })
    local conn = server:connect(get "/")
    testing.settle_io()
    reset(conn)
    testing.settle_io(function() return got and got.went_on end)
  end)

  it("tells who waits for the request's thread", function(serve)
    local kept
    local server = serve(function()
      kept = green.getcurrent()
      green.sleep(60)
    end, { cancel_on_disconnect = true })
    local conn = server:connect(get "/")
    testing.settle_io()
    reset(conn)
    testing.settle_io(function() return kept:dead() end)
    assert.equal("killed", kept:status())
    local _, err = pcall(kept.wait, kept)
    assert.is_true(green.is_error(err, "EGONE"))
  end)

  it("works for many, who go together", function(serve)
    local ended, started = 0, 0
    local server = serve(function()
      started = started + 1
      green.finally(function() green.sleep(60) end, function() ended = ended + 1 end)
    end, { cancel_on_disconnect = true })
    local all = {}
    for i = 1, 200 do
      all[i] = server:connect(get "/")
    end
    testing.settle_io(function() return started == 200 end)
    for i = 1, 200 do
      reset(all[i])
    end
    testing.settle_io(function() return ended == 200 end)
    testing.settle_io()
    assert.equal(0, server.server:stats().connections)
  end)

  for _, hub in ipairs { "epoll", "poll", "select" } do
    real_it("works with " .. hub .. ", and over UNIX sockets", function()
      local r = program.run_greenlua { "-e", [[
        local green, wsgi = require "green", require "green.wsgi"
        local path = os.tmpname()
        os.remove(path)
        local event, started = green.Event(), green.Event()
        local server = assert(wsgi.new("unix:" .. path, function(env)
          started:send()
          local ok, err = pcall(green.sleep, 60)
          event:send(err.code)
          error(err, 0)
        end, { cancel_on_disconnect = true })):start()
        local c = assert(green.connect("unix:" .. path))
        c:write "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        started:wait(5)
        c:close()
        io.write(event:wait(5), " ", green.get_hub(), "\n")
        server:stop()
      ]], env = { GREENLUA_HUB = hub } }
      assert.equal("", r.err)
      assert.equal("EGONE " .. hub .. "\n", r.out)
      assert.equal(0, r.status)
    end)

    real_it("works in a child that inherits all, with " .. hub, function()
      local r = program.run_greenlua { "-e", [[
        local green, wsgi = require "green", require "green.wsgi"
        local ffi = require "ffi"
        ffi.cdef "int waitpid(int pid, int *status, int options);"
        local seen, started = {}, false
        local server = assert(wsgi.new("127.0.0.1:0", function(env)
          started = env.PATH_INFO == "/"
          local ok, err = pcall(green.sleep, env.PATH_INFO == "/" and 60 or 0)
          seen[#seen + 1] = err and err.code
          return 200, {}, "ok"
        end, { cancel_on_disconnect = true })):start()
        local c = assert(green.connect("127.0.0.1", server.port))
        c:write "GET /fast HTTP/1.1\r\nHost: x\r\n\r\n"
        c:read_until "ok"
        local pid = green.fork(function()
          local c = assert(green.connect("127.0.0.1", server.port))
          c:write "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
          while not started do green.sleep(0.001) end
          c:setoption("SO_LINGER", 0)
          c:close()
          while not seen[1] do green.sleep(0.005) end
          io.write("child ", seen[1], "\n")
          io.flush()
          os.exit(0)
        end, { inherit = true })
        ffi.C.waitpid(pid, nil, 0) -- the loop stands: it must not accept in the child's stead
        c:write "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        while not started do green.sleep(0.001) end
        c:setoption("SO_LINGER", 0)
        c:close()
        while not seen[1] do green.sleep(0.005) end
        io.write("parent ", seen[1], "\n")
        server:stop()
      ]], env = { GREENLUA_HUB = hub } }
      assert.equal("", r.err)
      assert.equal("child EGONE\nparent EGONE\n", r.out)
    end)
  end
end)
