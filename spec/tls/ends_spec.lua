-- Kill, timeout, close, the peer's end, and collection, at each point where a TLS
-- connection waits: nothing is left behind, and the descriptor below is closed once.
local green = require "green"
local testing = require "green.testing"
local tls = require "green.tls"

local abandoned = require "spec.support.abandoned"
local certs = require "spec.support.certs"
local virtual_it, it = testing.busted()

local BIG = ("x"):rep(16 * 1024 * 1024)
local GONE = { ETLSTRUNCATED = true, ECONNRESET = true, EPIPE = true, EEOF = true }

local function listen()
  local l = assert(green.listen("127.0.0.1:0", { tls = certs.server "a" }))
  return l, select(2, l:sockname())
end

--- A server's connection whose client has said nothing, and that client's socket.
local function silent()
  local l, port = listen()
  local peer = assert(green.connect("127.0.0.1", port))
  local conn = assert(l:accept())
  l:close()
  return conn, peer
end

--- Both ends after the handshake; the second is the peer, the third its socket.
local function agreed(version, is_client)
  local l, port = listen()
  local raw = assert(green.connect("127.0.0.1", port))
  local server = assert(l:accept())
  l:close()
  local there = green.spawn(server.handshake, server)
  local client = assert(tls.client(raw, certs.client("a.test", { max_version = version })))
  assert(there:wait())
  if is_client then
    return client, server, server._below
  end
  return server, client, raw
end

--- A client whose server says nothing: the connection is made TLS, and waits in connect.
local function unanswered()
  local l = assert(green.listen "127.0.0.1:0")
  local host, port = l:sockname()
  local conn = assert(tls.client(require("green.socket").tcp(), certs.client "a.test"))
  local peer = green.spawn(l.accept, l)
  return conn, { close = function()
    l:close()
    local other = peer:wait()
    if other then other:close() end
  end }, { host = host, port = port }
end

-- Where it waits: name -> how a connection and its peer are made, and the call.
local points = {
  ["handshake()"] = { silent, function(c, o) return c:handshake(o) end },
  ["a read that does the handshake"] = { silent, function(c, o) return c:read_some(nil, o) end },
  ["a write that does the handshake"] = { silent, function(c, o) return c:write("x", o or {}) end },
  ["connect() in its handshake"] = { unanswered, function(c, o, at)
    return c:connect(at.host, at.port, o)
  end, closes = true },
  ["a read"] = { agreed, function(c, o) return c:read(1, o) end },
  ["a read of 1.2, by a client"] = { function() return agreed("1.2", true) end,
    function(c, o) return c:read_line(o) end },
  ["a write"] = { agreed, function(c, o) return c:write(BIG, o or {}) end },
  ["a read after shutdown"] = { agreed, function(c, o)
    c:shutdown("write")
    return c:read_all(nil, o)
  end, effect = true },
  ["unwrap"] = { agreed, function(c, o) return c:unwrap(o) end },
  ["unwrap of 1.2"] = { function() return agreed("1.2") end,
    function(c, o) return c:unwrap(o) end },
  ["unwrap with output that nobody takes"] = { agreed, function(c, o)
    c:write(BIG, { timeout = 0.02 })
    return c:unwrap(o)
  end, effect = true },
}

