-- A worker that has nothing to do waits for requests in place, as long as nobody else
-- has anything to do (greenc/httpd/httpd.h: green_httpd_poll). Nothing of that is to be
-- seen: servers here run in a process of their own, for in this one the client is one
-- more thread.

local green = require "green"
local testing = require "green.testing"

local program = require "spec.support.program"

local it = testing.busted() -- on the system's clock


--- Start a program with a server; it has `green`, `wsgi`, `serve(app, opts)`, and tells
-- its port. `served()` sends a request from within, after which a worker waits in place.
local function started(code)
  local p = program.start_greenlua { "-e", [[
    local green, wsgi = require "green", require "green.wsgi"
    local port
    local function serve(app, opts)
      opts = opts or {}
      opts.error_log = false
      local listener = assert(green.listen "127.0.0.1:0")
      port = select(2, listener:sockname())
      local server = assert(wsgi.new(listener, app or function() return 200, {}, "hello" end, opts))
      server:start()
      return server
    end
    local function say(...) print(...) io.flush() end
    local function get()
      local c = assert(green.connect("127.0.0.1", port))
      c:write "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
      local text = c:read_all()
      c:close()
      return text:match "\r\n\r\n(.*)$"
    end
    ]] .. code }
  return p
end

local function finished(p, out)
  p:wait()
  assert.equal("", p.err)
  assert.equal(0, p.status)
  assert.equal(out, p.out)
end

describe("A worker that waits for requests in place", function()
  it("lets other threads run when they are due", function()
    local p = started [[
      local ticks = 0
      local server = serve(function() return 200, {}, tostring(ticks) end)
      green.spawn(function() while true do green.sleep(0.001) ticks = ticks + 1 end end)
      say(port)
      green.wait()
    ]]
    p:expect "\n"
    local conn = assert(green.connect("127.0.0.1", tonumber(p.out)))
    local ticks, n = 0, 0
    while ticks < 20 and n < 1e6 do
      assert(conn:write "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      local length
      repeat
        local line = assert(conn:read_line())
        length = tonumber(line:match "^Content%-Length: (%d+)") or length
      until line == ""
      ticks, n = tonumber(conn:read(length)), n + 1
    end
    conn:close()
    p:kill(program.KILL):wait()
    assert.is_true(ticks >= 20)
  end)

  it("gives way to one that stops the server", function()
    finished(started [[
      local server = serve()
      say(get())
      green.spawn_after(0.01, server.stop, server)
      say(server:serve_forever())
    ]], "hello\ntrue\n")
  end)

  it("gives way to signals", function()
    local p = started [[
      local server = serve(nil, { signals = true })
      green.spawn(function() get() say "ready" end)
      say(server:serve_forever())
    ]]
    p:expect "ready\n"
    p:kill(program.TERM)
    finished(p, "ready\ntrue\n")
  end)

  it("gives way to Ctrl-C", function()
    local p = started [[
      local server = serve()
      green.spawn(function() get() say "ready" end)
      server:serve_forever()
    ]]
    p:expect "ready\n"
    p:kill(program.INT):wait()
    assert.equal(130, p.status, p.err)
    assert.equal("", p.err)
  end)

  it("hears of native threads, and of what another server gets", function()
    finished(started [[
      local tpool = require "green.resolve"
      local first = serve()
      say(get())
      local other = serve(function() return 200, {}, "other" end)
      say(get())
      say(#assert(tpool.getaddrinfo("localhost", 80, { resolver = "system" })) > 0, get())
      os.exit(0)
    ]], "hello\nother\ntrue\tother\n")
  end)

  it("is killed like any other", function()
    finished(started [[
      local server = serve()
      say(get(), server:stats().workers > 0, server:stats().busy)
      say(server:stop { grace = 0 }, server:stats().workers)
    ]], "hello\ttrue\t0\ntrue\t0\n")
  end)

  -- Its end is what others of the pool wait for, who are not ready until then.
  it("is none of a pool's", function()
    finished(started [[
      local pool = green.GreenPool(1)
      serve(function() green.sleep(0.02) return 200, {}, "hello" end, { custom_pool = pool })
      local c = assert(green.connect("127.0.0.1", port))
      local function ask()
        c:write "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        green.sleep(0.01)
      end
      ask()
      say(green.timeout(5, function() return pool:spawn(function() end):wait() or "ran" end))
      ask()
      say(green.timeout(5, function() pool:waitall() return "empty" end))
      os.exit(0)
    ]], "ran\nempty\n")
  end)

  it("ends with the last thing that could happen", function()
    local p = started [[
      local server = serve()
      get()
      server.listener:close()
      say(pcall(green.Event().wait, green.Event()))
    ]]
    p:wait()
    assert.is_truthy(p.out:find("deadlock", 1, true), p.out .. p.err)
  end)
end)
