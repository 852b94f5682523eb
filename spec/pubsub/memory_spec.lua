-- A hub of one process.

local green = require "green"
local kit = require "spec.support.pubsub_kit"
local parks = require "spec.support.parks"
local pubsub = require "green.pubsub"
local testing = require "green.testing"

local it = testing.busted()

describe("pubsub in one process", function()
  for title, test in kit.each() do
    it(title, function()
      local opts, encoder = kit.options()
      local hub = pubsub.new(opts)
      test(hub, opts.history, encoder)
      hub:close()
    end)
  end

  it("says how many get a message", function()
    local hub = pubsub.new()
    assert.are.same(0, select(2, hub:publish("t", "x")))
    hub:subscribe("t")
    hub:subscribe("t")
    hub:psubscribe("*")
    assert.are.same(3, select(2, hub:publish("t", "x")))
    assert.are.same(1, select(2, hub:publish("other", "x")))
  end)

  it("gives ids that count up, other ones in each hub", function()
    local one, two = pubsub.new(), pubsub.new()
    local a, b, c = one:publish("t", "x"), one:publish("u", "x"), two:publish("t", "x")
    assert.are.equal(a:match "%-(%d+)$" + 1, tonumber(b:match "%-(%d+)$"))
    assert.are_not.equal(a, c)
  end)

  it("keeps nothing of topics that nobody holds", function()
    local hub = pubsub.new()
    for i = 1, 100 do
      local topic = "t" .. i
      hub:publish(topic, "x")
      hub:subscribe(topic):close()
      hub:psubscribe(topic):close()
      hub:join(topic, "m")
      hub:leave(topic, "m")
      hub:members(topic)
      hub:subscribe(topic, kit.receiver(), { member = "m" }):close()
    end
    assert.are.same({ topics = 0, patterns = 0, subscriptions = 0, published = 100, skipped = 0,
      line = 0 }, hub:stats())
    assert.is_nil(next(hub._topics) or next(hub._patterns))
  end)

  it("forgets the history of topics in time", function()
    local hub = pubsub.new { history = 10, history_seconds = 60 }
    local first = hub:publish("old", "x")
    hub:publish("old", "y")
    green.sleep(30)
    hub:publish("young", "1")
    local second = hub:publish("young", "2")
    assert.are.equal(2, hub:stats().topics)
    green.sleep(31)
    assert.are.equal(1, hub:stats().topics)
    local sub, err = hub:subscribe("old", nil, { since = first })
    assert.is_nil(sub)
    assert.is_true(err:is("EGAP"))
    assert.is_truthy(hub:subscribe("old", nil, { since = second }))
    green.sleep(31)
    hub:publish("young", "3")
    assert.are.same({ "3" }, kit.take(hub:subscribe("young", nil, { since = second }), 1))
    hub:close()
  end)

  it("has no more topics than it may", function()
    local hub = pubsub.new { max_topics = 2, history = 1 }
    assert(hub:publish("a", "x"))
    local sub = assert(hub:psubscribe("b"))
    for _, try in ipairs {
      function() return hub:subscribe "c" end,
      function() return hub:psubscribe "c" end,
      function() return hub:publish("c", "x") end,
      function() return hub:join("c", "m") end,
      function() return hub:subscribe("c", nil, { member = "m" }) end,
    } do
      local ok, err = try()
      assert.is_nil(ok)
      assert.is_true(err:is("ENOSPC"))
    end
    assert.are.same(1, select(2, assert(hub:publish("a", "b"))) + select(2, hub:publish("a", "b"))
      + 1)
    sub:close()
    assert.is_truthy(hub:subscribe("c"))
    hub:close()
  end)

  it("reports an error of a function that receives, and goes on", function()
    local hub, got, told = pubsub.new(), {}, {}
    local old = green.on_error(function(err, _, trace)
      told[#told + 1] = tostring(err) .. trace
    end)
    local sub = hub:subscribe("t", function(text)
      got[#got + 1] = text
      if text == "bad" then
        error("oh no")
      end
    end)
    for _, text in ipairs { "a", "bad", "b" } do
      hub:publish("t", text)
    end
    testing.settle()
    green.on_error(old)
    assert.are.same({ "a", "bad", "b" }, got)
    assert.are.equal(1, #told)
    assert.matches("oh no.*receiver of t", told[1])
    sub:close()
  end)

  it("ends the subscription of a function whose thread is killed", function()
    local hub, got = pubsub.new(), {}
    local sub = hub:subscribe("t", function(text)
      got[#got + 1] = text
      green.getcurrent():kill_soon()
      green.sleep(1)
    end)
    hub:publish("t", "a")
    hub:publish("t", "b")
    testing.settle()
    assert.are.same({ "a" }, got)
    assert.is_true(sub.closed)
    assert.are.equal(0, hub:stats().subscriptions)
  end)

  it("ends the subscription of an object that raises or fails, and only that", function()
    local encoder = kit.encoder()
    local hub = pubsub.new { frame = encoder.frame }
    local before, bad, failing, after = kit.receiver(), kit.receiver(), kit.receiver(),
      kit.receiver()
    function bad:send_frame() error("oh no") end
    function failing:send_frame() return nil, "broken" end
    local subs = {}
    for i, object in ipairs { before, bad, failing, after } do
      subs[i] = hub:subscribe("t", object)
    end
    hub:publish("t", "x")
    hub:publish("t", "y")
    testing.settle()
    assert.are.same({ "x", "y" }, before.got)
    assert.are.same({ "x", "y" }, after.got)
    assert.matches("oh no", tostring(subs[2].error))
    assert.matches("broken", tostring(subs[3].error))
    assert.is_true(bad.closed and failing.closed)
    assert.are.equal(2, hub:stats().subscriptions)
  end)

  it("skips objects, and says so, where a message cannot be encoded", function()
    local hub = pubsub.new { frame = function(text)
      if text == "worse" then
        error("worse", 0)
      elseif text == "bad" then
        return nil, "no UTF-8"
      end
      return { text = text }
    end }
    local one, two, told = kit.receiver(), kit.receiver(), {}
    local sub, taken = hub:subscribe("t", one), hub:subscribe("t")
    hub:subscribe("t", two)
    local old = green.on_error(function(err, _, trace)
      told[#told + 1] = err .. trace
    end)
    hub:publish("t", "bad")
    hub:publish("t", "worse")
    hub:publish("t", "good")
    green.on_error(old)
    assert.are.same({ "no UTF-8(a message of t)", "worse(a message of t)" }, told)
    assert.are.same({ "good" }, one.got)
    assert.are.same({ "good" }, two.got)
    assert.are.equal(2, sub.skipped)
    assert.are.same({ "bad", "worse", "good" }, kit.take(taken, 3))
    hub:close()
  end)

  it("tells the frame option topic and id, so that who resumes can be told them", function()
    local hub, told = pubsub.new { history = 5, frame = function(text, _, topic, id)
      return { text = text .. " " .. topic .. " " .. id }
    end }, {}
    local now, late = kit.receiver(), kit.receiver()
    hub:subscribe("t", now)
    told[1] = "a t " .. hub:publish("t", "a")
    told[2] = "b t " .. hub:publish("t", "b")
    hub:subscribe("t", late, { since = told[1]:match "%S+$" })
    assert.are.same(told, now.got)
    assert.are.same({ told[2] }, late.got)
    hub:close()
  end)

  it("drops an object that has been closed", function()
    local hub = pubsub.new { frame = kit.encoder().frame }
    local object = kit.receiver()
    local sub = hub:subscribe("t", object, { member = "m" })
    object.closed = true
    hub:publish("t", "x")
    assert.is_true(sub.closed)
    assert.are.same({}, object.got)
    assert.are.same({}, hub:members("t"))
  end)

  it("gives a message that was handed to an abandoned thread to the next one", function()
    local hub = pubsub.new()
    local sub, got = hub:subscribe("t"), nil
    local first = green.spawn(sub.recv, sub)
    testing.settle()
    local second = green.spawn(function() got = sub:recv() end)
    testing.settle()
    hub:publish("t", "x")
    require("green.core").drop(first)
    testing.settle()
    assert.are.equal("x", got)
    second:wait()
  end)

  it("can be waited for", function()
    local hub = pubsub.new()
    local sub = hub:subscribe("t")
    green.spawn_after(1, hub.publish, hub, "t", "x")
    green.wait({ sub })
    assert.are.equal("x", (sub:recv(0)))
  end)

  parks.check(it, "recv", {
    make = function()
      local hub = pubsub.new()
      return { hub = hub, sub = hub:subscribe("t") }
    end,
    call = function(obj, timeout) return obj.sub:recv(timeout) end,
    ready = function(obj) obj.hub._backend:publish("t", "x", {}) end,
    good = function(text, topic) assert.are.same({ "x", "t" }, { text, topic }) end,
    timeout = true,
  })
end)
