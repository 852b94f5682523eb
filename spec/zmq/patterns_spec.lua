-- green.zmq: every pattern between green threads, on every backend of the loop.

local beside = require "spec.support.zmq_beside"
local green = require "green"
local program = require "spec.support.program"
local testing = require "green.testing"
local zmq = require "green.zmq"

local it = beside.settled(select(2, testing.busted()))

local MESSAGES = 1000
local PATIENCE = 30 -- seconds; only a failing spec waits so long

local next_name = 0

--- Two sockets that are connected.
local function pair(one, two, opts_one, opts_two)
  next_name = next_name + 1
  local endpoint = "inproc://patterns" .. next_name
  local a, b = zmq.socket(one, opts_one), zmq.socket(two, opts_two)
  assert(a:bind(endpoint))
  assert(b:connect(endpoint))
  return a, b
end

--- Does the loop turn for others while fn waits? Parks.
local function ticking(fn, ...)
  local ticks = 0
  local ticker = green.spawn(function()
    while true do
      green.sleep(0)
      ticks = ticks + 1
    end
  end)
  fn(...)
  ticker:kill()
  assert.is_true(ticks > 0)
end

local function close(...)
  for _, s in ipairs { ... } do
    s:close(0)
  end
end

--- All messages from a to b, in order.
local function one_way(a, b, topic)
  local sender = green.spawn(function()
    for i = 1, MESSAGES do
      assert(a:send_multipart(topic or "m", tostring(i)))
    end
  end)
  for i = 1, MESSAGES do
    local message = assert(b:recv_multipart(PATIENCE))
    assert(message[#message] == tostring(i), message[#message])
  end
  sender:wait()
end

--- Questions by ask(text), which gives the answer; echoed by the other end.
local function there_and_back(server, ask)
  local echo = green.spawn(function()
    for _ = 1, MESSAGES do
      assert(server:send_multipart(assert(server:recv_multipart(PATIENCE))))
    end
  end)
  for i = 1, MESSAGES do
    assert(ask(tostring(i)) == tostring(i))
  end
  echo:wait()
end

describe("between green threads, green.zmq moves a thousand messages by", function()
  it("REQ and REP [S14]", function()
    local rep, req = pair("REP", "REQ")
    ticking(there_and_back, rep, function(text)
      assert(req:send(text))
      return (assert(req:recv(PATIENCE)))
    end)
    close(rep, req)
  end)

  it("PUSH and PULL [S14]", function()
    local push, pull = pair("PUSH", "PULL")
    ticking(one_way, push, pull)
    close(push, pull)
  end)

  it("PUB and SUB [S14]", function()
    local pub, sub = pair("XPUB", "SUB", { sndhwm = 0 }, { rcvhwm = 0 })
    assert(sub:subscribe "topic")
    assert.equal("\1topic", (pub:recv(PATIENCE)))
    ticking(one_way, pub, sub, "topic")
    close(pub, sub)
    local out, news = pair("PUB", "SUB", { sndhwm = 0 }, { rcvhwm = 0 })
    assert(news:subscribe "")
    repeat -- the subscription may be on its way
      assert(out:send "first")
    until news:recv(0.01)
    while news:recv(0.05) do end
    one_way(out, news)
    close(out, news)
  end)

  it("DEALER and ROUTER [S14]", function()
    local router, dealer = pair("ROUTER", "DEALER")
    ticking(there_and_back, router, function(text)
      assert(dealer:send(text))
      return (assert(dealer:recv(PATIENCE)))
    end)
    close(router, dealer)
  end)

  it("PAIR and PAIR [S14]", function()
    local a, b = pair("PAIR", "PAIR")
    ticking(one_way, a, b)
    one_way(b, a)
    close(a, b)
  end)

  it("XPUB and XSUB", function()
    local pub, sub = pair("XPUB", "XSUB", { sndhwm = 0 }, { rcvhwm = 0 })
    assert(sub:send "\1topic")
    assert.equal("\1topic", (pub:recv(PATIENCE)))
    one_way(pub, sub, "topic")
    close(pub, sub)
  end)
end)

describe("a green thread in recv", function()
  for _, kind in ipairs { "REP", "PULL", "SUB", "XPUB", "XSUB", "DEALER", "ROUTER", "PAIR",
    "STREAM" } do
    it("of " .. kind .. " lets the others run [S14]", function()
      local s = zmq.socket(kind)
      assert(s:bind(kind == "STREAM" and "tcp://127.0.0.1:*" or "inproc://waits" .. kind))
      local waiting = green.spawn(s.recv, s)
      local turns = 0
      for _ = 1, 100 do
        green.sleep(0.0001)
        turns = turns + 1
      end
      assert.equal(100, turns)
      assert.is_false(waiting:dead())
      s:close()
      local text, err = waiting:wait()
      assert.is_nil(text)
      assert.equal("ECLOSED", err.code)
    end)
  end
end)

-- One program that uses all transports, run once on each backend.
local ON_A_BACKEND = [[
local green, zmq = require "green", require "green.zmq"
local folder = arg[1]
local function through(endpoint)
  local rep, req = zmq.socket "REP", zmq.socket "REQ"
  assert(rep:bind(endpoint))
  assert(req:connect(rep.last_endpoint))
  local push, pull = zmq.socket "PUSH", zmq.socket "PULL"
  assert(pull:bind((endpoint:gsub("/x", "/y"))))
  assert(push:connect(pull.last_endpoint))
  green.spawn(function()
    for message in rep:messages() do assert(rep:send(message[1])) end
  end)
  green.spawn(function()
    for i = 1, 2000 do assert(push:send(tostring(i))) end
  end)
  for i = 1, 1000 do
    assert(req:send(tostring(i)))
    assert(req:recv(30) == tostring(i))
    assert(pull:recv(30) == tostring(2 * i - 1))
    assert(pull:recv(30) == tostring(2 * i))
  end
  for _, s in ipairs { rep, req, push, pull } do s:close(0) end
end
through "inproc://x"
through("ipc://" .. folder .. "/x")
through "tcp://127.0.0.1:*"
print(green.get_hub())
]]

describe("GREENLUA_HUB", function()
  for _, hub in ipairs { "epoll", "poll", "select" } do
    it(hub .. " has ZeroMQ over inproc, ipc and tcp [S04]", function()
      local folder = assert(require("green.fs").tempdir())
      local r = program.run_greenlua { "-", folder, input = ON_A_BACKEND,
        env = { GREENLUA_HUB = hub } }
      require("green.fs").remove(folder)
      assert.same({ 0, hub .. "\n", "" }, { r.status, r.out, r.err })
    end)
  end
end)
