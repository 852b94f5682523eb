local core = require "green.core"
local errors = require "green.error"
local green = require "green"
local socket = require "green.socket"
local testing = require "green.testing"

local ffi = require "ffi"

local sockets = dofile("spec/support/sockets.lua")
local fails = sockets.fails
local virtual_it, it = testing.busted()

ffi.cdef [[
typedef struct spec_server_limit { unsigned long now, most; } spec_server_limit;
int spec_server_getrlimit(int what, spec_server_limit *l) __asm__("getrlimit");
int spec_server_setrlimit(int what, const spec_server_limit *l) __asm__("setrlimit");
]]
local RLIMIT_NOFILE = 7

local function port_of(listener)
  return select(2, listener:sockname())
end

local function echo(conn)
  for chunk in conn:chunks() do
    conn:write(chunk)
  end
end

--- Start serve on a free port: listener, its thread, a function that connects.
local function serving(handler, opts)
  local listener = assert(green.listen("127.0.0.1:0"))
  local t = green.spawn(green.serve, listener, handler, opts)
  return listener, t, function()
    return assert(green.connect("127.0.0.1", port_of(listener)))
  end
end

describe("green.listen", function()
  it("takes addresses in every form", function()
    local forms = {
      { "127.0.0.1:0" },
      { "127.0.0.1", 0 },
      { "127.0.0.1", "0" },
      { "127.0.0.1:0", { backlog = 5 } },
      { "127.0.0.1", 0, { backlog = 5 } },
      { ":0" },
      { "*:0" },
      { 0 },
      { socket.address("127.0.0.1:0") },
      { "localhost:0", { family = "inet" } },
    }
    for _, form in ipairs(forms) do
      local l = assert(green.listen(unpack(form)))
      local c = assert(green.connect("127.0.0.1", port_of(l)))
      c:close()
      l:close()
    end
  end)

  it("takes IPv6 addresses", function()
    if not sockets.has_ipv6() then
      pending("this machine has no ::1")
    end
    for _, form in ipairs({ { "[::1]:0" }, { "::1", 0 }, { "[::1]", 0 } }) do
      local l = assert(green.listen(unpack(form)))
      local host, port = l:sockname()
      assert.equal("::1", host)
      local c = assert(green.connect("[::1]:" .. port))
      c:close()
      l:close()
    end
    local l = assert(green.listen(0, { family = "inet6" }))
    assert.equal("::", (l:sockname()))
    l:close()
  end)

  it("says in one line which address is taken", function()
    local l = green.listen("127.0.0.1:0")
    local err = fails("EADDRINUSE", green.listen("127.0.0.1", port_of(l)))
    assert.equal(("listen 127.0.0.1:%d: address already in use (EADDRINUSE)"):format(port_of(l)),
      tostring(err))
    l:close()
    err = fails("EADDRNOTAVAIL", green.listen("192.0.2.1:80"))
    assert.equal("listen 192.0.2.1:80: cannot assign requested address (EADDRNOTAVAIL)",
      tostring(err))
    fails("EINVAL", green.listen("127.0.0.1"))
    fails("EINVAL", green.listen("127.0.0.1:70000"))
    fails("EAI_NONAME", green.listen("no.such.name.invalid:80"))
  end)

  it("shares a port only when asked to", function()
    local l = green.listen("127.0.0.1:0")
    assert.is_false(l:getoption("so_reuseport"))
    assert.is_true(l:getoption("so_reuseaddr"))
    fails("EADDRINUSE", green.listen("127.0.0.1", port_of(l), { reuse_port = true }))
    l:close()
    local a = green.listen("127.0.0.1:0", { reuse_port = true })
    local b = assert(green.listen("127.0.0.1", port_of(a), { reuse_port = true }))
    a:close()
    b:close()
    local c = green.listen("127.0.0.1:0", { reuse_addr = false })
    assert.is_false(c:getoption("so_reuseaddr"))
    c:close()
  end)

  it("names the nearest option", function()
    assert.error_matches(function() green.listen(0, { reuseport = true }) end,
      "listen: unknown option 'reuseport'; did you mean 'reuse_port'")
    assert.error_matches(function() green.connect("x:1", { timout = 1 }) end,
      "did you mean 'timeout'")
    assert.error_matches(function() green.serve({}, echo, { concurency = 1 }) end,
      "did you mean 'concurrency'")
  end)

  it("replaces the path of a UNIX listener that is gone, and nothing else", function()
    local path = sockets.path()
    local target = "unix:" .. path
    local first = assert(green.listen(target, { mode = tonumber("600", 8) }))
    local err = fails("EADDRINUSE", green.listen(target))
    assert.matches("^listen unix:/", tostring(err))
    first:close()
    local second = assert(green.listen(target))
    local c = assert(green.connect(target))
    c:close()
    second:close()
    os.remove(path)
    local file = io.open(path, "w")
    file:write("precious")
    file:close()
    fails("EADDRINUSE", green.listen(target))
    assert.equal("precious", io.open(path):read("*a"))
    os.remove(path)
    collectgarbage()
  end)

  it("sets the permissions of a UNIX path", function()
    local path = sockets.path()
    local l = assert(green.listen("unix:" .. path, { mode = tonumber("640", 8) }))
    local pipe = io.popen("stat -c %a " .. path)
    assert.equal("640", pipe:read("*l"))
    pipe:close()
    l:close()
    os.remove(path)
  end)
end)

