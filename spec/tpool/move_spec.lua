-- tpool.move: open streams and files that go to another native thread, and come back.
local errors = require "green.error"
local fs = require "green.fs"
local green = require "green"
local pipe = require "green.pipe"
local process = require "green.process"
local socket = require "green.socket"
local testing = require "green.testing"
local tls = require "green.tls"
local tpool = require "green.tpool"

local certs = require "spec.support.certs"
local kit = require "spec.support.tls_kit"
local peers = require "spec.support.tls_peers"
local program = require "spec.support.program"

local _, real = testing.busted()

local pool -- a test's own, whose threads and their loops are gone when it is closed

local function it(title, body)
  real(title, function()
    pool = tpool.pool { threads = 4 }
    body()
    pool:killall()
    pool:close()
  end)
end

local function execute(...)
  return pool:execute(...)
end

--- What a call raises.
local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

local function collect()
  collectgarbage()
  collectgarbage()
end

local function temporary(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

describe("tpool.move of a socket", function()
  it("hands it over, with what was read of it already, and back", function()
    local a, b = assert(socket.pair())
    b:settimeout(5)
    a:write("first\nsecond\n")
    assert.equal("first", b:read_line())
    local back, said = execute(function(s)
      local line = s:read_line()
      s:write("there ", line, "\n")
      return require("green.tpool").move(s), s:gettimeout()
    end, tpool.move(b))
    assert.matches("closed", tostring(b))
    assert.equal(5, said)
    assert.equal("there second", a:read_line())
    assert.equal(5, back:gettimeout())
    back:write("here\n")
    assert.equal("here", a:read_line())
    a:close()
    back:close()
  end)

  it("hands a datagram socket over", function()
    local a, b = assert(socket.pair "dgram")
    assert(a:send "one")
    assert.equal("one", execute(function(s)
      local text = s:recv()
      s:close()
      return text
    end, tpool.move(b)))
    a:close()
  end)

  it("refuses what somebody waits for, by name, and what cannot be moved", function()
    local a, b = assert(socket.pair())
    local reader = green.spawn(function() return a:read_line() end)
    reader:name("the reader")
    green.sleep(0)
    assert.matches("move: green.socket{.*} has green thread the reader.*waiting for it",
      raised(tpool.move, a))
    b:write("x\n")
    assert.equal("x", reader:wait())
    a:close()
    assert.matches("move: green.socket{closed} is not open", raised(tpool.move, a))
    b:close()
    assert.matches("move: x must be an open socket, TLS connection, pipe or file, not 5",
      raised(tpool.move, 5))
    assert.matches("arg%[1%] is a green.socket.*metatable", raised(execute, print, b))
  end)

  it("has it arrive where a function is called straight on, too", function()
    local a, b = assert(socket.pair())
    local function say(s, text)
      assert(s:write(text, "\n"))
      return false, nil, require("green.tpool").move(s), nil
    end
    local function say_again(s, text, inner)
      local there = require "green.tpool"
      local no, none, back, last = there.execute(inner, there.move(s), text)
      assert(no == false and none == nil and last == nil)
      return there.move(back)
    end
    local back = execute(say_again, tpool.move(b), "there", say)
    assert.equal("there", a:read_line())
    local r = program.run_greenlua { "-e", [[
      local tpool, socket = require "green.tpool", require "green.socket"
      tpool.set_num_threads(0)
      local a, b = socket.pair()
      local token = tpool.move(b)
      local function say(s, ...)
        s:write("here\n")
        return select("#", ...)
      end
      print(tpool.execute(say, token, nil))
      print(a:read_line(), pcall(tpool.execute, print, token))
    ]] }
    assert.matches("^1\nhere\tfalse\t.*arrived already", r.out)
    back:close()
    a:close()
  end)

  it("closes what never arrives, and what has arrived arrives once", function()
    local a, b = assert(socket.pair())
    local token = tpool.move(b)
    assert.matches("upvalue", raised(execute, function() return a end, token))
    token = nil -- luacheck: ignore
    collect()
    assert.is_nil(a:read_line())
    a:close()
    a, b = assert(socket.pair())
    token = tpool.move(b)
    execute(function(s) s:close() end, token)
    assert.matches("it has been moved already", raised(execute, print, token))
    a:close()
  end)
end)

-- -- TLS ------------------------------------------------------------------------

--- Two ends over sockets: the client's, the server's.
local function pair(client_opts, server_opts)
  local a, b = kit.tcp_pair()
  local there = kit.serving(b, certs.server("a", server_opts))
  local client = assert(tls.client(a, certs.client("a.test", client_opts)))
  return client, assert(there:wait())
end

--- In a native thread: lines back, until "back", which brings the connection back.
local function echo(conn)
  for line in conn:lines { max = 2 ^ 20 } do
    if line == "back" then
      return require("green.tpool").move(conn), conn:gettimeout()
    end
    assert(conn:write("echo ", line, "\n"))
  end
  conn:close()
end

--- Ask over a connection whose other end is in another thread.
local function asks(conn, text, opts)
  assert(conn:write(text, "\n"))
  return conn:read_line(opts)
end

local versions = { { min_version = "1.3" }, { max_version = "1.2" } }

describe("tpool.move of a TLS connection", function()
  for _, version in ipairs(versions) do
    local name = version.min_version or version.max_version

    it("hands a server's over, and back [" .. name .. "]", function()
      local client, server = pair(version)
      server:settimeout(7)
      client:write("first\nsecond\nthi")
      assert.equal("first", server:read_line())
      client:write("rd\n") -- lies in the socket
      local job = green.spawn(execute, echo, tpool.move(server))
      assert.matches("closed", tostring(server))
      assert.equal("echo second", client:read_line())
      assert.equal("echo third", client:read_line())
      local big = ("0123456789abcdef"):rep(20000)
      assert.equal("echo " .. big, asks(client, big, { max = 2 ^ 20 }))
      client:write("back\n")
      local back, seconds = job:wait()
      assert.equal(7, seconds)
      assert.equal(7, back:gettimeout())
      back:write("here\n")
      assert.equal("here", client:read_line())
      client:close()
      assert.is_nil(back:read_some())
      back:close()
    end)

    it("hands a client's over, whose session comes there [" .. name .. "]", function()
      local client, server = pair(version)
      local job = green.spawn(execute, function(conn)
        local sessions = require "green.tls.sessions"
        assert(sessions.size() == 0)
        assert(conn:write "hello\n")
        local line = conn:read_line()
        conn:close()
        return line, sessions.size()
      end, tpool.move(client))
      assert.equal("hello", server:read_line())
      server:write("good day\n")
      local line, kept = job:wait()
      assert.equal("good day", line)
      assert.equal(1, kept)
      assert.is_nil(server:read_some()) -- an end that was told
      server:close()
    end)
  end

  it("knows there what was agreed, and ends as anywhere", function()
    local client, server = pair({ alpn = "h2" }, { alpn = "h2" })
    local told, cert, binding = client:info(), client:peer_certificate(), server:channel_binding()
    local job = green.spawn(execute, function(conn)
      local own = { conn:info(), conn:peer_certificate(), conn:channel_binding(),
        { conn:peername() } }
      conn:shutdown("write")
      local rest = conn:read_all()
      conn:close()
      return own, rest
    end, tpool.move(client))
    assert.is_nil(server:read_some())
    server:write("the rest")
    server:close()
    local own, rest = job:wait()
    assert.same(told, own[1])
    assert.same(cert, own[2])
    assert.equal(binding, own[3])
    assert.equal("127.0.0.1", own[4][1])
    assert.equal("the rest", rest)
  end)

  it("does so through channels, many at once", function()
    local line, done = tpool.channel(4), tpool.channel(4)
    local jobs = {}
    for i = 1, 2 do
      jobs[i] = green.spawn(execute, function(from, to)
        local green_there = require "green"
        for conn in function() return (from:get()) end do
          green_there.spawn(function()
            local text = conn:read_line()
            conn:write(text, "\n")
            to:put(require("green.tpool").move(conn))
          end)
        end
        green_there.wait()
      end, line, done)
    end
    local clients = {}
    for i = 1, 12 do
      local client, server = pair()
      clients[i] = client
      client:write(i, "\n")
      line:put(tpool.move(server))
    end
    for _ = 1, 12 do
      done:get():close()
    end
    for i, client in ipairs(clients) do
      assert.equal(tostring(i), client:read_line())
      assert.is_nil(client:read_line())
      client:close()
    end
    line:close()
    for _, job in ipairs(jobs) do
      job:wait()
    end
    done:close()
  end)

  it("goes on when the thread that it comes from has gone", function()
    local own = tpool.pool { threads = 1 }
    local l = assert(green.listen "127.0.0.1:0")
    local port = select(2, l:sockname())
    local job = green.spawn(own.execute, own, function(where, opts)
      local conn = assert(require("green").connect("127.0.0.1", where, { tls = opts }))
      conn:write("from there\n")
      return require("green.tpool").move(conn)
    end, port, certs.client("a.test"))
    local server = assert(tls.server(assert(l:accept()), certs.server "a"))
    local conn = job:wait()
    own:close()
    collect()
    assert.equal("from there", server:read_line())
    server:write("from here\n")
    assert.equal("from here", conn:read_line())
    assert.equal("echo 1", (function()
      conn:write("1\n")
      server:write("echo ", server:read_line(), "\n")
      return conn:read_line()
    end)())
    conn:close()
    assert.is_nil(server:read_some())
    server:close()
    l:close()
  end)

  it("is closed once where it never arrives, or is collected there", function()
    local client, server = pair()
    local token = tpool.move(server)
    assert.matches("upvalue", raised(execute, function() return client end, token))
    token = nil -- luacheck: ignore
    collect()
    local text, err = client:read_line()
    assert.is_nil(text)
    kit.is_refused(err, "ETLSTRUNCATED")
    client:close()
    client, server = pair()
    execute(function(conn) -- luacheck: ignore
      conn = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
    end, tpool.move(server))
    kit.fails("ETLSTRUNCATED", nil, client:read_line())
    client:close()
    client, server = pair()
    tpool.move(client)
    collect()
    kit.fails("ETLSTRUNCATED", nil, server:read_line())
    server:close()
  end)

  it("ends with a job that is killed", function()
    local client, server = pair()
    local job = green.spawn(execute, function(conn)
      conn:write("mine\n")
      conn:read_line()
    end, tpool.move(server))
    assert.equal("mine", client:read_line())
    job:kill()
    kit.fails("ETLSTRUNCATED", nil, client:read_line())
    client:close()
  end)

  it("is refused while somebody waits, by name, and stays whole", function()
    local client, server = pair()
    local reader = green.spawn(function() return server:read_line() end)
    reader:name("the reader")
    green.sleep(0)
    assert.matches("move: green.tls{TLSv1.3} has green thread the reader.*waiting for it",
      raised(tpool.move, server))
    client:write("x\n")
    assert.equal("x", reader:wait())
    local writer = green.spawn(function() return server:write(("x"):rep(2 ^ 25)) end)
    writer:name("the writer")
    green.sleep(0)
    assert.matches("has green thread the writer.*waiting for it", raised(tpool.move, server))
    client:read(2 ^ 25)
    assert.is_true(writer:wait())
    client:close()
    server:close()
    assert.matches("move: green.tls{closed} is not open", raised(tpool.move, server))
  end)

  it("is refused before its handshake, over other streams, and before its last word", function()
    local a, b = kit.tcp_pair()
    local early = green.spawn(tls.client, a, certs.client "a.test")
    green.sleep(0)
    assert.matches("arg%[1%]", raised(execute, print, a))
    local there = kit.serving(b, certs.server "a")
    local client, server = early:wait(), there:wait()
    local unconnected = assert(tls.client(socket.tcp(), certs.client "a.test"))
    assert.matches("has not done its handshake", raised(tpool.move, unconnected))
    unconnected:close()
    local inner = kit.serving(server, certs.server "a")
    local outer = assert(tls.client(client, certs.client "a.test"))
    assert.matches("is TLS over green.tls{TLSv1.3}: only a socket can be moved with it",
      raised(tpool.move, outer))
    outer:close()
    inner:wait():close()
  end)

  --- A connection over a socket that takes no more after n records; without n: how many it
  -- takes.
  local function full(n)
    local a, b = assert(socket.pair())
    local there = kit.serving(b, certs.server("a", { tickets = 0 }))
    local client, server = assert(tls.client(a, certs.client "a.test")), there:wait()
    server:settimeout(0)
    local taken = 0
    while taken ~= n and server:write(("x"):rep(1000)) do
      taken = taken + 1
    end
    return taken, server, client
  end

  it("is refused before its last word has left", function()
    local n, tried, other = full()
    tried:close()
    other:close()
    local _, server, client = full(n)
    server:shutdown("write")
    assert.matches("has not sent its last word yet", raised(tpool.move, server))
    assert.equal(n * 1000, #client:read_all())
    client:write("still there\n")
    client:close()
    assert.equal("still there", execute(function(conn)
      conn:settimeout(nil)
      local line = conn:read_line()
      conn:close()
      return line
    end, tpool.move(server)))
  end)

  it("takes new keys of openssl's client there", function()
    local l = assert(green.listen "127.0.0.1:0")
    local s_client = program.start { "openssl", "s_client", "-connect",
      "127.0.0.1:" .. select(2, l:sockname()), "-CAfile", certs.path "ca.pem" }
    local conn = assert(tls.server(assert(l:accept()), certs.server "a"))
    local job = green.spawn(execute, echo, tpool.move(conn))
    green.sleep(0)
    for _, word in ipairs { "one", "two" } do
      s_client:write(word .. "\n")
      s_client:expect("echo " .. word .. "\n")
      s_client:write "K\n"
      s_client:expect("KEYUPDATE\n", "err")
    end
    s_client:write "Q\n"
    job:wait()
    s_client:wait()
    assert.equal(0, s_client.status)
    l:close()
  end)

  it("asks openssl's server from there", function()
    for _, word in ipairs { "-tls1_2", "-tls1_3" } do
      peers.with_s_server({ word }, function(port)
        local conn = assert(green.connect("127.0.0.1", port, { tls = certs.client "a.test" }))
        local page = execute(function(c)
          c:write("GET / HTTP/1.0\r\n\r\n")
          local text = c:read_all()
          c:close()
          return text
        end, tpool.move(conn))
        assert.matches("HTTP/1.0 200", page)
      end)
    end
  end)
end)

-- -- Files and pipes ------------------------------------------------------------

describe("tpool.move of files and pipes", function()
  it("hands a file of io.open over where it stands", function()
    local path = temporary "one\ntwo\n"
    local file = assert(io.open(path, "r+"))
    assert.equal("one", file:read("*l"))
    assert.equal("two", execute(function(f)
      local line = f:read("*l")
      f:close()
      return line
    end, tpool.move(file)))
    assert.matches("closed", tostring(file))
    os.remove(path)
    assert.matches("a standard stream stays here", raised(tpool.move, io.stdout))
  end)

  it("hands a program of io.popen over, and waits for it there", function()
    local file = assert(io.popen "echo one; echo two")
    assert.equal("one", file:read("*l"))
    local line, kind = execute(function(f)
      local line = f:read("*l")
      return line, io.type(f), f:close()
    end, tpool.move(file))
    assert.equal("two", line)
    assert.equal("file", kind)
    tpool.move(assert(io.popen "cat >/dev/null"))
    collect()
  end)

  it("hands a file of green.fs over, with its place and its path, and back", function()
    local path = temporary(("line\n"):rep(200000))
    local file = assert(fs.open(path, "r+"))
    for _ = 1, 1000 do
      assert.equal("line", file:read_line())
    end
    local back, at, name = execute(function(f)
      local place = f:seek()
      assert(f:read_line() == "line")
      return require("green.tpool").move(f), place, f.path
    end, tpool.move(file))
    assert.equal(5000, at)
    assert.equal(path, name)
    assert.equal(5005, back:seek())
    assert.equal(1000000 - 5005, #back:read_all())
    assert(back:write "end")
    back:close()
    assert.matches("move: green.file{closed} is not open", raised(tpool.move, back))
    os.remove(path)
  end)

  it("refuses a file while a thread is at it", function()
    local path = temporary "text"
    local file = assert(fs.open(path, "r"))
    local reader = green.spawn(function() return file:read_all() end)
    reader:name("the reader")
    green.sleep(0)
    assert.matches("has green thread the reader.*waiting for it", raised(tpool.move, file))
    assert.equal("text", reader:wait())
    file:close()
    os.remove(path)
  end)

  it("hands the ends of a pipe over, with what was read", function()
    local reader, writer = assert(pipe.new())
    writer:write("first\nsecond\n")
    assert.equal("first", reader:read_line())
    local there = green.spawn(execute, function(r)
      local lines = { r:read_line(), r:read_line() }
      return lines, r:read_line(), require("green.tpool").move(r)
    end, tpool.move(reader))
    execute(function(w)
      w:write("third\n")
      w:close()
    end, tpool.move(writer))
    local lines, last, back = there:wait()
    assert.same({ "second", "third" }, lines)
    assert.is_nil(last)
    assert.is_nil(back:read_line())
    back:close()
  end)

  it("hands a FIFO over that nobody has written to yet", function()
    local path = os.tmpname()
    os.remove(path)
    os.execute("mkfifo " .. path)
    local fifo = assert(pipe.open(path))
    local there = green.spawn(execute, function(r)
      local line = r:read_line()
      r:close()
      return line
    end, tpool.move(fifo))
    green.sleep(0.01)
    local writer = assert(pipe.open(path, "w"))
    writer:write("late\n")
    writer:close()
    assert.equal("late", there:wait())
    os.remove(path)
  end)

  it("hands the streams of a process over", function()
    local cat = assert(process.spawn { "cat", stdin = "pipe", stdout = "pipe" })
    local there = green.spawn(execute, function(out, into)
      into:write("through cat\n")
      into:close()
      local text = out:read_all()
      out:close()
      return text
    end, tpool.move(cat.stdout), tpool.move(cat.stdin))
    assert.equal("through cat\n", there:wait())
    assert.truthy(cat:wait())
    assert.matches("move: green.pipe{closed} is not open", raised(tpool.move, cat.stdin))
  end)

  it("closes those that never arrive", function()
    local reader, writer = assert(pipe.new())
    tpool.move(writer)
    collect()
    assert.is_nil(reader:read_line())
    reader:close()
    assert.is_true(errors.is_error(select(2, reader:read_line()), "ECLOSED"))
  end)
end)
