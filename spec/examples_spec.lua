local green = require "green"
local certs = require "spec.support.certs"
local program = require "spec.support.program"
local testing = require "green.testing"

local ffi = require "ffi"

local _, it = testing.busted()

ffi.cdef [[
int spec_examples_kill(int pid, int signo) __asm__("kill");
]]
local TERM = 15

local TAKEN = "greenlua: listen 127.0.0.1:%d: address already in use (EADDRINUSE)"

local binary = os.getenv("GREENLUA_BIN") or "build/greenlua"

local function quoted(words)
  local out = {}
  for i, word in ipairs(words) do
    out[i] = "'" .. tostring(word):gsub("'", "'\\''") .. "'"
  end
  return table.concat(out, " ")
end

--- Run an example to its end: its standard output and error, its status.
local function run(name, ...)
  local pipe = io.popen(("timeout 20 %s examples/%s.lua %s 2>&1; echo status $?"):format(
    binary, name, quoted({ ... })))
  local text = pipe:read("*a")
  pipe:close()
  local out, status = text:match("^(.*)status (%d+)\n$")
  return out, tonumber(status)
end

--- Start an example that serves: its port, and a function that ends it and the
-- timeout(1) around it, which leads a process group.
local function start(name, ...)
  local pipe = io.popen(("echo $$; exec timeout 20 %s examples/%s.lua %s"):format(
    binary, name, quoted({ ... })))
  local pid = tonumber(pipe:read("*l"))
  local line = pipe:read("*l")
  local port = tonumber((line or ""):match("127%.0%.0%.1:(%d+)"))
  local function stop()
    ffi.C.spec_examples_kill(-pid, TERM)
    pipe:close()
  end
  if not port then
    stop()
    error(("%s said: %s"):format(name, tostring(line)))
  end
  return port, stop
end

--- A body that is given the port of a running example.
local function with(name, args, fn)
  return function()
    local port, stop = start(name, unpack(args))
    local ok, err = pcall(fn, port)
    stop()
    if not ok then error(err, 0) end
  end
end

local function connect(port)
  local conn = assert(green.connect("127.0.0.1", port))
  conn:settimeout(10)
  return conn
end

describe("examples/echo.lua", function()
  it("sends back what many clients send at once", with("echo", { 0 }, function(port)
    local threads = {}
    for i = 1, 50 do
      threads[i] = green.spawn(function()
        local conn = connect(port)
        local text = ("client " .. i .. "\n"):rep(1000)
        local writer = green.spawn(function()
          assert(conn:write(text))
          conn:shutdown("write")
        end)
        local back = conn:read_all()
        writer:wait()
        conn:close()
        return back == text
      end)
    end
    for i = 1, 50 do
      assert.is_true(threads[i]:wait())
    end
  end))

  it("survives clients that leave without a word", with("echo", { 0 }, function(port)
    for i = 1, 20 do
      local conn = connect(port)
      conn:write("x")
      if i % 2 == 0 then conn:setoption("so_linger", 0) end
      conn:close()
    end
    local conn = connect(port)
    conn:write("still there?")
    assert.equal("still there?", conn:read(12))
    conn:close()
  end))

  it("says that its port is taken", with("echo", { 0 }, function(port)
    local out, status = run("echo", port)
    assert.equal(TAKEN:format(port), out:match("^[^\n]*"))
    assert.equal(1, status)
  end))
end)

describe("examples/tls_echo.lua", function()
  it("makes a certificate of its own", with("tls_echo", { 0 }, function(port)
    local conn = assert(green.connect("127.0.0.1", port, { tls = { verify = false } }))
    conn:write("hello")
    assert.equal("hello", conn:read(5))
    assert.equal("CN=localhost", conn:peer_certificate().subject)
    conn:close()
  end))

  it("shows tls_client.lua the one that it is given", function()
    local ca = certs.path "ca.pem"
    with("tls_echo", { 0, certs.path "a.pem", certs.path "a.key" }, function(port)
      local out, status = run("tls_client", "127.0.0.1:" .. port, ca)
      assert.truthy(out:find("subject  CN=a.test\nissuer   CN=Test Root\n", 1, true), out)
      assert.truthy(out:find("answer   GET / HTTP/1.1\n", 1, true), out)
      assert.equal(0, status)
      out, status = run("tls_client", "127.0.0.1:" .. port)
      assert.truthy(out:find("(ECERTUNKNOWN)", 1, true), out)
      assert.equal(1, status)
    end)()
  end)
end)

