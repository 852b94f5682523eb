-- Name servers that are slow, long-winded, or lie.

local green = require "green"
local testing = require "green.testing"

local fails = dofile("spec/support/sockets.lua").fails
local kit = dofile "spec/support/dns_kit.lua"
local _, it = testing.busted()
local with = kit.with

describe("a name server", function()
  it("asks many at once while others run [S40]", function()
    with(nil, nil, function(server, r)
      server:misbehave("*", "slow", 0.05)
      local threads, ticks, done = {}, 0, false
      green.spawn(function()
        while not done do
          ticks = ticks + 1
          green.sleep(0)
        end
      end)
      for i = 1, 10 do
        threads[i] = green.spawn(r.query, r, "n" .. i .. ".example", "A")
      end
      local most = 0
      for _, t in ipairs(threads) do
        kit.wait_until(function()
          most = math.max(most, kit.numbers(r).out)
          return t:dead()
        end)
      end
      done = true
      assert.equal(10, most) -- all of them are under way at the same time
      assert.is_true(ticks > 10)
    end)
  end)

  it("takes answers of 4 KB, by UDP in pieces or by TCP", function()
    with(nil, nil, function(server, r)
      server:misbehave("big.example", "long", 4000)
      local list = assert(r:query("big.example", "A"))
      assert.equal(250, #list)
      assert.equal(1, server:count("big.example", "A", "tcp"))
      local large = kit.resolver(server, { edns = 4096 })
      assert.equal(250, #assert(large:query("big.example", "A")))
      assert.equal(1, server:count("big.example", "A", "tcp"))
      server:misbehave("bytes.example", "bytes")
      local tcp = kit.resolver(server, { tcp = true })
      fails("EAI_NONAME", tcp:query("bytes.example", "A"))
      assert.equal(0, server:count("bytes.example", "A", "udp"))
    end)
  end)

  it("does not believe what it has not asked for [b157]", function()
    for _, way in ipairs { "wrong_id", "wrong_port", "wrong_question", "garbage" } do
      with(nil, { timeout = 0.03, tries = 1 }, function(server, r)
        server:misbehave("www.example", way)
        local err = fails("EAI_AGAIN", r:query("www.example", "A"))
        assert.is_not_nil(err.cause)
      end)
    end
    with(nil, nil, function(server, r)
      server:misbehave("www.example", "lower_case")
      assert.equal("192.0.2.1", r:query("www.example", "A")[1].address)
      assert.equal(1, server:count("www.example", "A", "tcp"))
    end)
  end)

  it("gives up on circles, and on connections that end", function()
    with(nil, { timeout = 0.5, tries = 1 }, function(server, r)
      server:misbehave("www.example", "chain")
      local err = fails("EAI_AGAIN", r:getaddrinfo("www.example", 1, { family = "inet" }))
      assert.equal("EPROTO", err.cause)
      server:misbehave("www.example", "truncated_always")
      fails("EAI_NONAME", r:query("www.example", "A"))
    end)
    with(nil, { timeout = 0.5, tries = 1, tcp = true }, function(server, r)
      server:misbehave("www.example", "die")
      fails("EAI_AGAIN", r:query("www.example", "A"))
    end)
  end)
end)
