-- Names in turn by the search list.

local dns = require "green.dns"
local names = require "green.dns.names"
local testing = require "green.testing"

local fails = dofile("spec/support/sockets.lua").fails
local kit = dofile "spec/support/dns_kit.lua"
local _, it = testing.busted()
local hosts, with = kit.hosts, kit.with

describe("the search list", function()
  it("is for short names, which are then tried alone [b155]", function()
    with(nil, { search = { "x.example", "example" } }, function(server, r)
      assert.equal("192.0.2.4", hosts(r:getaddrinfo("four", 80, { family = "inet" })))
      assert.equal(1, server:count("four.x.example"))
      assert.equal(0, server:count("four"))
      assert.equal("192.0.2.4", hosts(r:getaddrinfo("four.example", 80, { family = "inet" })))
      assert.equal(0, server:count("four.example.example"))
      server:misbehave("nobody", function(query) -- it has no zone for that
        return query:sub(1, 2) .. "\129\131" .. query:sub(5)
      end)
      local err = fails("EAI_NONAME", r:getaddrinfo("nobody", 80))
      assert.equal("resolve nobody: host name or service not known (EAI_NONAME)", tostring(err))
      assert.is_true(server:count("nobody") > 0)
      server.queries = {}
      r:getaddrinfo("four.", 80)
      assert.equal(0, server:count("four.example"))
    end)
  end)

  it("is tried before or after the name itself, as ndots says", function()
    local search = { "a.test", "b.test" }
    assert.same({ "x.a.test", "x.b.test", "x" }, names.candidates("x", false, search, 1))
    assert.same({ "x.y", "x.y.a.test", "x.y.b.test" }, names.candidates("x.y", false, search, 1))
    assert.same({ "x.y.a.test", "x.y.b.test", "x.y" }, names.candidates("x.y", false, search, 2))
    assert.same({ "x" }, names.candidates("x", true, search, 1))
    assert.same({ "x" }, names.candidates("x", false, {}, 1))
  end)

  it("may have the root in it, as systemd-resolved writes it: the name itself", function()
    assert.same({ "x", "x.test" }, names.candidates("x", false, { ".", "test" }, 1))
    assert.same({ "x" }, names.candidates("x", false, { "." }, 1))
    assert.same({ "x.y" }, names.candidates("x.y", false, { "." }, 1))
    with(nil, { search = { "." } }, function(_, r)
      assert.equal("192.0.2.4", hosts(r:getaddrinfo("four.example", 80, { family = "inet" })))
      fails("EAI_NONAME", r:getaddrinfo("nobody.example"))
    end)
  end)

  it("has domains alone in it", function()
    for _, domain in ipairs { "a..b", "", ("x"):rep(64), ".a" } do
      local ok, err = pcall(dns.resolver, { search = { "test", domain } })
      assert.is_false(ok)
      assert.matches("each of search must be a domain", tostring(err), 1, true)
    end
    dns.resolver { search = { "a.test.", "." } }
  end)

  it("tells of a name that is there without such an address, rather than of one that is not",
    function()
      with(nil, { search = { "example", "x.example" } }, function(_, r)
        fails("EAI_FAMILY", r:getaddrinfo("four", 80, { family = "inet6" }))
      end)
    end)
end)
