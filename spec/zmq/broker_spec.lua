-- The broker of pub/sub over ZeroMQ as a program and as a module: with plain sockets, with
-- people who mean it no good, and what its command line takes.

local beside = require "spec.support.zmq_beside"
local broker = require "green.zmq.broker"
local folder = require "spec.support.folder"
local green = require "green"
local kit = require "spec.support.pubsub_kit"
local patient = require "spec.support.patient"
local program = require "spec.support.program"
local pubsub = require "green.pubsub"
local wire = require "green.zmq.broker.wire"
local zmq = require "green.zmq"

local it = beside.settled(patient.busted())
local dir = folder.each(before_each, after_each)

local function endpoints(more)
  local opts = { ask = "ipc://" .. dir() .. "/ask", pub = "ipc://" .. dir() .. "/pub",
    sub = "ipc://" .. dir() .. "/sub" }
  for name, value in pairs(more or {}) do
    opts[name] = value
  end
  return opts
end

--- Run body(broker) beside one in this process. Parks.
local function with(more, body)
  local made = assert(broker.start(endpoints(more)))
  local ok, err = patient.try(body, made)
  made:close()
  kit.eventually(function() return made.left == 0 end)
  assert(ok, err)
end

local function socket_to(kind, endpoint)
  local socket = assert(zmq.socket(kind, { linger = 0 }))
  assert(socket:connect(endpoint))
  return socket
end

--- A SUB that the broker has heard of.
local function subscriber(made, key, n)
  local socket = socket_to("SUB", made.pub)
  socket:subscribe(key)
  kit.eventually(function() return made:stats().subscriptions == (n or 1) end)
  return socket
end

--- What is answered to a question.
local function ask(socket, ...)
  assert(socket:send_multipart { ... })
  return assert(socket:recv_multipart(10))
end

describe("a broker and plain sockets", function()
  it("take and bring messages, with hubs among them", function()
    with({}, function(made)
      local sub, hub = subscriber(made, "green:news"), pubsub.new { zmq = made.ask, history = 5 }
      local heard = assert(hub:subscribe "news")
      local pub = socket_to("PUB", made.sub)
      kit.eventually(function() -- a PUB drops what it says before it has connected
        pub:send_multipart { "green:news", "plain" }
        return heard:waiting() > 0
      end)
      assert.equal("plain", (heard:recv()))
      local frames = assert(sub:recv_multipart(10))
      assert.same({ "green:news\0", "plain" }, { frames[1], frames[3] })
      assert.matches("^%x+%-1 0 t $", frames[2])
      pub:close(0)
      sub:close(0)
      kit.close(hub)
    end)
  end)

  it("are asked by a REQ", function()
    with({}, function(made)
      local req = socket_to("REQ", made.ask)
      local answer = ask(req, wire.VERSION, "1", "publish", "me", "1", "", "t", "t", "", "5", "x")
      assert.same({ "1", "ok", made:stats().epoch .. "-1", "0" }, answer)
      assert.same({ "2", "ok", made.pub, made:stats().epoch, "1" },
        ask(req, wire.VERSION, "2", "hello"))
      assert.same("x", ask(req, wire.VERSION, "3", "last", "t")[4])
      assert.same({ "4", "no", "EPROTO" }, { unpack(ask(req, wire.VERSION, "4", "what"), 1, 3) })
      req:close(0)
    end)
  end)

  it("have the last value, where the broker was told so", function()
    with({ last = true }, function(made)
      local req = socket_to("REQ", made.ask)
      ask(req, wire.VERSION, "1", "publish", "me", "1", "", "tea", "t", "", "5", "5 degrees")
      ask(req, wire.VERSION, "1", "publish", "me", "2", "", "tea", "t", "", "5", "9 degrees")
      local one = subscriber(made, "tea", 1)
      assert.equal("9 degrees", assert(one:recv_multipart(10))[3])
      local two = subscriber(made, "tea", 2)
      assert.equal("9 degrees", assert(two:recv_multipart(10))[3])
      for _, socket in ipairs { req, one, two } do socket:close(0) end
    end)
  end)
end)