describe("examples/starttls_client.lua", function()
  local SERVER = [[
    local green, tls = require "green", require "green.tls"
    local l = assert(green.listen "127.0.0.1:0")
    print(select(2, l:sockname()))
    io.flush()
    green.serve(l, function(conn)
      conn:write "220 mail.test\r\n"
      local secure
      for line in function() return conn:read_line() end do
        if line == "STARTTLS" then
          conn:write("220 go ahead\r\n", arg[3] or "")
          conn = assert(tls.server(conn, { cert = arg[1], key = arg[2], buffered = "refuse" }))
          secure = true
        elseif line:find "^EHLO" then
          conn:write("250-mail.test\r\n250-", secure and "AUTH PLAIN" or "STARTTLS",
            "\r\n250 8BITMIME\r\n")
        else
          conn:write "221 bye\r\n"
          return conn:close()
        end
      end
    end)
  ]]

  local function with_server(inject, body)
    return function()
      local script = program.file(SERVER)
      local server = program.start_greenlua { script, certs.path "a.pem", certs.path "a.key",
        inject }
      local ok, err = pcall(body, server:expect "\n")
      server:kill(TERM)
      server:wait()
      os.remove(script)
      assert(ok, err)
    end
  end

  it("shows what a server offers in plain and over TLS", with_server(nil, function(port)
    local out, status = run("starttls_client", "127.0.0.1:" .. port, certs.path "ca.pem")
    assert.matches("^in plain   STARTTLS, 8BITMIME\nagreed     TLSv1.3, TLS_AES_128_GCM_SHA256\n"
      .. "shown      CN=a.test, until %d+%-%d+%-%S+Z\nover TLS   AUTH PLAIN, 8BITMIME\n$", out)
    assert.equal(0, status)
    out, status = run("starttls_client", "127.0.0.1:" .. port)
    assert.truthy(out:find("(ECERTUNKNOWN)", 1, true), out)
    assert.equal(1, status)
  end))

  it("refuses an answer that came in plain too late", with_server("250 AUTH\r\n", function(port)
    local out, status = run("starttls_client", "127.0.0.1:" .. port, certs.path "ca.pem")
    assert.truthy(out:find('in plain text where TLS begins: "250 AUTH', 1, true), out)
    assert.equal(1, status)
  end))
end)

