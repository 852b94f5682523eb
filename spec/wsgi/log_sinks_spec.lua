local green = require "green"
local testing = require "green.testing"
local wsgi = require "green.wsgi"

local kit = dofile("spec/support/wsgi_kit.lua")
local new_fifo = dofile("spec/support/fifo.lua")
local program = require "spec.support.program"
local _, it = testing.busted()

local with = kit.with
local ALL = 2 ^ 24
local LINE = '^127%.0%.0%.1 %- %- %[[^%]]+%] "GET /%d+ HTTP/1%.1" 200 2 0%.%d%d%d%d%d%d$'

local function app()
  return 200, nil, "ok"
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

--- So many requests on one connection, each answered.
local function ask(client, n, first)
  local conn = client:connect()
  local texts = {}
  for i = 1, n do
    texts[i] = ("GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"):format((first or 0) + i)
  end
  local writer = green.spawn(conn.write, conn, table.concat(texts))
  for _ = 1, n do
    assert.equal("ok", (select(3, kit.read_answer(conn))))
  end
  assert(writer:wait())
  conn:close()
end

--- The lines of requests; each must be a whole one.
local function count(text)
  local n = 0
  for line in text:gmatch("([^\n]*)\n") do
    assert.truthy(line:find(LINE), line)
    n = n + 1
  end
  return n
end

local function access_to(target)
  return { log = false, error_log = false, access_log = target }
end

