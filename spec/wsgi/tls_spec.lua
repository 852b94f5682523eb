-- HTTPS: green.wsgi with the option tls, beside curl, openssl s_client and our own client.
local core = require "green.core"
local green = require "green"
local testing = require "green.testing"
local tls = require "green.tls"
local wsgi = require "green.wsgi"

local certs = require "spec.support.certs"
local kit = dofile("spec/support/wsgi_kit.lua")
local program = require "spec.support.program"

local _, it = testing.busted()

local SERVER = [[
  local wsgi = require "green.wsgi"
  local green = require "green"
  local function pieces(n, text)
    return function()
      n = n - 1
      return n >= 0 and text or nil
    end
  end
  local paths = {
    ["/env"] = function(env)
      local shown = {}
      for _, key in ipairs { "HTTPS", "wsgi.url_scheme", "SSL_PROTOCOL", "SSL_TLS_SNI",
        "SSL_CLIENT_VERIFY", "SSL_CLIENT_S_DN" } do
        shown[#shown + 1] = tostring(env[key])
      end
      return 200, nil, table.concat(shown, " ") .. "\n"
    end,
    ["/post"] = function(env) return 200, nil, #env.input:read() .. " bytes\n" end,
    ["/long"] = function(env)
      local pieces = {}
      for piece in env.input:chunks() do pieces[#pieces + 1] = piece end
      return 200, nil, pieces
    end,
    ["/dropped"] = function(env) return 200, nil, tostring(env.input:discard()) .. "\n" end,
    ["/big"] = function() return 200, nil, ("0123456789"):rep(1048576) end,
    ["/chunks"] = function() return 200, nil, pieces(100, ("x"):rep(5000)) end,
    ["/file"] = function() return 200, nil, assert(io.open(arg[4])) end,
    ["/take"] = function(env)
      local conn = assert(env.take_over())
      conn:write("HTTP/1.0 200 OK\r\n\r\ntaken over ", conn:info().version, "\n")
      conn:close()
    end,
  }
  local opts = { cert = arg[1], key = arg[2], ca = arg[3], verify = "ask" }
  local server, err = wsgi.new("127.0.0.1:0", function(env)
    local page = paths[env.PATH_INFO]
    if page then return page(env) end
    return 200, nil, "hello " .. env.PATH_INFO .. "\n"
  end, { tls = opts, signals = true })
  if not server then print(err) os.exit(1) end
  print(server.port)
  io.flush()
  server:serve_forever()
]]

local function has(text, wanted)
  assert.truthy(text:find(wanted, 1, true), text:sub(1, 500))
end

--- A file of n bytes; the caller removes it.
local function big_file(n)
  return program.file(("0123456789abcdef"):rep(n / 16))
end

--- Run body(port, curl) beside a server in another process. curl(path, ...) returns what
-- the program wrote, with the options behind.
local function with_server(body)
  local script, data = program.file(SERVER), big_file(3000000)
  local server = program.start_greenlua { script, certs.path "a.pem", certs.path "a.key",
    certs.path "ca.pem", data }
  local port = server:expect("\n")
  local function curl(path, ...)
    local run = program.run { "curl", "-sS", "--max-time", "25", "--cacert", certs.path "ca.pem",
      "--resolve", "a.test:" .. port .. ":127.0.0.1", "https://a.test:" .. port .. path, ... }
    return run.out .. run.err
  end
  local ok, err = pcall(body, port, curl, data)
  server:kill(15)
  server:wait()
  os.remove(script)
  os.remove(data)
  if not ok then
    error(err, 0)
  end
  assert.equal(0, server.status)
  assert.falsy(server.err:find("traceback", 1, true), server.err)
end

local function s_client(port, input, ...)
  local run = program.run { "openssl", "s_client", "-connect", "127.0.0.1:" .. port, "-quiet",
    "-ign_eof", "-CAfile", certs.path "ca.pem", input = input, ... }
  return run.out
end

describe("an HTTPS server beside other programs", function()
  it("answers curl, of both versions, and tells its handlers of TLS [S23]", function()
    with_server(function(_, curl)
      assert.equal("on https TLSv1.3 a.test NONE nil\n", curl("/env"))
      assert.equal("on https TLSv1.2 a.test NONE nil\n", curl("/env", "--tls-max", "1.2"))
    end)
  end)

  it("keeps a connection for more requests", function()
    with_server(function(port, curl)
      local out = curl("/one", "https://a.test:" .. port .. "/two", "-w", "%{num_connects}\n")
      assert.equal("hello /one\n1\nhello /two\n0\n", out)
    end)
  end)

  it("answers pipelined requests in order", function()
    with_server(function(port)
      local request = "GET /%d HTTP/1.1\r\nHost: a.test\r\n%s\r\n"
      local text = {}
      for i = 1, 50 do
        text[i] = request:format(i, i == 50 and "Connection: close\r\n" or "")
      end
      local seen = {}
      for n in s_client(port, table.concat(text)):gmatch("hello /(%d+)\n") do
        seen[#seen + 1] = tonumber(n)
      end
      assert.equal(50, #seen)
      for i = 1, 50 do
        assert.equal(i, seen[i])
      end
    end)
  end)

  it("reads bodies of a megabyte, with a length and in chunks", function()
    with_server(function(_, curl, data)
      assert.equal("3000000 bytes\n", curl("/post", "--data-binary", "@" .. data))
      assert.equal("3000000 bytes\n", curl("/post", "--data-binary", "@" .. data, "-H",
        "Transfer-Encoding: chunked"))
    end)
  end)

  it("gives long bodies in pieces, and drops them", function()
    with_server(function(port, curl, data)
      local file = assert(io.open(data))
      local text = file:read("*a")
      file:close()
      assert.is_true(curl("/long", "--data-binary", "@" .. data) == text)
      assert.equal("true\nhello /next\n", curl("/dropped", "--data-binary", "@" .. data, "--next",
        "-sS", "--cacert", certs.path "ca.pem", "https://127.0.0.1:" .. port .. "/next"))
    end)
  end)

  it("sends ten megabytes, pieces and files", function()
    with_server(function(_, curl, data)
      local big = curl("/big")
      assert.equal(10485760, #big)
      assert.truthy(big == ("0123456789"):rep(1048576))
      assert.truthy(curl("/big", "--limit-rate", "40M") == big)
      assert.equal(("x"):rep(500000), curl("/chunks"))
      local file = assert(io.open(data))
      assert.truthy(curl("/file") == file:read("*a"))
      file:close()
    end)
  end)

  it("gives a connection that is taken over as a stream with TLS", function()
    with_server(function(_, curl)
      assert.equal("taken over TLSv1.3\n", curl("/take"))
    end)
  end)

  it("tells who the client is that shows a certificate", function()
    with_server(function(_, curl)
      has(curl("/env", "--cert", certs.path "client.pem", "--key", certs.path "client.key"),
        "SUCCESS CN=alice,O=Clients")
    end)
  end)

  it("answers plain HTTP with a 400 that says what the port speaks [b97]", function()
    with_server(function(port, curl)
      local run = program.run { "curl", "-sS", "-i", "--max-time", "20",
        "http://127.0.0.1:" .. port .. "/" }
      has(run.out, "HTTP/1.1 400 Bad Request")
      has(run.out, "TLS")
      assert.equal("hello /\n", curl("/"))
    end)
  end)
end)

--- Has the log a line with that in it?
local function line_with(log, text)
  for _, line in ipairs(log) do
    if line:find(text, 1, true) then
      return line
    end
  end
end

local function hello()
  return 200, nil, "hello"
end

--- The same in this process: body(connect, server), where connect(text) gives a TLS client.
local function with(app, opts, body)
  opts = opts or {}
  opts.tls = opts.tls or certs.server "a"
  kit.with(app, opts, function(client, server, log)
    client.target = "127.0.0.1:" .. server.port
    local function connect(text)
      local conn = assert(tls.client(client:connect(), certs.client("a.test", { timeout = 20 })))
      conn:settimeout(20)
      if text then
        assert(conn:write(text))
      end
      return conn
    end
    body(connect, server, log, client)
  end)
end

local GET = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"

describe("the option tls of green.wsgi", function()
  it("makes a server of https", function()
    with(hello, nil, function(connect, server)
      assert.equal("https://127.0.0.1:" .. server.port, server.url)
      local conn = connect(GET)
      assert.equal("hello", (select(3, kit.read_answer(conn))))
      conn:close()
      assert.equal(1, server:stats().handshakes)
      assert.equal(0, server:stats().handshakes_failed)
    end)
  end)

  it("takes a context, too", function()
    local context = assert(tls.context(certs.server("a", { server = true })))
    with(hello, { tls = context }, function(connect)
      local conn = connect(GET)
      assert.equal(200, (kit.read_answer(conn)))
      conn:close()
    end)
  end)

  it("says at start what is wrong with it", function()
    local server, err = wsgi.new("127.0.0.1:0", hello, { tls = { cert = "/nowhere.pem" } })
    assert.is_nil(server)
    assert.equal("ENOENT", err.code)
    has(tostring(err), "/nowhere.pem")
    assert.error_matches(function() wsgi.new("127.0.0.1:0", hello, { tls = true }) end,
      "option 'tls'")
    assert.error_matches(function() wsgi.new("127.0.0.1:0", hello, { tls = { crt = "x" } }) end,
      "crt")
    local context = assert(tls.context { verify = false })
    assert.error_matches(function() wsgi.new("127.0.0.1:0", hello, { tls = context }) end,
      "for clients")
  end)

  it("opens no log where there can be no TLS", function()
    local with_tls, path = require "green.wsgi.tls", os.tmpname()
    local use = with_tls.use
    os.remove(path)
    with_tls.use = function() return core.codes.ENOMEM end
    local server, err = wsgi.new("127.0.0.1:0", hello, { tls = certs.server "a", log = path })
    with_tls.use = use
    assert.is_nil(server)
    assert.equal("ENOMEM", err.code)
    assert.is_nil((io.open(path)))
  end)

  it("leaves plain servers without a word of TLS [S23]", function()
    kit.with(function(env)
      return 200, nil, tostring(env.HTTPS) .. tostring(env.SSL_PROTOCOL) .. env["wsgi.url_scheme"]
    end, function(client, server)
      assert.equal("nilnilhttp", (select(3, client:get("/"))))
      assert.is_nil(server:stats().handshakes)
    end)
  end)

  it("shows all of it to wsgi.fill", function()
    local seen
    with(function(env)
      seen = {}
      for key, value in pairs(wsgi.fill(env)) do seen[key] = value end
      return hello()
    end, nil, function(connect)
      local conn = connect(GET)
      kit.read_answer(conn)
      conn:close()
      assert.same({ "on", "TLSv1.3", "a.test", "NONE" },
        { seen.HTTPS, seen.SSL_PROTOCOL, seen.SSL_TLS_SNI, seen.SSL_CLIENT_VERIFY })
      assert.truthy(seen.SSL_CIPHER:find("AES"))
    end)
  end)

  it("is a server's whatever its options say of that", function()
    local server = assert(wsgi.new("127.0.0.1:0", function() return 200, nil, "hello" end,
      { log = false, tls = certs.server("a", { server = false }) }))
    server:start()
    local conn = assert(green.connect("127.0.0.1", server.port, { timeout = 20,
      tls = { ca = certs.path "ca.pem" } }))
    conn:write("GET / HTTP/1.0\r\n\r\n")
    assert.truthy(conn:read_line():find(" 200 ", 1, true))
    conn:close()
    server:stop()
  end)

  it("lets silent clients cost no worker, and closes them in time [b91]", function()
    with(hello, { header_timeout = 0.2 }, function(connect, server, _, client)
      local silent = {}
      for i = 1, 20 do
        silent[i] = client:connect()
      end
      testing.settle_io(function() return server:stats().connections == 20 end)
      assert.equal(0, server:stats().workers)
      for i = 1, 20 do
        assert.is_nil(silent[i]:read(1))
        silent[i]:close()
      end
      assert.equal(20, server:stats().timeouts)
      local conn = connect(GET)
      assert.equal(200, (kit.read_answer(conn)))
      conn:close()
    end)
  end)

  it("counts handshakes that fail, and nobody else notices [b97]", function()
    with(hello, nil, function(connect, server, log, client)
      local lower = client:connect()
      local conn, err = tls.client(lower, certs.client("b.test", { timeout = 20 }))
      assert.is_nil(conn)
      assert.equal("ECERTHOST", err.code)
      local bad = client:connect("\22\3\1\0\4zzzz")
      assert.equal(21, bad:read(1):byte()) -- an alert
      bad:close()
      testing.settle_io(function() return server:stats().connections == 0 end)
      assert.equal(2, server:stats().handshakes_failed)
      assert.falsy(table.concat(log, "\n"):find("HTTP", 1, true))
      conn = connect(GET)
      assert.equal(200, (kit.read_answer(conn)))
      conn:close()
    end)
  end)

  it("refuses handshakes where too many are under way, and tells once", function()
    for _, option in ipairs { "max_handshakes", "max_handshakes_per_address" } do
      local lines = {}
      with(hello, { [option] = 2, log = lines }, function(connect, server, _, client)
        local begun = {}
        for i = 1, 4 do
          begun[i] = client:connect("\22\3\1")
          testing.settle_io(function()
            return server:stats().handshaking + server:stats().handshakes_refused == i
          end)
        end
        assert.equal(2, server:stats().handshaking)
        assert.equal(2, server:stats().handshakes_refused)
        assert.is_nil(begun[3]:read(1))
        assert.is_nil(begun[4]:read(1))
        begun[1]:close()
        testing.settle_io(function() return server:stats().handshaking == 1 end)
        local conn = connect(GET)
        assert.equal(200, (kit.read_answer(conn)))
        conn:close()
        local told = 0
        for _, line in ipairs(lines) do
          told = told + (line:find("more TLS handshakes at once", 1, true) and 1 or 0)
        end
        assert.equal(1, told)
        for i = 2, 4 do begun[i]:close() end
      end)
    end
  end)

  it("has no limit for handshakes that are to have none", function()
    local server = assert(wsgi.new("127.0.0.1:0", hello, { tls = certs.server "a", log = false,
      max_handshakes = false, max_handshakes_per_address = false }))
    assert.equal(4294967295, server.httpd.max_handshakes)
    assert.equal(4294967295, server.httpd.max_handshakes_per_address)
    server.listener:close()
    assert.error_matches(function() wsgi.new("127.0.0.1:0", hello, { max_handshakes = 0 }) end,
      "max_handshakes")
  end)

  it("logs plain HTTP as a refused request", function()
    with(hello, nil, function(_, server, log, client)
      local status = kit.parse(client:raw(GET))
      assert.equal(400, status)
      testing.settle_io(function() return line_with(log, '"-" 400 ') end)
      assert.equal(1, server:stats().refused)
    end)
  end)

  it("has a stop let requests in hand finish", function()
    local gate, begun = green.Event(), green.Event()
    with(function()
      begun:send(true)
      gate:wait()
      return hello()
    end, nil, function(connect, server)
      local idle, busy = connect(), connect(GET)
      begun:wait()
      local stopping = green.spawn(server.stop, server)
      assert.is_nil(idle:read(1)) -- and no error: TLS has told the end
      gate:send(true)
      local _, headers, body = kit.read_answer(busy)
      assert.equal("hello", body)
      assert.equal("close", headers.connection)
      assert.is_nil(busy:read(1))
      stopping:wait()
      idle:close()
      busy:close()
    end)
  end)

  it("gives take_over what came behind the head, decrypted", function()
    with(function(env)
      local conn = assert(env.take_over())
      for line in conn:lines { max = 400000 } do
        conn:write(line:upper(), "\n")
      end
      conn:close()
    end, nil, function(connect, server)
      local conn = connect(GET .. "one\ntw")
      assert.equal("ONE", conn:read_line())
      assert.equal(1, server:stats().taken_over)
      conn:write("o\n")
      assert.equal("TWO", conn:read_line())
      local text = ("x"):rep(300000)
      local writer = green.spawn(conn.write, conn, text, "\n")
      assert.equal(#text, #conn:read(#text))
      assert.equal("", conn:read_line())
      writer:wait()
      conn:close()
      testing.settle_io(function() return server:stats().taken_over == 0 end)
    end)
  end)

  it("cuts an answer that its handler could not finish, as TLS sees it", function()
    with(function()
      local n = 0
      return 200, nil, function()
        n = n + 1
        if n > 1 then error("no more") end
        return ("half"):rep(3000)
      end
    end, { error_log = function() end }, function(connect)
      local conn = connect("GET / HTTP/1.0\r\n\r\n")
      local text, err = conn:read_all()
      assert.is_nil(text)
      assert.equal("ETLSTRUNCATED", err.code)
      conn:close()
    end)
  end)
end)
