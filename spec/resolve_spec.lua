local green = require "green"
local resolve = require "green.resolve"
local socket = require "green.socket"
local system = require "green.dns.system"
local testing = require "green.testing"

local fails = dofile("spec/support/sockets.lua").fails
local kit = dofile "spec/support/dns_kit.lua"
local program = require "spec.support.program"
local _, it = testing.busted()
local with_default = kit.with_default

describe("green.resolve", function()
  it("takes numbers as they are and asks nobody", function()
    with_default(nil, nil, function(server)
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
      for _, host in ipairs { "1.2.3", "0x7f.1", "127.1", "1", "256.1.1.1", "0x7f000001",
        "name.0x1f", "name.7" } do
        local err = fails("EINVAL", resolve.getaddrinfo(host, 80))
        assert.equal(("resolve %s: no such numeric address (EINVAL)"):format(host), tostring(err))
      end
      assert.equal(0, server:count())
    end)
  end)

  it("looks names up while the others run [S26]", function()
    with_default(nil, nil, function(server)
      local ticks, done = 0, false
      server:misbehave("*", "slow", 0.02)
      green.spawn(function()
        while not done do
          ticks = ticks + 1
          green.sleep(0)
        end
      end)
      local before = ticks
      local list = assert(resolve.getaddrinfo("here.example", 80, { family = "inet" }))
      done = true
      assert.is_true(ticks > before + 1)
      assert.equal("127.0.0.1:80", tostring(list[1]))
    end)
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
    err = fails("EAI_SERVICE", resolve.getaddrinfo("127.0.0.1", "no-such-service"))
    assert.equal("resolve 127.0.0.1:no-such-service: ", tostring(err):match("^.*: "))
  end)

  it("asks nobody for what can be no name, or is nobody's", function()
    with_default(nil, nil, function(server)
      for _, host in ipairs { "", ".", "a..b", ".a", "a b", "a/b", ("x"):rep(64) .. ".example",
        ("abc."):rep(64) .. "example", "x.invalid", "invalid", "y.onion", "a\0b" } do
        fails("EAI_NONAME", resolve.getaddrinfo(host, 80))
      end
      assert.equal(0, server:count())
    end)
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

  it("frees its caller at once when killed; the question ends with the last who asks", function()
    with_default(nil, nil, function(server)
      server:misbehave("*", "silent")
      local first = kit.caught(server, resolve.getaddrinfo, "www.example", 80)
      local second = green.spawn(resolve.getaddrinfo, "www.example", 80)
      testing.settle_io()
      assert.equal(2, server:count()) -- A and AAAA, once
      first:kill()
      assert.is_true(first:dead())
      local ok, err = pcall(first.wait, first)
      assert.is_false(ok)
      assert.is_true(err:is("ECANCELED"))
      assert.equal("parked", second:status())
      second:kill()
      server:behave("*")
      assert(resolve.getaddrinfo("www.example", 80)) -- and goes on
    end)
  end)

  it("raises in a killed thread before it asks", function()
    with_default(nil, nil, function(server)
      local t = green.spawn(function()
        green.getcurrent():kill_soon()
        resolve.getaddrinfo("www.example", 80)
      end)
      local ok, err = pcall(t.wait, t)
      assert.is_false(ok)
      assert.is_true(err:is("ECANCELED"))
      assert.equal(0, server:count())
    end)
  end)

  it("gives ETIMEDOUT when its time is up, and leaves nothing", function()
    with_default(nil, nil, function(server)
      server:misbehave("*", "silent")
      local list, err = resolve.getaddrinfo("www.example", 80, { timeout = 0.01 })
      fails("ETIMEDOUT", list, err)
      assert.is_true(green.is_timeout(err))
      _, err = green.timeout(0.01, resolve.getaddrinfo, "www.example", 80)
      assert.is_true(err:is("ETIMEDOUT"))
      fails("ETIMEDOUT", resolve.getaddrinfo("www.example", 80, { timeout = 0 }))
    end)
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
    with_default(nil, nil, function()
      local threads = {}
      for i = 1, 50 do
        local host = i % 2 == 0 and "www.example" or "localhost"
        threads[i] = green.spawn(resolve.getaddrinfo, host, i)
      end
      for i = 1, 50 do
        assert.equal(i, threads[i]:wait()[1].port)
      end
    end)
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

describe("green.resolve with the system's lookups", function()
  local function by_system(host, opts)
    opts = opts or {}
    opts.resolver = "system"
    return resolve.getaddrinfo(host, 80, opts)
  end

  it("has getaddrinfo do it in a native thread, on demand", function()
    local n, old = 0, system.pool
    function system.pool()
      n = n + 1
      return old()
    end
    with_default(nil, nil, function(server)
      local list, err = by_system("no-such-host.invalid", { timeout = 20 })
      assert.is_nil(list)
      assert.is_true(green.is_error(err))
      assert.equal(0, server:count())
      assert(resolve.getaddrinfo("www.example", 80))
    end)
    system.pool = old
    assert.equal(1, n)
  end)

  it("frees its caller when killed; nobody hears of the answer", function()
    local t = green.spawn(by_system, "no-such-host.invalid")
    while t:status() ~= "parked" and not t:dead() do
      green.sleep(0)
    end
    t:kill()
    assert.is_true(t:dead())
  end)

  it("is what the environment may want, by our name or Eventlet's [S40]", function()
    local code = [[
      local system = require "green.dns.system"
      function system.pool() return nil, require "green.error".new("EPERM", "asked") end
      local list, err = require "green.resolve".getaddrinfo("name.invalid", 80, %s)
      print(list, err.code)
    ]]
    local function prints(expected, env, opts)
      local argv = { "env", program.greenlua, "-e", code:format(opts or "nil") }
      table.insert(argv, 2, env)
      assert.equal("nil\t" .. expected .. "\n", program.run(argv).out)
    end
    prints("EPERM", "GREENLUA_RESOLVER=system")
    prints("EPERM", "EVENTLET_NO_GREENDNS=YES")
    prints("EAI_NONAME", "EVENTLET_NO_GREENDNS=no")
    prints("EAI_NONAME", "GREENLUA_RESOLVER=dns")
    prints("EAI_NONAME", "GREENLUA_RESOLVER=system", '{ resolver = "dns" }')
  end)
end)
