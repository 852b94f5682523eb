-- How connections of green.http come to be: names by a server of the spec's own, real sockets.

local green = require "green"
local http = require "green.http"
local testing = require "green.testing"

local dns_kit = dofile "spec/support/dns_kit.lua"
local kit = dofile "spec/support/http_client.lua"
local sockets = dofile "spec/support/sockets.lua"
local _, it_real = testing.busted()
local it = kit.its(it_real)

local HELLO = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

local ZONES = [[
example       SOA  ns.example root.example 1 3600 600 86400 60
here.example  A    127.0.0.1
here.example  AAAA ::1
v4.example    A    127.0.0.1
many.example  A    127.0.0.2
many.example  A    127.0.0.1
]]

--- fn(server of names, resolver, session that asks it)
local function with_names(opts, fn)
  dns_kit.with(ZONES, nil, function(names, resolver)
    local own = { resolver = resolver }
    for name, value in pairs(opts) do
      own[name] = value
    end
    local session = http.session(own)
    local ok, err = pcall(fn, names, resolver, session)
    session:close()
    if not ok then
      error(err, 0)
    end
  end)
end

describe("green.connect, with a resolver of one's own,", function()
  it("asks that one", function(serve)
    local server = serve(kit.answers(HELLO))
    with_names({}, function(names, resolver)
      local conn = assert(green.connect("here.example", server.port, { resolver = resolver }))
      assert.equal("127.0.0.1", (conn:peername()))
      conn:close()
      assert.equal(1, names:count("here.example", "A"))
      local _, err = green.connect("no.example", 80, { resolver = resolver })
      assert.equal("EAI_NONAME", err.code)
      conn = assert(green.connect("localhost", server.port, { resolver = "dns" }))
      conn:close()
      conn = assert(green.connect("127.0.0.1", server.port, { resolver = resolver }))
      conn:close()
    end)
  end)

  it("takes nothing else for one", function()
    for _, wrong in ipairs { "mine", 5, {} } do
      assert.error_matches(function() green.connect("x", 1, { resolver = wrong }) end,
        'connect: resolver must be what dns.resolver gives, "system" or "dns", not')
    end
    assert.error_matches(function() http.get("http://x/", { resolver = 1 }) end,
      "get: resolver must be what")
  end)
end)

describe("green.http, opening a connection,", function()
  it("tries all addresses of a name that a resolver finds [S26]", function(serve)
    local server = serve(kit.answers(HELLO))
    with_names({}, function(names, _, session)
      local url = "http://here.example:" .. server.port .. "/"
      local resp = assert(session:get(url))
      assert.equal("hello", resp:text())
      local t = resp.timings
      assert.is_true(t.dns <= t.connect and t.connect <= t.connected and t.connected <= t.head)
      t = assert(session:get(url)).timings
      assert.is_nil(t.dns)
      assert.is_nil(t.connect)
      assert.equal(1, names:count("here.example", "A"))
    end)
  end)

  it("says that a name was being looked up when the time was over", function()
    with_names({ timeout = { connect = 0.05 } }, function(names, _, session)
      names:misbehave("*", "silent")
      local resp, err = session:get("http://here.example/")
      assert.is_nil(resp)
      assert.equal("ETIMEDOUT", err.code)
      assert.equal("resolve", err.phase)
      assert.same({ open = 0, idle = 0, waiting = 0 }, session:stats())
    end)
    with_names({}, function(_, _, session)
      local _, err = session:get("http://no.example/")
      assert.equal("EAI_NONAME", err.code)
      assert.equal("resolve", err.phase)
    end)
  end)

  it("has one time for the lookup, the connect and the handshake", function(serve)
    local server = serve(function(conn) conn:read_all() end)
    with_names({ timeout = { connect = 0.5 } }, function(_, _, session)
      local resp, err = session:get("https://v4.example:" .. server.port .. "/")
      assert.is_nil(resp)
      assert.equal("ETIMEDOUT", err.code)
      assert.equal("tls", err.phase)
      assert.equal(0, session:stats().open)
    end)
  end)

  it("looks at the options of TLS before it connects", function(serve)
    local server = serve(kit.answers(HELLO))
    local session = http.session { tls = { ca = "/no/such/file" } }
    local resp, err = session:get("https://127.0.0.1:" .. server.port .. "/")
    assert.is_nil(resp)
    assert.equal("tls", err.phase)
    assert.equal(0, server.connections)
    session:close()
  end)

  it("asks allow for each address just before the connect to it", function(serve)
    local server = serve(kit.answers(HELLO))
    local asked = {}
    local function allow(address)
      asked[#asked + 1] = address.host
      green.sleep(0) -- it may wait
      return address.host == "127.0.0.1", "another one"
    end
    with_names({ allow = allow }, function(_, _, session)
      assert.equal("hello", assert(session:get("http://many.example:" .. server.port)):text())
      assert.equal("127.0.0.1", asked[#asked])
      assert.equal("hello", assert(session:get("http://here.example:" .. server.port)):text())
      assert.equal(2, server.connections)
    end)
    with_names({ allow = "public" }, function(_, _, session)
      local resp, err = session:get("http://many.example:" .. server.port)
      assert.is_nil(resp)
      assert.equal("EACCES", err.code)
      assert.equal("connect", err.phase)
      assert.matches("127%.0%.0%.2:%d+: no connection to this address is allowed: loopback",
        err.message)
      assert.equal(2, #err.cause.errors)
      assert.equal(2, server.connections)
    end)
  end)

  it("raises what allow raises, and leaves nothing", function(serve)
    local server = serve(kit.answers(HELLO))
    for _, host in ipairs { "127.0.0.1", "many.example" } do
      with_names({ allow = function() error("mine", 0) end }, function(_, _, session)
        assert.has_error(function()
          session:get("http://" .. host .. ":" .. server.port)
        end, "mine")
        assert.equal(0, session:stats().open)
      end)
    end
    assert.equal(0, server.connections)
  end)

  it("uses no connection for a request with allow that was opened without", function(serve,
    session)
    local server = serve(kit.answers(HELLO))
    assert.equal("hello", assert(session:get(server.url)):text())
    local resp, err = session:get(server.url, { allow = "public" })
    assert.is_nil(resp)
    assert.equal("EACCES", err.code)
    local function ours() return true end
    for _ = 1, 2 do
      assert.equal("hello", assert(session:get(server.url, { allow = ours })):text())
      assert.equal("hello", assert(session:get(server.url)):text())
    end
    assert.equal(2, server.connections)
  end)

  it("is killed while it connects, and leaves nothing", function()
    local listener, port = sockets.listener("inet", "127.0.0.1", 0)
    local filler = {}
    repeat
      local conn = green.connect("127.0.0.1", port, { timeout = 0.02 })
      filler[#filler + 1] = conn
    until not conn
    with_names({}, function(_, _, session)
      local t = green.spawn(session.get, session, "http://many.example:" .. port)
      testing.settle_io()
      t:kill()
      assert.equal(0, session:stats().open)
    end)
    for _, conn in ipairs(filler) do
      conn:close()
    end
    listener:close()
  end)
end)