describe("examples/tls_forwarder.lua", function()
  local BACKEND = [[
    local wsgi = require "green.wsgi"
    local server = assert(wsgi.new("127.0.0.1:0", function()
      return 200, nil, "this is " .. arg[1] .. "\n"
    end))
    print(server.port)
    io.flush()
    server:serve_forever()
  ]]

  local function curl(name, port, ...)
    local p = program.run { "curl", "-sS", "--max-time", "20", "--cacert", certs.path "ca.pem",
      "--resolve", ("%s:%d:127.0.0.1"):format(name, port), ("https://%s:%d/"):format(name, port),
      ... }
    return p.out .. p.err, p.status
  end

  it("gives each name its certificate and its server", function()
    local script, backends, words = program.file(BACKEND), {}, { 0 }
    for i, name in ipairs { "a", "b" } do
      backends[i] = program.start_greenlua { script, name }
      for _, word in ipairs { name .. ".test", certs.path(name .. ".pem"),
        certs.path(name .. ".key"), "127.0.0.1:" .. backends[i]:expect "\n" } do
        words[#words + 1] = word
      end
    end
    local ok, err = pcall(with("tls_forwarder", words, function(port)
      assert.equal("this is a\n", curl("a.test", port))
      assert.equal("this is b\n", curl("b.test", port, "--tls-max", "1.2"))
      local _, status = curl("other.test", port, "-k")
      assert.not_equal(0, status) -- was sent away
      assert.equal("this is a\n", curl("a.test", port))
    end))
    for _, backend in ipairs(backends) do
      backend:kill(TERM):wait()
    end
    os.remove(script)
    assert(ok, err)
  end)

  it("says how it is called", function()
    local out, status = run("tls_forwarder", 0, "a.test")
    assert.equal("usage: tls_forwarder.lua PORT NAME CERT KEY HOST:PORT ...\n", out)
    assert.equal(2, status)
  end)
end)

describe("examples/client.lua", function()
  it("prints what comes back", with("echo", { 0 }, function(port)
    local out, status = run("client", "127.0.0.1:" .. port, "hello", "and again")
    assert.equal("hello\nand again\n", out)
    assert.equal(0, status)
  end))

  it("says in one line that nobody is there", function()
    local port, stop = start("echo", 0)
    stop()
    local out, status = run("client", "127.0.0.1:" .. port, "hello")
    assert.equal(("connect 127.0.0.1:%d: connection refused (ECONNREFUSED)\n"):format(port), out)
    assert.equal(1, status)
  end)
end)

describe("examples/connect.lua", function()
  it("names every target, those that fail too", with("echo", { 0 }, function(port)
    local taken, stop = start("echo", 0)
    stop()
    local out = run("connect", "127.0.0.1:" .. port, "localhost:" .. port, "127.0.0.1:" .. taken)
    assert.matches("127.0.0.1:" .. port .. "%s+[%d.]+ ms", out)
    assert.matches("localhost:" .. port .. "%s+[%d.]+ ms", out)
    assert.matches("127.0.0.1:" .. taken .. "%s+connect .*refused", out)
  end))
end)

describe("examples/forwarder.lua", function()
  it("carries bytes and ends both ways", with("echo", { 0 }, function(port)
    with("forwarder", { 0, "127.0.0.1:" .. port }, function(front)
      local conn = connect(front)
      local text = ("0123456789"):rep(100000)
      local writer = green.spawn(function()
        assert(conn:write(text))
        conn:shutdown("write")
      end)
      assert.is_true(conn:read_all() == text)
      writer:wait()
      conn:close()
    end)()
  end))
end)

describe("examples/chat.lua", function()
  local function join(port, name)
    local conn = connect(port)
    assert.equal("Your name?", conn:read_until(" ") .. " " .. conn:read_until(" "))
    conn:write(name, "\r\n")
    return conn
  end

  it("lets members talk to each other", with("chat", { 0 }, function(port)
    local ann = join(port, "ann")
    assert.equal("* here: ann", ann:read_line())
    local bob = join(port, "bob")
    assert.equal("* here: ann, bob", bob:read_line())
    assert.equal("* bob joined", ann:read_line())
    ann:write("hello, bob\n")
    assert.equal("ann: hello, bob", bob:read_line())
    bob:write("hello, ann\nand how are you?\n")
    assert.equal("bob: hello, ann", ann:read_line())
    assert.equal("bob: and how are you?", ann:read_line())
    bob:close()
    assert.equal("* bob left", ann:read_line())
    ann:close()
  end))

  it("asks again for a name that is taken", with("chat", { 0 }, function(port)
    local ann = join(port, "ann")
    ann:read_line()
    local other = join(port, "ann")
    assert.equal("Another name?", other:read(13))
    other:write("ann2\n")
    assert.equal(" * here: ann, ann2", other:read_line())
    ann:close()
    other:close()
  end))

  it("throws out who reads too slowly; the others notice nothing", with("chat", { 0 },
    function(port)
      local slow = join(port, "slow")
      slow:setoption("SO_RCVBUF", 4096) -- the sooner is it full
      slow:read_line()
      local fast, talker = join(port, "fast"), join(port, "talker")
      local gone, lines = false, 0
      local reader = green.spawn(function()
        for line in fast:lines() do
          lines = lines + 1
          if line == "* slow left" then
            gone = true
            return
          end
        end
      end)
      local text = ("x"):rep(900) .. "\n"
      local deaf = green.spawn(talker.read_all, talker)
      local said = 0
      while not gone do
        assert(talker:write(text:rep(20)))
        said = said + 20
        testing.settle_io(function() return lines >= said or gone end)
      end
      assert.is_true(said > 100)
      reader:wait()
      deaf:kill()
      slow:close()
      fast:close()
      talker:close()
    end))
end)

describe("examples/threads.lua", function()
  it("serves in all workers, and ends at SIGTERM", function()
    local server = program.start_greenlua { "examples/threads.lua", "0", "2" }
    server:expect("127.0.0.1:")
    local port = tonumber(server:expect("\n"))
    local conn = assert(green.connect("127.0.0.1", port))
    conn:write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert.matches("hello from worker [12] of 2\n$", conn:read_all())
    conn:close()
    server:kill(program.TERM) -- the other may not be there yet
    assert.equal(0, server:wait().status, server.err)
  end)
end)

describe("examples/prefork.lua", function()
  local WORKERS, CLIENTS, HELD = 3, 40, 12

  local function is_alive(pid)
    return ffi.C.spec_examples_kill(pid, 0) == 0
  end

  --- The processes that a process has started.
  local function children(pid)
    local file, list = io.open(("/proc/%d/task/%d/children"):format(pid, pid)), {}
    for word in (file and file:read("*a") or ""):gmatch("%d+") do
      list[#list + 1] = tonumber(word)
    end
    if file then file:close() end
    return list
  end

  --- Wait until fn() is true.
  local function await(what, fn)
    local due = green.now() + 6
    while not fn() do
      assert(green.now() < due, what)
      green.sleep(0.005)
    end
  end

  --- Run fn(master, port), with all workers there; nothing is left of it afterwards.
  local function with_master(fn)
    local master = program.start_greenlua { "examples/prefork.lua", "0", tostring(WORKERS) }
    master:expect("127.0.0.1:")
    local port = tonumber(master:expect("\n"))
    local ok, err = pcall(function()
      await("workers", function() return #children(master.pid) == WORKERS end)
      fn(master, port)
    end)
    if not ok then
      for _, pid in ipairs(children(master.pid)) do
        ffi.C.spec_examples_kill(pid, program.KILL)
      end
      master:kill(program.KILL):wait()
      error(err, 0)
    end
  end

  --- The master ends by itself, and so do its workers.
  local function assert_ends(master, port, workers)
    await("the master's end", function() return master:poll() end)
    assert.equal(0, master:wait().status, master.err)
    for _, pid in ipairs(workers) do
      assert.is_false(is_alive(pid))
    end
    assert.is_nil((green.connect("127.0.0.1", port)))
    local listener = assert(green.listen("127.0.0.1", port))
    listener:close()
  end

  --- One whole answer, or nil: which process gave it. What is cut off raises.
  local function read_answer(conn)
    local head, err = conn:read_until("\r\n\r\n")
    if not head then
      assert(not (err and err.partial), "an answer was cut off: " .. tostring(err))
      return nil
    end
    local body = assert(conn:read(tonumber(head:match("Content%-Length: (%d+)"))))
    assert.matches("^HTTP/1.1 200 ", head)
    assert.matches("^hello from process %d+\n$", body)
    return tonumber(body:match("%d+"))
  end

  local function ask(port, connection)
    local conn = green.connect("127.0.0.1", port)
    if not conn then return nil end
    conn:settimeout(8)
    conn:write("GET / HTTP/1.1\r\nHost: x\r\nConnection: ", connection, "\r\n\r\n")
    return read_answer(conn), conn
  end

  --- Ask again and again, a connection each, until nobody answers.
  local function client(port, load)
    repeat
      local pid, conn = ask(port, "close")
      if conn then conn:close() end
      if pid then
        load.answers, load.by[pid] = load.answers + 1, true
      else
        assert(load.told, "no answer before the signal")
      end
    until not pid
  end

  --- A connection that a worker has, and half of a request on it.
  local function hold(port)
    local pid, conn = ask(port, "keep-alive")
    assert(pid)
    assert(conn:write("GET / HTTP/1.1\r\nHo"))
    return conn
  end

  local function finish(conn)
    assert(conn:write("st: x\r\n\r\n"))
    assert(read_answer(conn), "a request in hand got no answer")
    conn:close()
  end

  local function run_under_load(master, port)
    local load = { answers = 0, by = {}, told = false }
    local workers, held, clients = children(master.pid), {}, {}
    for i = 1, HELD do
      held[i] = hold(port)
    end
    for i = 1, CLIENTS do
      clients[i] = green.spawn(client, port, load)
    end
    await("load", function() return load.answers >= 300 end)
    master:kill(program.TERM)
    load.told = true
    green.sleep(0.02) -- in other processes; some of them have the signal by then, or not
    for _, conn in ipairs(held) do
      finish(conn)
    end
    for _, t in ipairs(clients) do
      t:wait()
    end
    assert_ends(master, port, workers)
  end

  for i = 1, 10 do
    it(("ends under load with every answer whole, and leaves nothing (%d of 10)"):format(i),
      function() with_master(run_under_load) end)
  end

  it("replaces a worker that was killed", function()
    with_master(function(master, port)
      local before = children(master.pid)
      ffi.C.spec_examples_kill(before[1], program.KILL)
      await("a new worker", function()
        local now = children(master.pid)
        return #now == WORKERS and now[1] ~= before[1]
      end)
      for _ = 1, 30 do
        local pid, conn = ask(port, "close")
        assert(pid and pid ~= before[1])
        conn:close()
      end
      assert.is_false(is_alive(before[1]))
      local now = children(master.pid)
      master:kill(program.INT)
      assert_ends(master, port, now)
      assert.equal(("worker %d ended: signal 9; the next one comes\n"):format(before[1]),
        master.err)
    end)
  end)

  it("says that its port is taken", with("echo", { 0 }, function(port)
    local out, status = run("prefork", port)
    assert.equal(TAKEN:format(port), out:match("^[^\n]*"))
    assert.equal(1, status)
  end))
end)

describe("examples/rate_limit.lua", function()
  local LIMIT = 7

  it("counts a client's requests over all workers", function()
    local server = program.start_greenlua { "examples/rate_limit.lua", "0", "3", tostring(LIMIT) }
    server:expect("127.0.0.1:")
    local port = tonumber(server:expect("\n"))
    local ok, err = pcall(function()
      for i = 1, LIMIT + 2 do
        local conn = connect(port)
        assert(conn:write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
        local answer = assert(conn:read_all())
        conn:close()
        if i <= LIMIT then
          assert.matches("^HTTP/1.1 200 .*X%-RateLimit%-Remaining: " .. LIMIT - i .. "\r\n", answer)
          assert.matches("request " .. i .. " of all", answer)
        else
          assert.matches("^HTTP/1.1 429 .*Retry%-After: %d+\r\n", answer)
        end
      end
    end)
    local r = server:kill(TERM):wait()
    if not ok then error(err, 0) end
    assert.equal(0, r.status, r.err)
    assert.equal("", r.err)
  end)
end)

describe("examples/https.lua", function()
  it("makes a certificate for itself and answers curl", with("https", { 0 }, function(port)
    local pipe = io.popen(("curl -sSk --max-time 10 https://127.0.0.1:%d/"):format(port))
    local text = pipe:read("*a")
    pipe:close()
    assert.matches("^hello over TLSv1", text)
  end))
end)
