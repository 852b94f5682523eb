-- HTTPS connections that end: killed, abandoned, out of time, left, collected, at each point
-- of handshake, reading, writing and shutdown. Each spec ends with nothing left.
local green = require "green"
local testing = require "green.testing"
local tls = require "green.tls"

local ffi = require "ffi"

local certs = require "spec.support.certs"
local kit = dofile("spec/support/wsgi_kit.lua")

local _, it = testing.busted()

local function request(path, more)
  return ("GET %s HTTP/1.1\r\nHost: a.test\r\n%s\r\n"):format(path, more or "")
end

local BIG = ("x"):rep(1000000)

--- What the handlers do; seen is for what they met.
local function app_of(seen)
  local paths = {
    ["/read"] = function(env)
      seen.reached = true
      seen.body, seen.err = env.input:read(100)
    end,
    ["/sleep"] = function()
      seen.reached = true
      green.sleep(60)
    end,
    ["/write"] = function()
      return 200, nil, function()
        seen.reached = true
        return BIG
      end
    end,
    ["/take_read"] = function(env)
      local conn = assert(env.take_over())
      seen.reached = true
      seen.body, seen.err = conn:read(1)
      conn:close()
    end,
    ["/take_write"] = function(env)
      local conn = assert(env.take_over())
      seen.reached = true
      repeat
        seen.body, seen.err = conn:write(BIG)
      until seen.err
      conn:close()
    end,
    ["/take_end"] = function(env)
      local conn = assert(env.take_over())
      conn:write("bye")
      conn:shutdown("write")
      seen.reached = true
      seen.body, seen.err = conn:read(1)
      conn:close()
    end,
    ["/forget"] = function(env)
      seen.stream = assert(env.take_over())
      seen.reached = true
      green.sleep(60)
    end,
  }
  return function(env)
    local page = paths[env.PATH_INFO]
    if page then
      local status, headers, body = page(env)
      return status or 200, headers, body or "done"
    end
    return 200, nil, "hello"
  end
end

--- A stream that a handler has taken over and not closed is closed by the collector.
local function forget(seen)
  seen.stream = nil
  collectgarbage()
  collectgarbage()
end

--- body(server, client, seen) beside a server.
local function with(opts, body)
  local seen, options = {}, { tls = certs.server "a", error_log = function() end }
  for name, value in pairs(opts) do options[name] = value end
  kit.with(app_of(seen), options, function(client, server)
    client.target = "127.0.0.1:" .. server.port
    body(server, client, seen)
  end)
  forget(seen)
end

--- A client that has done its handshake, over that socket.
local function secure(client, text)
  local lower = client:connect()
  local conn = assert(tls.client(lower, certs.client("a.test", { timeout = 20 })))
  conn:settimeout(20)
  if text then
    assert(conn:write(text))
  end
  return conn, lower
end

local hello -- a client's first bytes

local function hello_bytes()
  if hello then
    return hello
  end
  local listener = assert(green.listen "127.0.0.1:0")
  local lower = assert(green.connect("127.0.0.1", (select(2, listener:sockname()))))
  local shaking = green.spawn(tls.client, lower, certs.client("a.test", { timeout = 20 }))
  local conn = assert(listener:accept())
  hello = assert(conn:read_some())
  conn:close()
  shaking:wait()
  lower:close()
  listener:close()
  return hello
end

