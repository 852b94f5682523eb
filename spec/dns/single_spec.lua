-- Options of resolv.conf about the two families: single-request, no-aaaa.

local apart = require "green.dns.apart"
local dns = require "green.dns"
local files = require "green.dns.files"
local green = require "green"
local testing = require "green.testing"

local fails = dofile("spec/support/sockets.lua").fails
local kit = dofile "spec/support/dns_kit.lua"
local _, it = testing.busted()
local hosts, numbers, with = kit.hosts, kit.numbers, kit.with

local SINGLE = { single_request = true }

--- Hold the answers for that name back: a list of functions that send them, and one of
-- what was asked for and from where.
local function hold(server, name)
  local held, asked = {}, {}
  server:misbehave(name, function(query, answer, client)
    asked[#asked + 1] = (query:find("\0\28\0\1", 1, true) and "AAAA " or "A ")
      .. tostring(client.address.port)
    held[#held + 1] = function() client.send(answer) end
  end)
  return held, asked
end

describe("single-request", function()
  it("stands in resolv.conf, by two names, or in an option", function()
    for _, name in ipairs { "single-request", "single-request-reopen" } do
      local path = os.tmpname()
      local file = assert(io.open(path, "w"))
      file:write("options ", name, "\n")
      file:close()
      assert.is_true(files.resolv(path).single)
      os.remove(path)
    end
    assert.is_false(files.resolv("/dev/null").single)
    assert.has_error(function() dns.resolver { single_request = 1 } end)
  end)

  it("asks for AAAA when A is there, from another port", function()
    with(nil, SINGLE, function(server, r)
      local held, asked = hold(server, "www.example")
      local t = green.spawn(r.getaddrinfo, r, "www.example", 80)
      kit.wait_until(function() return #held == 1 end)
      testing.settle_io()
      assert.equal(1, #asked)
      held[1]()
      kit.wait_until(function() return #held == 2 end)
      held[2]()
      local list = hosts(t:wait())
      assert.matches("192.0.2.1", list, 1, true)
      assert.matches("2001:db8::1", list, 1, true)
      assert.same({ "A", "AAAA" }, { asked[1]:match("%a+"), asked[2]:match("%a+") })
      assert.is_true(asked[1]:match("%d+") ~= asked[2]:match("%d+"))
      server.queries = {}
      assert.equal(list, hosts(r:getaddrinfo("www.example", 80)))
      assert.equal(0, server:count()) -- it is known
    end)
  end)

  it("asks for one family, where one is wanted", function()
    with(nil, SINGLE, function(server, r)
      assert.equal("2001:db8::1", hosts(r:getaddrinfo("www.example", 80, { family = "inet6" })))
      assert.equal("192.0.2.1", hosts(r:getaddrinfo("www.example", 80, { family = "inet" })))
      assert.equal(2, server:count())
    end)
  end)

  it("finds what has IPv6 alone, and tells what has none", function()
    with(nil, SINGLE, function(_, r)
      assert.equal("2001:db8::6", hosts(r:getaddrinfo("six.example", 80)))
      fails("EAI_NONAME", r:getaddrinfo("nobody.example", 80))
    end)
  end)

  it("does not ask servers twice that do not answer", function()
    with(nil, { single_request = true, timeout = 0.02, tries = 1 }, function(server, r)
      server:misbehave("www.example", "silent")
      fails("EAI_AGAIN", r:getaddrinfo("www.example", 80))
      assert.equal(1, server:count("www.example", "A"))
      assert.equal(0, server:count("www.example", "AAAA"))
    end)
  end)

  it("leaves nothing when its thread is killed, whichever it waits for", function()
    for nth = 1, 2 do
      with(nil, SINGLE, function(server, r)
        local held = hold(server, "www.example")
        local t = green.spawn(r.getaddrinfo, r, "www.example", 80)
        kit.wait_until(function() return #held == 1 end)
        if nth == 2 then
          held[1]()
          kit.wait_until(function() return #held == 2 end)
        end
        t:kill()
        assert.is_false((pcall(t.wait, t)))
        assert.equal(0, numbers(r).out)
      end)
    end
  end)

  it("gives whoever connects IPv4's addresses first, then IPv6's", function()
    with(nil, SINGLE, function(server, r)
      local held = hold(server, "www.example")
      local lookup = assert(apart.start("www.example", 80, { whose = r._plan }))
      green.spawn(function()
        kit.wait_until(function() return #held == 1 end)
        held[1]()
      end)
      assert.equal(1, #lookup:take())
      kit.wait_until(function() return #held == 2 end)
      assert.is_true(green.is_error(select(2, lookup:take(green.now())), "ETIMEDOUT"))
      held[2]()
      assert.equal(1, #lookup:take())
      assert.is_nil(lookup:take())
      assert.is_nil(lookup.err)
      lookup:close()
    end)
    with(nil, SINGLE, function(server, r)
      hold(server, "www.example")
      local lookup = assert(apart.start("www.example", 80, { whose = r._plan }))
      kit.wait_until(function() return server:count() == 1 end)
      lookup:close()
      assert.equal(0, numbers(r).out)
    end)
  end)
end)

describe("no-aaaa", function()
  it("asks for IPv4 alone, and for nobody's IPv6", function()
    with(nil, nil, function(server, r)
      assert.equal("192.0.2.4", hosts(r:getaddrinfo("four.example", 80)))
      server.queries = {}
      r._plan.no_aaaa = true -- as files.resolv has it of the option
      assert.equal("192.0.2.1", hosts(r:getaddrinfo("www.example", 80)))
      local err = fails("EAI_FAMILY", r:getaddrinfo("www.example", 80, { family = "inet6" }))
      assert.matches("no-aaaa", err.message, 1, true)
      assert.equal("::ffff:192.0.2.1", hosts(r:getaddrinfo("www.example", 80,
        { family = "inet6", v4mapped = true })))
      assert.equal(0, server:count(nil, "AAAA"))
      assert.equal("2001:db8::1", r:query("www.example", "AAAA")[1].address)
    end)
  end)
end)
