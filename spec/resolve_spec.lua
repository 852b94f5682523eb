local core = require "green.core"
local green = require "green"
local lookups = require "green.socket.resolve"
local resolve = require "green.resolve"
local socket = require "green.socket"
local testing = require "green.testing"

local fails = dofile("spec/support/sockets.lua").fails
local _, it = testing.busted()

--- Start lookups until one is caught while it is under way, and do that to it.
local function catch_one(what)
  for _ = 1, 200 do
    local t = green.spawn(resolve.getaddrinfo, "localhost", 80)
    green.sleep(0)
    if t:status() == "parked" then
      what(t)
      return true
    end
    t:wait()
  end
end

describe("green.resolve", function()
  it("takes numbers as they are and asks nobody", function()
    local old = lookups.pool
    function lookups.pool()
      error("asked somebody")
    end
    local ok, err = pcall(function()
      assert.equal("127.0.0.1:80", tostring(resolve.getaddrinfo("127.0.0.1", 80)[1]))
      assert.equal("[::1]:80", tostring(resolve.getaddrinfo("::1", "80")[1]))
      assert.equal("inet6", resolve.getaddrinfo("::1%1", 80)[1].family) -- [b90]
      assert.equal("127.0.0.1:0", tostring(resolve.getaddrinfo("127.0.0.1")[1]))
      assert.equal("127.0.0.1:80", tostring(resolve.getaddrinfo(nil, 80)[1]))
      assert.equal("0.0.0.0:80", tostring(resolve.getaddrinfo(nil, 80, { passive = true })[1]))
      assert.equal("[::]:80", tostring(
        resolve.getaddrinfo(nil, 80, { passive = true, family = "inet6" })[1]))
      fails("EAI_FAMILY", resolve.getaddrinfo("127.0.0.1", 80, { family = "inet6" }))
      fails("EINVAL", resolve.getaddrinfo("0177.0.0.1", 80))
      fails("EINVAL", resolve.getaddrinfo("127.0.0.1", 65536))
    end)
    lookups.pool = old
    assert.is_true(ok, err)
  end)

  it("looks names up while the others run [S26]", function()
    local ticks, done = 0, false
    green.spawn(function()
      while not done do
        ticks = ticks + 1
        green.sleep(0)
      end
    end)
    local before = ticks
    local list = assert(resolve.getaddrinfo("localhost", 80))
    done = true
    assert.is_true(ticks > before)
    assert.is_true(#list >= 1)
    assert.is_true(list[1].host == "127.0.0.1" or list[1].host == "::1")
    assert.equal(80, list[1].port)
  end)

  it("gives one family when asked", function()
    for _, address in ipairs(assert(resolve.getaddrinfo("localhost", 1, { family = "inet" }))) do
      assert.equal("inet", address.family)
    end
  end)

  it("says what it does not know", function()
    local err = fails("EAI_NONAME", resolve.getaddrinfo("no.such.name.invalid", 80))
    assert.equal("resolve no.such.name.invalid: host name or service not known (EAI_NONAME)",
      tostring(err))
    local list
    list, err = resolve.getaddrinfo("127.0.0.1", "no-such-service")
    assert.is_nil(list)
    assert.is_true(err:is("EAI_SERVICE") or err:is("EAI_NONAME"), tostring(err))
    assert.equal("resolve 127.0.0.1:no-such-service: ", tostring(err):match("^.*: "))
  end)

  it("refuses a number that is no port, for names as for numbers", function()
    for _, host in ipairs({ "localhost", "127.0.0.1" }) do
      for _, port in ipairs({ 70000, -1, 1.5, "70000" }) do
        local err = fails("EINVAL", resolve.getaddrinfo(host, port))
        assert.equal(("resolve %s:%s: a port is a number from 0 to 65535 (EINVAL)"):format(host,
          port), tostring(err))
      end
    end
    local err = fails("EINVAL", resolve.getaddrinfo("256.1.1.1", 80))
    assert.equal("resolve 256.1.1.1: no such numeric address (EINVAL)", tostring(err))
  end)

  it("frees its caller at once when killed; the answer is dropped", function()
    local caught = catch_one(function(t)
      t:kill()
      assert.is_true(t:dead())
      local ok, err = pcall(t.wait, t)
      assert.is_false(ok)
      assert.is_true(err:is("ECANCELED"))
    end)
    assert.is_true(caught)
    assert(resolve.getaddrinfo("localhost", 80)) -- and goes on
  end)

  it("raises in a killed thread before it asks", function()
    local t = green.spawn(function()
      green.getcurrent():kill_soon()
      resolve.getaddrinfo("localhost", 80)
    end)
    local ok, err = pcall(t.wait, t)
    assert.is_false(ok)
    assert.is_true(err:is("ECANCELED"))
  end)

  it("gives ETIMEDOUT when its time is up", function()
    -- Many at once, with a service's name to look up: the native threads will not have
    -- answered all by the next poll. If they have, once more.
    local timed_out, rounds = 0, 0
    while timed_out == 0 and rounds < 100 do
      local threads = {}
      for i = 1, 200 do
        threads[i] = green.spawn(resolve.getaddrinfo, "localhost", "http", { timeout = 1e-9 })
      end
      for _, t in ipairs(threads) do
        local list, err = t:wait()
        if not list then
          fails("ETIMEDOUT", list, err)
          assert.is_true(green.is_timeout(err))
          timed_out = timed_out + 1
        end
      end
      rounds = rounds + 1
    end
    assert.is_true(timed_out > 0)
    local _, err = green.timeout(0, resolve.getaddrinfo, "localhost", 80)
    assert.is_true(err == nil or err:is("ETIMEDOUT"))
  end)

  it("knows localhost and what ends in it by itself, IPv4 first", function()
    for _, name in ipairs { "localhost", "LOCALHOST", "localhost.", "x.localhost" } do
      for i, family in ipairs { false, "inet", "inet6" } do
        local list = assert(resolve.getaddrinfo(name, 80, { family = family or nil }))
        assert.equal(i == 1 and 2 or 1, #list)
        assert.equal(i == 3 and "::1" or "127.0.0.1", list[1].host)
      end
    end
    local l = assert(green.listen("localhost:0"))
    assert.equal("127.0.0.1", (l:sockname()))
    l:close()
  end)

  it("answers many at once", function()
    local threads = {}
    for i = 1, 50 do
      threads[i] = green.spawn(resolve.getaddrinfo, "localhost", i)
    end
    for i = 1, 50 do
      assert.equal(i, threads[i]:wait()[1].port)
    end
    assert.equal(0, core.stats().waits)
  end)

  it("is reachable as socket.getaddrinfo, and refuses what it does not know", function()
    assert.equal(resolve.getaddrinfo, socket.getaddrinfo)
    assert.error_matches(function() resolve.getaddrinfo("x", 1, { famly = "inet" }) end,
      "did you mean 'family'")
    assert.error_matches(function() resolve.getaddrinfo("x", 1, { family = "inet7" }) end,
      "unknown family 'inet7'; did you mean 'inet")
    assert.error_matches(function() resolve.getaddrinfo("x", 1, { type = "steam" }) end,
      "did you mean 'stream'")
  end)
end)