describe("a broker", function()
  it("goes on behind a mistake of its own, and tells of it", function()
    with({}, function(made)
      local req, told = socket_to("REQ", made.ask), nil
      local was = green.on_error(function(err) told = err end)
      made.state.history.number = nil
      req:send_multipart { wire.VERSION, "1", "publish", "me", "1", "", "t", "t", "", "5", "x" }
      kit.eventually(function() return told end)
      green.on_error(was)
      made.state.history.number = 7
      local dealer = socket_to("DEALER", made.ask)
      assert.equal("7", ask(dealer, wire.VERSION, "2", "hello")[5])
      req:close(0)
      dealer:close(0)
    end)
  end)

  it("ends as a program when its sockets have gone", function()
    local run = program.run_greenlua { "-", input = [[
      local green, broker = require "green", require "green.zmq.broker"
      local start = broker.start
      broker.start = function(opts)
        local made = start(opts)
        green.spawn_after(0.01, made.asked.close, made.asked)
        return made
      end
      os.exit(require("green.zmq.broker.main").main("--ask", "tcp://127.0.0.1:*", "--pub",
        "tcp://127.0.0.1:*", "--sub", "tcp://127.0.0.1:*"))
    ]] }
    assert.same({ 1, "" }, { run.status, run.err })
  end)

  it("survives garbage on all of its sockets, and answers the others", function()
    with({ max_message = 1000 }, function(made)
      local hub = pubsub.new { zmq = made.ask }
      local sub = assert(hub:subscribe "t")
      local dealer, pub, xsub = socket_to("DEALER", made.ask), socket_to("PUB", made.sub),
        socket_to("XSUB", made.pub)
      local function junk()
        local bytes = {}
        for i = 1, math.random(0, 40) do bytes[i] = string.char(math.random(0, 255)) end
        return table.concat(bytes)
      end
      for _ = 1, 300 do
        local frames = {}
        for i = 1, math.random(1, 12) do frames[i] = junk() end
        assert(dealer:send_multipart(frames))
        assert(dealer:send_multipart { wire.VERSION, junk(), unpack(frames, 1, 10) })
        assert(pub:send_multipart(frames))
        assert(xsub:send(("\1\0"):sub(math.random(2)):sub(1, 1) .. junk()))
      end
      local many = {}
      for i = 1, 1024 do many[i] = "x" end
      assert(dealer:send_multipart(many))
      kit.eventually(function() return made:stats().malformed >= 300 end)
      kit.nothing_before(hub, sub, "t")
      for _, socket in ipairs { dealer, pub, xsub } do socket:close(0) end
      kit.close(hub)
    end)
  end)

  it("cuts off who sends more than may be, and nobody else", function()
    with({ max_message = 1000 }, function(made)
      local hub = pubsub.new { zmq = made.ask }
      local sub = assert(hub:subscribe "t")
      local dealer = socket_to("DEALER", made.ask)
      dealer:send_multipart { wire.VERSION, "1", ("x"):rep(2000000) }
      local pub = socket_to("PUB", made.sub)
      pub:send_multipart { "t", ("x"):rep(2000000) }
      local none, err = hub:publish("t", ("x"):rep(1001))
      assert.is_nil(none)
      assert.is_true(err:is "EMSGSIZE", tostring(err))
      kit.nothing_before(hub, sub, "t")
      dealer:close(0)
      pub:close(0)
      kit.close(hub)
    end)
  end)

  it("has history and queues of a bounded size in a flood, and a hub that lags loses nothing "
    .. "that history has", function()
    with({ queue = 10, history = 2000, max_bytes = 900000 }, function(made)
      local gaps = 0
      local hub = pubsub.new { zmq = { ask = made.ask, options = { rcvhwm = 10 } }, history = 2000,
        on_gap = function() gaps = gaps + 1 end, max_queued = 5000 }
      local writer = pubsub.new { zmq = made.ask, history = 2000 }
      local sub = assert(hub:subscribe "t")
      local silent = subscriber(made, "green:", 2) -- that never takes a message
      local writers = {}
      for w = 1, 20 do
        writers[w] = green.spawn(function()
          for i = 1, 100 do
            assert(writer:publish("t", ("%d %d "):format(w, i) .. ("x"):rep(80)))
          end
        end)
      end
      for w = 1, 20 do writers[w]:wait() end
      assert(writer:publish("t", "the end"))
      local last, n, text = {}, 0, assert(sub:recv(10))
      while text ~= "the end" do
        local w, i = text:match "^(%d+) (%d+)"
        assert.equal((last[w] or 0) + 1, tonumber(i))
        last[w], n = tonumber(i), n + 1
        text = assert(sub:recv(10))
      end
      assert.equal(2000, n)
      assert.equal(0, gaps)
      for i = 1, 150 do assert(writer:publish("flood" .. i, ("x"):rep(10000))) end
      assert.is_true(made:stats().bytes <= 900000)
      silent:close(0)
      kit.close(hub)
      kit.close(writer)
    end)
  end)

  it("says that its endpoints are taken, or none", function()
    with({}, function(made)
      for _, bad in ipairs { { ask = "nonsense://x" }, { pub = "ipc://" .. dir() .. "/no/no" },
        { sub = "tcp://nowhere" } } do
        local opts = endpoints { ask = made.ask .. 2, pub = made.pub .. 2, sub = made.sub .. 2 }
        for name, value in pairs(bad) do opts[name] = value end
        local none, err = broker.start(opts)
        assert.is_nil(none)
        assert.is_truthy(err.code)
      end
    end)
    assert.has_error(function() broker.start { histori = 1 } end,
      "broker.start: unknown option 'histori'; did you mean 'history'?")
  end)
end)