describe("a log to a path", function()
  it("has every line of thousands, in order", function()
    local path = os.tmpname()
    local stats
    with(app, access_to(path), function(client, server)
      ask(client, 4000)
      server:stop()
      stats = server:stats()
    end)
    local text = read(path)
    os.remove(path)
    assert.same({ 4000, 4000, 0 }, { count(text), stats.log_lines, stats.log_dropped })
    local at = 0
    for number in text:gmatch('"GET /(%d+)') do
      assert.equal(at + 1, tonumber(number))
      at = at + 1
    end
  end)

  it("loses no line when files are renamed under load", function()
    local path = os.tmpname()
    local files = {}
    with(app, access_to(path), function(client, server)
      local clients = {}
      for i = 1, 5 do
        clients[i] = green.spawn(ask, client, 600, 1000 * i)
      end
      for i = 1, 10 do
        testing.settle()
        if os.rename(path, path .. "." .. i) then
          files[#files + 1] = path .. "." .. i
        end
        server:reopen_logs()
      end
      for _, t in ipairs(clients) do t:wait() end
      ask(client, 1)
      server:stop()
      assert.equal(0, server:stats().log_dropped)
    end)
    files[#files + 1] = path
    local n = 0
    for _, name in ipairs(files) do
      n = n + count(read(name))
      os.remove(name)
    end
    assert.equal(3001, n)
  end)

  it("begins anew when its file was removed and the logs are opened again", function()
    local path = os.tmpname()
    with(app, access_to(path), function(client, server)
      ask(client, 1)
      server.log:flush()
      os.remove(path)
      server:reopen_logs()
      ask(client, 2)
      server:stop()
    end)
    assert.equal(2, count(read(path)))
    os.remove(path)
  end)

  it("that cannot be opened is tried again with each write", function()
    local folder = os.tmpname()
    local path = folder .. ".d/access.log"
    assert(os.execute("mkdir " .. folder .. ".d") == 0)
    with(app, access_to(path), function(client, server)
      assert(os.remove(path))
      assert(os.remove(folder .. ".d"))
      server:reopen_logs()
      ask(client, 3)
      server.log:flush()
      assert.equal(3, server:stats().log_dropped)
      assert(os.execute("mkdir " .. folder .. ".d") == 0)
      ask(client, 2)
      server:stop()
      assert.same({ 5, 3 }, { server:stats().log_lines, server:stats().log_dropped })
    end)
    assert.equal(2, count(read(path)))
    os.remove(path)
    os.remove(folder .. ".d")
    os.remove(folder)
  end)
end)

describe("a log to what is no file", function()
  it("is refused when nothing can ever be written there", function()
    local path = os.tmpname()
    os.remove(path)
    local listener = assert(green.listen("unix:" .. path))
    local server, err = wsgi.new("127.0.0.1:0", app, access_to(path))
    assert.is_nil(server)
    assert.equal("open log " .. path, err.op)
    listener:close()
    os.remove(path)
  end)
end)

describe("a log to a FIFO", function()
  it("loses lines while nobody reads it, and has those that come later", function()
    local fifo = new_fifo()
    with(app, access_to(fifo.path), function(client, server)
      ask(client, 5)
      server.log:flush()
      assert.equal(5, server:stats().log_dropped)
      fifo:open()
      ask(client, 4)
      server.log:flush()
      assert.equal(4, count(fifo:read(ALL)))
      fifo:close() -- the reader goes: EPIPE, and no signal
      ask(client, 3)
      server.log:flush()
      assert.equal(8, server:stats().log_dropped)
      fifo:open()
      ask(client, 2)
      server:stop()
      assert.equal(2, count(fifo:read(ALL)))
      assert.same({ 14, 8 }, { server:stats().log_lines, server:stats().log_dropped })
    end)
    fifo:remove()
  end)

  it("that is full or slow loses lines, but tears none, and holds nobody up", function()
    local fifo = new_fifo():open()
    with(app, access_to(fifo.path), function(client, server)
      local text = ""
      for i = 1, 40 do
        ask(client, 100, 1000 * i)
        server.log:flush()
        text = text .. fifo:read(i % 3 * 997)
      end
      text = text .. fifo:read(ALL)
      ask(client, 1)
      server:stop()
      text = text .. fifo:read(ALL)
      local stats = server:stats()
      assert.equal(4001, stats.log_lines)
      assert.is_true(stats.log_dropped > 1000)
      assert.equal(4001, count(text) + stats.log_dropped)
    end)
    fifo:remove()
  end)
end)

describe("a slow log", function()
  it("is given one text at a time, and has all when the server has stopped", function()
    local now, text = 0, ""
    local slow = { write = function(_, piece)
      now = now + 1
      assert(now == 1)
      green.sleep(0.005) -- slower than the answers, on most machines
      text, now = text .. piece, now - 1
      return true
    end }
    with(app, access_to(slow), function(client, server)
      for i = 1, 5 do
        ask(client, 10, 10 * i)
        testing.settle()
      end
      server:stop()
      assert.same({ 50, 0 }, { count(text), server:stats().log_dropped })
    end)
  end)
end)

describe("a logger whose methods wait", function()
  local function logger(gate, lines)
    local function method(level)
      return function(_, line)
        gate:wait()
        lines[#lines + 1] = level .. " " .. line
      end
    end
    return { info = method("info"), debug = method("debug"), error = method("error") }
  end

  local function noisy(env)
    env.error:write("first\nsecond\n")
    if env.PATH_INFO == "/fail" then error("it failed") end
    return 200, nil, "ok"
  end

  it("holds up nobody, and gets all lines in order, each with its level", function()
    local gate, lines = green.Event(), {}
    with(noisy, { log = logger(gate, lines), log_format = "%(path)s" }, function(client, server)
      for _, path in ipairs { "/1", "/fail", "/2" } do
        assert.equal(path == "/fail" and 500 or 200, (client:get(path)))
      end
      testing.settle()
      assert.same({}, lines)
      gate:send(true)
      server:stop()
      assert.equal(0, server:stats().log_dropped)
      local trace = {}
      for i = #lines, 1, -1 do
        if lines[i]:find("^error %s") or lines[i]:find("^error stack traceback") then
          trace[#trace + 1] = table.remove(lines, i)
        end
      end
      assert.is_true(#trace > 1)
      assert.truthy(lines[7]:find("^error greenlua: GET /fail: .*it failed$"))
      table.remove(lines, 7)
      assert.same({ "info greenlua: serving on " .. server.url, "error first", "error second",
        "info /1", "error first", "error second", "info /fail", "error first", "error second",
        "info /2", "info greenlua: stopped " .. server.url }, lines)
    end)
  end)

  it("gets no mark in front of JSON", function()
    local gate, lines = green.Event(), {}
    gate:send(true)
    with(app, { access_log = logger(gate, lines), log = false, log_format = "json" },
      function(client, server)
        client:get("/")
        server:stop()
        assert.equal(1, #lines)
        assert.truthy(lines[1]:find('^info {"time":'))
      end)
  end)

  it("loses a line that it raises on, and no other", function()
    local lines, n = {}, 0
    local flaky = { info = function(_, line)
      n = n + 1
      if n == 2 then error("no") end
      lines[#lines + 1] = line
    end }
    with(app, { access_log = flaky, log = false, log_format = "%(path)s" },
      function(client, server)
        ask(client, 4)
        server:stop()
        assert.same({ "/1", "/3", "/4" }, lines)
        assert.same({ 4, 1 }, { server:stats().log_lines, server:stats().log_dropped })
      end)
  end)

  it("does not keep a server from stopping; what it did not take is counted", function()
    with(app, access_to(logger(green.Event(), {})), function(client, server)
      ask(client, 10)
      testing.settle()
      ask(client, 5)
      assert.is_true(server:stop())
      assert.same({ 15, 15 }, { server:stats().log_lines, server:stats().log_dropped })
    end)
  end)
end)

describe("a log that takes nothing", function()
  local function stuck(gate)
    return { write = function() return gate:wait() end }
  end

  it("holds lines up to its limit, then loses them", function()
    local gate = green.Event()
    with(app, access_to(stuck(gate)), function(client, server)
      ask(client, 14000) -- about 80 bytes each; 1 MiB is kept
      local stats = server:stats()
      assert.equal(14000, stats.log_lines)
      assert.is_true(stats.log_dropped > 0 and stats.log_dropped < 5000)
      gate:send(true)
    end)
  end)

  it("does not keep a server from stopping; what it did not take is counted", function()
    with(app, access_to(stuck(green.Event())), function(client, server)
      ask(client, 10)
      testing.settle()
      ask(client, 5)
      assert.is_true(server:stop())
      assert.same({ 15, 15 }, { server:stats().log_lines, server:stats().log_dropped })
    end)
  end)

  it("may be stderr: the server goes on", function()
    local fifo = new_fifo():open()
    local script = program.file([[
      local green, wsgi = require "green", require "green.wsgi"
      local server = wsgi.new("127.0.0.1:0", function() return 200, nil, "ok" end, { log = true })
      server:start()
      local conn = green.connect("127.0.0.1", server.port)
      local text = ("GET / HTTP/1.1\r\nHost: x\r\n\r\n"):rep(1000)
      local n = 0
      for _ = 1, 16 do
        green.spawn(conn.write, conn, text)
        for _ = 1, 1000 do
          n = n + (conn:read_until("\r\n\r\n"):find("200 OK") and conn:read(2) == "ok" and 1 or 0)
        end
      end
      conn:close()
      print(n .. " answered, lines lost: " .. tostring(server:stats().log_dropped > 0))
    ]])
    local run = program.start { "sh", "-c", '"$1" "$2" 2>"$3"', "sh", program.greenlua, script,
      fifo.path }
    local told = run:expect("\n")
    run:kill(program.KILL):wait()
    os.remove(script)
    fifo:remove()
    assert.equal("16000 answered, lines lost: true", told)
  end)
end)
