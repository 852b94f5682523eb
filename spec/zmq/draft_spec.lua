-- The socket types that libzmq calls drafts. Debian's has none; GREENLUA_LIBZMQ may name one that
-- has, and the specs run with it then.

local green = require "green"
local kit = require "spec.support.zmq_kit"
local testing = require "green.testing"
local zmq = require "green.zmq"

local _, it = testing.busted()
local fails, with = kit.fails, kit.with

local ONES = { "SERVER", "CLIENT", "RADIO", "DISH", "GATHER", "SCATTER", "PEER", "CHANNEL" }

--- A test for a libzmq that has drafts; without it is pending.
local function drafts(title, body)
  it(title, function()
    if not zmq.has "draft" then
      return pending "this libzmq was built without drafts (zmq.has 'draft')"
    end
    with(body)()
  end)
end

--- The first bound, the second connected to it.
local function pair(ctx, a, b, transport, opts)
  return kit.pair(ctx, a, b, transport or "inproc", opts)
end

describe("draft types", function()
  it("are EINVAL where libzmq has no drafts, and nothing is left", with(function(ctx)
    for _, kind in ipairs(ONES) do
      local s, err = ctx:socket(kind)
      if zmq.has "draft" then
        assert(s, tostring(err))
        assert.are.equal(kind, s.type)
        s:close()
      else
        fails("EINVAL", s, err)
      end
    end
  end))

  it("have methods that others refuse", with(function(ctx)
    local s = assert(ctx:socket "PUSH")
    for _, case in ipairs {
      { "send_to: a PUSH sends to nobody by name", s.send_to, s, 1, "x" },
      { "join: only a DISH does that, not a PUSH", s.join, s, "g" },
      { "leave: only a DISH does that, not a PUSH", s.leave, s, "g" },
      { "connect_peer: only a PEER does that", s.connect_peer, s, "inproc://x" },
    } do
      assert.error_matches(function() case[2](unpack(case, 3)) end, case[1])
    end
  end))

  for _, transport in ipairs { "inproc", "tcp", "ipc" } do
    drafts("SERVER answers its CLIENTs by number, over " .. transport, function(ctx)
      local server, one = pair(ctx, "SERVER", "CLIENT", transport)
      local two = assert(ctx:socket "CLIENT")
      assert(two:connect(server.last_endpoint))
      local seen = {}
      for i, client in ipairs { one, two } do
        assert(client:send("from " .. i))
        local parts, metadata = assert(server:recv_message(20))
        assert.are.same({ "from " .. i }, parts)
        seen[i] = metadata.peer
      end
      assert.is_true(seen[1] > 0 and seen[1] ~= seen[2])
      assert(server:send_to(seen[1], "to 1"))
      assert(server:send_to(seen[2], "to 2", 20))
      assert.are.equal("to 2", (two:recv(20)))
      assert.are.equal("to 1", (one:recv(20)))
      local nobody = 1
      while nobody == seen[1] or nobody == seen[2] do
        nobody = nobody + 1
      end
      fails("EHOSTUNREACH", server:send_to(nobody, "x"))
      assert.error_matches(function() server:send_to("x", "y") end, "to must be a whole number")
      assert.error_matches(function() server:send_to(1) end, "text must be a string")
    end)

    drafts("RADIO reaches the DISHes of a group, over " .. transport, function(ctx)
      local radio, dish = pair(ctx, "RADIO", "DISH", transport)
      assert(dish:join "news")
      assert(dish:join "end")
      fails("EINVAL", dish:join "news")
      local waiting = green.spawn(dish.recv_message, dish)
      repeat -- the join may be on its way
        assert(radio:send_to("news", "hello"))
        assert(radio:send_to("other", "not for it"))
        green.sleep(0.005)
      until waiting:dead()
      local parts, metadata = waiting:wait()
      assert.are.same({ "hello" }, parts)
      assert.are.equal("news", metadata.group)
      assert(dish:leave "news")
      fails("EINVAL", dish:leave "news")
      repeat
        assert(radio:send_to("news", "late"))
        assert(radio:send_to("end", "end"))
        parts, metadata = assert(dish:recv_message(20))
      until metadata.group == "end"
      assert.are.equal("end", parts[1])
      for _, wrong in ipairs { "", ("x"):rep(256), "a\0b" } do
        assert.error_matches(function() dish:join(wrong) end, "group must be a text of 1 to 255")
        assert.error_matches(function() radio:send_to(wrong, "x") end, "group must be a text")
      end
    end)
  end

  drafts("SCATTER and GATHER are a pipeline, CHANNEL a pair", function(ctx)
    local gather, scatter = pair(ctx, "GATHER", "SCATTER", "tcp")
    for i = 1, 1000 do
      green.spawn_n(scatter.send, scatter, tostring(i))
    end
    local sum = 0
    for _ = 1, 1000 do
      sum = sum + tonumber((assert(gather:recv(20))))
    end
    assert.are.equal(500500, sum)
    fails("EINVAL", scatter:send_multipart("two", "parts"))
    local a, b = pair(ctx, "CHANNEL", "CHANNEL")
    assert(a:send "there")
    assert.are.equal("there", (b:recv(20)))
    assert(b:send "and back")
    assert.are.equal("and back", (a:recv(20)))
  end)

  drafts("PEER reaches a PEER by the number of its connection", function(ctx)
    local a, b = assert(ctx:socket "PEER"), assert(ctx:socket "PEER")
    assert(a:bind "tcp://127.0.0.1:*")
    local number = assert(b:connect_peer(a.last_endpoint))
    assert(b:send_to(number, "hello", 20))
    local parts, metadata = assert(a:recv_message(20))
    assert.are.equal("hello", parts[1])
    assert(a:send_to(metadata.peer, "and to you"))
    parts, metadata = assert(b:recv_message(20))
    assert.are.equal("and to you", parts[1])
    assert.are.equal(number, metadata.peer)
    fails("EINVAL", b:connect_peer "nonsense")
  end)

  drafts("park as the others do: later, timeout, kill, close", function(ctx)
    local server, client = pair(ctx, "SERVER", "CLIENT", "inproc", { sndhwm = 1, rcvhwm = 1 })
    fails("EAGAIN", server:recv(0))
    fails("ETIMEDOUT", server:recv(0.01))
    local later = green.spawn(server.recv_message, server)
    testing.settle()
    assert(client:send "x")
    local parts, metadata = later:wait()
    assert.are.equal("x", parts[1])
    local n = 0
    while server:send_to(metadata.peer, "m", 0) do
      n = n + 1
    end
    assert.are.equal(2, n)
    fails("ETIMEDOUT", server:send_to(metadata.peer, "m", { timeout = 0.01 }))
    local killed = green.spawn(server.send_to, server, metadata.peer, "never")
    testing.settle()
    killed:kill()
    local sender = green.spawn(server.send_to, server, metadata.peer, "last")
    testing.settle()
    assert.is_false(sender:dead())
    for _ = 1, 2 do
      assert.are.equal("m", (client:recv(20)))
    end
    assert.is_true(sender:wait())
    assert.are.equal("last", (client:recv(20)))
    local reader = green.spawn(server.recv, server)
    testing.settle()
    server:close()
    fails("ECLOSED", reader:wait())
    fails("ECLOSED", server:send_to(1, "x"))
  end)

  drafts("turn no loop for nothing while somebody waits", function(ctx)
    local core = require "green.core"
    local server, client = pair(ctx, "SERVER", "CLIENT", "tcp")
    local reader = green.spawn(function()
      local n = 0
      while n < 1000 do
        assert(server:recv())
        n = n + 1
      end
      return server:recv()
    end)
    for i = 1, 1000 do
      assert(client:send(tostring(i), 20))
    end
    testing.settle_io(function()
      return not client:recv(0) and not reader:dead()
    end)
    green.sleep(0.05) -- what is on its way arrives
    local before = core.stats().turns
    green.sleep(0.2) -- it would turn some 10,000 times
    assert.is_true(core.stats().turns - before < 100, core.stats().turns - before)
    server:close()
    fails("ECLOSED", reader:wait())
  end)
end)