describe("greenlua -m zmq.broker", function()
  it("says what it understands, and does not what it does not", function()
    local help = program.run { program.greenlua, "-m", "zmq.broker", "--help" }
    assert.equal(0, help.status)
    for name, default in pairs(broker.defaults) do
      if name ~= "options" then
        local word = "--" .. name:gsub("_", "-")
        assert.is_truthy(help.out:find(word .. " ", 1, true), word)
        if type(default) == "number" or type(default) == "string" then
          assert.is_truthy(help.out:find(("(%s)"):format(default), 1, true), word)
        end
      end
    end
    for _, words in ipairs { { "--what" }, { "x" }, { "--history" }, { "--history", "x" },
      { "--options", "x" }, { "--history", "-1" }, { "--ask" } } do
      local run = program.run { program.greenlua, "-m", "zmq.broker", unpack(words) }
      assert.equal(2, run.status, words[1])
      assert.matches("^greenlua %-m zmq.broker: ", run.err)
    end
    local run = program.run { program.greenlua, "-m", "zmq.broker", "--ask", "nonsense://x",
      "--pub", "ipc://" .. dir() .. "/pub", "--sub", "ipc://" .. dir() .. "/sub" }
    assert.equal(1, run.status)
  end)

  it("ends with 0 when it is told to, though hubs are there", function()
    beside.with(function(server)
      local hub = assert(pubsub.new { zmq = server.ask })
      assert(hub:subscribe "t")
      server.program:kill(program.TERM)
      server.program:wait()
      assert.equal(0, server.program.status, server.program.err)
      server:start()
      kit.close(hub)
    end)
  end)

  it("is asked by python3-zmq, and brings it messages", function()
    local python3
    for _, path in ipairs { "/usr/bin/python3", "python3" } do -- the system's has its packages
      local has = program.run { path, "-c", "import zmq" }
      python3 = python3 or has.status == 0 and path
    end
    if not python3 then
      return pending "python3-zmq is not installed"
    end
    beside.with(function(server)
      local hub = assert(pubsub.new { zmq = server.ask, prefix = "p:" })
      local up = assert(hub:subscribe "up")
      local file = program.file [[
import sys, time, zmq
context = zmq.Context()
sub = context.socket(zmq.SUB); sub.connect(sys.argv[2]); sub.subscribe(b"p:down")
ask = context.socket(zmq.REQ); ask.connect(sys.argv[1])
n = 0
def publish(text):
    global n
    n += 1
    ask.send_multipart([b"green1", b"1", b"publish", b"py", b"%d" % n, b"", b"p:up", b"t", b"",
        b"0", text])
    return ask.recv_multipart()
while sub.poll(50) == 0: # until somebody hears that it is there
    publish(b"ready")
key, head, text = sub.recv_multipart()
publish(b"got " + text)
context.destroy(0)
]]
      local python = program.start { python3, file, server.ask, server.pub }
      assert.equal("ready", (up:recv(20)))
      assert(hub:publish("down", "hello"))
      local text
      repeat text = assert(up:recv(20)) until text ~= "ready"
      assert.equal("got hello", text)
      python:wait()
      os.remove(file)
      assert.equal(0, python.status, python.err)
      kit.close(hub)
    end)
  end)
end)
