-- What send does when there is no room, or nobody, by type; and REQ when no answer comes.

local green = require "green"
local kit = require "spec.support.zmq_kit"
local testing = require "green.testing"

local _, it = testing.busted()
local fails, with = kit.fails, kit.with

local NARROW = { sndhwm = 1, rcvhwm = 1 }

--- Two sockets of which the first sends; a line between them holds two messages.
local function narrow(ctx, from, to, opts)
  local a_opts = { sndhwm = 1, rcvhwm = 1 }
  for name, value in pairs(opts or {}) do
    a_opts[name] = value
  end
  local a, b = assert(ctx:socket(from, a_opts)), assert(ctx:socket(to, NARROW))
  assert(a:bind(kit.endpoint()))
  assert(b:connect(a.last_endpoint))
  return a, b
end

--- Sends until there is no room; how many went.
local function fill(s, ...)
  local n = 0
  while true do
    local ok, err = s:send_multipart({ ... }, 0)
    if not ok then
      assert.is_true(err:is "EAGAIN", tostring(err))
      return n
    end
    n = n + 1
    assert(n < 100)
  end
end

describe("send without room", function()
  for _, kinds in ipairs { { "PUSH", "PULL" }, { "DEALER", "DEALER" }, { "PAIR", "PAIR" } } do
    it("parks: " .. kinds[1], with(function(ctx)
      local a, b = narrow(ctx, kinds[1], kinds[2])
      assert.are.equal(2, fill(a, "m"))
      local sender = green.spawn(a.send, a, "last")
      testing.settle()
      assert.is_false(sender:dead())
      for _ = 1, 2 do
        assert.are.equal("m", (b:recv(20)))
      end
      assert.is_true(sender:wait())
      assert.are.equal("last", (b:recv(20)))
    end))
  end

  for _, kind in ipairs { "PUSH", "DEALER", "REQ", "PAIR" } do
    it("parks where nobody is there: " .. kind, with(function(ctx)
      local s = assert(ctx:socket(kind))
      assert(s:bind(kit.endpoint()))
      fails("EAGAIN", s:send("m", 0))
      fails("ETIMEDOUT", s:send("m", 0.01))
    end))
  end

  it("drops: a ROUTER, for a peer that takes nothing, or is not there", with(function(ctx)
    local router, dealer = narrow(ctx, "ROUTER", "DEALER")
    assert(dealer:set("routing_id", "later"))
    assert(dealer:send "here")
    local id = assert(router:recv_multipart(20))[1]
    for i = 1, 10 do
      assert.is_true(router:send_multipart({ id, tostring(i) }, 0))
    end
    assert.is_true(router:send_multipart({ "nobody", "x" }, 0))
    local n = 0
    while dealer:recv(0) do
      n = n + 1
    end
    assert.are.equal(2, n)
  end))

  it("is EHOSTUNREACH for who is not there, and parks for who is: router_mandatory",
    with(function(ctx)
      local router, dealer = narrow(ctx, "ROUTER", "DEALER", { router_mandatory = true })
      fails("EHOSTUNREACH", router:send_multipart { "nobody", "x" })
      assert(dealer:send "here")
      local id = assert(router:recv_multipart(20))[1]
      assert.are.equal(2, fill(router, id, "m"))
      local sender = green.spawn(router.send_multipart, router, id, "last")
      testing.settle()
      assert.is_false(sender:dead())
      fails("EHOSTUNREACH", router:send_multipart { "nobody", "x" }) -- it waits for nobody else
      for _ = 1, 2 do
        assert.are.equal("m", (dealer:recv(20)))
      end
      assert.is_true(sender:wait())
      assert.are.equal("last", (dealer:recv(20)))
    end))

  --- A strict ROUTER with two peers that have no room.
  local function two_full(ctx)
    local router = assert(ctx:socket("ROUTER", { router_mandatory = true, sndhwm = 1, rcvhwm = 1 }))
    assert(router:bind(kit.endpoint()))
    local peers = {}
    for i, name in ipairs { "a", "b" } do
      peers[i] = assert(ctx:socket("DEALER", NARROW))
      assert(peers[i]:set("routing_id", name))
      assert(peers[i]:connect(router.last_endpoint))
      assert(peers[i]:send "here")
      assert(router:recv_multipart(20))
      assert.are.equal(2, fill(router, name, "m"))
    end
    return router, peers
  end

  -- libzmq looks for news once a millisecond when it sends.
  local function let_libzmq_look()
    local due = os.clock() + 0.005
    repeat until os.clock() > due
  end

  it("takes no news from who waits for another peer: router_mandatory", with(function(ctx)
    local router, peers = two_full(ctx)
    local waiting = green.spawn(router.send_multipart, router, { "a", "last" }, 20)
    testing.settle()
    for _ = 1, 2 do
      assert.are.equal("m", (peers[1]:recv(20)))
    end
    let_libzmq_look()
    fails("EAGAIN", router:send_multipart({ "b", "x" }, 0))
    assert.is_true(waiting:wait())
    assert.are.equal("last", (peers[1]:recv(20)))
  end))

  it("takes no news, however often it tries, from who waits for another peer", with(function(ctx)
    local router, peers = two_full(ctx)
    local waiting = green.spawn(router.send_multipart, router, { "a", "last" }, 20)
    local more = green.spawn(router.send_multipart, router, { "b", "last" }, 20)
    testing.settle()
    for _ = 1, 2 do
      assert.are.equal("m", (peers[1]:recv(20)))
    end
    while not waiting:dead() do
      let_libzmq_look()
      fails("EAGAIN", router:send_multipart({ "b", "x" }, 0))
      green.sleep(0)
    end
    assert.is_true(waiting:wait())
    assert.is_false(more:dead())
    assert.are.equal("m", (peers[2]:recv(20)))
    assert.is_true(more:wait())
  end))

  it("is EHOSTUNREACH when the only peer goes that it waits for, whoever receives meanwhile",
    with(function(ctx)
      local router, dealer = narrow(ctx, "ROUTER", "DEALER", { router_mandatory = true })
      assert(dealer:send "here")
      local id = assert(router:recv_multipart(20))[1]
      fill(router, id, "m")
      local waiting = green.spawn(router.send_multipart, router, { id, "never" })
      local reading = green.spawn(router.recv_multipart, router)
      testing.settle()
      assert.is_false(waiting:dead())
      dealer:close() -- whom it waits for goes, and there is no other
      fails("EHOSTUNREACH", waiting:wait())
      router:close()
      fails("ECLOSED", reading:wait())
    end))

  it("drops for who is slow, and nobody else: PUB; with xpub_nodrop it parks", with(function(ctx)
    local pub, slow = narrow(ctx, "XPUB", "SUB")
    local quick = assert(ctx:socket("SUB", { rcvhwm = 0 })) -- no limit
    assert(quick:connect(pub.last_endpoint))
    assert(slow:subscribe "")
    assert.are.equal("\1", (pub:recv(20)))
    assert(quick:subscribe "all")
    assert.are.equal("\1all", (pub:recv(20)))
    for i = 1, 10 do
      assert.is_true(pub:send("all" .. i, 0))
    end
    local n = 0
    while slow:recv(0) do
      n = n + 1
    end
    assert.are.equal(2, n)
    for i = 1, 10 do
      assert.are.equal("all" .. i, (quick:recv(20)))
    end
    local careful, taker = narrow(ctx, "XPUB", "SUB", { xpub_nodrop = true })
    assert(taker:subscribe "")
    assert.are.equal("\1", (careful:recv(20)))
    assert.are.equal(2, fill(careful, "m"))
    local sender = green.spawn(careful.send, careful, "last")
    testing.settle()
    assert.is_false(sender:dead())
    for _ = 1, 2 do
      assert.are.equal("m", (taker:recv(20)))
    end
    assert.is_true(sender:wait())
  end))

  it("is EHOSTUNREACH: a STREAM, for who is not there", with(function(ctx)
    local s = assert(ctx:socket "STREAM")
    assert(s:bind "tcp://127.0.0.1:*")
    fails("EHOSTUNREACH", s:send_multipart { "nobody", "x" })
  end))

  it("drops: a REP whose asker has gone", with(function(ctx)
    local rep, req = kit.pair(ctx, "REP", "REQ")
    assert(req:send "x")
    assert.are.equal("x", (rep:recv(20)))
    req:close(0)
    assert.is_true(rep:send("an answer", 0))
    fails("EAGAIN", rep:recv(0))
  end))

  it("is EOPNOTSUPP: types that only receive, and the other way", with(function(ctx)
    for _, kind in ipairs { "SUB", "PULL" } do
      fails("EOPNOTSUPP", assert(ctx:socket(kind)):send "x")
    end
    for _, kind in ipairs { "PUB", "PUSH" } do
      fails("EOPNOTSUPP", assert(ctx:socket(kind)):recv())
    end
  end))
end)

