-- Calls over ZeroMQ with keys and passwords: who has none gets nothing.

local green = require "green"
local kit = require "spec.support.rpc_kit"
local testing = require "green.testing"
local zmq = require "green.zmq"

local _, it_real = testing.busted()

local function it(title, body)
  it_real(title, kit.alone(body))
end

local WAIT = 30 -- seconds that something may take at most
local KEY, SECRET = zmq.curve_keypair() -- the broker's

local function curve(key, secret)
  return { curve_serverkey = KEY, curve_publickey = key, curve_secretkey = secret }
end

local ways = {
  CURVE = function(auth)
    local joe, joes = zmq.curve_keypair()
    assert(auth:configure_curve("*", { joe }))
    return { curve_server = true, curve_secretkey = SECRET }, curve(joe, joes),
      { curve(zmq.curve_keypair()), {}, { plain_username = "joe", plain_password = "p" } }
  end,
  PLAIN = function(auth)
    auth:configure_plain("*", { joe = "p" })
    return { plain_server = true }, { plain_username = "joe", plain_password = "p" },
      { { plain_username = "joe", plain_password = "q" }, {} }
  end,
}

describe("green.zmq.rpc", function()
  for name, way in pairs(ways) do
    it("by " .. name .. " serves those who may come, and no stranger", function()
      local refused = 0
      local auth = assert(zmq.auth(kit.context, { log = function(entry)
        refused = refused + (entry.status == "200" and 0 or 1)
      end }))
      local server, good, strangers = way(auth)
      local broker = kit.broker { socket = server }
      local worker = kit.worker(broker, { socket = good,
        handlers = { who = function() return "ours" end } })
      local client = kit.client(broker, { socket = good })
      assert.are.equal("ours", client:call("s", "who"))
      local before = broker:stats()
      for _, bad in ipairs(strangers) do
        bad.handshake_ivl, bad.linger = 0.2, 0
        local theirs = kit.worker(broker, { socket = bad, service = "s",
          handlers = { who = function() return "a stranger's" end } })
        local stranger = kit.client(broker, { socket = bad, timeout = 0.3 })
        local call = green.spawn(stranger.call, stranger, "s", "who")
        for _ = 1, 10 do
          assert.are.equal("ours", client:call("s", "who"))
        end
        local none, err = call:wait(WAIT)
        assert.is_nil(none)
        assert.are.equal("ETIMEDOUT", err.code)
        assert.are.equal(1, broker:stats().workers)
        assert.is_false(theirs:stats().connected)
        kit.close(stranger, theirs)
      end
      local after = broker:stats()
      assert.are.equal(before.requests + 10 * #strangers, after.requests)
      assert.are.equal(before.garbage, after.garbage)
      assert.is_true(refused > 0)
      assert.are.equal("ours", client:call("s", "who"))
      kit.close(client, worker, broker)
      auth:stop()
    end)
  end
end)