describe("green.connect", function()
  it("resolves names for real", function()
    local l = green.listen("127.0.0.1:0")
    local c = assert(green.connect("localhost", port_of(l), { timeout = 5, family = "inet" }))
    c:close()
    l:close()
    local err = fails("EAI_NONAME", green.connect("no.such.name.invalid:80"))
    assert.equal("connect no.such.name.invalid:80: host name or service not known (EAI_NONAME)",
      tostring(err))
  end)

  it("takes the name of a service for the port, behind any host", function()
    local services = io.open("/etc/services")
    if not services then
      return pending("no /etc/services here (netbase)")
    end
    local known = services:read("*a"):find("\nhttp%s+80/tcp")
    services:close()
    if not known then
      return pending("/etc/services does not know http")
    end
    local hosts = { "localhost", "127.0.0.1", "", "*" }
    for _, host in ipairs(hosts) do
      local c, err = green.connect(host .. ":http", { family = "inet", timeout = 5 })
      if c then -- somebody serves here
        assert.equal(80, select(2, c:peername()))
        c:close()
      else
        assert.equal("connect 127.0.0.1:80: connection refused (ECONNREFUSED)", tostring(err))
      end
    end
    local list = assert(socket.getaddrinfo("::1", "http"))
    assert.equal("[::1]:80", tostring(list[1]))
    local err = fails("EAI_SERVICE", green.connect("localhost:no-such-service"))
    assert.equal("connect localhost:no-such-service: service name not known (EAI_SERVICE)",
      tostring(err))
    fails("EAI_SERVICE", green.listen(":no-such-service"))
    fails("EAI_SERVICE", green.connect("[::1]:no-such-service"))
    fails("EAI_SERVICE", green.connect("127.0.0.1", "no-such-service"))
    local odds = { "::1:http", "http://x:http", "[x:http", "x:80a", "x:http/", "x:ht tp" }
    for _, odd in ipairs(odds) do
      fails("EINVAL", green.connect(odd))
    end
  end)

  it("binds our own end first when told where", function()
    local l = green.listen("127.0.0.1:0")
    for _, own in ipairs({ "127.0.0.2", "127.0.0.2:0", socket.address("127.0.0.2:0") }) do
      local c = assert(green.connect("127.0.0.1", port_of(l), { bind = own }))
      assert.equal("127.0.0.2", (c:sockname()))
      c:close()
    end
    fails("EADDRNOTAVAIL", green.connect("127.0.0.1", port_of(l), { bind = "192.0.2.1" }))
    l:close()
  end)

  it("leaves no socket behind when it is killed", function()
    local l, port = sockets.listener("inet", "127.0.0.1", 0)
    local queued = {}
    repeat
      queued[#queued + 1] = green.connect("127.0.0.1", port, { timeout = 0.01 }) or false
    until not queued[#queued]
    local t = green.spawn(green.connect, "127.0.0.1", port)
    testing.settle_io()
    t:kill()
    assert.is_true(t:dead())
    for _, s in ipairs(queued) do
      if s then s:close() end
    end
    l:close()
  end)
end)

describe("green.serve", function()
  it("gives each client a green thread, and closes its connection after [b172]", function()
    local seen
    local listener, t, connect = serving(function(conn, address)
      seen = address
      conn:write(conn:read_line(), "!\n")
    end)
    local a, b = connect(), connect()
    b:write("b\n")
    a:write("a\n")
    assert.equal("a!", a:read_line())
    assert.equal("b!", b:read_line())
    assert.is_nil(a:read_line())
    assert.is_nil(b:read_line())
    assert.equal("127.0.0.1", seen.host)
    listener:close()
    assert.is_true(t:wait(1))
    a:close()
    b:close()
  end)

  it("survives a handler's error, reports it, and closes the connection [b172]", function()
    local reports = {}
    local old = green.on_error(function(err, thread, trace)
      reports[#reports + 1] = { err = err, thread = thread, trace = trace }
    end)
    local listener, t, connect = serving(function(conn)
      if conn:read_line() == "boom" then
        error("boom in a handler")
      end
      conn:write("fine\n")
    end)
    local a, b = connect(), connect()
    a:write("boom\n")
    assert.is_nil(a:read_some())
    b:write("ok\n")
    assert.equal("fine", b:read_line())
    green.sleep(0)
    green.on_error(old)
    assert.equal(1, #reports)
    assert.matches("boom in a handler", reports[1].err)
    assert.matches("server_spec.lua:%d+: in function", reports[1].trace)
    listener:close()
    t:wait()
    a:close()
    b:close()
  end)

  it("ends cleanly when a handler raises StopServe; other clients go on [b172]", function()
    local listener, t, connect = serving(function(conn)
      for line in conn:lines() do
        if line == "stop" then
          error(green.StopServe)
        end
        conn:write(line, "\n")
      end
    end)
    local a, b = connect(), connect()
    b:write("hello\n")
    assert.equal("hello", b:read_line())
    a:write("stop\n")
    assert.is_true(t:wait(1))
    assert.is_nil(a:read_some())
    b:write("still here\n")
    assert.equal("still here", b:read_line())
    a:close()
    b:close()
    listener:close()
    testing.settle_io()
  end)

  it("ends by StopServe also at its limit", function()
    local listener, t, connect = serving(function(conn)
      conn:read_line()
      error(green.StopServe)
    end, { concurrency = 1 })
    local a = connect()
    testing.settle_io()
    a:write("\n")
    assert.is_true(t:wait(1))
    a:close()
    listener:close()
  end)

  it("stops accepting at its limit and goes on when a client leaves [b172]", function()
    local running, most = 0, 0
    local listener, t, connect = serving(function(conn)
      running = running + 1
      most = math.max(most, running)
      echo(conn)
      running = running - 1
    end, { concurrency = 2 })
    local clients = {}
    for i = 1, 5 do
      clients[i] = connect()
      clients[i]:write("x")
    end
    assert.equal("x", clients[1]:read_some())
    assert.equal("x", clients[2]:read_some())
    fails("ETIMEDOUT", clients[3]:read_some(nil, { timeout = 0.005 }))
    for i = 1, 3 do
      clients[i]:close()
    end
    assert.equal("x", clients[4]:read_some())
    assert.equal("x", clients[5]:read_some())
    assert.equal(2, most)
    clients[4]:close()
    clients[5]:close()
    listener:close()
    assert.is_true(t:wait(1))
    testing.settle_io()
  end)

  it("is killed like everything that waits; its clients go on", function()
    local listener, t, connect = serving(echo)
    local a = connect()
    a:write("x")
    assert.equal("x", a:read_some())
    t:kill()
    assert.is_false((pcall(t.wait, t)))
    a:write("y")
    assert.equal("y", a:read_some())
    a:close()
    listener:close()
    testing.settle_io()
  end)

  it("returns at once on a listener that is closed", function()
    local listener = green.listen("127.0.0.1:0")
    listener:close()
    assert.is_true(green.serve(listener, echo))
  end)

  virtual_it("backs off when descriptors run out, 10 ms and twice as long each time", function()
    local times, made = {}, 0
    local fake = {}
    function fake.accept()
      times[#times + 1] = green.now()
      if #times <= 9 then
        return nil, errors.new(#times % 2 == 0 and "EMFILE" or "ENOBUFS", "accept")
      elseif #times == 10 then
        made = made + 1
        return { close = function() made = made - 1 end }, "somebody"
      elseif #times == 11 then
        return nil, errors.new("ENFILE", "accept")
      end
      return nil, errors.new("EIO", "accept")
    end
    fails("EIO", green.serve(fake, function() end))
    local pauses = {}
    for i = 2, #times do
      pauses[#pauses + 1] = math.floor((times[i] - times[i - 1]) * 1000 + 0.5)
    end
    assert.same({ 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 0, 10 }, pauses)
    assert.equal(0, made)
  end)

  it("lives through a real shortage of descriptors", function()
    local listener, t, connect = serving(echo)
    local first = connect()
    first:write("x")
    assert.equal("x", first:read_some())
    local clients = {}
    for i = 1, 3 do
      clients[i] = socket.tcp()
    end
    local limit, low = ffi.new("spec_server_limit"), ffi.new("spec_server_limit")
    ffi.C.spec_server_getrlimit(RLIMIT_NOFILE, limit)
    low.now, low.most = clients[3]:fileno() + 1, limit.most
    ffi.C.spec_server_setrlimit(RLIMIT_NOFILE, low)
    local connected, heard = true, 0
    for _, client in ipairs(clients) do
      connected = connected and client:connect(listener:sockname())
      client:write("x")
      heard = heard + (client:read_some(nil, { timeout = 0.005 }) and 1 or 0)
    end
    ffi.C.spec_server_setrlimit(RLIMIT_NOFILE, limit)
    assert.is_true(connected)
    for i = 1, 3 - heard do
      assert.equal("x", clients[i + heard]:read_some(nil, { timeout = 5 }))
    end
    for _, client in ipairs(clients) do
      client:close()
    end
    first:close()
    listener:close()
    assert.is_true(t:wait(1))
    testing.settle_io()
  end)

  it("serves many clients at once", function()
    local listener, t, connect = serving(echo, { concurrency = 100 })
    local done = 0
    local threads = {}
    for i = 1, 300 do
      threads[i] = green.spawn(function()
        local c = connect()
        c:write("client " .. i)
        assert(c:read(#("client " .. i)) == "client " .. i)
        c:close()
        done = done + 1
      end)
    end
    for _, thread in ipairs(threads) do
      thread:wait()
    end
    assert.equal(300, done)
    listener:close()
    t:wait()
    testing.settle_io()
    assert.equal(0, core.stats().waits)
  end)
end)
