-- zmq.proxy and zmq.proxy_steerable.

local ffi = require "ffi"
local green = require "green"
local kit = require "spec.support.zmq_poll_kit"
local program = require "spec.support.program"
local testing = require "green.testing"
local zmq = require "green.zmq"

local it, each_hub = kit.busted()
local fails, started, killed = kit.fails, kit.started, kit.killed

--- Two sockets of a proxy, and their peers: front, back, source, sink.
local function line(front_kind, back_kind, source_kind, sink_kind, opts)
  local front, source = kit.pair(front_kind, source_kind, opts, opts)
  local back, sink = kit.pair(back_kind, sink_kind, opts, opts)
  return front, back, source, sink
end

describe("zmq.proxy", function()
  each_hub("carries requests and answers between ROUTER and DEALER", function()
    local front, back, client, worker = line("ROUTER", "DEALER", "REQ", "REP")
    local proxy = started(zmq.proxy, front, back)
    for i = 1, 5 do
      client:send("question " .. i)
      assert.equal("question " .. i, worker:recv { timeout = 20 })
      worker:send("answer " .. i)
      assert.equal("answer " .. i, client:recv { timeout = 20 })
    end
    proxy:kill()
    killed(proxy)
  end)

  each_hub("carries topics one way and subscriptions the other", function()
    local front, back, publisher, subscriber = line("XSUB", "XPUB", "PUB", "SUB")
    local proxy = started(zmq.proxy, front, back)
    subscriber:subscribe "a"
    green.timeout(20, function()
      repeat -- until the subscription has arrived
        publisher:send "a1"
      until subscriber:poll("in", 0.001)
    end)
    publisher:send "b2"
    assert.equal("a1", subscriber:recv { timeout = 20 })
    proxy:kill()
  end)

  each_hub("is a streamer between PULL and PUSH, which has no way back", function()
    local front, back, source, sink = line("PULL", "PUSH", "PUSH", "PULL")
    local proxy = started(zmq.proxy, front, back)
    for i = 1, 300 do
      source:send(tostring(i))
    end
    for i = 1, 300 do
      assert.equal(tostring(i), sink:recv { timeout = 20 })
    end
    assert.is_false(proxy:dead())
    proxy:kill()
  end)

  it("keeps messages whole: any number of parts, of any size", function()
    local front, back, a, b = line("DEALER", "DEALER", "DEALER", "DEALER")
    local proxy = started(zmq.proxy, front, back)
    local parts, big = {}, ("x"):rep(1000000)
    for i = 1, 1000 do
      parts[i] = i % 7 == 0 and "" or "part " .. i
    end
    parts[500] = big
    local sender = green.spawn(function()
      for _ = 1, 3 do
        a:send_multipart(parts)
        b:send_multipart { "back", big, "" }
      end
    end)
    for _ = 1, 3 do
      assert.same(parts, b:recv_multipart { timeout = 20 })
      assert.same({ "back", big, "" }, a:recv_multipart { timeout = 20 })
    end
    sender:wait()
    proxy:kill()
  end)

  it("lets others have turns while messages pour in, in both directions", function()
    local front, back, a, b = line("DEALER", "DEALER", "DEALER", "DEALER")
    local proxy = started(zmq.proxy, front, back)
    local turns, got, N = 0, { 0, 0 }, 3000
    local ticker = green.spawn(function()
      while true do
        green.sleep(0)
        turns = turns + 1
      end
    end)
    local threads = {}
    for i, side in ipairs { { a, b }, { b, a } } do
      threads[#threads + 1] = green.spawn(function()
        for n = 1, N do
          side[1]:send(tostring(n))
        end
      end)
      threads[#threads + 1] = green.spawn(function()
        for n = 1, N do
          assert.equal(tostring(n), side[2]:recv())
          got[i] = n
        end
      end)
    end
    assert.is_nil(select(2, green.joinall(threads, 25)))
    assert.same({ N, N }, got)
    assert.is_true(turns > 10, turns)
    ticker:kill()
    proxy:kill()
  end)

  each_hub("sees a message the news of which the other direction takes away", function()
    local front, back, a, b = line("DEALER", "DEALER", "DEALER", "DEALER")
    local proxy = started(zmq.proxy, front, back)
    for i = 1, 20 do
      kit.let_libzmq_look()
      a:send("there " .. i)
      green.sleep(0) -- the proxy is ready to take it, behind this thread
      b:send("back " .. i)
      assert.equal("back " .. i, a:recv { timeout = 20 })
      assert.equal("there " .. i, b:recv { timeout = 20 })
    end
    proxy:kill()
  end)

  it("does not read a side while the other takes no more, and loses nothing", function()
    local front, back, source, sink = line("PULL", "PUSH", "PUSH", "PULL",
      { sndhwm = 5, rcvhwm = 5 })
    local proxy = started(zmq.proxy, front, back)
    local n = 0
    repeat
      while source:send(tostring(n + 1), { timeout = 0 }) do
        n = n + 1
      end
      testing.settle_io()
    until not source:poll("out", 0)
    assert.is_true(n < 40, n) -- the queues of four sockets, and what the proxy holds
    for i = 1, n do
      assert.equal(tostring(i), sink:recv { timeout = 20 })
    end
    assert.is_true(source:send("last", { timeout = 20 }))
    assert.equal("last", sink:recv { timeout = 20 })
    proxy:kill()
  end)

  it("goes on in one direction while the other is held back", function()
    local front, back, a, b = line("DEALER", "DEALER", "DEALER", "DEALER",
      { sndhwm = 2, rcvhwm = 2 })
    local proxy = started(zmq.proxy, front, back)
    repeat
      while a:send("there", { timeout = 0 }) do end
      testing.settle_io()
    until not a:poll("out", 0)
    for i = 1, 50 do
      assert.is_true(b:send(tostring(i), { timeout = 20 }))
      assert.equal(tostring(i), a:recv { timeout = 20 })
    end
    proxy:kill()
  end)

  it("sends a copy of each message to the capture, before it goes on", function()
    local front, back, a, b = line("DEALER", "DEALER", "DEALER", "DEALER")
    local capture, tap = kit.pair("PUSH", "PULL")
    local proxy = started(zmq.proxy, front, back, capture)
    a:send_multipart { "1", "", "one" }
    assert.same({ "1", "", "one" }, b:recv_multipart { timeout = 20 })
    b:send_multipart { "2", "two" }
    assert.same({ "2", "two" }, a:recv_multipart { timeout = 20 })
    assert.same({ "1", "", "one" }, tap:recv_multipart { timeout = 20 })
    assert.same({ "2", "two" }, tap:recv_multipart { timeout = 20 })
    proxy:kill()
  end)

  it("is held back by a capture that takes no more", function()
    local front, back, source, sink = line("PULL", "PUSH", "PUSH", "PULL")
    local capture, tap = kit.pair("PUSH", "PULL", { sndhwm = 1 }, { rcvhwm = 1 })
    local proxy = started(zmq.proxy, front, back, capture)
    for i = 1, 20 do
      source:send(tostring(i))
    end
    testing.settle_io()
    local n = 0
    while sink:recv { timeout = 0 } do
      n = n + 1
    end
    assert.is_true(n < 20, n)
    for i = 1, 20 do
      assert.equal(tostring(i), tap:recv { timeout = 20 })
    end
    for i = n + 1, 20 do
      assert.equal(tostring(i), sink:recv { timeout = 20 })
    end
    proxy:kill()
  end)

  it("may have one socket as both sides", function()
    local both, a = kit.pair("PAIR", "PAIR")
    local proxy = started(zmq.proxy, both, both)
    a:send_multipart { "echo", "me" }
    assert.same({ "echo", "me" }, a:recv_multipart { timeout = 20 })
    proxy:kill()
  end)

  it("drops what a strict ROUTER finds nobody for, and goes on", function()
    local front, back, client, worker = line("ROUTER", "DEALER", "DEALER", "DEALER")
    front:set("router_mandatory", true)
    local proxy = started(zmq.proxy, front, back)
    worker:send_multipart { "nobody", "lost", "and more" }
    client:send "question"
    local message = worker:recv_multipart { timeout = 20 }
    worker:send_multipart { message[1], "answer" }
    assert.same({ "answer" }, client:recv_multipart { timeout = 20 })
    proxy:kill()
  end)

  it("ends with ECLOSED when one of its sockets is closed", function()
    for i = 1, 3 do
      local front, back = line("DEALER", "DEALER", "DEALER", "DEALER")
      local capture = kit.pair("PUSH", "PULL")
      local proxy = started(zmq.proxy, front, back, capture)
      local closed = ({ front, back, capture })[i]
      closed:close()
      if i == 3 then -- nobody waits for it: the next message tells
        local peer = kit.socket "DEALER"
        peer:connect(front.last_endpoint)
        peer:send "x"
      end
      fails("ECLOSED", proxy:wait())
      fails("ECLOSED", zmq.proxy(front, back, capture))
    end
  end)

  it("leaves its sockets fit for use when it is killed, or its scope expires", function()
    local front, back, a, b = line("DEALER", "DEALER", "DEALER", "DEALER")
    local value, err = green.timeout(0.005, zmq.proxy, front, back)
    fails("ETIMEDOUT", value, err)
    local proxy = started(zmq.proxy, front, back)
    proxy:kill()
    a:send "x"
    assert.equal("x", front:recv { timeout = 20 })
    back:send "y"
    assert.equal("y", b:recv { timeout = 20 })
    proxy = started(zmq.proxy, front, back)
    a:send "z"
    assert.equal("z", b:recv { timeout = 20 })
    proxy:kill()
  end)

  it("drops the one message that it holds, whole, when it is killed", function()
    local front, back, source, sink = line("PULL", "PUSH", "PUSH", "PULL",
      { sndhwm = 1, rcvhwm = 1 })
    local capture, tap = kit.pair("PUSH", "PULL")
    local proxy = started(zmq.proxy, front, back, capture)
    local n = 0
    repeat
      while source:send_multipart({ tostring(n + 1), "a", "b" }, { timeout = 0 }) do
        n = n + 1
      end
      testing.settle_io()
    until not source:poll("out", 0)
    proxy:kill()
    local seen, lost = 0, 0
    proxy = started(zmq.proxy, front, back, capture)
    for _ = 1, n - 1 do
      local parts = assert(sink:recv_multipart { timeout = 20 })
      local number = tonumber(parts[1])
      lost = lost + number - seen - 1
      seen = number
      assert.same({ parts[1], "a", "b" }, parts)
    end
    assert.equal(1, lost)
    assert.equal(n, seen)
    for i = 1, n do
      assert.same({ tostring(i), "a", "b" }, tap:recv_multipart { timeout = 20 })
    end
    proxy:kill()
  end)

  it("raises in a thread that is killed before it began", function()
    local front, back, a, b = line("DEALER", "DEALER", "DEALER", "DEALER")
    a:send "x"
    local raised = green.spawn(function()
      green.getcurrent():kill_soon()
      return select(2, pcall(zmq.proxy, front, back))
    end)
    assert.is_true(green.is_error(raised:wait(), "ECANCELED"))
    assert.equal("x", front:recv { timeout = 20 })
    b:close()
  end)

  it("refuses what is no socket, and to run inside string.gsub", function()
    local front, back = line("DEALER", "DEALER", "DEALER", "DEALER")
    assert.matches("proxy: front must be", select(2, pcall(zmq.proxy, nil, back)))
    assert.matches("proxy: back must be", select(2, pcall(zmq.proxy, front, 5)))
    assert.matches("proxy: capture must be", select(2, pcall(zmq.proxy, front, back, {})))
    assert.matches("proxy_steerable: control must be",
      select(2, pcall(zmq.proxy_steerable, front, back, nil, "PAUSE")))
    assert.matches("cannot wait inside", tostring(select(2, pcall(string.gsub, "x", "x", function()
      zmq.proxy(front, back)
    end))))
  end)

  it("does not keep a program from ending", function()
    local result = program.run_greenlua { "-e", [[
      local green, zmq = require "green", require "green.zmq"
      local a, b = zmq.socket "ROUTER", zmq.socket "DEALER"
      a:bind "inproc://a"
      b:bind "inproc://b"
      local c = zmq.socket "PAIR"
      green.spawn(zmq.proxy_steerable, a, b, nil, c)
      local client = zmq.socket "DEALER"
      client:connect "inproc://a"
      for i = 1, 5 do
        client:send "x"
        green.sleep(0)
      end
      print "end"
    ]] }
    assert.equal("end\n", result.out, result.err)
    assert.equal("", result.err)
    assert.equal(0, result.status)
  end)

  it("waits without a turn of the loop, and so does a poller", function()
    local front, back = line("DEALER", "DEALER", "DEALER", "DEALER")
    local poller = zmq.Poller()
    local other = kit.pair("PAIR", "PAIR")
    poller:register(other)
    local proxy, polling = started(zmq.proxy, front, back), started(poller.poll, poller)
    local before = green.stats().turns
    green.sleep(0.3) -- is the wait under test
    -- Real time passes here, so each turn beyond that of the sleep was for nothing.
    assert.is_true(green.stats().turns - before <= 3, green.stats().turns - before)
    proxy:kill()
    polling:kill()
  end)
end)

