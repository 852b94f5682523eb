-- Long messages of green.zmq, which are sent from where Lua has them: they arrive as they were
-- sent, whoever collects, ends, is killed or forks meanwhile; and are let go of.

local green = require "green"
local kit = require "spec.support.zmq_kit"
local long = require "spec.support.zmq_long"
local process = require "green.process"
local program = require "spec.support.program"
local testing = require "green.testing"
local tpool = require "green.tpool"
local zmq = require "green.zmq"

local _, it = testing.busted()
local with, text_of = kit.with, long.text_of

local LENGTHS = { 32768, 32769, 100000, 2 ^ 20 }

local function assert_whole(i, text)
  if not long.is_whole(i, text) then
    error("not what was sent", 2)
  end
end

--- KB that live.
local function live()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count"
end

for _, transport in ipairs { "inproc", "ipc", "tcp" } do
  it("long texts arrive as they were sent, while all is collected: " .. transport,
    with(function(ctx)
      local a, b = kit.pair(ctx, "PULL", "PUSH", transport)
      for i, length in ipairs(LENGTHS) do
        for _ = 1, 10 do assert(b:send(text_of(i, length))) end
        collectgarbage()
        text_of(99, length) -- comes to lie where another was
        for _ = 1, 10 do
          local text = assert(a:recv(20))
          assert.equal(length, #text)
          assert_whole(i, text)
        end
      end
    end))

  it("messages of long and short parts stay whole: " .. transport, with(function(ctx)
    local a, b = kit.pair(ctx, "DEALER", "DEALER", transport)
    local twice = text_of(1, 40000)
    for i = 1, 20 do
      local own = text_of(i, 50000)
      assert(b:send_multipart { "head", own, "", twice, twice })
      assert(b:send(own, { more = true }))
      assert(b:send("tail"))
    end
    collectgarbage()
    for i = 1, 20 do
      local parts = assert(a:recv_multipart(20))
      assert_whole(i, parts[2])
      parts[2] = "own"
      assert.is_true(parts[4] == twice and parts[5] == twice)
      assert.equal(5, #parts)
      parts = assert(a:recv_multipart(20))
      assert_whole(i, parts[1])
      assert.equal("tail", parts[2])
    end
  end))
end

it("who is refused, times out or is killed has sent and keeps nothing", with(function(ctx)
  local a, b = kit.pair(ctx, "PULL", "PUSH", "inproc", { sndhwm = 1, rcvhwm = 1 })
  assert(b:send(text_of(1, 50000)) and b:send(text_of(2, 50000)))
  local before = live()
  for _ = 1, 50 do
    kit.fails("EAGAIN", b:send(text_of(8, 2 ^ 20), 0))
    kit.fails("EAGAIN", b:send_multipart({ "x", text_of(8, 2 ^ 20) }, 0))
  end
  kit.fails("ETIMEDOUT", b:send(text_of(9, 50000), 0.01))
  local killed = green.spawn(b.send, b, text_of(9, 50000))
  local late = green.spawn(b.send, b, text_of(3, 50000), 20)
  green.sleep(0)
  killed:kill()
  for i = 1, 3 do assert_whole(i, (assert(a:recv(20)))) end
  assert.is_true(late:wait(20))
  kit.fails("EAGAIN", a:recv(0))
  b:send(text_of(4, 50000))
  a:recv(20)
  assert.is_true(live() - before < 4096)
end))

it("what has arrived is let go of, whether more is sent or not", with(function(ctx)
  local a, b = kit.pair(ctx, "PULL", "PUSH", "inproc")
  local before = live()
  for i = 1, 100 do
    assert(b:send(text_of(i, 2 ^ 20)))
    assert(a:recv(20))
  end
  green.timeout(20, function()
    while live() - before > 4096 do green.sleep(0.02) end -- it is looked for in real time
  end)
  assert.is_true(live() - before < 4096)
end))

it("what nobody gets is let go of", with(function(ctx)
  local before = live()
  local pub = assert(ctx:socket "PUB")
  assert(pub:bind(kit.endpoint "inproc"))
  local router = assert(ctx:socket("ROUTER"))
  assert(router:bind(kit.endpoint "inproc"))
  local strict = assert(ctx:socket("ROUTER", { router_mandatory = true }))
  assert(strict:bind(kit.endpoint "inproc"))
  for i = 1, 50 do
    assert(pub:send(text_of(i, 2 ^ 20)))
    assert(router:send_multipart { "nobody", text_of(i, 2 ^ 20) })
    kit.fails("EHOSTUNREACH", strict:send_multipart { "nobody", text_of(i, 2 ^ 20) })
  end
  pub:send(text_of(1, 50000))
  assert.is_true(live() - before < 4096)
end))

it("several subscribers have one text, each for as long as it wants", with(function(ctx)
  local pub, subs = assert(ctx:socket "XPUB"), {}
  assert(pub:bind(kit.endpoint "inproc"))
  for i = 1, 3 do
    subs[i] = assert(ctx:socket "SUB")
    assert(subs[i]:connect(pub.last_endpoint))
    assert(subs[i]:subscribe "")
  end
  while pub:recv(0.1) do end
  for i = 1, 10 do assert(pub:send(text_of(i, 40000))) end
  collectgarbage()
  subs[3]:close(0)
  for s = 1, 2 do
    for i = 1, 10 do assert_whole(i, (assert(subs[s]:recv(20)))) end
  end
end))

it("a proxy hands them on, and a child of its process leaves them alone", with(function(ctx)
  local front, source = kit.pair(ctx, "PULL", "PUSH", "inproc", { sndhwm = 2, rcvhwm = 2 })
  local back, sink = kit.pair(ctx, "PUSH", "PULL", "inproc", { sndhwm = 2, rcvhwm = 2 })
  local proxy = green.spawn(zmq.proxy, front, back)
  local sender = green.spawn(function()
    for i = 1, 20 do assert(source:send(text_of(i, 40000), 20)) end
  end)
  green.sleep(0.05) -- until all lines are full, and the proxy has one in hand
  local pid = assert(green.fork(function() collectgarbage() end))
  process.wait(pid)
  for i = 1, 20 do assert_whole(i, (assert(sink:recv(20)))) end
  sender:wait(20)
  proxy:kill()
end))

-- -- Ends ---------------------------------------------------------------------

--- What a native thread does, whose runtime ends behind it: one that is closed, or not.
local function send_and_end(endpoint, from, to, closes)
  local there = require "green.zmq"
  local s = assert(there.socket "PUSH")
  assert(s:connect(endpoint))
  for i = from, to do
    local text = ("%08d"):format(i):rep(i % 2 == 0 and 5000 or 40000)
    assert(s:send(text) and s:send(text))
  end
  if closes then s:close() end
end

for _, transport in ipairs { "inproc", "ipc" } do
  it("a runtime may end before its messages are read: " .. transport, function()
    local s = assert(zmq.socket "PULL")
    assert(s:bind(kit.endpoint(transport)))
    local pool = tpool.pool { threads = 3 }
    for i = 1, 12 do
      pool:execute(send_and_end, s.last_endpoint, i * 10, i * 10 + 4, i % 2 == 0)
    end
    pool:close()
    for _ = 1, 12 * 5 * 2 do
      local text = assert(s:recv(20))
      assert_whole(tonumber(text:sub(1, 8)), text)
    end
    s:close(0)
    assert(zmq.Context():term(20))
  end)
end

local function kb_of_process()
  for line in io.lines "/proc/self/status" do
    local kb = line:match "^VmRSS:%s*(%d+)"
    if kb then return tonumber(kb) end
  end
end

it("the memory of a runtime that has ended goes with its last message", function()
  local s = assert(zmq.socket "PULL")
  assert(s:bind(kit.endpoint "inproc"))
  local function round()
    local pool = tpool.pool { threads = 1 }
    pool:execute(send_and_end, s.last_endpoint, 1, 10, true)
    pool:close()
    for _ = 1, 20 do assert(s:recv(20)) end
    collectgarbage()
  end
  for _ = 1, 10 do round() end
  local before = kb_of_process()
  for _ = 1, 40 do round() end
  assert.is_true(kb_of_process() - before < 20000)
  s:close(0)
  assert(zmq.Context():term(20))
end)

it("a child leaves its parent's alone, and sends its own", with(function(ctx)
  local a, b = kit.pair(ctx, "PULL", "PUSH", "inproc")
  for i = 1, 5 do assert(b:send(text_of(i, 50000))) end
  local other = assert(ctx:socket "PULL")
  assert(other:bind(kit.endpoint "ipc"))
  local pid = assert(green.fork(function()
    local s = assert(zmq.socket "PUSH")
    assert(s:connect(other.last_endpoint))
    for i = 1, 5 do assert(s:send(text_of(i, 60000))) end
    s:close()
  end))
  for i = 1, 5 do assert_whole(i, (assert(other:recv(20)))) end
  process.wait(pid)
  for i = 1, 5 do assert_whole(i, (assert(a:recv(20)))) end
end))

it("a program ends with messages that nobody will read, however it ends", function()
  for _, last in ipairs { "", "os.exit(0)", "os.exit(0, true)", "green.spawn(os.exit, 0)" } do
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write([[
      local green, zmq = require "green", require "green.zmq"
      local ctx = zmq.Context { ending = 0.05 }
      local s, t = ctx:socket "PUSH", ctx:socket "PULL"
      assert(s:connect "ipc:///tmp/green-zmq-nobody")
      assert(t:bind "inproc://unread")
      local u = ctx:socket "PUSH"
      assert(u:connect "inproc://unread")
      for i = 1, 20 do
        assert(s:send(("%08d"):format(i):rep(20000)))
        assert(u:send(("%08d"):format(i):rep(5000)))
      end
    ]], last)
    file:close()
    local command = ("timeout 60 '%s' %s 2>&1; echo status $?"):format(program.greenlua, path)
    local pipe = io.popen(command)
    local out = pipe:read "*a"
    pipe:close()
    os.remove(path)
    assert.matches("status 0", out, 1, true)
  end
end)
