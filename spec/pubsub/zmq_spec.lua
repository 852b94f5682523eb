-- Hubs over ZeroMQ with a broker: what holds for every hub, and what several have in common.

local green = require "green"
local beside = require "spec.support.zmq_beside"
local kit = require "spec.support.pubsub_kit"
local process = require "green.process"
local patient = require "spec.support.patient"
local program = require "spec.support.program"
local pubsub = require "green.pubsub"
local several = require "spec.support.pubsub_several"

local it = beside.settled(patient.busted())

local function hub_at(server, more)
  local opts = kit.options(more)
  opts.zmq = server.ask
  return assert(pubsub.new(opts))
end

describe("pubsub over a broker", function()
  for title, test in kit.each() do
    it(title, function()
      beside.with(function(server)
        local opts, encoder = kit.options { zmq = server.ask }
        local hub = assert(pubsub.new(opts))
        test(hub, opts.history, encoder)
        kit.close(hub)
      end)
    end)
  end
end)

describe("two hubs over one broker", function()
  for title, test in several.each_of_two() do
    it(title, function()
      beside.with(function(server) test(server, hub_at, 2) end)
    end)
  end

  it("hear only what somebody here wants", function()
    beside.with(function(server)
      local one, two = hub_at(server, { prefix = "a*b:" }), hub_at(server, { prefix = "a*b:" })
      local other = hub_at(server)
      local sub, pattern = assert(one:subscribe "t"), assert(one:psubscribe "u[12]")
      assert.are.equal(1, select(2, two:publish("t", "x")))
      assert.are.equal(0, select(2, other:publish("t", "no")))
      two:publish("u3", "no")
      two:publish("u2", "y")
      two:publish("tt", "no")
      assert.are.same({ "x" }, kit.take(sub, 1))
      assert.are.same({ "y" }, kit.take(pattern, 1))
      sub:close()
      kit.eventually(function() return select(2, two:publish("t", "x")) == 0 end)
      kit.nothing_before(one, pattern, "u1")
      for _, hub in ipairs { one, two, other } do kit.close(hub) end
    end)
  end)

  it("hear of hundreds of topics that are wanted at a time", function()
    beside.with(function(server)
      local hub, subs = hub_at(server), {}
      for i = 1, 300 do
        subs[i] = green.spawn(hub.subscribe, hub, "t" .. i)
      end
      for i = 1, 300 do
        subs[i] = assert(subs[i]:wait())
      end
      for i = 1, 300 do
        assert(hub:publish("t" .. i, "m" .. i))
      end
      for i = 1, 300 do
        assert.are.same({ "m" .. i }, kit.take(subs[i], 1))
        subs[i]:close()
      end
      kit.eventually(function() return select(2, hub:publish("t1", "x")) == 0 end)
      kit.close(hub)
    end)
  end)

  it("take all that max_message lets through, more than sockets do by default as well", function()
    beside.with(function(server)
      local hub = hub_at(server, { max_message = 80e6 })
      local text = ("x"):rep(70e6)
      local sub = assert(hub:subscribe("t", nil, { max_buffered = 80e6 }))
      assert(hub:publish("t", text))
      assert.is_true(text == sub:recv(30))
      sub = assert(hub:subscribe("t", nil, { since = "0" }))
      assert.is_true(text == sub:recv(30))
      kit.close(hub)
    end, { "--max-message", "80000000" })
  end)

  it("reach each other over tcp, knowing where the broker is asked", function()
    local server = beside.new()
    for _, name in ipairs { "ask", "pub", "sub" } do
      server[name] = "tcp://127.0.0.1:*"
    end
    server:start()
    server.ask = server.said:match "^ask (%S+)" or server.program.out:match "ask (%S+)"
    local one, two = hub_at(server), hub_at(server)
    local sub = assert(one:subscribe "t")
    assert(two:publish("t", "x"))
    assert.are.same({ "x" }, kit.take(sub, 1))
    kit.close(one)
    kit.close(two)
    server:remove()
  end)
end)

