-- What becomes of ZeroMQ sockets' connections, told event by event.

local green = require "green"
local kit = require "spec.support.zmq_kit"
local monitors = require "green.zmq.monitor"
local listener = require("spec.support.sockets").listener
local testing = require "green.testing"
local zmq = require "green.zmq"

local _, it = testing.busted()
local fails, with = kit.fails, kit.with

--- The next event of that name.
local function wait_for(monitor, name)
  while true do
    local event = assert(monitor:recv(10))
    if event.name == name then
      return event
    end
  end
end

describe("s:monitor", function()
  it("has libzmq's numbers", function()
    local file = io.open "/usr/include/zmq.h"
    if not file then
      return pending "no zmq.h here: Debian's package libzmq3-dev"
    end
    local header, n = file:read "*a", 0
    file:close()
    for name, number in header:gmatch "#define ZMQ_EVENT_([%u_]+) (0x%x+)\n" do
      if name ~= "ALL" and name ~= "PIPES_STATS" then
        assert.are.equal(tonumber(number), monitors.bits[name:lower()], name)
        n = n + 1
      end
    end
    for number in header:gmatch "#define ZMQ_PROTOCOL_ERROR_[%u_]+ (0x%x+)\n" do
      assert.is_string(monitors.faults[tonumber(number)], number)
      n = n + 1
    end
    assert.is_true(n > 30)
  end)

  it("tells of the connections of both sides, with endpoints", with(function(ctx)
    local server = ctx:socket("PULL")
    local seen = assert(server:monitor())
    assert(server:bind "tcp://127.0.0.1:*")
    local listening = wait_for(seen, "listening")
    assert.are.equal(server.last_endpoint, listening.address)
    assert.is_true(listening.value > 2)
    assert.is_nil(listening.reason)
    local client = ctx:socket("PUSH")
    local theirs = assert(client:monitor())
    assert(client:connect(server.last_endpoint))
    local delayed = wait_for(theirs, "connect_delayed")
    assert.is_truthy(delayed.reason:find("EINPROGRESS", 1, true))
    wait_for(theirs, "connected")
    wait_for(theirs, "handshake_succeeded")
    wait_for(seen, "accepted")
    wait_for(seen, "handshake_succeeded")
    client:close(0)
    wait_for(seen, "disconnected")
    assert.are.equal("monitor_stopped", wait_for(theirs, "monitor_stopped").name)
    assert.is_nil((theirs:recv(10)))
    assert.is_nil(select(2, theirs:recv(10)))
    seen:close()
    theirs:close()
  end))

  it("tells of what was asked for only", with(function(ctx)
    local server = ctx:socket("PULL")
    local seen = assert(server:monitor { "accepted" })
    assert(server:bind "tcp://127.0.0.1:*")
    local client = ctx:socket("PUSH")
    assert(client:connect(server.last_endpoint))
    assert.are.equal("accepted", seen:recv(10).name)
    client:close(0)
    server:close(0)
    local names = {}
    for event in seen:events() do
      names[#names + 1] = event.name
    end
    assert.are.same({ "monitor_stopped" }, names)
    seen:close()
  end))

  it("tells when a connection fails, and when it is tried again", with(function(ctx)
    local l, port = listener("inet", "127.0.0.1")
    l:close()
    local client = ctx:socket("PUSH", { reconnect_ivl = 0.01 })
    local seen = assert(client:monitor())
    assert(client:connect("tcp://127.0.0.1:" .. port))
    wait_for(seen, "closed")
    local again = wait_for(seen, "connect_retried")
    assert.is_true(again.value >= 0)
    client:close(0)
    seen:close()
  end))

  it("says why a bind failed", with(function(ctx)
    local first, second = ctx:socket("PULL"), ctx:socket("PULL")
    assert(first:bind "tcp://127.0.0.1:*")
    local seen = assert(second:monitor())
    fails("EADDRINUSE", second:bind(first.last_endpoint))
    local failed = wait_for(seen, "bind_failed")
    assert.is_truthy(failed.reason:find("EADDRINUSE", 1, true), failed.reason)
    seen:close()
  end))

  it("says why a handshake failed: another mechanism, a wrong key, no ZMTP", with(function(ctx)
    local public, secret = zmq.curve_keypair()
    local server = ctx:socket("PULL", { curve_server = true, curve_secretkey = secret,
      handshake_ivl = 0.2 })
    local seen = assert(server:monitor { "handshake_failed_protocol",
      "handshake_failed_no_detail" })
    assert(server:bind "tcp://127.0.0.1:*")
    local plain = ctx:socket("PUSH")
    assert(plain:connect(server.last_endpoint))
    local event = seen:recv(10)
    assert.are.equal("handshake_failed_protocol", event.name)
    assert.are.equal("ZMTP: another mechanism", event.reason)
    plain:close(0)
    local other = zmq.curve_keypair()
    local mine, hidden = zmq.curve_keypair()
    assert.are_not.equal(public, other)
    local wrong = ctx:socket("PUSH", { curve_serverkey = other, curve_publickey = mine,
      curve_secretkey = hidden })
    assert(wrong:connect(server.last_endpoint))
    repeat
      event = seen:recv(10)
    until event.reason ~= "ZMTP: another mechanism"
    assert.are.equal("ZMTP: wrong key, or altered on the way", event.reason)
    wrong:close(0)
    seen:close()
  end))

  it("refuses a second one, and unknown events", with(function(ctx)
    local s = ctx:socket("PULL")
    local seen = assert(s:monitor())
    fails("EBUSY", s:monitor())
    seen:close()
    seen:close()
    seen = assert(s:monitor())
    seen:close()
    local ok, err = pcall(s.monitor, s, { "acepted" })
    assert.is_false(ok)
    assert.is_truthy(tostring(err):find("unknown event 'acepted'; did you mean 'accepted'?", 1,
      true))
    s:close()
    fails("ECLOSED", s:monitor())
  end))

  it("gives ETIMEDOUT, EAGAIN, and ECLOSED when it is closed while it is read", with(function(ctx)
    local s = ctx:socket("PULL")
    local seen = assert(s:monitor())
    fails("ETIMEDOUT", seen:recv(0.01))
    fails("EAGAIN", seen:recv(0))
    local reader = green.spawn(seen.recv, seen)
    testing.settle()
    seen:close()
    fails("ECLOSED", reader:wait())
    fails("ECLOSED", seen:recv())
    s:close()
  end))

  it("is whole after its reader was killed", with(function(ctx)
    local s = ctx:socket("PULL")
    local seen = assert(s:monitor())
    local reader = green.spawn(seen.recv, seen)
    testing.settle()
    reader:kill()
    assert(s:bind "tcp://127.0.0.1:*")
    assert.are.equal("listening", seen:recv(10).name)
    seen:close()
  end))

  it("says whose errors they are", with(function(ctx)
    local s = ctx:socket("PULL")
    local seen = assert(s:monitor())
    assert.are.equal("monitor recv: timed out (ETIMEDOUT)", tostring(select(2, seen:recv(0.01))))
    local err = select(2, seen:recv(0))
    assert.are.same({ "EAGAIN", "monitor recv", true }, { err.code, err.op, green.is_timeout(err) })
    seen:close()
    err = select(2, seen:recv())
    assert.are.same({ "ECLOSED", "monitor recv" }, { err.code, err.op })
    assert.error_matches(function() s:monitor(nil, { mots = 1 }) end, "did you mean 'most'")
    assert.error_matches(function() s:monitor(nil, { most = 0 }) end, "most must be a whole number")
  end))

  it("keeps so many of those that nobody reads, the newest, and counts the others",
    with(function(ctx)
      local server = ctx:socket("PULL")
      local seen = assert(server:monitor({ "accepted", "disconnected" }, { most = 10 }))
      assert(server:bind "tcp://127.0.0.1:*")
      local port = tonumber(server.last_endpoint:match ":(%d+)$")
      for _ = 1, 50 do
        assert(green.connect("127.0.0.1", port)):close()
      end
      local last = assert(ctx:socket("PUSH", { linger = 0 }))
      assert(last:connect(server.last_endpoint))
      assert(last:send "through")
      assert.are.equal("through", (server:recv(10)))
      testing.settle_io(function()
        return seen:dropped() + seen._kept.queue:qsize() >= 51
      end)
      assert.are.equal(10, seen._kept.queue:qsize())
      local dropped = seen:dropped()
      assert.is_true(dropped >= 41, dropped)
      server:close(0)
      testing.settle_io(function()
        return seen._kept.queue:is_shutdown()
      end)
      local n, event = 0, nil
      for one in seen:events() do
        n, event = n + 1, one
      end
      assert.are.equal("monitor_stopped", event.name)
      assert.is_true(n == 10 and seen:dropped() > dropped, n)
      assert.is_nil((seen:recv()))
      seen:close()
      last:close(0)
    end))

  it("ends for who reads when it cannot take an event, as for lack of memory", with(function(ctx)
    local server, told = ctx:socket("PULL"), nil
    local seen = assert(server:monitor())
    local reading = green.spawn(seen.recv, seen)
    testing.settle()
    local before = green.on_error(function(err) told = err end)
    seen._kept.most = "no number"
    assert(server:bind "tcp://127.0.0.1:*")
    fails("ECLOSED", reading:wait(10))
    green.on_error(before)
    assert.matches("compare", tostring(told))
    assert.is_true(seen._kept.reader.closed)
    fails("ECLOSED", seen:recv(10))
  end))

  it("keeps what nobody reads, and holds up no connection", with(function(ctx)
    local server = ctx:socket("PULL")
    local seen = assert(server:monitor { "accepted" })
    assert(server:bind "tcp://127.0.0.1:*")
    local port = tonumber(server.last_endpoint:match ":(%d+)$")
    for _ = 1, 3000 do -- beyond all high-water marks
      assert(green.connect("127.0.0.1", port)):close()
    end
    local client = ctx:socket("PUSH")
    assert(client:connect(server.last_endpoint))
    assert(client:send "through")
    assert.are.equal("through", (server:recv(10)))
    local n = 0
    while n < 3001 do
      assert.are.equal("accepted", assert(seen:recv(10)).name)
      n = n + 1
    end
    seen:close()
  end))

  it("may be forgotten, with its socket, in any order", with(function(ctx)
    for i = 1, 60 do
      local server = ctx:socket("PULL", { linger = 0 })
      local seen = assert(server:monitor())
      assert(server:bind("inproc://forgotten-" .. i))
      if i % 3 == 0 then
        server:close()
      elseif i % 3 == 1 then
        seen:close()
      end
      server, seen = nil, nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
    end
    local server, client = kit.pair(ctx, "PULL", "PUSH", "tcp")
    assert(client:send "still there")
    assert.are.equal("still there", (server:recv(10)))
  end))

  it("that is forgotten is closed, though its socket lives", with(function(ctx)
    local server = ctx:socket("PULL")
    local seen = assert(server:monitor())
    assert(server:bind "tcp://127.0.0.1:*")
    local kept = seen._kept
    seen = nil -- luacheck: ignore
    testing.settle_io(function()
      collectgarbage()
      return kept.reader.closed and kept.queue:is_shutdown()
    end)
    assert(server:monitor()):close()
  end))

  it("ends with its context", with(function()
    local ctx = assert(zmq.Context {})
    local s = ctx:socket("PULL")
    local seen = assert(s:monitor())
    local reader = green.spawn(function()
      local names = {}
      for event in seen:events() do
        names[#names + 1] = event.name
      end
      return names
    end)
    testing.settle()
    assert(ctx:term(10))
    reader:wait()
  end))
end)