--- Send the first n bytes of what text is encrypted.
local function say_part(conn, lower, text, n)
  local all = ""
  lower._send = function(_, p, len)
    all = all .. ffi.string(p, len)
    return len
  end
  assert(conn:write(text))
  lower._send = nil
  assert(#all > n and lower:write(all:sub(1, n)))
end

local function reaches(path, more)
  return function(client, seen)
    local conn = secure(client, request(path, more))
    testing.settle_io(function() return seen.reached end)
    return conn
  end
end

-- name = function(client, seen, server): what the client has
local points = {
  ["silence"] = function(client)
    return client:connect()
  end,
  ["a part of a hello"] = function(client, _, server)
    local conn = client:connect(hello_bytes():sub(1, 50))
    testing.settle_io(function() return server:stats().handshaking == 1 end)
    return conn
  end,
  ["a hello that was answered"] = function(client)
    local conn = client:connect(hello_bytes())
    assert(conn:read(1))
    return conn
  end,
  ["a handshake that is done"] = function(client, _, server)
    local conn = secure(client)
    testing.settle_io(function() return server:stats().handshakes == 1 end)
    return conn
  end,
  ["the time between two requests"] = function(client)
    local conn = secure(client, request "/")
    kit.read_answer(conn)
    return conn
  end,
  ["a part of a record"] = function(client)
    local conn, lower = secure(client, request "/")
    kit.read_answer(conn)
    say_part(conn, lower, request "/", 20)
    testing.settle_io()
    return conn
  end,
  ["a part of a head"] = function(client)
    local conn = secure(client, request "/")
    kit.read_answer(conn)
    conn:write("GET / HT")
    testing.settle_io()
    return conn
  end,
  ["a body that is waited for"] = reaches("/read", "Content-Length: 10\r\n"),
  ["a part of a body's record"] = function(client, seen)
    local conn, lower = secure(client, request("/read", "Content-Length: 10\r\n"))
    testing.settle_io(function() return seen.reached end)
    say_part(conn, lower, "0123456789", 20)
    testing.settle_io()
    return conn
  end,
  ["a handler that sleeps"] = reaches "/sleep",
  ["an answer that is not read"] = reaches "/write",
  ["a take-over that reads"] = reaches "/take_read",
  ["a take-over that writes"] = reaches "/take_write",
  ["a take-over that has ended its side"] = reaches "/take_end",
  ["a take-over that is kept"] = reaches "/forget",
}

local function is_over(server)
  local stats = server:stats()
  return stats.connections == 0 and stats.taken_over == 0 and stats.busy == 0
end

describe("an HTTPS connection", function()
  for name, reach in pairs(points) do
    it("is closed by a stop that kills, in " .. name, function()
      with({}, function(server, client, seen)
        local conn = reach(client, seen, server)
        server:stop { grace = 0 }
        assert.truthy(is_over(server))
        forget(seen)
        conn:read_all()
        conn:close()
      end)
    end)

    it("is closed by a stop that abandons, in " .. name, function()
      with({}, function(server, client, seen)
        local conn = reach(client, seen, server)
        server:stop { grace = 0, force_after = 0 }
        assert.truthy(is_over(server))
        forget(seen)
        conn:read_all()
        conn:close()
      end)
    end)

    it("is over when its client goes, in " .. name, function()
      with({ cancel_on_disconnect = true }, function(server, client, seen)
        local conn = reach(client, seen, server)
        conn:close()
        testing.settle_io(function()
          return is_over(server) or seen.stream -- whose handler does not look
        end)
        conn = secure(client, request "/")
        assert.equal(200, (kit.read_answer(conn)))
        conn:close()
      end)
    end)
  end

  it("has its time for each of them", function()
    local late = {
      ["silence"] = "header_timeout",
      ["a part of a hello"] = "header_timeout",
      ["a hello that was answered"] = "header_timeout",
      ["a handshake that is done"] = "header_timeout",
      ["the time between two requests"] = "keepalive",
      ["a part of a record"] = "header_timeout",
      ["a part of a head"] = "header_timeout",
      ["a body that is waited for"] = "body_timeout",
      ["a part of a body's record"] = "body_timeout",
      ["a handler that sleeps"] = "handler_timeout",
      ["an answer that is not read"] = "write_timeout",
    }
    for name, option in pairs(late) do
      with({ [option] = 0.3 }, function(server, client, seen)
        local conn = points[name](client, seen, server)
        local reader = name ~= "an answer that is not read" and green.spawn(function()
          conn:read_all()
          conn:close() -- else the server lingers for him
        end)
        testing.settle_io(function() return is_over(server) end)
        if reader then
          reader:wait()
        end
        conn:close()
      end)
    end
  end)

  it("tells a handler what has come of its body", function()
    with({ body_timeout = 0.2 }, function(server, client, seen)
      local conn = points["a part of a body's record"](client, seen, server)
      testing.settle_io(function() return seen.err end)
      assert.equal("ETIMEDOUT", seen.err.code)
      conn:close()
    end)
  end)

  it("closes its descriptor once when a take-over is forgotten", function()
    with({}, function(server, client, seen)
      local conn = reaches "/forget"(client, seen)
      server:stop { grace = 0 }
      forget(seen)
      local text, err = conn:read_all()
      assert.truthy(text == "" or err:is "ETLSTRUNCATED" or err:is "ECONNRESET", tostring(err))
      conn:close()
    end)
  end)

  it("makes room between two requests, and with no part of a next one", function()
    with({ max_connections = 2 }, function(server, client, seen)
      local half = points["a part of a record"](client, seen)
      local idle = points["the time between two requests"](client, seen)
      local conn = secure(client, request "/")
      assert.equal(200, (kit.read_answer(conn)))
      assert.is_nil(idle:read(1))
      assert.equal(1, server:stats().evicted)
      assert.is_nil((half:read_some(nil, { timeout = 0 })))
      for _, each in ipairs { half, idle, conn } do each:close() end
    end)
  end)

  it("is gone with a server that nobody has kept", function()
    local server = assert(require("green.wsgi").new("127.0.0.1:0", app_of {},
      { tls = certs.server "a", log = false }))
    server:start()
    local client = { target = "127.0.0.1:" .. server.port, connect = function(self)
      return assert(green.connect(self.target))
    end }
    local conn = secure(client, request "/")
    kit.read_answer(conn)
    server.listener:close() -- which ends it
    server = nil -- luacheck: ignore
    assert.is_nil(conn:read(1))
    conn:close()
  end)
end)
