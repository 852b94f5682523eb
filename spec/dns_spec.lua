local dns = require "green.dns"
local testing = require "green.testing"

local fails = dofile("spec/support/sockets.lua").fails
local kit = dofile "spec/support/dns_kit.lua"
local _, it = testing.busted()
local hosts, with = kit.hosts, kit.with

describe("green.dns", function()
  it("gives the addresses of both families, with their port", function()
    with(nil, nil, function(_, r)
      local list = assert(r:getaddrinfo("www.example", "http"))
      assert.equal(2, #list)
      for _, address in ipairs(list) do
        assert.equal(80, address.port)
      end
      assert.equal("192.0.2.1", hosts(r:getaddrinfo("www.example", 80, { family = "inet" })))
      assert.equal("2001:db8::1", hosts(r:getaddrinfo("WWW.Example.", 80, { family = "inet6" })))
      assert.equal("192.0.2.2 192.0.2.3", hosts(r:getaddrinfo("both.example")))
      assert.equal("192.0.2.1", r:gethostbyname("www.example"))
    end)
  end)

  it("gives everybody addresses of their own, known before or not", function()
    local wanted = { "www.example", "www.example", "www.example", "127.0.0.1", "localhost" }
    with(nil, nil, function(_, r)
      for _, opts in ipairs { {}, { family = "inet6", v4mapped = true, all = true } } do
        for port, host in ipairs(wanted) do
          local list = assert(r:getaddrinfo(host, port, opts))
          for key, address in pairs(list) do
            assert.is_number(key)
            assert.is_true(#address.host > 2)
            assert.equal(port, address.port)
            assert.equal("green.address", getmetatable(address).__name)
            address.host, address.port = "", 0
          end
        end
      end
    end)
  end)

  it("asks for other scripts' names as DNS has them", function()
    local zone = "test SOA ns.test root.test 1 1 1 1 60\nxn--bcher-kva.test A 192.0.2.5"
    with(zone, nil, function(_, r)
      local list, err = r:getaddrinfo("Bücher.test", 80, { family = "inet" })
      if err and tostring(err):find("libidn2", 1, true) then
        return pending("no libidn2 here")
      end
      assert.equal("192.0.2.5", hosts(list, err))
      assert.equal("192.0.2.5", r:query("bücher.test", "A")[1].address)
      fails("EAI_NONAME", r:getaddrinfo("\255.test", 80))
    end)
  end)

  it("follows the chain of its question's aliases, and believes nothing else", function()
    with(nil, nil, function(server, r)
      local list = assert(r:getaddrinfo("far.example", 1, { canonname = true, family = "inet" }))
      assert.equal("192.0.2.1", hosts(list))
      assert.equal("www.example", list.canonname)
      server:misbehave("www.example", "others")
      r:clear()
      fails("EAI_FAMILY", r:getaddrinfo("www.example", 1))
      server:misbehave("www.example", "more")
      r:clear()
      assert.equal("192.0.2.1", hosts(r:getaddrinfo("www.example", 1, { family = "inet" })))
      server:misbehave("www.example", "chain", 9)
      r:clear()
      assert.equal("192.0.2.7", hosts(r:getaddrinfo("www.example", 1, { family = "inet" })))
    end)
  end)

  it("says what it does not find, and who said so", function()
    with(nil, nil, function(server, r)
      local err = fails("EAI_NONAME", r:getaddrinfo("nobody.example", 80))
      assert.equal("resolve nobody.example: host name or service not known (EAI_NONAME)",
        tostring(err))
      assert.equal("NXDOMAIN", err.rcode)
      assert.equal("nobody.example", err.name)
      assert.equal("127.0.0.1:" .. server.port, err.server)
      err = fails("EAI_FAMILY", r:getaddrinfo("four.example", 80, { family = "inet6" }))
      assert.equal("AAAA", err.type)
    end)
  end)

  it("calls the failure of servers a failure, and never that there is no such name", function()
    for _, way in ipairs { "servfail", "refused", "notimp" } do
      with(nil, nil, function(server, r)
        server:misbehave("*", way)
        local err = fails("EAI_AGAIN", r:getaddrinfo("www.example", 80))
        assert.equal(way:upper(), err.rcode)
        assert.matches("the last name server that was asked, 127.0.0.1:%d+, says " .. way:upper(),
          tostring(err))
      end)
    end
    with(nil, { timeout = 0.02, tries = 1 }, function(server, r)
      server:misbehave("*", "silent")
      local err = fails("EAI_AGAIN", r:getaddrinfo("www.example", 80))
      assert.equal("ETIMEDOUT", err.cause)
      assert.is_nil(err.rcode)
    end)
    local server = kit.servers.start()
    server:stop()
    local err = fails("EAI_AGAIN", kit.resolver(server):getaddrinfo("www.example", 80))
    assert.equal("ECONNREFUSED", err.cause)
  end)

  it("does not let a failure of IPv6 hide what is there of IPv4 [b154]", function()
    with(nil, { timeout = 0.2, tries = 1 }, function(server, r)
      for _, way in ipairs { "servfail", "silent" } do
        r:clear()
        server:misbehave("www.example", function(query, answer)
          local is_six = query:find("\0\28\0\1", 1, true) ~= nil
          return (not is_six or nil) and answer
            or way == "servfail" and query:sub(1, 2) .. "\129\130" .. query:sub(5) or nil
        end)
        assert.equal("192.0.2.1", hosts(r:getaddrinfo("www.example", 80)))
      end
    end)
  end)

  it("knows the flags of getaddrinfo [b158]", function()
    with(nil, nil, function(_, r)
      fails("EAI_NONAME", r:getaddrinfo("www.example", 80, { numeric_host = true }))
      assert.equal("192.0.2.9", hosts(r:getaddrinfo("192.0.2.9", 80, { numeric_host = true })))
      fails("EAI_SERVICE", r:getaddrinfo("www.example", "http", { numeric_service = true }))
      assert.equal(81, r:getaddrinfo("192.0.2.9", "81", { numeric_service = true })[1].port)
      local six = { family = "inet6", v4mapped = true }
      assert.equal("::ffff:192.0.2.4", hosts(r:getaddrinfo("four.example", 80, six)))
      assert.equal("2001:db8::1", hosts(r:getaddrinfo("www.example", 80, six)))
      six.all = true
      assert.equal("2001:db8::1 ::ffff:192.0.2.1", hosts(r:getaddrinfo("www.example", 80, six)))
      assert.equal("0.0.0.0", hosts(r:getaddrinfo(nil, 80, { passive = true })))
      assert.equal("::1", hosts(r:getaddrinfo(nil, 80, { family = "inet6" })))
      assert.equal("127.0.0.1", hosts(dns.getaddrinfo(nil, 80)))
      assert.equal(53, dns.getaddrinfo("127.0.0.1", "domain", { type = "dgram" })[1].port)
      fails("EAI_SERVICE", dns.getaddrinfo("127.0.0.1", "no-such-service"))
      assert.equal("four.example",
        r:getaddrinfo("four.example", 1, { canonname = true, family = "inet" }).canonname)
      local list = assert(r:getaddrinfo("www.example", 80, { addrconfig = true }))
      assert.is_true(#list >= 1)
    end)
  end)

  it("looks addresses up backwards", function()
    with(nil, nil, function(_, r)
      assert.same({ "www.example", "http" }, { r:getnameinfo("192.0.2.1:80") })
      assert.same({ "192.0.2.1", "80" }, { r:getnameinfo("192.0.2.1:80",
        { numeric_host = true, numeric_service = true }) })
      assert.same({ "192.0.2.2", "53211" }, { r:getnameinfo("192.0.2.2:53211") })
      assert.equal("www.example", (r:getnameinfo("[::ffff:192.0.2.1]:80"))) -- IPv4, as accepted
      assert.equal("::ffff:192.0.2.2", (r:getnameinfo("[::ffff:192.0.2.2]:80")))
      fails("EAI_NONAME", r:getnameinfo("192.0.2.2:80", { namereqd = true }))
      fails("EINVAL", r:getnameinfo("unix:/x"))
      local _, service = r:getnameinfo("192.0.2.1:69", { dgram = true })
      assert.equal("tftp", service)
    end)
    with(nil, { search = { "example" } }, function(_, r)
      assert.equal("www", (r:getnameinfo("192.0.2.1:80", { nofqdn = true })))
    end)
  end)

  it("refuses wrong arguments in the caller's line", function()
    local function raises(text, fn, ...)
      local ok, err = pcall(fn, ...)
      assert.is_false(ok)
      assert.matches(text, tostring(err))
    end
    raises("unknown type 'AAA'; did you mean 'A", dns.query, "x.test", "AAA")
    raises("type must be a string, not nil", dns.query, "x.test")
    raises("type must be a whole number from 1 to 65535, not 0", dns.query, "x.test", 0)
    raises("did you mean 'numeric_host'", dns.getaddrinfo, "x", 1, { numeric_hos = true })
    raises("did you mean 'namereqd'", dns.getnameinfo, "192.0.2.1:1", { namereq = true })
    raises("did you mean 'timeout'", dns.resolver, { timeot = 1 })
    raises("each of servers must be an address", dns.resolver, { servers = { "name:53" } })
    raises("a list of 1 to 16 addresses, not of 0", dns.resolver, { servers = {} })
    raises("edns must be a whole number from 512 to 4096, not 100", dns.resolver, { edns = 100 })
    raises("tries must be", dns.resolver, { tries = 0 })
    raises("timeout must be a number of seconds above 0", dns.resolver, { timeout = 0 })
    raises("unknown resolver 'sytem'; did you mean 'system'", dns.getaddrinfo, "x", 1,
      { resolver = "sytem" })
    raises("is asked itself: resolver:getaddrinfo", dns.getaddrinfo, "x", 1,
      { resolver = dns.resolver() })
    assert.equal("green.dns.resolver{192.0.2.1:53, [2001:db8::1]:5353}",
      tostring(dns.resolver { servers = { "192.0.2.1", "[2001:db8::1]:5353" } }))
  end)
end)
