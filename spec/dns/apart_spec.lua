local apart = require "green.dns.apart"
local core = require "green.core"
local green = require "green"
local testing = require "green.testing"

local fails = dofile("spec/support/sockets.lua").fails
local kit = dofile "spec/support/dns_kit.lua"
local _, it = testing.busted()
local addr = require "green.socket.addr"

--- "192.0.2.1:80 ..." of a list of green_addr, or what was given instead.
local function shown(list, err)
  if not list then
    return list, err
  end
  local texts = {}
  for i, raw in ipairs(list) do
    texts[i] = addr.format(raw)
  end
  return table.concat(texts, " ")
end

--- Answer one family only when told to.
local function hold(server, name, six)
  local held = {}
  server:misbehave(name, function(query, answer, client)
    if (query:find("\0\28\0\1", 1, true) ~= nil) ~= six then
      return answer
    end
    held[#held + 1] = function() client.send(answer) end
  end)
  return held
end

local function with(fn)
  kit.with_default(nil, nil, fn)
end

describe("green.dns.apart", function()
  it("gives each family as soon as it is there", function()
    with(function(server)
      local held = hold(server, "www.example", true)
      local lookup = assert(apart.start("www.example", 80, {}))
      assert.equal("192.0.2.1:80", shown(lookup:take()))
      fails("ETIMEDOUT", lookup:take(core.now() + 0.01))
      green.spawn(held[1])
      assert.equal("[2001:db8::1]:80", shown(lookup:take()))
      assert.is_nil(lookup:take())
      assert.is_nil(lookup.err)
      lookup:close()
    end)
    with(function(server)
      hold(server, "www.example", false)
      local lookup = assert(apart.start("www.example", "http", {}))
      assert.equal("[2001:db8::1]:80", shown(lookup:take()))
      lookup:close() -- the other is not waited for
      assert.is_nil(lookup:take())
      lookup:close()
    end)
  end)

  it("gives at once what is known, and asks nobody", function()
    with(function(server)
      local lookup = assert(apart.start("127.0.0.1", 80, {}))
      assert.equal("127.0.0.1:80", shown(lookup:take(0)))
      assert.is_nil(lookup:take())
      lookup = assert(apart.start("localhost", 80, {}))
      assert.equal("127.0.0.1:80 [::1]:80", shown(lookup:take()))
      fails("EINVAL", apart.start("1.2.3", 80, {}))
      fails("EAI_NONAME", apart.start("a..b", 80, {}))
      fails("EAI_SERVICE", apart.start("a.example", "no-such-service", {}))
      fails("EAI_FAMILY", apart.start("127.0.0.1", 80, { family = "inet6" }))
      assert.equal(0, server:count())
      assert(apart.start("www.example", 80, {})):take()
    end)
  end)

  it("says why there is nothing", function()
    with(function(server)
      local lookup = assert(apart.start("nobody.example", 80, {}))
      assert.is_nil(lookup:take())
      assert.equal("EAI_NONAME", lookup.err.code)
      assert.equal("NXDOMAIN", lookup.err.rcode)
      lookup = assert(apart.start("four.example", 80, { family = "inet6" }))
      assert.is_nil(lookup:take())
      assert.equal("EAI_FAMILY", lookup.err.code)
      server:misbehave("*", "servfail")
      lookup = assert(apart.start("six.example", 80, {}))
      assert.is_nil(lookup:take())
      assert.equal("EAI_AGAIN", lookup.err.code)
    end)
  end)

  it("does not tell of a family that failed when the other was there [b154]", function()
    with(function(server)
      server:misbehave("www.example", function(query, answer)
        local is_six = query:find("\0\28\0\1", 1, true) ~= nil
        return is_six and query:sub(1, 2) .. "\129\130" .. query:sub(5) or answer
      end)
      local lookup = assert(apart.start("www.example", 80, {}))
      assert.equal("192.0.2.1:80", shown(lookup:take()))
      assert.is_nil(lookup:take())
      assert.is_nil(lookup.err)
    end)
  end)

  it("tries short names in turn", function()
    kit.with_default(nil, { search = { "x.example", "example" } }, function()
      local lookup = assert(apart.start("four", 80, {}))
      assert.equal("192.0.2.4:80", shown(lookup:take()))
      assert.is_nil(lookup:take())
      assert.is_nil(lookup.err)
    end)
  end)

  it("leaves nothing when its thread is killed and it is closed", function()
    with(function(server)
      server:misbehave("*", "silent")
      local lookup = assert(apart.start("www.example", 80, {}))
      local t = green.spawn(lookup.take, lookup)
      testing.settle_io()
      t:kill()
      assert.is_false((pcall(t.wait, t)))
      fails("ETIMEDOUT", lookup:take(core.now() + 0.001))
      lookup:close()
      lookup:close()
    end)
  end)
end)