--- The descriptor is closed now, and no later close or collection closes its number again.
local function closed_once(conn, fd)
  conn:close()
  local _, err = conn:fileno()
  assert.is_true(green.is_error(err, "ECLOSED"))
  local others = {}
  repeat -- another that has the number now
    others[#others + 1] = assert(require("green.socket").udp())
  until others[#others]:fileno() >= fd
  local taken
  for _, one in ipairs(others) do
    taken = one:fileno() == fd and one or taken
  end
  assert.truthy(taken, "the number is still taken")
  conn:close()
  collectgarbage()
  collectgarbage()
  assert.truthy(taken:bind "127.0.0.1:0")
  for _, one in ipairs(others) do
    one:close()
  end
end

local function killed(ok, err)
  assert.is_false(ok)
  assert.is_true(green.is_error(err, "ECANCELED"), tostring(err))
end

local function start(call, conn, ...)
  local t = green.spawn(call, conn, ...)
  testing.settle_io()
  assert.is_false(t:dead())
  return t
end

local ends = {}

ends["raises in a thread that was killed before"] = function(point, call, conn, at)
  local result
  green.spawn(function()
    green.getcurrent():kill_soon()
    result = { pcall(call, conn, { timeout = 5 }, at) }
  end):wait()
  killed(result[1], result[2])
  return point.effect
end

ends["raises in a thread that is killed meanwhile"] = function(_, call, conn, at)
  local t = start(call, conn, nil, at)
  t:kill()
  killed(pcall(t.wait, t))
end

ends["ends by its timeout"] = function(_, call, conn, at)
  local value, err = call(conn, { timeout = 0.01 }, at)
  assert.is_nil(value)
  assert.is_true(green.is_error(err, "ETIMEDOUT"), tostring(err))
end

ends["ends by a timeout around it"] = function(_, call, conn, at)
  local value, err = green.timeout(0.01, call, conn, nil, at)
  assert.is_nil(value)
  assert.is_true(green.is_error(err, "ETIMEDOUT"), tostring(err))
end

ends["ends when the connection is closed"] = function(_, call, conn, at)
  local t = start(call, conn, nil, at)
  conn:close()
  local value, err = t:wait()
  assert.is_nil(value)
  assert.is_true(green.is_error(err, "ECLOSED"), tostring(err))
end

ends["is refused inside string.gsub"] = function(_, call, conn, at)
  local ok, err = pcall(string.gsub, "x", "x", function()
    call(conn, nil, at)
  end)
  assert.is_false(ok)
  assert.matches("cannot wait inside", tostring(err))
end

ends["ends with its peer"] = function(_, call, conn, at, peer)
  local t = start(call, conn, nil, at)
  if type(at) == "table" and at._s then
    at:close() -- below TLS: without a word
  end
  peer:close()
  local value, err = t:wait()
  assert.is_nil(value)
  assert.is_true(GONE[err and err.code or ""], tostring(err))
end

describe("a TLS connection, where it waits,", function()
  for name, point in pairs(points) do
    for what, check in pairs(ends) do
      it(("in %s, %s"):format(name, what), function()
        local conn, peer, at = point[1]()
        local fd = at and at.host and conn._below:fileno() or assert(conn:fileno())
        check(point, point[2], conn, at, peer)
        closed_once(conn, fd)
        peer:close()
      end)
    end
  end
end)

describe("a TLS connection that nobody has closed", function()
  local makes = { ["before its handshake"] = silent, ["after it"] = agreed,
    ["made TLS and never connected"] = function()
      return tls.client(require("green.socket").tcp(), certs.client "a.test")
    end }
  for name, make in pairs(makes) do
    it(name .. " closes its descriptor when it is collected", function()
      local before = testing.open_fds()
      local function drop()
        local conn, peer = make()
        if peer then
          peer:close()
        end
        assert.is_true(testing.open_fds() > before, tostring(conn))
      end
      drop()
      for _ = 1, 3 do
        collectgarbage()
      end
      assert.equal(before, testing.open_fds())
    end)
  end

  it("ends its peer's reading, as a cut", function()
    local peer = (function() return select(2, agreed()) end)()
    for _ = 1, 3 do
      collectgarbage()
    end
    local text, err = peer:read_all()
    assert.is_nil(text)
    assert.is_true(GONE[err.code], tostring(err))
    peer:close()
  end)

  it("tells the others when the thread that does its handshake is abandoned", function()
    local conn, peer = silent()
    local driver, other = start(conn.handshake, conn), start(conn.handshake, conn)
    abandoned.quietly(function()
      abandoned.ways["core.drop"](driver) -- which closes the socket that it waits for
    end)
    local value, err = other:wait()
    assert.is_nil(value)
    assert.is_true(green.is_error(err, "ECLOSED"), tostring(err))
    conn:close()
    peer:close()
  end)
end)

describe("the last word of a TLS connection whose peer has not read all", function()
  local CAPACITY = 4096

  --- A connection that has written so much that its word finds no room, for some n.
  local function full(n)
    local a, b = testing.stream_pair { capacity = CAPACITY }
    local there = green.spawn(tls.server, b, certs.server("a", { tickets = 0 }))
    local client = assert(tls.client(a, certs.client "a.test"))
    local server = assert(there:wait())
    assert(server:write(("x"):rep(n)))
    return server, client
  end

  virtual_it("leaves when there is room, behind all that was written", function()
    for n = CAPACITY - 60, CAPACITY - 22 do
      for _, how in ipairs { "close", "shutdown", "shutdown, then close" } do
        local server, client = full(n)
        if how ~= "close" then
          server:shutdown "write"
        end
        if how ~= "shutdown" then
          server:close()
        end
        assert.equal(n, #assert(client:read_all()))
        client:close()
        server:close()
      end
    end
  end)

  virtual_it("leaves the stream below to who closes, or unwraps, behind it", function()
    for _, how in ipairs { "close", "unwrap", "unwrap at once" } do
      local server, client = full(CAPACITY - 30)
      local below = server._below
      server:shutdown "write"
      local there = green.spawn(function()
        assert.equal(CAPACITY - 30, #assert(client:read_all()))
        return client:unwrap()
      end)
      if how ~= "unwrap at once" then
        testing.settle()
      end
      if how == "close" then
        server:close()
        testing.settle()
        local text, err = below:read(1)
        assert.is_nil(text)
        assert.is_true(green.is_error(err, "ECLOSED"), tostring(err))
      else
        assert.equal(below, server:unwrap())
        testing.settle()
        assert(there:wait()):write "plain"
        assert.equal("plain", below:read(5))
        below:close()
      end
      client:close()
    end
  end)

  virtual_it("is waited for no longer than ten seconds", function()
    local server, client = full(CAPACITY - 30)
    local reader = green.spawn(server.read, server, 1)
    testing.settle()
    server:close()
    local value, err = reader:wait()
    assert.is_nil(value)
    assert.is_true(green.is_error(err, "ECLOSED"), tostring(err))
    green.sleep(10.001)
    local text, cut = client:read_all()
    assert.is_nil(text)
    assert.is_true(green.is_error(cut, "ETLSTRUNCATED"))
    client:close()
  end)

  virtual_it("is not said for a write that was broken off", function()
    local server, client = full(1)
    local _, err = server:write(("x"):rep(100000), { timeout = 1 })
    assert.is_true(green.is_error(err, "ETIMEDOUT"))
    server:close()
    testing.settle() -- and nobody stays
    client:close()
  end)
end)
