-- Hubs over Redis: what holds for every hub, and what several have in common.

local green = require "green"
local beside = require "spec.support.redis_beside"
local kit = require "spec.support.pubsub_kit"
local process = require "green.process"
local pubsub = require "green.pubsub"
local redis = require "green.redis"
local several = require "spec.support.pubsub_several"
local testing = require "green.testing"

local _, it = testing.busted()

local function hub_at(server, more)
  local opts = kit.options(more)
  opts.redis = server.url
  return assert(pubsub.new(opts))
end

describe("pubsub over Redis", function()
  for title, test in kit.each() do
    it(title, function()
      beside.with(function(server)
        local opts, encoder = kit.options { redis = server.url }
        local hub = assert(pubsub.new(opts))
        test(hub, opts.history, encoder)
        kit.close(hub)
      end)
    end)
  end
end)

local function ask(server, ...)
  local conn = assert(green.connect("unix:" .. server.path))
  local reply = beside.ask(conn, ...)
  conn:close()
  return reply
end

local function channels(server)
  return #ask(server, "PUBSUB", "CHANNELS", "*") + tonumber(ask(server, "PUBSUB", "NUMPAT"))
end

describe("two hubs over one Redis", function()
  for title, test in several.each_of_two() do
    it(title, function()
      beside.with(function(server)
        test(server, hub_at, 4) -- each hub hears the channel and a pattern
        kit.eventually(function() return #ask(server, "KEYS", "green:members*") == 0 end)
      end)
    end)
  end

  it("encode a message that comes by several ways once", function()
    beside.with(function(server)
      local encoder = kit.encoder()
      local told = {}
      local hub = hub_at(server, { frame = function(text, binary, topic, id)
        told[#told + 1] = topic .. " " .. id
        return encoder.frame(text, binary)
      end })
      local a, b = kit.receiver(), kit.receiver()
      assert(hub:subscribe("t", a))
      assert(hub:psubscribe("t*", b))
      local id = assert(hub:publish("t", "x"))
      kit.eventually(function() return #a.got == 1 and #b.got == 1 end)
      assert.are.equal(a.frames[1], b.frames[1])
      assert.are.equal(1, encoder.made)
      assert.are.same({ "t " .. id }, told)
      kit.close(hub)
    end)
  end)

  it("forget channels that nobody here wants, and leave no keys but history", function()
    beside.with(function(server)
      local hub = hub_at(server)
      local subs = {}
      for i = 1, 300 do
        subs[i] = green.spawn(hub.subscribe, hub, "t" .. i)
      end
      for i = 1, 300 do
        subs[i] = assert(subs[i]:wait())
      end
      local pattern = assert(hub:psubscribe "x*")
      assert.are.equal(301, channels(server))
      for i = 1, 300 do
        subs[i]:close()
      end
      kit.eventually(function() return channels(server) == 1 end)
      pattern:close()
      kit.eventually(function() return channels(server) == 0 end)
      local again = assert(hub:subscribe "t1")
      hub:publish("t1", "x")
      assert.are.same({ "x" }, kit.take(again, 1))
      hub:join("t1", "m")
      kit.close(hub)
      kit.eventually(function() return #ask(server, "KEYS", "*") == 1 end)
      assert.are.same({ topics = 0, patterns = 0, subscriptions = 0, published = 1, skipped = 0,
        line = 0 }, hub:stats())
    end)
  end)

  it("do not mind what others publish on their channels", function()
    beside.with(function(server)
      local hub = hub_at(server)
      local sub = assert(hub:subscribe "t")
      for _, bytes in ipairs { "", "x", "1-1", "1-1 t 99999999999 x", "1-1 t 5 abc", "1-1 q 0 " } do
        ask(server, "PUBLISH", "green:t", bytes)
      end
      kit.nothing_before(hub, sub, "t")
      kit.close(hub)
    end)
  end)

  it("expire history in time", function()
    beside.with(function(server)
      local hub = hub_at(server, { history_seconds = 0.2 })
      local id = assert(hub:publish("t", "x"))
      kit.eventually(function() return #ask(server, "KEYS", "*") == 0 end)
      local sub, err = hub:subscribe("t", nil, { since = id })
      assert.is_nil(sub)
      assert.is_true(err:is "EGAP")
      kit.close(hub)
    end)
  end)

  it("keep history and members for as long as a number can say", function()
    for _, seconds in ipairs { 2e9, 1e300, math.huge } do
      beside.with(function(server)
        local hub = hub_at(server, { history_seconds = seconds, presence_ttl = seconds })
        local id = assert(hub:publish("t", "x"))
        assert(hub:publish("t", "y"))
        local sub = assert(hub:subscribe("t", nil, { since = id }))
        assert.are.same({ "y" }, kit.take(sub, 1))
        assert(hub:join("t", "m"))
        assert.are.same({ m = "" }, hub:members "t")
        kit.close(hub)
      end)
    end
  end)

  it("use a client that is given, and leave it open", function()
    beside.with(function(server)
      local db = assert(redis.client(server.url))
      local hub = assert(pubsub.new { redis = db, prefix = "a*b:" })
      local sub, pattern = assert(hub:subscribe "t"), assert(hub:psubscribe "?")
      local id = assert(hub:publish("t", "x"))
      assert.are.equal("0-1", id)
      assert.are.same({ "x" }, kit.take(sub, 1))
      assert.are.same({ "x" }, kit.take(pattern, 1))
      ask(server, "PUBLISH", "aXb:t", "0-9 t 0 no")
      kit.nothing_before(hub, pattern, "t")
      kit.close(hub)
      assert.are.equal("PONG", db:ping())
      db:close()
    end)
  end)
end)

describe("a Redis that fails", function()
  it("is told by whoever needs it, and nothing is left", function()
    local hub = assert(pubsub.new { redis = "unix:///nowhere/redis", history = 5 })
    several.all_fail(hub, "ENOENT")
    local none, err = pubsub.new { redis = "nonsense://x" }
    assert.is_nil(none)
    assert.is_true(err:is "EINVAL")
  end)

  it("loses nothing of what history holds when connections are lost", function()
    beside.with(function(server)
      local gaps = 0
      local hub = hub_at(server, { history = 1000, on_gap = function() gaps = gaps + 1 end })
      local sub, total = assert(hub:subscribe "t"), 300
      local publisher = green.spawn(function()
        for i = 1, total do
          local ok = hub:publish("t", tostring(i))
          while not ok do -- the connection was lost before it had left, or after
            green.sleep(0.01)
            ok = hub:publish("t", tostring(i))
          end
        end
      end)
      local killer = green.spawn(function()
        while true do
          green.sleep(0.05)
          ask(server, "CLIENT", "KILL", "TYPE", "pubsub")
        end
      end)
      local seen = {}
      repeat
        local text = assert(sub:recv(10))
        seen[#seen + 1] = tonumber(text)
      until seen[#seen] == total
      killer:kill()
      publisher:wait()
      for i = 1, total do
        assert.are.equal(i, seen[i])
      end
      assert.are.equal(0, gaps)
      kit.close(hub)
    end)
  end)

  it("comes back: with what it kept nothing is lost", function()
    beside.with(function(server)
      local hub = hub_at(server)
      local sub, other = assert(hub:subscribe "t"), assert(hub:subscribe "u")
      assert(hub:publish("t", "1"))
      assert.are.same({ "1" }, kit.take(sub, 1))
      server:stop()
      local ok, err = hub:publish("t", "lost")
      assert.is_nil(ok)
      assert.is_truthy(err.code)
      server:start()
      local two = hub_at(server) -- whose connection is there at once
      assert(two:publish("t", "2"))
      assert(hub:publish("t", "3"))
      kit.close(two)
      assert.are.same({ "2", "3" }, kit.take(sub, 2))
      assert(hub:publish("u", "x"))
      assert.are.same({ "x" }, kit.take(other, 1))
      assert.is_truthy(hub:subscribe("v"))
      kit.close(hub)
    end, true)
  end)

  it("comes back empty: one is told that messages may be lost, and goes on", function()
    beside.with(function(server)
      kit.close((several.restart(server, hub_at)))
    end)
  end)

  it("ends all subscriptions when it refuses us for good", function()
    beside.with(function(server)
      local hub = hub_at(server)
      local sub, pattern = assert(hub:subscribe "t"), assert(hub:psubscribe "*")
      local conn = assert(green.connect("unix:" .. server.path))
      beside.ask(conn, "CONFIG", "SET", "requirepass", "geheim")
      beside.ask(conn, "CLIENT", "KILL", "TYPE", "pubsub")
      for _, one in ipairs { sub, pattern } do
        local text, err = one:recv(10)
        assert.is_nil(text)
        assert.is_true(err:is "EREDIS")
      end
      local none, err = hub:subscribe "u"
      assert.is_nil(none)
      assert.is_true(err:is "EREDIS")
      beside.ask(conn, "CONFIG", "SET", "requirepass", "")
      conn:close()
      kit.nothing_before(hub, assert(hub:subscribe "t"), "t")
      kit.close(hub)
    end)
  end)

  it("finds members again that it has forgotten", function()
    beside.with(function(server)
      local hub = hub_at(server, { presence_ttl = 0.5 })
      assert.is_true(hub:join("room", "ann", "x"))
      ask(server, "FLUSHALL")
      kit.eventually(function() return (hub:members "room").ann == "x" end)
      kit.close(hub)
    end)
  end)
end)

describe("kills and closes while Redis is asked", function()
  for title, test in several.each_strike() do
    it(title, function()
      beside.with(function(server)
        test(server, hub_at, function()
          kit.eventually(function() return channels(server) == 0 end)
        end)
      end)
    end)
  end
end)

describe("hubs of several processes", function()
  it("are one: each process hears all, once", function()
    beside.with(function(server)
      local hub = hub_at(server)
      local sub = assert(hub:subscribe "up")
      local child = green.fork(function()
        local own = hub_at(server)
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
        own:close()
        green.wait()
      end)
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
      assert.are.same({ "exit", 0 }, { process.wait(child) })
      kit.eventually(function() return next(hub:members "down") == nil end)
      kit.close(hub)
    end)
  end)
end)
