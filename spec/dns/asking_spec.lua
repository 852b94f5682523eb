-- Questions under way and what is kept of answers: green.dns.asking, .cache, .find.

local caches = require "green.dns.cache"
local core = require "green.core"
local dns = require "green.dns"
local green = require "green"
local testing = require "green.testing"

local fails = dofile("spec/support/sockets.lua").fails
local kit = dofile "spec/support/dns_kit.lua"
local program = require "spec.support.program"
local _, it = testing.busted()
local hosts, numbers, with = kit.hosts, kit.numbers, kit.with

local A_TEST = "test SOA ns.test root.test 1 1 1 1 60\na.test 5 A 192.0.2.1"

local function killed(t)
  local ok, err = pcall(t.wait, t)
  assert.is_false(ok)
  assert.is_true(green.is_error(err, "ECANCELED"))
end

describe("a question", function()
  it("is asked once, however many wait for its answer", function()
    with(nil, nil, function(server, r)
      server:misbehave("www.example", "slow", 0.02)
      local threads = {}
      for i = 1, 20 do
        threads[i] = green.spawn(r.query, r, "www.example", "A")
      end
      for _, t in ipairs(threads) do
        assert.equal("192.0.2.1", t:wait()[1].address)
      end
      assert.equal(1, server:count())
    end)
  end)

  it("is left by each who is killed or late alone, and ends with the last", function()
    with(nil, nil, function(server, r)
      server:misbehave("www.example", "silent")
      local first = kit.caught(server, r.query, r, "www.example", "A")
      local second = green.spawn(r.query, r, "www.example", "A", { timeout = 0.01 })
      local third = green.spawn(r.query, r, "www.example", "A")
      testing.settle_io()
      first:kill()
      killed(first)
      fails("ETIMEDOUT", second:wait())
      assert.equal(1, numbers(r).out)
      assert.equal("parked", third:status())
      third:kill()
      killed(third)
      assert.equal(0, numbers(r).out)
      assert.equal(1, server:count())
      server:behave("www.example")
      assert(r:query("www.example", "A"))
    end)
  end)

  it("ends with a thread that is killed before it asks, or amidst two families", function()
    with(nil, nil, function(server, r)
      local t = green.spawn(function()
        green.getcurrent():kill_soon()
        r:query("www.example", "A")
      end)
      killed(t)
      t = green.spawn(r.getaddrinfo, r, "www.example", 80)
      t:kill() -- unstarted
      assert.equal(0, server:count())
      server:misbehave("*", "silent")
      t = kit.caught(server, r.getaddrinfo, r, "www.example", 80)
      testing.settle_io()
      assert.equal(2, numbers(r).out)
      t:kill()
      killed(t)
      assert.equal(0, numbers(r).out)
    end)
  end)

  it("cannot be waited for inside of string.gsub, and then is not asked", function()
    with(nil, nil, function(server, r)
      local ok, err = pcall(string.gsub, "x", "x", function()
        r:query("www.example", "A")
      end)
      assert.is_false(ok)
      assert.matches("cannot wait inside", tostring(err))
      assert.equal(0, server:count())
    end)
  end)

  it("goes on where the resolver is cleared, or collected, meanwhile", function()
    with(nil, nil, function(server, r)
      server:misbehave("www.example", "slow", 0.02)
      local t = kit.caught(server, r.query, r, "www.example", "A")
      r:clear()
      r = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      assert.equal("192.0.2.1", t:wait()[1].address)
    end)
  end)

  it("is asked of the next server when one dies, and of it again when it is back", function()
    local one, two = kit.servers.start(), kit.servers.start()
    local r = dns.resolver { servers = { "127.0.0.1:" .. one.port, "127.0.0.1:" .. two.port },
      hosts = false, cache = false }
    assert(r:query("www.example", "A"))
    assert.same({ 1, 0 }, { one:count(), two:count() })
    one:stop()
    assert(r:query("www.example", "A"))
    assert(r:query("www.example", "A"))
    assert.equal(2, two:count())
    local list = r:servers()
    assert.same({ true, false }, { list[1].down, list[2].down })
    two:stop()
    one:start()
    assert(r:query("www.example", "A"))
    assert.same({ false, true }, { r:servers()[1].down, r:servers()[2].down })
    one:stop()
  end)

  it("is asked again by a child of a fork, which has ports of its own", function()
    local r = program.run { program.greenlua, "-e", [[
      local green = require "green"
      local process = require "green.process"
      local kit = dofile "spec/support/dns_kit.lua"
      local server, r = kit.pair()
      assert(r:query("www.example", "A"))
      local pid = assert(process.fork(function()
        -- The parent's server answers the child, too.
        local list = assert(r:query("four.example", "A", { timeout = 10 }))
        print(list[1].address)
      end))
      assert(process.wait(pid))
      server:stop()
      print "parent"
    ]] }
    assert.equal("192.0.2.4\nparent\n", r.out, r.err)
  end)
end)

