-- Receivers that are behind: dropped, left out, or given the newest of each key.

local green = require "green"
local kit = require "spec.support.pubsub_kit"
local pubsub = require "green.pubsub"
local testing = require "green.testing"

local it = testing.busted()

local function hub_of(opts)
  opts = opts or {}
  opts.frame = kit.encoder().frame
  return pubsub.new(opts)
end

local function publish(hub, first, last, opts)
  for i = first, last do
    assert(hub:publish("t", tostring(i), opts))
  end
end

local function all(sub)
  local texts = {}
  local text, err = sub:recv(0)
  while text do
    texts[#texts + 1] = text
    text, err = sub:recv(0)
  end
  return table.concat(texts, " "), err
end

describe("a queue that is full", function()
  it("ends with ENOBUFS, after what it has", function()
    local hub = hub_of()
    local sub, other = hub:subscribe("t", nil, { max_queued = 3 }), hub:subscribe("t")
    publish(hub, 1, 5)
    assert.is_true(sub.closed)
    local texts, err = all(sub)
    assert.are.equal("1 2 3", texts)
    assert.is_true(err:is("ENOBUFS"))
    assert.are.equal("1 2 3 4 5", (all(other)))
    assert.has_error(function() for _ in sub:messages() do end end, err)
    other:close()
  end)

  it("takes one message of any size, and no more bytes than max_buffered", function()
    local hub = hub_of { slow = "skip", max_buffered = 10 }
    local sub = hub:subscribe("t")
    hub:publish("t", ("x"):rep(100))
    hub:publish("t", "y")
    assert.are.equal(1, sub:waiting())
    assert.are.equal(100, #(sub:recv(0)))
    hub:publish("t", "12345")
    hub:publish("t", "12345")
    hub:publish("t", "6")
    assert.are.equal("12345 12345", (all(sub)))
    assert.are.equal(2, sub.skipped)
    assert.are.equal(2, hub:stats().skipped)
  end)

  it("skips what has no room", function()
    local hub = hub_of { slow = "skip", max_queued = 2 }
    local sub = hub:subscribe("t")
    publish(hub, 1, 5)
    assert.are.equal("1 2", (all(sub)))
    publish(hub, 6, 6)
    assert.are.equal("6", (all(sub)))
    assert.are.equal(3, sub.skipped)
  end)

  it("keeps the newest of each key, in the order of their coming", function()
    local hub = hub_of { slow = "coalesce", max_queued = 3 }
    local sub = hub:subscribe("t")
    for _, message in ipairs { "a1", "b1", "c1", "a2", "b2", "a3" } do
      hub:publish("t", message, { key = message:sub(1, 1) })
    end
    assert.are.equal("c1 b2 a3", (all(sub)))
    assert.are.equal(3, sub.skipped)
    for _, message in ipairs { "a1", "a2", "b1", "c1", "d1" } do
      hub:publish("t", message, { key = message:sub(1, 1) })
    end
    assert.are.equal("b1 c1 d1", (all(sub)), "the oldest goes where keys are too many")
  end)

  it("has room for what it holds, however often a key is replaced", function()
    local hub = hub_of { slow = "coalesce", max_queued = 2 }
    local sub = hub:subscribe("t")
    hub:publish("t", "first", { key = "first" })
    publish(hub, 1, 10000, { key = "k" })
    local places = 0
    for key in pairs(sub._backlog) do
      places = places + (type(key) == "number" and 1 or 0)
    end
    assert.is_true(places < 100, places)
    assert.are.equal("first 10000", (all(sub)))
  end)

  it("of a function: coalesces while that waits", function()
    local hub, got = hub_of { slow = "coalesce", max_queued = 1 }, {}
    local sub = hub:subscribe("t", function(text)
      got[#got + 1] = text
      green.sleep(1)
    end)
    for i = 1, 25 do
      hub:publish("t", tostring(i))
      green.sleep(0.1)
    end
    green.sleep(3)
    assert.are.equal("1", got[1])
    assert.are.equal("25", got[#got])
    assert.is_true(#got <= 5)
    sub:close()
  end)
end)

describe("an object that has too many bytes", function()
  it("is closed with 1013", function()
    local hub = hub_of { max_buffered = 100 }
    local object, other = kit.receiver(), kit.receiver()
    local sub = hub:subscribe("t", object)
    hub:subscribe("t", other)
    object.buffered = 100
    publish(hub, 1, 1)
    object.buffered = 101
    publish(hub, 2, 2)
    assert.is_true(sub.closed)
    assert.is_true(sub.error:is("ENOBUFS"))
    testing.settle()
    assert.are.same({ 1013, true }, { object.code, object.closed })
    assert.are.same({ "1" }, object.got)
    assert.are.same({ "1", "2" }, other.got)
    hub:close()
    assert.is_false(other.closed)
  end)

  it("misses messages where these are skipped", function()
    local hub = hub_of { slow = "skip", max_buffered = 0 }
    local object = kit.receiver()
    local sub = hub:subscribe("t", object)
    publish(hub, 1, 1)
    object.buffered = 1
    publish(hub, 2, 3)
    object.buffered = 0
    publish(hub, 4, 4)
    assert.are.same({ "1", "4" }, object.got)
    assert.are.equal(2, sub.skipped)
    hub:close()
  end)

  it("gets the newest of each key when it has drained", function()
    local hub = hub_of { slow = "coalesce", max_buffered = 10 }
    local object = kit.receiver { buffered = 11 }
    local sub = hub:subscribe("t", object)
    for _, message in ipairs { "a1", "b1", "a2" } do
      hub:publish("t", message, { key = message:sub(1, 1) })
    end
    green.sleep(1)
    assert.are.same({}, object.got)
    assert.are.equal(2, sub:waiting())
    object.buffered = 0
    green.sleep(1)
    assert.are.same({ "b1", "a2" }, object.got)
    assert.are.equal(1, sub.skipped)
    object.buffered = 11
    hub:publish("t", "c1")
    object.buffered = 0
    hub:publish("t", "c2")
    assert.are.same({ "b1", "a2", "c1", "c2" }, object.got, "what waits goes first")
    object.buffered = 11
    hub:publish("t", "d1")
    object.buffered = 0
    sub:drain()
    assert.are.equal("d1", object.got[5])
    sub:drain()
    hub:close()
  end)

  it("is left alone when it has been closed meanwhile", function()
    local hub = hub_of { slow = "coalesce", max_buffered = 0 }
    local object = kit.receiver { buffered = 1 }
    local sub = hub:subscribe("t", object)
    publish(hub, 1, 1)
    object.closed = true
    green.sleep(1)
    assert.is_true(sub.closed)
    assert.are.same({}, object.got)
    assert.are.equal(0, hub:stats().subscriptions)
  end)

  it("gets what is replayed as it drains, then what came meanwhile", function()
    for _, slow in ipairs { "drop", "skip", "coalesce" } do
      local hub = hub_of { history = 50, slow = slow, max_buffered = 0 }
      publish(hub, 1, 20)
      local object = kit.receiver()
      local send = object.send_frame
      function object:send_frame(frame)
        self.buffered = #self.got % 5 == 4 and 1 or 0
        return send(self, frame)
      end
      hub:subscribe("t", object, { since = "0", max_queued = 30 })
      hub:publish("t", "21", { key = "k" })
      for _ = 1, 10 do
        green.sleep(1)
        object.buffered = 0
      end
      assert.are.equal(21, #object.got, slow)
      for i = 1, 21 do
        assert.are.equal(tostring(i), object.got[i])
      end
      hub:close()
    end
  end)
end)
