-- What a broker knows and does, without a socket: messages in, messages out, the clock given.

local envelope = require "green.zmq.rpc.envelope"
local mdp = require "green.zmq.rpc.mdp"
local options = require "green.zmq.rpc.options"
local states = require "green.zmq.rpc.state"

local CALL, RESULT, ERROR, RETURNED = envelope.CALL, envelope.RESULT, envelope.ERROR,
  envelope.RETURNED

--- A broker whose messages are kept: `to[identity]` is a list of them. `away[identity]`: it cannot
-- be reached.
local function broker(opts)
  opts = opts or {}
  opts.bind = "inproc://none"
  local b = { now = 100, to = {}, away = {} }
  b.state = states.new(options.broker(opts, "broker"), function(frames)
    local id = table.remove(frames, 1)
    if b.away[id] then
      return nil
    end
    b.to[id] = b.to[id] or {}
    table.insert(b.to[id], frames)
    return true
  end, "t", b.now)
  function b:get(frames)
    self.state:receive(frames, self.now)
  end
  function b:ready(id, service, claim, version)
    self:get(mdp.signal(id, version or 2, "ready", service or "s", claim))
  end
  function b:call(id, n, idempotent, service, seconds)
    self:get(mdp.client(id, 2, "request", service or "s",
      { envelope.write(CALL, envelope.id("call", n), idempotent, seconds), "m", "[" .. n .. "]" }))
  end
  --- Take the messages that a peer was sent, in short: "request:1", "heartbeat", "EBUSY:1".
  function b:take(id, side)
    local said = {}
    for i, frames in ipairs(b.to[id] or {}) do
      local m = assert(mdp.read(frames, 1, side or "worker"))
      local head = envelope.read(frames[m.at])
      local n = head and head.id:byte(7) * 256 + head.id:byte(8)
      said[i] = m.kind .. (n and ":" .. n or "")
      if head and head.kind == ERROR then
        said[i] = frames[m.at + 1] .. ":" .. n
      end
      self.last = m
      self.frames = frames
    end
    b.to[id] = nil
    return table.concat(said, " ")
  end
  --- Answer a request by its address.
  function b:answer(id, address, n, kind)
    self:get(mdp.worker(id, 2, "final", address,
      { envelope.write(kind or RESULT, envelope.id("call", n)), "[]" }))
  end
  function b:pass(seconds)
    self.now = self.now + seconds
    self.state:tick(self.now)
  end
  --- Nothing is held for anybody any more.
  function b:is_empty()
    local s = self.state
    return next(s.clients) == nil and s.waiting == 0 and s.bytes == 0
  end
  return b
end