describe("what is known", function()
  it("is kept as long as it says, and not asked for", function()
    with(nil, nil, function(server, r)
      assert(r:getaddrinfo("www.example", 80))
      local list = assert(r:getaddrinfo("WWW.example.", 443))
      assert.equal(443, list[1].port)
      assert(r:query("www.example", "AAAA"))
      assert.equal(2, server:count())
    end)
    with("a.test 0 A 192.0.2.1\na.test SOA ns.test root.test 1 1 1 1 0", nil, function(server, r)
      assert(r:query("a.test", "A"))
      assert(r:query("a.test", "A"))
      assert.equal(2, server:count())
      fails("EAI_NONAME", r:query("none.a.test", "A"))
      fails("EAI_NONAME", r:query("none.a.test", "A"))
      assert.equal(2, server:count("none.a.test"))
    end)
  end)

  it("is out of date one day", function()
    with(A_TEST, nil, function(server, r)
      local first = assert(r:query("a.test", "A"))
      assert.equal(5, first[1].ttl)
      local q = kit.known(r, "a.test", 1)
      q.done_at, q.till = q.done_at - 3e9, q.till - 3e9
      assert.equal(2, r:query("a.test", "A")[1].ttl)
      assert.equal(1, server:count())
      q.done_at, q.till = q.done_at - 3e9, q.till - 3e9
      assert.equal(5, r:query("a.test", "A")[1].ttl)
      assert.equal(2, server:count())
    end)
  end)

  it("may be that there is nothing, for a while", function()
    with(nil, nil, function(server, r)
      for _ = 1, 3 do
        fails("EAI_NONAME", r:query("nobody.example", "A"))
        fails("EAI_NONAME", r:query("www.example", "MX"))
      end
      assert.equal(1, server:count("nobody.example"))
      assert.equal(1, server:count("www.example"))
      local q = kit.known(r, "nobody.example", 1)
      assert.equal(60e9, tonumber(q.till - q.done_at))
    end)
  end)

  it("is never that a server has failed", function()
    with(nil, { tries = 1 }, function(server, r)
      server:misbehave("www.example", "servfail")
      fails("EAI_AGAIN", r:query("www.example", "A"))
      server:behave("www.example")
      assert(r:query("www.example", "A"))
    end)
  end)

  it("is given a little too old when no server answers, if that is wanted", function()
    with(A_TEST, { stale = 60, tries = 1 }, function(server, r)
      assert(r:getaddrinfo("a.test", 80, { family = "inet" }))
      local q = kit.known(r, "a.test", 1)
      local function age(seconds)
        q.till = (core.now() - seconds) * 1e9
        r._plan.any, r._plan.inet, r._plan.inet6, r._plan.till = nil, nil, nil, -1
      end
      server:misbehave("a.test", "servfail")
      age(59)
      assert.equal("192.0.2.1", hosts(r:getaddrinfo("a.test", 80, { family = "inet" })))
      age(61)
      fails("EAI_AGAIN", r:getaddrinfo("a.test", 80, { family = "inet" }))
    end)
  end)

  it("is kept of so many names at most, of those that were wanted last", function()
    local cache = caches.new(10)
    for i = 1, 100 do
      cache:put(i, "v" .. i)
      cache:get(1)
    end
    local n = 0
    for i = 1, 100 do
      n = n + ((cache.young[i] or cache.old[i]) and 1 or 0)
    end
    assert.is_true(n <= 10)
    assert.equal("v1", cache:get(1))
    assert.equal("v100", cache:get(100))
    assert.is_nil(cache:get(50))
    cache:clear()
    assert.is_nil(cache:get(100))
    assert.is_nil(caches.new(0):get(1))
    with(nil, { cache = false }, function(server, r)
      assert(r:query("www.example", "A"))
      assert(r:query("www.example", "A"))
      assert.equal(2, server:count())
    end)
  end)
end)

describe("without c-ares", function()
  it("the system looks names up, and questions say which package is missing", function()
    local r = program.run { "env", "GREENLUA_LIBCARES=/nonexistent", program.greenlua, "-e", [[
      local dns, system = require "green.dns", require "green.dns.system"
      print(dns.getaddrinfo("127.0.0.1", 80)[1], dns.getaddrinfo("localhost", 80)[1])
      local _, err = dns.query("a.test", "A")
      print(err)
      _, err = dns.resolver { servers = { "192.0.2.1" } }:getaddrinfo("a.test")
      print(err.code)
      function system.pool() return nil, require "green.error".new("EPERM", "asked") end
      print(select(2, dns.getaddrinfo("a.test", 80)))
    ]] }
    assert.matches("^127.0.0.1:80\t127.0.0.1:80\n"
      .. "query a.test A: questions to name servers need c%-ares, Debian's package libc%-ares2: "
      .. "/nonexistent: [^\n]* %(ENOLIBRARY%)\nENOLIBRARY\n"
      .. "asked: operation not permitted %(EPERM%)\n$", r.out, r.err)
  end)
end)
