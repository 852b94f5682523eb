-- TLS of green.redis: what the option takes, and over what it goes.

local certs = require "spec.support.certs"
local green = require "green"
local redis = require "green.redis"
local redis_server = require "spec.support.redis_server"
local testing = require "green.testing"
local tls = require "green.tls"

local _, it = testing.busted()

local server

setup(function() server = redis_server.new { tls = true } end)
teardown(function() server:remove() end)

local function open_plain()
  return green.connect("127.0.0.1", server.tls_port)
end

local function check(opts)
  local db = assert(redis.connect(opts))
  assert.equal("PONG", db:ping())
  db:close()
end

describe("TLS of green.redis", function()
  it("takes options, or a context that others have, too", function()
    local ca = certs.path "ca.pem"
    check { port = server.tls_port, tls = { ca = ca } }
    check { port = server.tls_port, tls = assert(tls.context { ca = ca }) }
    check { port = server.tls_port, tls = { context = assert(tls.context { verify = false }) } }
    check { port = server.tls_port, tls = { verify = false } }
  end)

  it("goes over whatever connects", function()
    check { open = open_plain, tls = { ca = certs.path "ca.pem" } }
    local db, err = redis.connect { open = open_plain, tls = { ca = certs.path "self.pem" } }
    assert.is_nil(db)
    assert.equal("ECERTUNKNOWN", err.code)
    db, err = redis.connect { unix = server.unix, timeout = 0.1, tls = { verify = false } }
    assert.is_nil(db) -- which speaks without TLS there
    assert.equal("ETIMEDOUT", err.code)
  end)

  it("does not go without a word over an object that is no stream of green's", function()
    local closed
    local db, err = redis.connect { tls = { verify = false }, open = function()
      return { read_some = function() return nil end, write = function() return 0 end,
        close = function() closed = true end }
    end }
    assert.is_nil(db)
    assert.equal("EINVAL", err.code)
    assert.matches("tls", err.message)
    assert.is_true(closed)
  end)

  it("gives each connection the time that it has, not the first one's", function()
    local silent = assert(green.listen "127.0.0.1:0")
    local host, port = silent:sockname()
    local opened = 0
    local db = redis.client { idle_timeout = 0, timeout = 3600, connect_timeout = 3600, tries = 1,
      tls = { ca = certs.path "ca.pem" }, open = function()
        opened = opened + 1
        return opened == 1 and open_plain() or green.connect(host, port)
      end }
    assert.equal("PONG", db:ping())
    local short = db:with { timeout = 0.01 }
    local value, err = green.timeout(10, short.ping, short)
    assert.is_nil(value)
    assert.equal("redis.client: tls", err.op)
    assert.equal("ETIMEDOUT", err.code)
    db:close()
    silent:close()
  end)

  it("has its options looked at when the client is made", function()
    for _, name in ipairs { "client", "connect" } do
      local ok, err = pcall(redis[name], { tls = { caa = "x" } })
      assert.is_false(ok)
      assert.matches("tls_spec.lua:%d+: redis." .. name .. ": tls: unknown option 'caa'; "
        .. "did you mean 'ca'?", err)
      ok, err = pcall(redis[name], { tls = green.Queue() })
      assert.is_false(ok)
      assert.matches("tls_spec.lua:%d+: redis." .. name .. ": tls must be true, a table of options "
        .. "or a context of green.tls, not a green.Queue", err)
      local db
      db, err = redis[name] { tls = { ca = "/nowhere/ca.pem" } }
      assert.is_nil(db)
      assert.equal("ENOENT", err.code)
    end
  end)
end)
