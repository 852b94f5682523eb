-- Peers of green.zmq that do what they should not: the socket goes on, and serves the others.

local green = require "green"
local kit = require "spec.support.zmq_kit"
local testing = require "green.testing"
local zmtp = require "spec.support.zmtp"

local _, it = testing.busted()
local with = kit.with

--- A bound socket, and a well-behaved one that talks to it.
local function pair(ctx, ours, theirs, opts)
  local s = assert(ctx:socket(ours, opts))
  assert(s:bind "tcp://127.0.0.1:*")
  local good = assert(ctx:socket(theirs))
  assert(good:connect(s.last_endpoint))
  return s, good
end

--- The good one still reaches it.
local function works(s, good)
  assert(good:send("still here", 20))
  repeat
    local text = assert(s:recv(20))
  until text == "still here"
end

--- A stranger's connection ends, however it began.
local function ends(conn)
  green.timeout(20, function()
    repeat until not conn:read(4096)
  end)
  conn:close()
end

local greetings = {
  { "nothing but zeros", ("\0"):rep(64) },
  { "HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" .. ("x"):rep(64) },
  { "TLS", "\22\3\1\2\0\1\0\1\252\3\3" .. ("\7"):rep(100) },
  { "a mechanism that nobody has", zmtp.greeting(("X"):rep(20)) },
  { "a mechanism that is not ours", zmtp.greeting("CURVE" .. ("\0"):rep(15)) },
  { "no READY but a message", zmtp.greeting() .. zmtp.frame "hello" },
  { "an empty command", zmtp.greeting() .. zmtp.frame("", 4) },
  { "a command whose name is longer than it", zmtp.greeting() .. zmtp.frame("\200READY", 4) },
  { "READY with half a property", zmtp.greeting() .. zmtp.frame("\5READY\11Socket-Ty", 4) },
  { "READY whose property claims 4 GB",
    zmtp.greeting() .. zmtp.frame("\5READY\11Socket-Type\255\255\255\255PUSH", 4) },
  { "READY of no such type", zmtp.greeting() .. zmtp.ready "NONSENSE" },
  { "READY of a type that does not fit", zmtp.greeting() .. zmtp.ready "SUB" },
  { "ERROR", zmtp.greeting() .. zmtp.frame("\5ERROR\3no!", 4) },
  { "READY twice", zmtp.greeting() .. zmtp.ready "PUSH" .. zmtp.ready "PUSH" },
  { "a command of 2^62 bytes", zmtp.greeting() .. zmtp.frame("\5READY", 6, 2 ^ 62) },
}

describe("a hostile peer's greeting", function()
  for _, case in ipairs(greetings) do
    it("is no other's affair: " .. case[1], with(function(ctx)
      local s, good = pair(ctx, "PULL", "PUSH", { handshake_ivl = 0.5 })
      local conn = zmtp.connect(s.last_endpoint)
      assert(conn:write(case[2]))
      works(s, good)
      conn:close()
      works(s, good)
    end))
  end

  it("may end at every byte", with(function(ctx)
    local s, good = pair(ctx, "PULL", "PUSH")
    local whole = zmtp.greeting() .. zmtp.ready "PUSH" .. zmtp.frame("half", 0, 200)
    for n = 1, #whole do
      local conn = zmtp.connect(s.last_endpoint)
      assert(conn:write(whole:sub(1, n)))
      conn:close()
    end
    works(s, good)
    assert.is_nil((s:recv(0)))
  end))

  it("may be slow, and is cut off when it takes too long", with(function(ctx)
    local s, good = pair(ctx, "PULL", "PUSH", { handshake_ivl = 0.2 })
    local conns = {}
    for i = 1, 50 do
      conns[i] = zmtp.connect(s.last_endpoint)
      assert(conns[i]:write(zmtp.greeting():sub(1, i)))
    end
    works(s, good)
    for i = 1, 50 do ends(conns[i]) end
    works(s, good)
  end))

  it("may come byte by byte", with(function(ctx)
    local s, good = pair(ctx, "PULL", "PUSH")
    local conn = zmtp.connect(s.last_endpoint)
    for byte in (zmtp.greeting() .. zmtp.ready "PUSH" .. zmtp.frame "slow"):gmatch "." do
      assert(conn:write(byte))
      green.sleep(0.001) -- or they come as one
    end
    assert.equal("slow", (assert(s:recv(20))))
    conn:close()
    works(s, good)
  end))
end)