-- A process of its own: what it hears of "down" it counts, and says so on "up".
local OTHER = [[
local green, pubsub = require "green", require "green.pubsub"
local own = assert(pubsub.new { zmq = arg[1], history = 1000 })
local down = assert(own:subscribe("down", nil, { member = "child" }))
assert(own:publish("up", "ready"))
for i = 1, 100 do
  assert(own:publish("up", tostring(i)))
end
local count = 0
for text in down:messages() do
  count = count + 1
  if text == "bye" then break end
end
assert(own:publish("up", "heard " .. count))
if arg[2] then
  green.sleep(1000) -- until it is killed
end
own:close()
green.wait()
]]

describe("hubs of several processes", function()
  it("are one: each process hears all, once", function()
    beside.with(function(server)
      local hub = hub_at(server)
      local sub = assert(hub:subscribe "up")
      local file = program.file(OTHER)
      local child = program.start { program.greenlua, file, server.ask }
      assert.are.same({ "ready" }, kit.take(sub, 1))
      assert.are.same({ child = "" }, hub:members "down")
      for i = 1, 50 do
        assert(hub:publish("down", tostring(i)))
      end
      assert(hub:publish("down", "bye"))
      for i = 1, 100 do
        assert.are.equal(tostring(i), (sub:recv(10)))
      end
      assert.are.equal("heard 51", (sub:recv(10)))
      kit.nothing_before(hub, sub, "up")
      child:wait()
      os.remove(file)
      assert.are.same({ 0, "" }, { child.status, child.err })
      kit.eventually(function() return next(hub:members "down") == nil end)
      kit.close(hub)
    end)
  end)

  it("lose nothing of the others when one is killed", function()
    beside.with(function(server)
      local hub, two = hub_at(server, { history = 1000, presence_ttl = 1 }),
        hub_at(server, { history = 1000 })
      local sub = assert(two:subscribe "t")
      local up = assert(two:subscribe "up")
      local file = program.file(OTHER)
      local child = program.start { program.greenlua, file, server.ask, "stay" }
      assert.are.same({ "ready" }, kit.take(up, 1))
      for i = 1, 300 do
        assert(hub:publish("t", tostring(i)))
        if i == 100 then
          child:kill(program.KILL)
          child:wait()
          os.remove(file)
        end
      end
      for i = 1, 300 do
        assert.are.equal(tostring(i), (assert(sub:recv(10))))
      end
      assert(hub:publish("up", "the end"))
      local all, n, text = assert(hub:subscribe("up", nil, { since = "0" })), 0, ""
      assert.are.same({ "ready" }, kit.take(all, 1))
      while text ~= "the end" do -- what it had said is there, and others have heard it
        n, text = n + 1, assert(all:recv(10))
        assert.are.equal(text, (assert(up:recv(10))))
        assert.is_true(text == tostring(n) or text == "the end", text)
      end
      kit.close(hub)
      kit.close(two)
    end)
  end)
end)

describe("a broker that is not there", function()
  it("is told by whoever needs it, and nothing is left", function()
    local hub = assert(pubsub.new { history = 5,
      zmq = { ask = "ipc:///tmp/nowhere-" .. process.getpid(), timeout = 0.05 } })
    several.all_fail(hub, "ETIMEDOUT")
    for _, endpoint in ipairs { "nonsense://x", "x", "" } do
      local bad = assert(pubsub.new { zmq = endpoint })
      local ok, err = bad:publish("t", "x")
      assert.is_nil(ok)
      assert.is_truthy(err.code == "EINVAL" or err.code == "EPROTONOSUPPORT", tostring(err))
      kit.close(bad)
    end
  end)

  it("comes, and all goes on", function()
    local server = beside.new()
    local hub = hub_at(server)
    local opening = green.spawn(hub.subscribe, hub, "t")
    green.sleep(0.1) -- it has asked in vain
    server:start()
    local sub = assert(opening:wait())
    assert(hub:publish("t", "x"))
    assert.are.same({ "x" }, kit.take(sub, 1))
    kit.close(hub)
    server:remove()
  end)
end)

