-- examples/reverse_proxy.lua, between clients and servers that are processes of their own.
local green = require "green"
local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

local BIG = 64 * 1024 * 1024 -- 1024 pieces of /download

-- A server that prints its port, and what happens to it.
local SERVER = [[
  local wsgi = require "green.wsgi"
  local name, port = arg[1], arg[2] or 0
  local function say(...) print(...) io.flush() end
  local gates, routes, calls = {}, {}, 0
  routes["/"] = function() return 200, nil, name end
  routes["/held"] = function(env)
    say "held"
    env["green.gone"]:wait()
    say "gone"
  end
  routes["/cut"] = function(env)
    say("cut " .. env.REQUEST_METHOD)
    local stream = env.take_over()
    stream:close()
  end
  routes["/short"] = function()
    say "short"
    local is_first = true
    return 200, { ["Content-Length"] = "1000000" }, function()
      if not is_first then error "too short" end
      is_first = false
      return ("x"):rep(10000)
    end
  end
  routes["/download"] = function()
    local piece, left = ("x"):rep(65536), 1024
    return 200, nil, function() left = left - 1 return left >= 0 and piece or nil end
  end
  routes["/upload"] = function(env)
    local n = 0
    for chunk in env.input:chunks() do n = n + #chunk end
    return 200, nil, n .. " bytes"
  end
  routes["/pieces"] = function(env)
    for chunk in env.input:chunks() do say("came " .. chunk) end
    env["green.minimum_write_chunk_size"] = 0
    local pieces = { "first", function() return io.read() and "second" end }
    return 200, nil, function()
      local piece = table.remove(pieces, 1)
      return type(piece) == "function" and piece() or piece
    end
  end
  routes["/headers"] = function(env)
    local lines = { env.REQUEST_METHOD .. " " .. env.REQUEST_URI }
    for _, pair in ipairs(env.headers_raw) do lines[#lines + 1] = pair[1] .. ": " .. pair[2] end
    local stream = env.take_over() -- a server's own Connection is its server's here
    stream:write("HTTP/1.1 200 OK\r\nConnection: X-Own, close\r\nX-Own: 1\r\nX-End: 2\r\n"
      .. "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n", table.concat(lines, "\n"), "\n")
    stream:close()
  end
  routes["/shout"] = function(env)
    local stream = assert(env.take_over())
    stream:write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shout\r\n"
      .. "X-More: yes\r\n\r\nwelcome\n")
    for line in stream:lines() do stream:write(line:upper(), "\n") end
    say "client has ended"
    stream:write "bye\n"
    stream:close()
  end
  local server = assert(wsgi.new("127.0.0.1:" .. port, function(env)
    if env.PATH_INFO == "/health" then
      calls = calls + 1
      if calls == 2 then say "asked twice" end
      return 200
    end
    local route = routes[env.PATH_INFO]
    if not route then return 404 end
    return route(env)
  end, { error_log = false, max_body = false, half_close = false }))
  say(server.port)
  server:serve_forever()
]]

local script
setup(function() script = program.file(SERVER) end)
teardown(function() os.remove(script) end)

local function start_server(name, port)
  local server = program.start_greenlua { script, name, port and tostring(port) or nil }
  server.port = tonumber((server:expect "\n":match "%d+"))
  return server
end

local function url_of(server)
  return "http://127.0.0.1:" .. server.port
end

local function stop(one)
  one:kill(program.KILL):wait()
end