describe("REQ", function()
  --- A ROUTER that a REQ has asked "one" and not answered, and then "two".
  local function asked_twice(ctx, opts)
    local router = assert(ctx:socket "ROUTER")
    assert(router:bind(kit.endpoint()))
    local req = assert(ctx:socket("REQ", opts))
    assert(req:connect(router.last_endpoint))
    assert(req:send "one")
    local first = assert(router:recv_multipart(20))
    local ok, err = req:send("two", 1)
    if not ok then
      return nil, err
    end
    local second = assert(router:recv_multipart(20))
    return router, req, first, second
  end

  local function answer(router, request, text)
    request[#request] = text
    assert(router:send_multipart(request))
  end

  it("that waits for an answer may not ask: EFSM", with(function(ctx)
    fails("EFSM", asked_twice(ctx, {}))
  end))

  it("that is relaxed asks again, and takes any answer", with(function(ctx)
    local router, req, first, second = asked_twice(ctx, { req_relaxed = true })
    assert.are.same({ 3, 3 }, { #first, #second })
    answer(router, second, "to two")
    assert.are.equal("to two", (req:recv(20)))
    fails("EFSM", req:recv(0))
  end))

  it("that is relaxed and correlates takes the answer to its last question",
    with(function(ctx)
      local router, req, first, second = asked_twice(ctx, { req_relaxed = true,
        req_correlate = true })
      assert.are.equal(4, #second) -- the peer, a number, nothing, the text
      assert.are_not.equal(first[2], second[2])
      first[1] = second[1] -- by the connection that it has now
      answer(router, first, "to one")
      answer(router, second, "to two")
      assert.are.equal("to two", (req:recv(20)))
      assert(req:send "three")
      local third = assert(router:recv_multipart(20))
      answer(router, second, "to two again")
      answer(router, third, "to three")
      assert.are.equal("to three", (req:recv(20)))
    end))
end)
