-- green.zmq: every pattern of sockets, over inproc, ipc and tcp; messages stay whole.

local exits = require "green.thread.exits"
local green = require "green"
local kit = require "spec.support.zmq_kit"
local process = require "green.process"
local testing = require "green.testing"
local thread = require "green.thread"
local zmq = require "green.zmq"

local ffi = require "ffi"
local lfs = require "lfs"

local _, it = testing.busted()
local fails, with = kit.fails, kit.with

local COUNT = 1000

--- n messages from one to the other: each whole, in order.
local function stream(from, to, n, prefix)
  local t = green.spawn(function()
    for i = 1, n do
      assert(from:send_multipart { prefix or "p", tostring(i), ("x"):rep(i % 300) })
    end
  end)
  for i = 1, n do
    local m = assert(to:recv_multipart(20))
    assert(#m == 3 and m[2] == tostring(i) and #m[3] == i % 300, m[2])
  end
  t:wait()
end

--- One asks, the other answers.
local function ask(req, rep, n)
  local t = green.spawn(function()
    for _ = 1, n do
      local m = assert(rep:recv(20))
      assert(rep:send("re:" .. m))
    end
  end)
  for i = 1, n do
    assert(req:send("m" .. i))
    assert.equal("re:m" .. i, (req:recv(20)))
  end
  t:wait()
end

for _, transport in ipairs { "inproc", "ipc", "tcp" } do
  describe("green.zmq over " .. transport, function()
    it("carries PUSH to PULL", with(function(ctx)
      local pull, push = kit.pair(ctx, "PULL", "PUSH", transport)
      stream(push, pull, COUNT)
    end))

    it("carries REQ to REP and back", with(function(ctx)
      local rep, req = kit.pair(ctx, "REP", "REQ", transport)
      ask(req, rep, COUNT)
    end))

    it("carries DEALER to ROUTER and back", with(function(ctx)
      local router, dealer = kit.pair(ctx, "ROUTER", "DEALER", transport)
      local t = green.spawn(function()
        for _ = 1, COUNT do
          local m = assert(router:recv_multipart(20))
          assert(#m == 3)
          assert(router:send_multipart(m))
        end
      end)
      local sender = green.spawn(function()
        for i = 1, COUNT do assert(dealer:send_multipart("d", tostring(i))) end
      end)
      for i = 1, COUNT do
        assert.same({ "d", tostring(i) }, dealer:recv_multipart(20))
      end
      t:wait()
      sender:wait()
    end))

    it("carries PUB to SUB, what was subscribed to", with(function(ctx)
      local pub, sub = kit.pair(ctx, "XPUB", "SUB", transport, { sndhwm = 0, rcvhwm = 0 })
      assert(sub:subscribe "a")
      assert.equal("\1a", (pub:recv(20)))
      for i = 1, COUNT do
        assert(pub:send("b" .. i))
        assert(pub:send("a" .. i))
      end
      for i = 1, COUNT do assert.equal("a" .. i, (sub:recv(20))) end
      assert(sub:unsubscribe "a")
      assert.equal("\0a", (pub:recv(20)))
    end))

    it("carries PUB to XSUB, which subscribes by sending", with(function(ctx)
      local pub, sub = kit.pair(ctx, "PUB", "XSUB", transport)
      assert(sub:send "\1")
      local heard
      repeat
        assert(pub:send "x")
        heard = sub:recv(0.01)
      until heard
      assert.equal("x", heard)
    end))

    it("carries PAIR both ways", with(function(ctx)
      local a, b = kit.pair(ctx, "PAIR", "PAIR", transport)
      stream(a, b, COUNT)
      stream(b, a, COUNT)
    end))
  end)
end

describe("green.zmq", function()
  it("speaks plain TCP with STREAM", with(function(ctx)
    local s = assert(ctx:socket "STREAM")
    assert(s:bind "tcp://127.0.0.1:*")
    local conn = assert(green.connect("127.0.0.1", tonumber(s.last_endpoint:match ":(%d+)$")))
    local m = assert(s:recv_multipart(20))
    assert.equal("", m[2])
    assert(conn:write "hello")
    assert.same({ m[1], "hello" }, s:recv_multipart(20))
    assert(s:send_multipart(m[1], "world"))
    assert.equal("world", conn:read(5))
    conn:close()
  end))

  it("keeps the messages of many threads whole, and gives all a turn [b147]", with(function(ctx)
    local router, dealer = kit.pair(ctx, "ROUTER", "DEALER")
    local group, turns = {}, {}
    for i = 1, 5 do
      group[#group + 1] = green.spawn(function()
        for k = 1, 300 do
          assert(dealer:send("a" .. i, { more = true }))
          if k % 7 == 0 then green.sleep(0) end
          assert(dealer:send("b" .. i))
        end
      end)
      group[#group + 1] = green.spawn(function()
        for _ = 1, 300 do
          local id = assert(router:recv(20))
          if i % 2 == 0 then green.sleep(0) end
          local a, more = router:recv()
          assert.is_true(more)
          local b
          b, more = router:recv()
          assert.is_false(more)
          assert.equal(a:sub(2), b:sub(2))
          assert(router:send_multipart { id, a, b })
        end
      end)
      group[#group + 1] = green.spawn(function()
        for _ = 1, 300 do
          local m = assert(dealer:recv_multipart(20))
          assert(#m == 2 and m[1]:sub(2) == m[2]:sub(2))
          turns[i] = (turns[i] or 0) + 1
        end
      end)
    end
    for _, t in ipairs(group) do t:wait() end
    assert.same({ 300, 300, 300, 300, 300 }, turns)
  end))

  it("drops what a thread has left of its message", with(function(ctx)
    local pull, push = kit.pair(ctx, "PULL", "PUSH")
    green.spawn(function() push:send("lost", { more = true }) end):wait()
    assert(push:send_multipart("one", "two"))
    assert.equal("one", green.spawn(function() return (pull:recv()) end):wait())
    assert(push:send "three")
    assert.equal("three", (pull:recv(20)))
    assert.is_true(next(pull._rests) == nil and next(push._begun) == nil)
  end))

  it("is closed in the middle of a thread's messages", with(function(ctx)
    local pull, push = kit.pair(ctx, "PULL", "PUSH")
    assert(push:send_multipart("one", "two", "three"))
    local go = green.Event()
    local t = green.spawn(function()
      assert.equal("one", (pull:recv(20)))
      push:send("lost", { more = true })
      go:wait()
      fails("ECLOSED", pull:recv(20))
      fails("ECLOSED", push:send "lost")
    end)
    green.sleep(0.01)
    local held = { next(pull._rests), next(push._begun) }
    assert.equal(t, held[1])
    local rest, begun = pull._rests[t], push._begun[t]
    pull:close()
    push:close(0)
    assert.is_nil(exits.thread_of(rest) or exits.thread_of(begun))
    go:send()
    t:wait()
  end))

  it("is closed while a thread that has half a message lets others run", with(function(ctx)
    for _, method in ipairs { "recv", "recv_multipart" } do
      local pull, push = kit.pair(ctx, "PULL", "PUSH")
      assert(push:send_multipart("one", "two", "three"))
      assert.equal("one", (pull:recv(20)))
      green.spawn(pull.close, pull)
      while thread.turn.budget > 0 do thread.checkpoint() end -- the next one lets others run
      assert.is_false(pull.closed)
      fails("ECLOSED", pull[method](pull, 20))
    end
  end))

  it("is a checkpoint where it has a part already", with(function(ctx)
    for _, method in ipairs { "recv", "recv_multipart" } do
      local pull, push = kit.pair(ctx, "PULL", "PUSH")
      assert(push:send_multipart("one", "two", "three"))
      local got
      local t = green.spawn(function()
        pull:recv(20)
        pcall(green.sleep, 1000)
        got = { pcall(pull[method], pull, 20) }
      end)
      green.sleep(0.01)
      t:kill()
      t:wait()
      assert.is_false(got[1])
      assert.is_true(green.is_error(got[2], "ECANCELED"))
    end
  end))

  it("refuses messages of too many parts, and goes on", with(function(ctx)
    local pull, push = kit.pair(ctx, "PULL", "PUSH", nil, { max_parts = 3 })
    assert(push:send_multipart("1", "2", "3", "4", "5"))
    assert(push:send_multipart("1", "2", "3"))
    fails("EMSGSIZE", pull:recv_multipart(20))
    assert.same({ "1", "2", "3" }, pull:recv_multipart(20))
  end))

  it("opens nothing where an option is wrong", function()
    local ctx = zmq.Context { max_sockets = 1 }
    for _, opts in ipairs { { max_parts = 0 }, { linger = "x" }, { no_such = 1 } } do
      assert.is_false(pcall(ctx.socket, ctx, "PULL", opts))
    end
    assert(ctx:socket("PULL", { max_parts = 7 }))
    assert(ctx:term(10))
  end)

  it("sends 1 to 1,024 parts, all of them strings, and says which is none", with(function(ctx)
    local pull, push = kit.pair(ctx, "PULL", "PUSH")
    local many = {}
    for i = 1, 1024 do many[i] = tostring(i) end
    assert(push:send_multipart(many))
    assert.same(many, pull:recv_multipart(20))
    many[1025] = "x"
    for message, parts in pairs {
      ["parts must be 1 to 1024 strings, not a table of 0"] = { {} },
      ["parts must be 1 to 1024 strings, not a table of 1025"] = { many },
      ["parts must be strings, but part 2 is nil"] = { "a", nil, n = 2 },
      ["parts must be strings, but part 3 is 7"] = { { "a", "b", 7 } },
      ["parts must be strings, but part 1 is nil"] = { nil, n = 0 },
    } do
      local ok, err = pcall(push.send_multipart, push, unpack(parts, 1, parts.n or 1))
      assert.is_false(ok, message)
      assert.is_truthy(tostring(err):find("send_multipart: " .. message, 1, true), tostring(err))
    end
    fails("EAGAIN", pull:recv(0))
  end))

  it("receives into memory of the caller's", with(function(ctx)
    local pull, push = kit.pair(ctx, "PULL", "PUSH")
    local buffer = ffi.new("char[8]")
    assert(push:send_multipart("hello", "a longer one"))
    local n, more = pull:recv_into(buffer, 8, 20)
    assert.equal("hello", ffi.string(buffer, n))
    assert.is_true(more)
    n, more = pull:recv_into(buffer, 8)
    assert.equal(12, n)
    assert.is_false(more)
    assert.equal("a longer", ffi.string(buffer, 8))
  end))

  it("takes nothing where there is no memory to receive into", with(function(ctx)
    local pull, push = kit.pair(ctx, "PULL", "PUSH")
    assert(push:send "hello")
    local ok, err = pcall(pull.recv_into, pull, ffi.new("int"), 4, 20)
    assert.is_false(ok)
    assert.matches("socket_spec.*recv_into: buffer must be memory", tostring(err))
    assert.equal("hello", (pull:recv(20)))
  end))

  it("carries zero bytes, empty parts and megabytes [b152]", with(function(ctx)
    local pull, push = kit.pair(ctx, "PULL", "PUSH", "ipc")
    local big = ("0123456789abcdef"):rep(256 * 1024)
    local t = green.spawn(function()
      assert(push:send_multipart("", "a\0b", big, ""))
      assert(push:send(big))
    end)
    assert.same({ "", "a\0b", big, "" }, pull:recv_multipart(20))
    assert.is_true(big == pull:recv(20))
    t:wait()
  end))

  it("says what a REQ and a REP may not do", with(function(ctx)
    local rep, req = kit.pair(ctx, "REP", "REQ")
    fails("EFSM", req:recv(0.1))
    fails("EFSM", rep:send "x")
    assert(req:send "x")
    fails("EFSM", req:send "y")
  end))

  it("does not end the process for a DGRAM that goes nowhere", with(function(ctx)
    local s = ctx:socket "DGRAM"
    if not s then
      pending("this libzmq has no DGRAM")
      return
    end
    fails("EHOSTUNREACH", s:send("x", 0.1))
    fails("EHOSTUNREACH", s:send_multipart({ "127.0.0.1:9", "x" }, 0.1))
  end))

  it("says what cannot be bound", with(function(ctx)
    local a, b = assert(ctx:socket "REP"), assert(ctx:socket "PULL")
    assert(a:bind "tcp://127.0.0.1:*")
    fails("EADDRINUSE", b:bind(a.last_endpoint))
    local err = fails("EINVAL", b:bind "nonsense")
    assert.matches("tcp://ADDRESS:PORT", tostring(err), 1, true)
    fails("EINVAL", b:bind "tcp://127.0.0.1:99999")
    fails("EINVAL", b:connect "tcp://127.0.0.1:65536")
    fails("EPROTONOSUPPORT", b:bind "gopher://x")
    -- Twice the same: libzmq would end the process.
    err = fails("EPROTONOSUPPORT", b:bind "norm://127.0.0.1:5555")
    assert.equal("bind norm://127.0.0.1:5555: protocol not supported (EPROTONOSUPPORT)",
      tostring(err))
    err = fails("ENODEV", b:bind "tcp://localhost:5555")
    assert.matches("no host's name", tostring(err), 1, true)
    fails("EPROTONOSUPPORT", b:connect "norm://127.0.0.1:5555")
    fails("EINVAL", b:bind "inproc://zeromq.zap.01")
    assert(a:unbind(a.last_endpoint))
    fails("ENOENT", a:unbind(a.last_endpoint))
  end))

  it("makes files of ipc endpoints for the user alone", with(function(ctx)
    local a = assert(ctx:socket "REP")
    assert(a:bind(kit.endpoint "ipc"))
    assert.equal("rw-------", lfs.attributes(a.last_endpoint:sub(7), "permissions"))
    local b = assert(ctx:socket "REQ")
    assert(b:connect(a.last_endpoint))
    assert(b:send "x")
    assert.equal("x", (a:recv(20)))
    local any = assert(ctx:socket "REP") -- libzmq finds a name
    assert(any:bind "ipc://*")
    assert.equal("rw-------", lfs.attributes(any.last_endpoint:sub(7), "permissions"))
    assert.equal(-1, a:get "use_fd")
  end))

  it("binds an ipc path again, and deletes no file that is no socket", with(function(ctx)
    local endpoint = kit.endpoint "ipc"
    for _ = 1, 3 do
      local a = assert(ctx:socket "REP")
      assert(a:bind(endpoint))
      assert(a:unbind(endpoint))
      assert(a:bind(endpoint))
      a:close()
    end
    local path = os.tmpname()
    local s = assert(ctx:socket "REP")
    fails("EADDRINUSE", s:bind("ipc://" .. path))
    assert.equal("file", lfs.attributes(path, "mode"))
    os.remove(path)
    fails("ENOENT", s:bind "ipc:///nowhere/at/all")
    fails("ENAMETOOLONG", s:bind("ipc:///tmp/" .. ("x"):rep(110)))
    os.remove(endpoint:sub(7))
  end))

  it("knows options by name, with types of Lua's", with(function(ctx)
    local s = assert(ctx:socket("DEALER", { sndhwm = 7, linger = 0.25, immediate = true }))
    assert.equal(7, s:get "sndhwm")
    assert.equal(0.25, s:get "linger")
    assert.is_true(s:get "immediate")
    assert.equal(64 * 1024 * 1024, s:get "maxmsgsize")
    assert.equal(10, s:get "handshake_ivl")
    assert(s:set("routing_id", "me\0"))
    assert.equal("me\0", s:get "routing_id")
    assert.error_matches(function() s:set("sndhmw", 1) end, "sndhwm")
  end))

  it("wakes who waits when another thread's call took the news away [b145]", with(function(ctx)
    local router, dealer = kit.pair(ctx, "ROUTER", "DEALER", "ipc")
    local got = 0
    local reader = green.spawn(function()
      while dealer:recv() do got = got + 1 end
    end)
    local echo = green.spawn(function()
      for m in router:messages() do router:send_multipart(m) end
    end)
    for i = 1, 2000 do
      assert(dealer:send("m" .. i))
      if i % 3 == 0 then green.sleep(0) end
    end
    green.timeout(20, function()
      while got < 2000 do green.sleep(0.001) end
    end)
    assert.equal(2000, got)
    dealer:close()
    router:close()
    reader:wait()
    echo:wait()
  end))

  it("closes its sockets when its context is ended, and term never hangs", function()
    local ctx = assert(zmq.Context {})
    local push = assert(ctx:socket "PUSH")
    local dealer = assert(ctx:socket "DEALER")
    local endpoint = kit.endpoint "ipc"
    assert(push:connect(endpoint))
    assert(push:send "nobody takes it")
    local t = green.spawn(function() return dealer:recv() end)
    green.sleep(0)
    fails("ETIMEDOUT", ctx:term(0.02))
    fails("ECLOSED", t:wait())
    assert.is_true(push.closed and ctx.closed)
    fails("ECLOSED", ctx:socket "REQ")
    kit.with(function(other)
      local pull = assert(other:socket "PULL")
      assert(pull:bind(endpoint))
      assert.equal("nobody takes it", (pull:recv(20)))
    end)()
    assert(ctx:term(20))
  end)

  it("does not let a socket go to another runtime", with(function(ctx)
    local tpool = require "green.tpool"
    local s = assert(ctx:socket "PUSH")
    local ok, err = pcall(tpool.execute, function(one) return one.type end, s)
    assert.is_false(ok)
    assert.matches("green.zmq.socket", tostring(err), 1, true)
  end))

  it("refuses sockets of the parent's in a forked child, where new ones work", with(function(ctx)
    local pull, push = kit.pair(ctx, "PULL", "PUSH")
    assert(zmq.socket "PULL"):close()
    local child = assert(process.fork(function()
      local ok, err = pcall(push.send, push, "x")
      if ok or not tostring(err):find "one of the parent's" then os.exit(1) end
      local a = assert(zmq.socket "PULL")
      assert(a:bind "inproc://own")
      local b = assert(zmq.socket "PUSH")
      assert(b:connect "inproc://own")
      assert(b:send "hello")
      os.exit(a:recv(10) == "hello" and 0 or 2)
    end))
    assert.same({ "exit", 0 }, { process.wait(child, 20) })
    assert(push:send "still there")
    assert.equal("still there", (pull:recv(20)))
    assert(zmq.Context():term(20))
  end))
end)