--- Run body(proxy, server...) with so many servers; proxy has a port. opts: words for it.
local function with(count, opts, body)
  return function()
    local words, all = { "examples/reverse_proxy.lua", "0", "--check", "/health" }, {}
    for i = 1, count do
      all[i] = start_server("server " .. i)
      words[#words + 1] = url_of(all[i])
    end
    for _, word in ipairs(opts) do words[#words + 1] = word end
    local proxy = program.start_greenlua(words)
    proxy.port = tonumber(proxy:expect "\n":match "127%.0%.0%.1:(%d+)")
    local ok, err = pcall(body, proxy, unpack(all))
    stop(proxy)
    for i = 1, count do stop(all[i]) end
    if not ok then error(err, 0) end
  end
end

local function curl(proxy, path, ...)
  return program.run { "curl", "-si", "--max-time", "25", url_of(proxy) .. path, ... }.out
end

--- A connection on which a request has been sent.
local function ask(proxy, path, more)
  local stream = assert(green.connect("127.0.0.1", proxy.port, { timeout = 10 }))
  stream:settimeout(20)
  assert(stream:write("GET ", path, " HTTP/1.1\r\nHost: here\r\n", more or "", "\r\n"))
  return stream
end

--- The most memory that a process ever had, in bytes.
local function most_memory(one)
  local file = assert(io.open("/proc/" .. one.pid .. "/status"))
  local text = file:read "*a"
  file:close()
  return tonumber(text:match "VmHWM:%s*(%d+)") * 1024
end

describe("examples/reverse_proxy.lua", function()
  it("goes round among servers that have nothing to do", with(3, {}, function(proxy)
    local seen = {}
    for _ = 1, 6 do
      local name = curl(proxy, "/"):match "server %d"
      seen[name] = (seen[name] or 0) + 1
    end
    assert.same({ ["server 1"] = 2, ["server 2"] = 2, ["server 3"] = 2 }, seen)
  end))

  it("gives requests to the server with the fewest", with(2, {}, function(proxy, one)
    local held = ask(proxy, "/held")
    one:expect "held"
    for _ = 1, 4 do
      assert.matches("server 2", curl(proxy, "/"))
    end
    held:close()
  end))

  it("leaves out a server that is down, and takes it back", with(2, { "--every", "0.1" },
    function(proxy, one, two)
      one:expect "asked twice"
      stop(two)
      proxy:expect(url_of(two) .. " is down")
      for _ = 1, 4 do
        assert.matches("server 1", curl(proxy, "/"))
      end
      local again = start_server("server 2", two.port)
      local ok, err = pcall(function()
        proxy:expect(url_of(two) .. " is up")
        local text = curl(proxy, "/") .. curl(proxy, "/")
        assert.matches("server 1", text)
        assert.matches("server 2", text)
      end)
      stop(again)
      assert(ok, err)
    end))

  it("notices by requests that a server is down", with(2, { "--every", "1000" },
    function(proxy, _, two)
      stop(two)
      for _ = 1, 8 do -- nothing has been sent to it: so a POST may go elsewhere
        assert.matches("server 1", curl(proxy, "/", "-d", "x"))
      end
      proxy:expect(url_of(two) .. " is down")
    end))

  it("says that no server is there", with(1, { "--every", "0.1" }, function(proxy, one)
    stop(one)
    proxy:expect(url_of(one) .. " is down")
    assert.matches("^HTTP/1.1 503 ", curl(proxy, "/"))
  end))

  it("asks another server if that can do no harm", with(2, {}, function(proxy, one, two)
    assert.matches("^HTTP/1.1 502 ", curl(proxy, "/cut"))
    one:expect "cut GET"
    two:expect "cut GET"
    assert.matches("^HTTP/1.1 502 ", curl(proxy, "/cut", "-d", "x"))
    assert.matches("server", curl(proxy, "/"))
    local times = 0
    for _, server in ipairs { one, two } do
      server:listen(100)
      times = times + select(2, server.out:gsub("cut POST", ""))
    end
    assert.equal(1, times)
  end))

  it("sends nothing again of which a part was passed on", with(2, {}, function(proxy, one, two)
    local run = program.run { "curl", "-s", url_of(proxy) .. "/short" }
    assert.equal(18, run.status) -- the body ended too early
    one:listen(100)
    two:listen(100)
    assert.equal(1, select(2, (one.out .. two.out):gsub("short", "")))
  end))

  it("says that a server took too long", with(1, { "--timeout", "0.2" }, function(proxy, one)
    assert.matches("^HTTP/1.1 504 ", curl(proxy, "/held", "-d", "x"))
    one:expect "gone"
  end))

  it("passes on headers, but those for one hop", with(1, {}, function(proxy)
    local text = curl(proxy, "/headers?a=%2f", "-H", "X-One: 1", "-H", "Connection: X-One, close",
      "-H", "TE: trailers", "-H", "Host: a.test", "-H", "X-Forwarded-For: 192.0.2.1", "-H",
      "X-Forwarded-Host: lie.test", "-H", "Forwarded: for=lie", "-H", "x-two: A", "-A", "me")
    local head, got = text:match "^(.-\r\n)\r\n(.*)$"
    assert.matches("^HTTP/1.1 200 OK\r\n", head)
    for _, line in ipairs { "X-End: 2", "Via: 1.1 greenlua", "Set-Cookie: a=1",
      "Set-Cookie: b=2" } do
      assert.truthy(head:find("\r\n" .. line .. "\r\n", 1, true), line .. "\n" .. head)
    end
    assert.is_nil(head:find "X%-Own")
    assert.equal([[
GET /headers?a=%2f
Host: a.test
User-Agent: me
Accept: */*
x-two: A
X-Forwarded-For: 192.0.2.1, 127.0.0.1
X-Forwarded-Proto: http
X-Forwarded-Host: a.test
Via: 1.1 greenlua
]], got)
  end))

  it("sets Host where it is told to", with(1, { "--host", "inner.test" }, function(proxy)
    local text = curl(proxy, "/headers", "-H", "Host: a.test")
    assert.matches("\nHost: inner.test\n", text)
    assert.matches("\nX%-Forwarded%-Host: a.test\n", text)
    assert.equal(1, select(2, text:gsub("\nHost:", "")))
  end))

  it("streams large bodies, and has no more memory for it", with(1, {}, function(proxy)
    assert.matches("server 1", curl(proxy, "/"))
    local before = most_memory(proxy)
    local function sh(text)
      return program.run { "sh", "-c", (text:gsub("URL", url_of(proxy))) }.out
    end
    assert.equal(BIG, tonumber(sh "curl -s URL/download | wc -c"))
    local zeros = "head -c " .. BIG .. " /dev/zero | curl -s -T - URL"
    assert.equal(BIG .. " bytes", sh(zeros .. "/upload"))
    local grown = most_memory(proxy) - before
    -- A sanitizer's allocator keeps what was freed: nothing can be told of it.
    assert.is_true(program.is_sanitized or grown < BIG / 4, grown .. " bytes more")
  end))

  it("passes pieces on as they come", with(1, {}, function(proxy, one)
    local stream = ask(proxy, "/pieces", "Transfer-Encoding: chunked\r\n")
    assert(stream:write "3\r\none\r\n")
    one:expect "came one"
    assert(stream:write "3\r\ntwo\r\n0\r\n\r\n")
    one:expect "came two"
    assert(stream:read_until "first\r\n")
    one:write "go on\n"
    assert(stream:read_until "second\r\n0\r\n\r\n")
    stream:close()
  end))

  it("passes upgraded connections through", with(1, {}, function(proxy, one)
    local stream = ask(proxy, "/shout", "Connection: upgrade\r\nUpgrade: shout\r\n")
    local head = assert(stream:read_until "\r\n\r\n")
    assert.matches("^HTTP/1.1 101 Switching Protocols\r\n", head)
    assert.matches("\r\nConnection: Upgrade\r\nUpgrade: shout\r\nX%-More: yes$", head)
    assert.equal("welcome", stream:read_line())
    assert(stream:write "hello\n")
    assert.equal("HELLO", stream:read_line())
    assert(stream:shutdown "write")
    one:expect "client has ended"
    assert.equal("bye", stream:read_line())
    assert.is_nil((stream:read_line()))
    stream:close()
  end))

  it("ends a request whose client has gone", with(1, {}, function(proxy, one)
    local stream = ask(proxy, "/held")
    one:expect "held"
    stream:close()
    one:expect "gone"
    assert.matches("server 1", curl(proxy, "/"))
  end))
end)
