-- What may go wrong between real processes and sockets: peers that are killed, silent, in a
-- hurry or malicious; brokers that are started again; callers that do not wait.

local green = require "green"
local envelope = require "green.zmq.rpc.envelope"
local errors = require "green.error"
local kit = require "spec.support.rpc_kit"
local mdp = require "green.zmq.rpc.mdp"
local process = require "green.process"
local program = require "spec.support.program"
local rpc = require "green.zmq.rpc"
local testing = require "green.testing"

local _, it_real = testing.busted()

local function it(title, body)
  it_real(title, kit.alone(body))
end

local WAIT = 30 -- seconds that something may take at most
local CALL = envelope.CALL

--- A worker in a process of its own.
local function start_worker(broker, heartbeat)
  return assert(process.spawn { program.greenlua, "spec/zmq/peers/rpc_worker.lua", broker.endpoint,
    "s", tostring(heartbeat), stdout = "pipe" })
end

local function dealer(broker)
  local socket = assert(kit.context:socket("DEALER", { linger = 0 }))
  assert(socket:connect(broker.endpoint))
  return socket
end

describe("green.zmq.rpc under attack", function()
  it("gives the calls of a worker that was killed with -9 to others, if they may be repeated",
    function()
      local broker = kit.broker { heartbeat = 0.2 }
      local child = start_worker(broker, 5)
      local client = kit.client(broker)
      local safe = green.spawn(function()
        return client:with({ idempotent = true }):call("s", "sleep", WAIT)
      end)
      assert.are.equal("sleep", child.stdout:read_line())
      local unsafe = green.spawn(client.call, client, "s", "sleep", WAIT)
      assert.are.equal("sleep", child.stdout:read_line())
      child:signal "KILL"
      child:wait()
      local none, err = unsafe:wait(WAIT)
      assert.is_nil(none)
      assert.are.same({ "ECONNRESET", true }, { err.code, err.sent })
      local other = kit.worker(broker, { handlers = { sleep = function() return "another" end } })
      assert.are.equal("another", safe:wait(WAIT))
      kit.close(client, other, broker)
    end)

  it("takes a worker that stands still for lost, and takes it again when it goes on", function()
    local broker = kit.broker { heartbeat = 0.1, liveness = 2 }
    local child = start_worker(broker, 0.2)
    local client = kit.client(broker)
    local call = green.spawn(client.call, client, "s", "block", 1.5)
    assert.are.equal("block", child.stdout:read_line())
    local none, err = call:wait(WAIT)
    assert.is_nil(none)
    assert.are.equal("ECONNRESET", err.code)
    assert.is_true(broker:stats().silent >= 1) -- a busy machine makes it silent more often
    kit.eventually(function() return broker:stats().workers == 1 end)
    local patient = client:with { idempotent = true, retries = 50 }
    assert.are.equal(child.pid, (patient:call("s", "pid")))
    child:kill()
    child:wait()
    kit.close(client, broker)
  end)

  it("goes on when its broker comes back", function()
    local broker = kit.broker { heartbeat = 1 }
    local endpoint = broker.endpoint
    local worker = kit.worker(broker, { heartbeat = 1, backoff = 0.01,
      max_backoff = 0.05, handlers = { one = function() return 1 end } })
    local client = kit.client(broker)
    assert.are.equal(1, client:call("s", "one"))
    broker:stop()
    local none, err = client:with({ timeout = 0.1 }):call("s", "one")
    assert.is_nil(none)
    assert.are.equal("ETIMEDOUT", err.code)
    local again = green.spawn(function()
      return client:with({ idempotent = true, timeout = 0.5, retries = 60 }):call("s", "one")
    end)
    local other = rpc.broker { bind = endpoint, heartbeat = 1, context = kit.context }
    kit.eventually(function() return (other:start()) ~= nil end)
    assert.are.equal(1, again:wait(WAIT))
    assert.is_true(worker:stats().connects > 1)
    kit.close(client, worker, other)
  end)

  it("tells callers at once when the broker stops in order", function()
    local gate = green.Event()
    local broker = kit.broker()
    local worker = kit.worker(broker, { concurrency = 1, handlers = { slow = function()
      gate:wait()
    end } })
    local client = kit.client(broker)
    local running = green.spawn(client.call, client, "s", "slow")
    kit.eventually(function() return worker:stats().running == 1 end)
    local waiting = green.spawn(client.call, client, "s", "slow")
    kit.eventually(function() return broker:stats().waiting == 1 end)
    broker:stop()
    local _, err = running:wait(WAIT)
    assert.are.same({ "ECONNRESET", true }, { err.code, err.sent })
    _, err = waiting:wait(WAIT)
    assert.are.same({ "ENOSERVICE", false }, { err.code, err.sent })
    gate:send()
    kit.close(client, worker)
  end)

  it("sends the garbage of a worker away, and its calls to others", function()
    local broker = kit.broker()
    local socket = dealer(broker)
    socket:send_multipart(mdp.signal(nil, 2, "ready", "s"))
    local client = kit.client(broker, { idempotent = true })
    local call = green.spawn(client.call, client, "s", "one")
    local request = mdp.read(assert(socket:recv_multipart(WAIT)), 1, "worker")
    assert.are.equal("request", request.kind)
    socket:send_multipart { "what", "is", "this?" }
    assert.are.same({ "MDPW02", "\6" }, socket:recv_multipart(WAIT))
    local worker = kit.worker(broker, { handlers = { one = function() return 1 end } })
    assert.are.equal(1, call:wait(WAIT))
    assert.are.equal(1, broker:stats().garbage)
    socket:close()
    kit.close(client, worker, broker)
  end)

  it("stands floods of random messages while it serves others", function()
    kit.with({ handlers = { add = function(a, b) return a + b end } }, function(client, broker)
      local pieces = { "", "MDPC01", "MDPC02", "MDPW01", "MDPW02", "\1", "\2", "\3", "\4", "\5",
        "\6", "s", "mmi.service", "none", ("x"):rep(70000), envelope.write(CALL, "12345678", true) }
      local flood = green.spawn(function()
        local sockets = {}
        for i = 1, 5 do
          sockets[i] = dealer(broker)
        end
        for i = 1, 3000 do
          local frames = {}
          for k = 1, math.random(1, 8) do
            frames[k] = pieces[math.random(#pieces)]
          end
          sockets[i % 5 + 1]:send_multipart(frames)
        end
        for i = 1, 5 do
          sockets[i]:close(WAIT)
        end
      end)
      for n = 1, 100 do
        -- A flood that says READY for "s" is a worker, and answers nothing.
        local sum, err = client:with({ idempotent = true, timeout = 0.5, retries = 60 }):call("s",
          "add", n, 1)
        assert.are.equal(n + 1, sum, tostring(err))
      end
      flood:wait(WAIT)
      assert.is_true(broker:stats().garbage > 0)
    end, { tries = 100 })
  end)

  it("refuses what is too big, wherever it stands", function()
    kit.with({ max_message = 5000, handlers = {
      size = function(text) return #text end,
      make = function(n) return ("x"):rep(n) end,
    } }, function(client, broker)
      assert.are.equal(1000, client:call("s", "size", ("x"):rep(1000)))
      local _, err = client:call("s", "size", ("x"):rep(6000))
      assert.are.same({ "EMSGSIZE", false }, { err.code, err.sent })
      assert.matches("the worker takes 5000", err.message)
      _, err = client:call("s", "size", ("x"):rep(10000))
      assert.matches("the broker takes 8000", err.message)
      _, err = client:call("s", "size", ("x"):rep(20000))
      assert.matches("the client sends 15000", err.message)
      _, err = client:call("s", "make", 5000)
      assert.are.equal("EMSGSIZE", err.code)
      assert.is_table(err.remote)
      assert.are.equal(1000, #client:call("s", "make", 1000))
      assert.are.equal(0, broker:stats().clients)
    end, { max_message = 8000 }, { max_message = 15000 })
  end)

  it("refuses what has too many frames, and loses nobody by it", function()
    local many, told = {}, nil
    for i = 1, 1001 do
      many[i] = ""
    end
    kit.with({
      handlers = { one = function() return 1 end },
      handler = function(frames) return frames[1] == "many" and many or "few" end,
      on_error = function(err) told = err end,
    }, function(client, broker, worker)
      local s = dealer(broker)
      local function say(n)
        local frames = mdp.client(nil, 2, "request", "s",
          { envelope.write(CALL, "12345678"), unpack(many, 1, n - 1) })
        for i = #frames + 1, n do
          frames[i] = ""
        end
        assert(s:send_multipart(frames))
      end
      say(1004) -- 1,001 of them are the body
      local answer = assert(s:recv_multipart(WAIT))
      assert.are.equal("EMSGSIZE", answer[#answer - 1])
      say(1024) -- and with the peer's name one more than there may be
      kit.eventually(function() return broker:stats().garbage == 1 end)
      assert.error_matches(function() client:request("s", many) end,
        "request: frames must be at most 1000, not 1001")
      assert.are.same({ "" }, client:request("s", "many"))
      assert.matches("must return a string or a list of 1 to 1000 strings", told)
      assert.are.same({ "few" }, client:request("s", { unpack(many, 1, 1000) }))
      assert.are.equal(1, client:call("s", "one"))
      assert.are.equal(1, worker:stats().connects)
      s:close(0)
    end)
  end)

  it("keeps a worker's connection when another broker sends a request of too many frames",
    function()
      local broker = assert(kit.context:socket("ROUTER", { linger = 0 }))
      assert(broker:bind "tcp://127.0.0.1:*")
      local worker = kit.worker({ endpoint = broker.last_endpoint },
        { handler = function(frames) return { "got", unpack(frames) } end })
      local identity = assert(broker:recv_multipart(WAIT))[1]
      local frames = mdp.worker(identity, 2, "request", "address", { "x" })
      for i = #frames + 1, 1024 do
        frames[i] = ""
      end
      worker._conn.socket._max_parts = 1000 -- ours cannot send more than 1,024
      assert(broker:send_multipart(frames))
      assert(broker:send_multipart(mdp.worker(identity, 2, "request", "address", { "x" })))
      local said
      repeat
        said = assert(broker:recv_multipart(WAIT))
        assert.are.equal(identity, said[1])
      until said[#said] == "x"
      assert.are.equal(1, worker:stats().connects)
      worker:stop()
      broker:close(0)
    end)

  it("takes frames as large as it is told, though sockets take less by themselves", function()
    kit.with({ handlers = {}, max_message = 2 ^ 30 }, function(client, broker, worker)
      assert.are.equal(2 ^ 30 + 2 ^ 20, broker._socket:get "maxmsgsize")
      assert.are.equal(2 ^ 30 + 2 ^ 20, worker._conn.socket:get "maxmsgsize")
      assert.are.equal("ENOMETHOD", select(2, client:call("s", "none")).code)
      assert.are.equal(64 * 2 ^ 20, client._state.socket:get "maxmsgsize")
    end, { max_message = 2 ^ 30 })
  end)

  it("ends the broker with its context", function()
    local broker = kit.broker()
    local running = broker._thread
    require("green.ffi.zmq_ctx").shutdown(kit.context._at[0]) -- as another runtime's end does
    kit.eventually(function() return running:dead() end)
    assert.are.equal("green.zmq.rpc.broker{stopped}", tostring(broker))
    broker:stop()
  end)

  it("says that a call may have been done whose answer the broker does not pass on", function()
    local done = 0
    kit.with({ handlers = { make = function(n)
      done = done + 1
      return ("x"):rep(n)
    end } }, function(client, broker)
      local _, err = client:call("s", "make", 600)
      assert.are.same({ "EMSGSIZE", true, 1 }, { err.code, err.sent, done })
      assert.is_nil(err.remote)
      _, err = client:call("s", "make", ("x"):rep(600))
      assert.are.same({ "EMSGSIZE", false, 1 }, { err.code, err.sent, done })
      local socket = dealer(broker)
      socket:send_multipart(mdp.signal(nil, 2, "ready", "odd"))
      local call = green.spawn(client.call, client, "odd", "one")
      local request = mdp.read(assert(socket:recv_multipart(WAIT)), 1, "worker")
      socket:send_multipart(mdp.worker(nil, 2, "final", request.address, { "what?" }))
      _, err = call:wait(WAIT)
      assert.are.same({ "EPROTO", true }, { err.code, err.sent })
      socket:close()
    end, { max_message = 500 })
  end)

  it("says at once that a queue is full, and tries again where there is time", function()
    local gate = green.Event()
    local broker = kit.broker { max_queue = 1 }
    local worker = kit.worker(broker, { concurrency = 1, handlers = { slow = function(n)
      gate:wait()
      return n
    end } })
    local client = kit.client(broker, { retries = 0 })
    local first = green.spawn(client.call, client, "s", "slow", 1)
    kit.eventually(function() return worker:stats().running == 1 end)
    local second = green.spawn(client.call, client, "s", "slow", 2)
    kit.eventually(function() return broker:stats().waiting == 1 end)
    local none, err = client:call("s", "slow", 3)
    assert.is_nil(none)
    assert.are.same({ "EBUSY", false }, { err.code, err.sent })
    local third = green.spawn(function()
      return client:with({ retries = 100 }):call("s", "slow", 3)
    end)
    kit.eventually(function() return client:stats().retried > 0 end)
    gate:send()
    assert.are.same({ 1, 2, 3 }, { first:wait(WAIT), (second:wait(WAIT)), (third:wait(WAIT)) })
    kit.close(client, worker, broker)
  end)

  it("never does a call twice that is not said to be safe", function()
    local done = {}
    local broker = kit.broker { heartbeat = 1 }
    local client = kit.client(broker, { retries = 5 })
    local workers = {}
    local function hire()
      workers[#workers + 1] = kit.worker(broker, { heartbeat = 1, concurrency = 3, handlers = {
        mark = function(n)
          done[n] = (done[n] or 0) + 1
          green.sleep(0.002)
          return n
        end } })
    end
    hire()
    hire()
    local pool = green.GreenPool(30)
    local answers, failures = 0, 0
    for n = 1, 300 do
      pool:spawn(function()
        local got, err = client:call("s", "mark", n)
        if got then
          answers = answers + 1
          assert.are.equal(n, got)
        else
          assert.are.equal("ECONNRESET", err.code)
          failures = failures + 1
        end
      end)
      if n % 50 == 0 then
        hire()
        table.remove(workers, 1):stop(0)
      end
    end
    pool:waitall()
    assert.are.equal(300, answers + failures)
    assert.is_true(answers > 200)
    for n = 1, 300 do
      assert.is_true((done[n] or 0) <= 1, n .. " was done " .. (done[n] or 0) .. " times")
    end
    kit.close(client, unpack(workers))
    kit.close(broker)
  end)

  describe("callers that do not wait", function()
    it("are killed, before and during a call, and leave nothing", function()
      local began = 0
      kit.with({ concurrency = 1, handlers = {
        slow = function()
          began = began + 1
          green.sleep(0.02)
        end,
        one = function() return 1 end,
      } }, function(client, broker)
        local before = green.spawn(client.call, client, "s", "slow")
        before:kill()
        local first = green.spawn(client.call, client, "s", "slow")
        kit.eventually(function() return began == 1 end)
        local rest = {}
        for i = 1, 50 do
          rest[i] = green.spawn(client.call, client, "s", "slow")
        end
        green.sleep(0)
        for i = 1, 50 do
          rest[i]:kill()
        end
        first:kill()
        assert.are.equal(0, client:stats().pending)
        assert.are.equal(1, client:call("s", "one"))
        kit.eventually(function() return broker:stats().clients == 0 end)
        assert.are.equal(0, broker:stats().waiting)
        assert.is_true(began <= 2)
      end)
    end)

    it("time out by a scope of their own", function()
      kit.with({ handlers = { slow = function() green.sleep(0.05) end } }, function(client, broker)
        local none, err = green.timeout(0.01, client.call, client, "s", "slow")
        assert.is_nil(none)
        assert.is_true(errors.is_timeout(err))
        assert.are.equal(0, client:stats().pending)
        kit.eventually(function() return broker:stats().clients == 0 end)
      end)
    end)

    it("are told when their client is closed", function()
      local worker_gate = green.Event()
      kit.with({ handlers = { slow = function() worker_gate:wait() end } }, function(client)
        local call = green.spawn(client.call, client, "s", "slow")
        kit.eventually(function() return client:stats().pending == 1 end)
        client:close()
        local none, err = call:wait(WAIT)
        assert.is_nil(none)
        assert.are.equal("ECLOSED", err.code)
        worker_gate:send()
      end)
    end)

    it("ask with what is no answer: a client takes none of it", function()
      local router = assert(kit.context:socket("ROUTER", { linger = 0 }))
      assert(router:bind "tcp://127.0.0.1:*")
      local client = rpc.client(router.last_endpoint, { timeout = WAIT, context = kit.context })
      local call = green.spawn(client.call, client, "s", "m")
      local frames = router:recv_multipart(WAIT)
      local id = envelope.read(frames[5]).id
      local function answer(body)
        router:send_multipart(mdp.client(frames[1], 2, "final", "s", body))
      end
      router:send_multipart { frames[1], "what?" }
      router:send_multipart { frames[1], "" }
      answer { "no head" }
      answer { envelope.write(envelope.RESULT, "12345678"), "[1]" }
      router:send_multipart(mdp.client(frames[1], 2, "partial", "s",
        { envelope.write(envelope.RESULT, id), "[2]" }))
      answer { envelope.write(envelope.RESULT, id), "[3]" }
      assert.are.equal(3, call:wait(WAIT))
      assert.are.equal(5, client:stats().late)
      for _, body in ipairs { { "[" }, { "1" }, {}, { "[1]", "[2]" } } do
        call = green.spawn(client.call, client, "s", "m")
        frames = router:recv_multipart(WAIT)
        answer { envelope.write(envelope.RESULT, envelope.read(frames[5]).id), unpack(body) }
        local _, err = call:wait(WAIT)
        assert.are.equal("EPROTO", err.code)
      end
      router:close()
      client:close()
    end)
  end)
end)
