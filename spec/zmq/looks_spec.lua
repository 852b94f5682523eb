-- green.zmq: libzmq is asked for its events only when somebody waits who has not seen for
-- himself, once a turn; and a socket that nobody waits for costs nothing.

local core = require "green.core"
local green = require "green"
local kit = require "spec.support.zmq_kit"
local testing = require "green.testing"

local api = require "green.ffi.zmq"

local _, it = testing.busted()
local with = kit.with

--- How often fn() lets libzmq be asked for its events, and how many turns it took.
local function count(fn)
  local looks, turns = api.looks(), core.stats().turns
  fn()
  return api.looks() - looks, core.stats().turns - turns
end

describe("the looks of green.zmq", function()
  it("are none for one sender and one receiver", with(function(ctx)
    local pull, push = kit.pair(ctx, "PULL", "PUSH", "ipc")
    local looks = count(function()
      local t = green.spawn(function()
        for _ = 1, 2000 do assert(push:send "m") end
      end)
      for _ = 1, 2000 do assert(pull:recv(20)) end
      t:wait()
    end)
    assert.is_true(looks <= 2, looks)
  end))

  it("are none for requests and answers", with(function(ctx)
    local rep, req = kit.pair(ctx, "REP", "REQ", "ipc")
    local looks = count(function()
      local t = green.spawn(function()
        for _ = 1, 200 do
          assert(rep:recv(20))
          assert(rep:send "a")
        end
      end)
      for _ = 1, 200 do
        assert(req:send "q")
        assert(req:recv(20))
      end
      t:wait()
    end)
    assert.is_true(looks <= 2, looks)
  end))

  it("are one a turn and socket where one thread sends and another receives", with(function(ctx)
    local router, dealer = kit.pair(ctx, "ROUTER", "DEALER", "ipc")
    local echo = green.spawn(function()
      for m in router:messages() do assert(router:send_multipart(m)) end
    end)
    local looks, turns = count(function()
      local t = green.spawn(function()
        for i = 1, 1000 do
          assert(dealer:send "m")
          if i % 10 == 0 then green.sleep(0) end
        end
      end)
      for _ = 1, 1000 do assert(dealer:recv(20)) end
      t:wait()
    end)
    assert.is_true(looks <= 2 * turns, looks .. " looks in " .. turns .. " turns")
    router:close()
    echo:wait()
  end))

  --- Turns and looks of a while in which nothing is to be done.
  local function idle()
    local looks, turns = count(function() green.sleep(0.1) end)
    assert.is_true(looks <= 2, looks .. " looks")
    assert.is_true(turns <= 6, turns .. " turns")
  end

  it("and turns are none when idle: after bind, PUB send, DEALER receive [b146]", with(function(ctx)
    local rep = assert(ctx:socket "REP")
    assert(rep:bind(kit.endpoint "tcp"))
    idle()
    local pub, sub = kit.pair(ctx, "PUB", "SUB", "ipc")
    assert(sub:subscribe "")
    repeat assert(pub:send "m") until sub:recv(0.01)
    idle()
    local router, dealer = kit.pair(ctx, "ROUTER", "DEALER", "ipc")
    assert(dealer:send "q")
    assert(router:send_multipart(assert(router:recv_multipart(20))))
    local t = green.spawn(function()
      assert(dealer:recv(20))
      return dealer:recv()
    end)
    green.sleep(0.05)
    idle()
    dealer:close()
    t:wait()
  end))

  it("and turns are few while a strict ROUTER waits for one full peer of two, and receives",
    with(function(ctx)
      local router = assert(ctx:socket("ROUTER", { router_mandatory = true, sndhwm = 1 }))
      assert(router:bind(kit.endpoint()))
      local peers = {}
      for i, name in ipairs { "a", "b" } do
        peers[i] = assert(ctx:socket("DEALER", { routing_id = name, rcvhwm = 1 }))
        assert(peers[i]:connect(router.last_endpoint))
        assert(peers[i]:send "here")
        assert(router:recv_multipart(20))
      end
      repeat until not router:send_multipart({ "a", "m" }, 0)
      local sender = green.spawn(router.send_multipart, router, { "a", "last" })
      local reader = green.spawn(router.recv_multipart, router)
      testing.settle()
      local before = core.stats().turns
      green.sleep(0.2) -- it would turn 60,000 times
      assert.is_true(core.stats().turns - before < 1000, core.stats().turns - before)
      assert(peers[2]:send "to be received")
      assert.are.same({ "b", "to be received" }, reader:wait())
      repeat
        local text = assert(peers[1]:recv(20))
      until text == "last"
      assert.is_true(sender:wait())
    end))

  it("and turns are few while senders of a strict ROUTER wait for full peers", with(function(ctx)
    local router = assert(ctx:socket("ROUTER", { router_mandatory = true, sndhwm = 1 }))
    assert(router:bind(kit.endpoint()))
    local senders = {}
    for i = 1, 20 do
      local peer = assert(ctx:socket("DEALER", { routing_id = "p" .. i, rcvhwm = 1 }))
      assert(peer:connect(router.last_endpoint))
      assert(peer:send "here")
      assert(router:recv_multipart(20))
      repeat until not router:send_multipart({ "p" .. i, "m" }, 0)
      senders[i] = green.spawn(router.send_multipart, router, { "p" .. i, "last" })
    end
    testing.settle()
    local before = core.stats().turns
    green.sleep(1)
    assert.is_true(core.stats().turns - before < 40, core.stats().turns - before)
    green.killall(senders)
  end))

  it("and turns are none while a strict ROUTER waits for one full peer of two", with(function(ctx)
    local router = assert(ctx:socket("ROUTER", { router_mandatory = true, sndhwm = 1 }))
    assert(router:bind(kit.endpoint()))
    local peers = {}
    for i, name in ipairs { "a", "b" } do
      peers[i] = assert(ctx:socket("DEALER", { routing_id = name, rcvhwm = 1 }))
      assert(peers[i]:connect(router.last_endpoint))
      assert(peers[i]:send "here")
      assert(router:recv_multipart(20))
    end
    local sent = 0
    local t = green.spawn(function()
      while sent < 10 do
        assert(router:send_multipart("a", "m"))
        sent = sent + 1
      end
    end)
    green.sleep(0.05)
    assert.is_true(sent < 10)
    idle()
    assert(router:send_multipart({ "b", "other" }, 20))
    assert.equal("other", (peers[2]:recv(20)))
    for _ = 1, 10 do assert(peers[1]:recv(20)) end
    t:wait()
  end))
end)