describe("a hostile peer's message", function()
  it("of a size that nobody has is refused, and only its sender", with(function(ctx)
    local s, good = pair(ctx, "PULL", "PUSH")
    for _, n in ipairs { 64 * 2 ^ 20 + 1, 2 ^ 31, 2 ^ 32 + 5, 2 ^ 62 } do
      local conn = zmtp.open(s.last_endpoint, "PUSH")
      assert(conn:write(zmtp.frame("x", 2, n)))
      ends(conn)
    end
    works(s, good)
  end))

  it("of 10,000 parts is refused, and the next is whole", with(function(ctx)
    local s, good = pair(ctx, "PULL", "PUSH")
    local conn = zmtp.open(s.last_endpoint, "PUSH")
    assert(conn:write(zmtp.frame("p", 1):rep(10000) .. zmtp.frame "last" .. zmtp.frame "next"))
    kit.fails("EMSGSIZE", s:recv_multipart(20))
    assert.same({ "next" }, s:recv_multipart(20))
    conn:close()
    works(s, good)
  end))

  it("that never ends is never received", with(function(ctx)
    local s, good = pair(ctx, "PULL", "PUSH")
    local conn = zmtp.open(s.last_endpoint, "PUSH")
    assert(conn:write(zmtp.frame("p", 1):rep(5000)))
    works(s, good)
    conn:close()
    works(s, good)
  end))

  it("is cut off with its connection", with(function(ctx)
    local s, good = pair(ctx, "PULL", "PUSH")
    for _ = 1, 20 do
      local conn = zmtp.open(s.last_endpoint, "PUSH")
      assert(conn:write(zmtp.frame("whole", 1) .. zmtp.frame("half", 0, 100)))
      conn:close()
    end
    works(s, good)
  end))

  it("to a REP without the envelope's end is dropped", with(function(ctx)
    local s = assert(ctx:socket "REP")
    assert(s:bind "tcp://127.0.0.1:*")
    local req = assert(ctx:socket "REQ")
    assert(req:connect(s.last_endpoint))
    local conn = zmtp.open(s.last_endpoint, "DEALER")
    assert(conn:write(zmtp.frame "no delimiter" .. zmtp.frame("", 1) .. zmtp.frame "asked"))
    assert.equal("asked", (s:recv(20)))
    assert(s:send "answer")
    assert(req:send("q", 20))
    assert.equal("q", (s:recv(20)))
    assert(s:send "a")
    assert.equal("a", (req:recv(20)))
    conn:close()
  end))

  it("to an XPUB subscribes to nonsense, many times", with(function(ctx)
    local s = assert(ctx:socket "XPUB")
    assert(s:bind "tcp://127.0.0.1:*")
    local sub = assert(ctx:socket("SUB"))
    assert(sub:subscribe "t")
    assert(sub:connect(s.last_endpoint))
    local conn = zmtp.open(s.last_endpoint, "SUB")
    local list = {}
    for i = 1, 2000 do
      list[i] = zmtp.frame(string.char(i % 4) .. ("n"):rep(i % 300) .. i)
    end
    assert(conn:write(table.concat(list)))
    repeat
      local text = assert(s:recv(20))
    until text == "\1t"
    assert(s:send "topic")
    assert.equal("topic", (sub:recv(20)))
    conn:close()
    assert(s:send "topic")
    assert.equal("topic", (sub:recv(20)))
  end))

  it("from two that say the same routing id reaches the first", with(function(ctx)
    local s = assert(ctx:socket "ROUTER")
    assert(s:bind "tcp://127.0.0.1:*")
    local a = assert(ctx:socket("DEALER", { routing_id = "same" }))
    assert(a:connect(s.last_endpoint))
    assert(a:send "first")
    assert.same({ "same", "first" }, s:recv_multipart(20))
    local b = assert(ctx:socket("DEALER", { routing_id = "same" }))
    assert(b:connect(s.last_endpoint))
    assert(b:send "second")
    assert(s:send_multipart { "same", "answer" })
    assert.equal("answer", (a:recv(20)))
    kit.fails("EAGAIN", b:recv(0))
  end))
end)

describe("many hostile peers", function()
  it("that only connect keep nobody out", with(function(ctx)
    local s, good = pair(ctx, "PULL", "PUSH", { handshake_ivl = 0.5 })
    local conns = {}
    for i = 1, 200 do conns[i] = zmtp.connect(s.last_endpoint) end
    works(s, good)
    for i = 1, 200 do conns[i]:close() end
    works(s, good)
  end))

  it("that go while their messages come leave the socket well", with(function(ctx)
    local s, good = pair(ctx, "PULL", "PUSH")
    local got = 0
    local reader = green.spawn(function()
      for parts in s:messages(20) do
        if parts[1] == "still here" then return end
        got = got + 1
      end
    end)
    local text = zmtp.frame("flood"):rep(500)
    for _ = 1, 40 do
      local conn = zmtp.open(s.last_endpoint, "PUSH")
      assert(conn:write(text))
      conn:close()
    end
    assert(good:send("still here", 20))
    reader:wait()
    assert.is_true(got <= 40 * 500)
  end))
end)