describe("a broker that is killed and started again", function()
  it("is another one: gaps are told, and everything goes on", function()
    beside.with(function(server)
      local hub, id = several.restart(server, hub_at)
      local none, err = hub:subscribe("t", nil, { since = id })
      assert.is_nil(none)
      assert.is_true(err:is "EGAP", tostring(err))
      kit.close(hub)
    end)
  end)

  it("gives what was published before a hub had connected again", function()
    beside.with(function(server)
      local hub = hub_at(server)
      local sub = assert(hub:subscribe "t")
      server:stop()
      server:start()
      local two = hub_at(server) -- whose connection is there at once
      for i = 1, 50 do assert(two:publish("t", tostring(i))) end
      for i = 1, 50 do
        assert.are.equal(tostring(i), (assert(sub:recv(10))))
      end
      kit.nothing_before(two, sub, "t")
      kit.close(two)
      kit.close(hub)
    end)
  end)

  it("publishes nothing twice, whenever it dies", function()
    beside.with(function(server)
      local hub = hub_at(server, { history = 1000 })
      local sub, total = assert(hub:subscribe "t"), 200
      local publisher = green.spawn(function()
        local sent = {}
        for i = 1, total do
          local ok, err = hub:publish("t", tostring(i))
          assert(ok or err.sent ~= nil or err.code, err)
          sent[i] = ok and true or false
        end
        assert(hub:publish("t", "the end"))
        return sent
      end)
      for _ = 1, 3 do
        green.sleep(0.02) -- some are on their way
        server:stop()
        server:start()
      end
      publisher:wait()
      local seen, text = {}
      repeat
        text = assert(sub:recv(20))
        assert.is_nil(seen[text], text)
        seen[text] = true
      until text == "the end"
      kit.close(hub)
    end)
  end)
end)

describe("a hub whose reader of the feed has ended", function()
  it("tells all who are subscribed, or about to be, and hears again", function()
    beside.with(function(server)
      local hub = hub_at(server)
      local sub = assert(hub:subscribe "t")
      server.program:kill(19) -- nobody answers the next fence
      local opening = green.spawn(hub.subscribe, hub, "u")
      kit.eventually(function() return next(hub._backend.fences) ~= nil end)
      hub._crew:dismiss "feed"
      local none, err = opening:wait()
      assert.is_nil(none)
      assert.is_true(green.is_error(err), tostring(err))
      assert.is_nil((sub:recv(10)))
      server.program:kill(18)
      kit.eventually(function() return hub._crew.by_name.tune == nil end)
      assert(hub:subscribe "t")
      kit.close(hub)
    end)
  end)
end)

--- What the broker, and what waits for it, must have forgotten of a hub.
local function leaves_nothing(hub, server)
  local probe = hub_at(server)
  for i = 0, 4 do
    kit.eventually(function() return select(2, probe:publish("t" .. i, "x")) == 0 end,
      "the broker counts a subscription")
  end
  assert.is_nil(next(hub._backend.caller.waiting))
  assert.is_nil(next(hub._backend.fences))
  assert.is_nil(next(hub._backend.openings))
  kit.close(probe)
end

describe("kills and closes while the broker is asked", function()
  for title, test in several.each_strike() do
    it(title, function()
      beside.with(function(server) test(server, hub_at, leaves_nothing) end)
    end)
  end
end)

describe("docs/modules/pubsub.md", function()
  it("has samples over ZeroMQ that run, and print what they say", function()
    local file = assert(io.open "docs/modules/pubsub.md")
    local text, n = file:read "*a":match "\n## Over ZeroMQ\n(.*)$", 0
    file:close()
    for code in text:gmatch "\n```lua\n(.-)\n```\n" do
      local run = program.run_greenlua { "-", input = code }
      assert.are.same({ 0, "" }, { run.status, run.err }, code)
      for line in code:gmatch "%-%->%s*([^\n]*)" do
        assert.is_truthy(run.out:find(line, 1, true), line .. "\n" .. run.out)
        n = n + 1
      end
    end
    assert.are.equal(3, n)
  end)
end)