describe("the broker of green.zmq.rpc, without a socket", function()
  it("gives a request to a worker and the answer to the client, whatever version each has",
    function()
      for client = 1, 2 do
        for worker = 1, 2 do
          local b = broker()
          b:ready("w", "echo", nil, worker)
          b:get(mdp.client("c", client, "request", "echo", { "one", "", "two" }))
          local request = b.to.w[1]
          local m = mdp.read(request, 1, "worker")
          assert.are.same({ "request", worker }, { m.kind, m.version })
          assert.are.same({ "one", "", "two" }, { unpack(request, m.at) })
          b:get(mdp.worker("w", worker, "final", m.address, { "three" }))
          local reply = b.to.c[1]
          m = mdp.read(reply, 1, "client")
          assert.are.same({ "final", client, "echo" }, { m.kind, m.version, m.service })
          assert.are.same({ "three" }, { unpack(reply, m.at) })
          assert.is_true(b:is_empty())
        end
      end
    end)

  it("gives a worker as many as it says, in the order of coming", function()
    local b = broker()
    b:ready("w", "s", "concurrency=2")
    for n = 1, 4 do
      b:call("c", n)
    end
    local first = mdp.read(b.to.w[1], 1, "worker").address
    assert.are.equal("request:1 request:2", b:take "w")
    b:answer("w", first, 1)
    assert.are.equal("request:3", b:take "w")
    assert.are.equal("final:1", b:take("c", "client"))
  end)

  it("gives the next one to who has the fewest, of several to who has waited longest", function()
    local b = broker()
    for _, id in ipairs { "a", "b", "c" } do
      b:ready(id, "s", "concurrency=3")
    end
    for n = 1, 5 do
      b:call("x", n)
    end
    assert.are.equal("request:3", b:take "c")
    local address = mdp.read(b.to.b[1], 1, "worker").address
    assert.are.equal("request:2 request:5", b:take "b")
    assert.are.equal("request:1 request:4", b:take "a")
    b:answer("b", address, 2)
    for n = 6, 8 do
      b:call("x", n)
    end
    assert.are.same({ "request:6", "request:7", "request:8" },
      { b:take "c", b:take "b", b:take "a" })
  end)

  it("gives no worker more in a second than its rate, or the broker's", function()
    local b = broker { rate = 10 }
    b:ready("slow", "s", "concurrency=100 rate=2")
    for n = 1, 5 do
      b:call("c", n)
    end
    assert.are.equal("request:1 request:2", b:take "slow")
    assert.is_true(b.state.due <= b.now + 0.5)
    b:pass(0.6)
    assert.are.equal("request:3", b:take "slow")
    b:ready("fast", "s", "concurrency=100 rate=1000")
    assert.are.equal("request:4 request:5", b:take "fast")
    for n = 6, 20 do
      b:call("c", n)
    end
    assert.are.equal("request:6 request:7 request:8 request:9 request:10 request:11 request:12 "
      .. "request:13", b:take "fast")
  end)

  it("keeps to its own rate for a worker that claims none", function()
    local b = broker { rate = 2 }
    b:ready("w", "s", "concurrency=100 rate=0")
    for n = 1, 5 do
      b:call("c", n)
    end
    assert.are.equal("request:1 request:2", b:take "w")
  end)

  it("tells a caller that a service is not there, once it has waited for one", function()
    local b = broker { patience = 2 }
    b:call("c", 1)
    b:pass(1.9)
    assert.are.equal("", b:take("c", "client"))
    b:pass(0.2)
    assert.are.equal("ENOSERVICE:1", b:take("c", "client"))
    assert.are.same({ true, 0 }, { b:is_empty(), b.state.n_services })
    b:call("c", 2)
    b:ready("w")
    assert.are.equal("request:2", b:take "w")
  end)

  it("forgets plain requests for a service that is not there", function()
    local b = broker { patience = 2 }
    b:get(mdp.client("c", 1, "request", "none", { "x" }))
    b:pass(2.1)
    assert.are.same({ true, 0 }, { b:is_empty(), b.state.n_services })
    assert.is_nil(b.to.c)
  end)

  it("knows who is there: mmi.service, and no other word of management", function()
    local b = broker()
    b:ready("w", "echo")
    for _, case in ipairs { { "echo", "200" }, { "none", "404" } } do
      b:get(mdp.client("c", 1, "request", "mmi.service", { case[1] }))
      assert.are.same({ "", "MDPC01", "mmi.service", case[2] }, table.remove(b.to.c))
    end
    b:get(mdp.client("c", 2, "request", "mmi.more", { "" }))
    assert.are.same({ "MDPC02", "\3", "mmi.more", "501" }, b.to.c[1])
    b:ready("bad", "mmi.service")
    assert.are.equal("disconnect", b:take "bad")
    assert.is_true(b:is_empty())
  end)

  describe("bounds", function()
    it("the queue of a service", function()
      local b = broker { max_queue = 2 }
      b:ready("w")
      for n = 1, 4 do
        b:call("c", n)
      end
      assert.are.equal("EBUSY:4", b:take("c", "client"))
      assert.are.equal("request:1", b:take "w")
    end)

    it("the calls of a client, without harm for others", function()
      local b = broker { max_pending = 2 }
      b:ready("w", "s", "concurrency=9")
      for n = 1, 3 do
        b:call("c", n)
      end
      assert.are.equal("EBUSY:3", b:take("c", "client"))
      b:call("d", 4)
      assert.are.equal("request:1 request:2 request:4", b:take "w")
    end)

    it("bytes: of a request, of an answer, of all there are", function()
      local beside = 1024 + 6 * 32 -- of a message of six frames
      local b = broker { max_message = 200, max_bytes = 3 * beside + 450 }
      local function ask(n, size)
        b:get(mdp.client("c", 2, "request", "s", { envelope.write(CALL, envelope.id("call", n)),
          ("x"):rep(size - envelope.write(CALL, "12345678"):len()) }))
      end
      ask(1, 201)
      assert.are.equal("EMSGSIZE:1", b:take("c", "client"))
      ask(2, 200)
      ask(3, 200)
      ask(4, 51)
      assert.are.equal("EBUSY:4", b:take("c", "client"))
      b:ready("w", "s", "max_message=190")
      assert.are.equal("EMSGSIZE:2 EMSGSIZE:3", b:take("c", "client"))
      ask(5, 100)
      assert.are.equal("request:5", b:take "w")
      b:get(mdp.worker("w", 2, "final", b.last.address, { envelope.write(RESULT,
        envelope.id("call", 5)), ("x"):rep(200) }))
      assert.are.equal("EMSGSIZE:5", b:take("c", "client"))
      assert.is_true(b:is_empty())
    end)

    it("frames: of a request, of an answer", function()
      local b = broker()
      local function body_of(kind, n, frames)
        local body = { envelope.write(kind, envelope.id("call", n)) }
        for i = 2, frames do
          body[i] = ""
        end
        return body
      end
      b:get(mdp.client("c", 2, "request", "s", body_of(CALL, 1, 1001)))
      assert.are.equal("EMSGSIZE:1", b:take("c", "client"))
      b:ready("w", "s", "concurrency=2")
      b:get(mdp.client("c", 2, "request", "s", body_of(CALL, 2, 1000)))
      assert.are.equal("request:2", b:take "w")
      assert.is_true(#b.frames < 1024)
      b:get(mdp.worker("w", 2, "final", b.last.address, body_of(RESULT, 2, 1001)))
      assert.are.equal("EMSGSIZE:2", b:take("c", "client"))
      b:get(mdp.client("c", 2, "request", "s", body_of(CALL, 3, 1)))
      assert.are.equal("request:3", b:take "w")
      b:get(mdp.worker("w", 2, "final", b.last.address, body_of(RESULT, 3, 1000)))
      assert.are.equal("final:3", b:take("c", "client"))
      assert.is_true(b:is_empty())
    end)

    it("what a worker has, too, and frames with nothing in them", function()
      local b = broker { max_bytes = 40000 }
      b:ready("w", "s", "concurrency=9")
      local empty = {}
      for i = 1, 1000 do
        empty[i] = ""
      end
      b:get(mdp.client("c", 2, "request", "s", empty))
      assert.are.equal("request", b:take "w")
      local address = b.last.address
      b:call("d", 1)
      assert.are.equal("request:1", b:take "w")
      b:get(mdp.client("c", 2, "request", "s", empty))
      assert.are.equal("", b:take "w")
      assert.are.equal(1, b.state.counts.refused)
      b:get(mdp.worker("w", 2, "final", address, { "" }))
      b:get(mdp.client("c", 2, "request", "s", empty))
      assert.are.equal("request", b:take "w")
    end)

    it("services, and workers", function()
      local b = broker { max_services = 1, max_workers = 1, patience = 1 }
      b:call("c", 1, false, "one")
      b:call("c", 2, false, "two")
      assert.are.equal("EBUSY:2", b:take("c", "client"))
      b:ready("w1", "one")
      b:ready("w2", "one")
      assert.are.equal("disconnect", b:take "w2")
      assert.are.equal("request:1", b:take "w1")
    end)
  end)

  describe("a worker that has gone", function()
    local function lost(b, how)
      if how == "silent" then
        b:pass(7.6)
      elseif how == "left" then
        b:get(mdp.signal("w", 2, "disconnect"))
      elseif how == "gone" then
        b.away.w = true
        b:pass(2.6)
      else
        b:get { "w", "what?" }
      end
    end

    for _, how in ipairs { "silent", "left", "gone", "garbage" } do
      it("hands on what is safe to repeat, and fails the rest: " .. how, function()
        local b = broker()
        b:ready("w", "s", "concurrency=4")
        b:call("c", 1, true)
        b:call("c", 2, false)
        b:call("c", 3, true)
        b:get(mdp.client("plain", 1, "request", "s", { "x" }))
        b:take "w"
        lost(b, how)
        assert.are.equal("ECONNRESET:2", b:take("c", "client"))
        local is_told = how == "silent" or how == "garbage"
        assert.are.equal(is_told and "disconnect" or "", b:take "w")
        b:ready("w2", "s", "concurrency=4")
        assert.are.equal("request:1 request:3", b:take "w2")
        assert.are.equal(1, b.state.counts[how])
        assert.are.equal(2, b.state.counts.repeated)
        assert.are.equal("", b:take("plain", "client"))
      end)
    end

    it("repeats plain requests too where it is told so", function()
      local b = broker { repeat_plain = true }
      b:ready("w")
      b:get(mdp.client("plain", 1, "request", "s", { "x" }))
      b:take "w"
      b:get(mdp.signal("w", 2, "disconnect"))
      b:ready("w2")
      assert.are.equal("request", b:take "w2")
    end)

    it("gives a request to so many workers at most", function()
      local b = broker { tries = 2 }
      b:call("c", 1, true)
      for i = 1, 2 do
        b:ready("w" .. i)
        assert.are.equal("request:1", b:take("w" .. i))
        b:get { "w" .. i, "bang" }
      end
      assert.are.equal("ECONNRESET:1", b:take("c", "client"))
      assert.is_true(b:is_empty())
    end)

    it("has not begun what could not be sent to it", function()
      local b = broker()
      b:ready("w")
      b.away.w = true
      b:call("c", 1)
      assert.are.equal("", b:take("c", "client"))
      b:ready("w2")
      assert.are.equal("request:1", b:take "w2")
    end)

    it("may give back what it has not begun, and takes no more", function()
      local b = broker()
      b:ready("w", "s", "concurrency=2")
      b:call("c", 1)
      b:take "w"
      local address = b.last.address
      b:call("c", 2)
      b:take "w"
      b:answer("w", b.last.address, 2, RETURNED)
      assert.are.equal("", b:take "w")
      b:answer("w", address, 1)
      assert.are.equal("", b:take "w")
      assert.are.equal("final:1", b:take("c", "client"))
      b:ready("w2")
      assert.are.equal("request:2", b:take "w2")
    end)

    it("is told so, if it comes back under its old name", function()
      local b = broker()
      b:ready("w")
      b:pass(8)
      b:take "w"
      b:get(mdp.signal("w", 2, "heartbeat"))
      assert.are.equal("disconnect", b:take "w")
      b:answer("w", "t1", 1)
      assert.are.equal("disconnect", b:take "w")
    end)
  end)

  it("sends heartbeats to who is told nothing else, at the pace of the faster", function()
    local b = broker { heartbeat = 2 }
    b:ready("w", "s", "heartbeat=0.5")
    b:ready("v")
    assert.is_true(b.state.due <= b.now + 0.5)
    b:pass(0.5)
    assert.are.same({ "heartbeat", "" }, { b:take "w", b:take "v" })
    b:pass(1.5)
    assert.are.same({ "heartbeat", "heartbeat" }, { b:take "w", b:take "v" })
    b:pass(1)
    b:call("c", 1)
    b:call("c", 2)
    b:pass(1)
    assert.are.equal("request:2", (b:take "v"))
  end)

  it("keeps a worker as long as it says anything", function()
    local b = broker { heartbeat = 1, liveness = 3 }
    b:ready("w")
    for _ = 1, 10 do
      b:pass(2)
      b:get(mdp.signal("w", 2, "heartbeat"))
    end
    assert.are.equal(1, b.state.n_workers)
    b:pass(3.1)
    assert.are.equal(0, b.state.n_workers)
  end)

  describe("garbage of a worker ends it:", function()
    local cases = {
      ["a second READY"] = function() return mdp.signal("w", 2, "ready", "s") end,
      ["an answer nobody waits for"] = function()
        return mdp.worker("w", 2, "final", "t77", { "x" })
      end,
      ["a partial answer nobody waits for"] = function()
        return mdp.worker("w", 2, "partial", "t77", { "x" })
      end,
      ["a request as of a client"] = function()
        return mdp.client("w", 2, "request", "s", { "" })
      end,
      ["frames that are no MDP"] = function() return { "w", "", "" } end,
      ["no frames"] = function() return { "w" } end,
    }
    for title, make in pairs(cases) do
      it(title, function()
        local b = broker()
        b:ready("w")
        b:call("c", 1)
        b:take "w"
        b:get(make(b))
        assert.are.equal("disconnect", b:take "w")
        assert.are.equal("ECONNRESET:1", b:take("c", "client"))
        assert.are.equal(1, b.state.counts.garbage)
        assert.are.same({ 0, 0, true }, { b.state.n_workers, b.state.n_services, b:is_empty() })
      end)
    end

    it("a flood of heartbeats", function()
      local b = broker { message_rate = 10 }
      b:ready("w")
      for _ = 1, 10 do
        b:get(mdp.signal("w", 2, "heartbeat"))
      end
      assert.are.equal("", b:take "w")
      b:get(mdp.signal("w", 2, "heartbeat"))
      assert.are.equal("disconnect", b:take "w")
      assert.are.equal(1, b.state.counts.flood)
    end)
  end)

  it("does not blame a worker that sends our head back changed, or none", function()
    local b = broker()
    b:ready("w")
    for n, head in ipairs { envelope.write(RESULT, envelope.id("call", 9)), "GRN1", "",
      envelope.write(RETURNED, envelope.id("CALL", 4)) } do
      b:call("c", n)
      assert.are.equal("request:" .. n, b:take "w")
      b:get(mdp.worker("w", 2, "partial", b.last.address, { head }))
      b:get(mdp.worker("w", 2, "final", b.last.address, { head, "[]" }))
      assert.are.equal("EPROTO:" .. n, b:take("c", "client"))
    end
    assert.are.same({ 0, 1 }, { b.state.counts.garbage, b.state.n_workers })
  end)

  it("passes partial answers on to clients of 0.2, and not to those of 0.1", function()
    local b = broker()
    b:ready("w")
    for version = 1, 2 do
      b:get(mdp.client("c", version, "request", "s", { "x" }))
      b:take "w"
      b:get(mdp.worker("w", 2, "partial", b.last.address, { "part" }))
      b:get(mdp.worker("w", 2, "final", b.last.address, { "whole" }))
      assert.are.equal(version == 1 and "final" or "partial final", b:take("c", "client"))
    end
  end)

  describe("a call that is not wanted any more", function()
    local function cancel(b, id, n)
      b:get(mdp.client(id, 2, "request", "mmi.cancel",
        { envelope.write(CALL, envelope.id("call", n)), "" }))
    end

    it("leaves the queue", function()
      local b = broker()
      b:ready("w")
      b:call("c", 1)
      b:call("c", 2)
      b:call("c", 3)
      local address = mdp.read(b.to.w[1], 1, "worker").address
      b:take "w"
      cancel(b, "other", 2)
      cancel(b, "c", 2)
      b:answer("w", address, 1)
      assert.are.equal("request:3", b:take "w")
    end)

    it("is answered to nobody where it has begun, and keeps its worker until then", function()
      local b = broker()
      b:ready("w")
      b:call("c", 1)
      b:take "w"
      local address = b.last.address
      cancel(b, "c", 1)
      b:call("c", 2)
      assert.are.equal("", b:take "w")
      b:answer("w", address, 1)
      assert.are.equal("request:2", b:take "w")
      assert.are.equal("", b:take("c", "client"))
    end)

    it("is dropped when its time is over", function()
      local b = broker()
      b:ready("w")
      b:call("c", 1, false, "s", 1)
      b:call("c", 2, false, "s", 1)
      b:call("c", 3, false, "s", 60)
      local address = mdp.read(b.to.w[1], 1, "worker").address
      b:take "w"
      b:pass(1.5)
      assert.are.equal(1, b.state.counts.expired)
      assert.are.equal(1, b.state.waiting)
      b:answer("w", address, 1)
      assert.are.equal("request:3", b:take "w")
    end)
  end)

  it("takes random and cut messages of everybody, and keeps its books", function()
    local pieces = { "", "MDPC01", "MDPC02", "MDPW01", "MDPW02", "\1", "\2", "\3", "\4", "\5", "\6",
      "s", "mmi.service", "mmi.cancel", "concurrency=3", "t1", "t2", "t3" }
    local b = broker { max_queue = 5, max_pending = 5, patience = 1, max_services = 3,
      message_rate = 50, tries = 2 }
    local acts = {
      function(id)
        local frames = { id }
        for i = 2, math.random(2, 8) do
          frames[i] = pieces[math.random(#pieces)]
        end
        b:get(frames)
      end,
      function(id) b:ready(id, "s", "concurrency=" .. math.random(3), math.random(2)) end,
      function(id) b:call(id, math.random(100), math.random(2) == 1, "s", math.random(3)) end,
      function(id)
        local held = b.state.workers[id]
        local token = held and next(held.requests) or "t1"
        local call = held and held.requests[token]
        b:get(mdp.worker(id, 2, "final", token, { envelope.write(math.random(2, 4),
          call and call.header and call.header.id or "12345678"), "[]" }))
      end,
      function() b:pass(math.random() * 2) end,
      function(id) b.away[id] = not b.away[id] end,
    }
    for _ = 1, 20000 do
      acts[math.random(#acts)](string.char(64 + math.random(6)))
      b.to = {}
      local waiting, running = 0, 0
      for _, service in pairs(b.state.services) do
        waiting = waiting + service.queue.n
        assert(service.queue.n <= 5 + 6 * 3)
      end
      for _, worker in pairs(b.state.workers) do
        assert(worker.running <= worker.capacity and worker.running >= 0)
        running = running + worker.running
      end
      local held = 0
      for _, client in pairs(b.state.clients) do
        held = held + client.n
      end
      assert.are.equal(waiting, b.state.waiting)
      assert.are.equal(held, waiting + running)
    end
    for id in pairs(b.state.workers) do
      b:get { id, "bang" }
    end
    b:pass(5)
    assert.is_true(b:is_empty())
    assert.are.same({ 0, 0 }, { b.state.n_services, b.state.n_workers })
  end)
end)