describe("zmq.proxy_steerable", function()
  local function steered(control_kind, remote_kind)
    local front, back, a, b = line("DEALER", "DEALER", "DEALER", "DEALER")
    local control, remote = kit.pair(control_kind, remote_kind)
    if control_kind == "SUB" then
      control:subscribe ""
      testing.settle_io()
    end
    return started(zmq.proxy_steerable, front, back, nil, control), remote, a, b, control
  end

  each_hub("is paused, goes on, and ends", function()
    local proxy, remote, a, b = steered("PAIR", "PAIR")
    a:send "1"
    assert.equal("1", b:recv { timeout = 20 })
    remote:send "PAUSE"
    testing.settle_io()
    a:send "2"
    b:send "3"
    testing.settle_io()
    fails("EAGAIN", b:recv { timeout = 0 })
    fails("EAGAIN", a:recv { timeout = 0 })
    remote:send "RESUME"
    assert.equal("2", b:recv { timeout = 20 })
    assert.equal("3", a:recv { timeout = 20 })
    remote:send "TERMINATE"
    assert.is_true(proxy:wait())
  end)

  it("ends while it is paused", function()
    local proxy, remote = steered("PAIR", "PAIR")
    remote:send "PAUSE"
    remote:send "TERMINATE"
    assert.is_true(proxy:wait())
  end)

  it("tells what it has moved, as eight numbers of 64 bits", function()
    local proxy, remote, a, b = steered("PAIR", "PAIR")
    a:send_multipart { "12", "345" }
    a:send "6"
    b:send "1234567"
    b:recv_multipart { timeout = 20 }
    b:recv_multipart { timeout = 20 }
    a:recv { timeout = 20 }
    remote:send "STATISTICS"
    local numbers = remote:recv_multipart { timeout = 20 }
    for i, text in ipairs(numbers) do
      assert.equal(8, #text)
      numbers[i] = tonumber(ffi.cast("const uint64_t *", text)[0])
    end
    assert.same({ 2, 6, 1, 7, 1, 7, 2, 6 }, numbers)
    remote:send "TERMINATE"
    proxy:wait()
  end)

  it("answers each word at a REP socket", function()
    local proxy, remote = steered("REP", "REQ")
    for _, word in ipairs { "PAUSE", "RESUME", "nonsense", "STATISTICS", "TERMINATE" } do
      remote:send(word)
      local answer = assert(remote:recv_multipart { timeout = 20 })
      assert.equal(word == "STATISTICS" and 8 or 1, #answer)
    end
    assert.is_true(proxy:wait())
  end)

  it("passes over what it does not know, and answers nobody it cannot", function()
    for _, kinds in ipairs { { "PULL", "PUSH" }, { "SUB", "PUB" }, { "DEALER", "DEALER" } } do
      local proxy, remote, a, b = steered(unpack(kinds))
      remote:send "pause"
      remote:send_multipart { "PAUSE", "more" }
      remote:send "STATISTICS"
      a:send "x"
      assert.equal("x", b:recv { timeout = 20 })
      remote:send "TERMINATE"
      assert.is_true(proxy:wait())
    end
  end)

  it("ends with ECLOSED when its control is closed, and raises when it is killed", function()
    local proxy, _, _, _, control = steered("PAIR", "PAIR")
    control:close()
    fails("ECLOSED", proxy:wait())
    proxy = steered("PAIR", "PAIR")
    proxy:kill()
    killed(proxy)
  end)

  it("is a plain proxy without a control", function()
    local front, back, a, b = line("DEALER", "DEALER", "DEALER", "DEALER")
    local proxy = started(zmq.proxy_steerable, front, back)
    a:send "x"
    assert.equal("x", b:recv { timeout = 20 })
    proxy:kill()
  end)
end)
