-- Many receivers: each gets what was published while it was subscribed, once and in order,
-- whatever others do meanwhile.

local green = require "green"
local kit = require "spec.support.pubsub_kit"
local pubsub = require "green.pubsub"
local testing = require "green.testing"

local it = testing.busted()

local MANY = 2000

local function hub_of()
  local encoder = kit.encoder()
  return pubsub.new { frame = encoder.frame }, encoder
end

local function crowd(hub, n)
  local list = {}
  for i = 1, n do
    list[i] = kit.receiver()
    list[i].sub = hub:subscribe("t", list[i])
  end
  return list
end

describe("a message to many", function()
  it("lets others run before the last has it, and reaches all", function()
    local hub, encoder = hub_of()
    local list, seen = crowd(hub, MANY), nil
    green.spawn(function()
      seen = #list[MANY].got
    end)
    local _, receivers = hub:publish("t", "x")
    assert.are.equal(MANY, receivers)
    assert.are.equal(1, #list[1].got)
    assert.are.equal(0, #list[MANY].got)
    testing.settle()
    assert.are.equal(0, seen)
    for i = 1, MANY do
      assert.are.same({ "x" }, list[i].got)
    end
    assert.are.equal(1, encoder.made)
    hub:close()
  end)

  it("is in order with those behind it", function()
    local hub = hub_of()
    local list = crowd(hub, MANY)
    for i = 1, 10 do
      hub:publish("t", tostring(i))
    end
    assert.are.equal(10, hub:stats().line)
    testing.settle()
    for i = 1, MANY do
      assert.are.equal("1 2 3 4 5 6 7 8 9 10", table.concat(list[i].got, " "))
    end
    assert.are.equal(0, hub:stats().line)
    hub:close()
  end)

  it("does not reach who came after it, nor who has closed", function()
    local hub = hub_of()
    local list = crowd(hub, MANY)
    hub:publish("t", "1")
    local late = crowd(hub, 10)
    list[MANY].sub:close()
    list[1].sub:close()
    hub:publish("t", "2")
    late[1].sub:close()
    testing.settle()
    assert.are.same({ "1" }, list[1].got)
    assert.are.same({}, list[MANY].got)
    assert.are.same({ "1", "2" }, list[2].got)
    assert.are.same({ "1", "2" }, list[MANY - 1].got)
    assert.are.same({}, late[1].got)
    assert.are.same({ "2" }, late[10].got)
    hub:publish("t", "3")
    testing.settle()
    assert.are.same({ "2", "3" }, late[10].got)
    hub:close()
    testing.settle()
  end)

  it("makes a publisher wait that is far ahead", function()
    local hub = hub_of()
    crowd(hub, 600)
    local most = 0
    for i = 1, 500 do
      hub:publish("t", tostring(i))
      most = math.max(most, hub:stats().line)
    end
    assert.is_true(most <= 66, most)
    local waiting = green.spawn(function()
      for _ = 1, 200 do
        hub:publish("t", "x")
      end
    end)
    green.sleep(0)
    waiting:kill()
    testing.settle()
    assert.are.equal(0, hub:stats().line)
    hub:close()
  end)

  it("tells a publisher that waits when the hub is closed", function()
    local hub = hub_of()
    crowd(hub, 600)
    local result
    green.spawn(function()
      repeat
        local ok, err = hub:publish("t", "x")
        result = err
      until not ok
    end)
    green.sleep(0)
    hub:close()
    testing.settle()
    assert.is_true(result:is("ECLOSED"))
  end)

  it("may be answered by a receiver while it is given", function()
    local hub = hub_of()
    local echo, sub = kit.receiver(), nil
    local other = kit.receiver()
    local send, count = echo.send_frame, 0
    function echo:send_frame(frame)
      count = count + 1
      if count <= 100 then
        hub:publish("t", "answer " .. count)
      elseif count == 101 then
        sub:close()
        hub:subscribe("t", kit.receiver())
      end
      return send(self, frame)
    end
    sub = hub:subscribe("t", echo)
    hub:subscribe("t", other)
    hub:publish("t", "start")
    testing.settle()
    assert.are.equal(101, #other.got)
    assert.are.equal("start", other.got[1])
    for i = 1, 100 do
      assert.are.equal("answer " .. i, other.got[i + 1])
    end
    hub:close()
  end)

  it("reaches the others when the publisher is killed in a receiver that waits", function()
    local hub = hub_of()
    local list, slow = crowd(hub, 3), kit.receiver()
    function slow:send_frame()
      green.sleep(10)
      return true
    end
    local sub = hub:subscribe("t", slow)
    local behind = crowd(hub, 3)
    local publisher = green.spawn(hub.publish, hub, "t", "1")
    testing.settle()
    hub:publish("t", "2")
    assert.are.same({ "1" }, list[1].got)
    assert.are.same({}, behind[1].got)
    publisher:kill()
    green.sleep(30)
    for i = 1, 3 do
      assert.are.same({ "1", "2" }, list[i].got)
      assert.are.same({ "1", "2" }, behind[i].got)
    end
    assert.is_false(sub.closed)
    hub:close()
  end)

  it("goes on when the hub's thread was killed, with the next publish", function()
    local hub = hub_of()
    local list = crowd(hub, MANY)
    hub:publish("t", "1")
    green.sleep(0)
    hub._crew.by_name.pump:kill()
    assert.are.equal(0, #list[MANY].got)
    hub:publish("t", "2")
    testing.settle()
    for i = 1, MANY do
      assert.are.same({ "1", "2" }, list[i].got)
    end
    hub:close()
  end)
end)

-- -- A storm ------------------------------------------------------------------

--- The model: a receiver gets the messages of its topic (or pattern) that are published
-- while it is subscribed; those under way when it closes it may get or not.
local function new_model(hub)
  local model = { hub = hub, live = {}, all = {}, published = { a = {}, b = {} }, subs = 0 }

  function model:subscribe(topic)
    local receiver = kit.receiver()
    receiver.topic, receiver.from = topic, #self.published[topic] + 1
    receiver.sub = assert(hub:subscribe(topic, receiver))
    self.live[#self.live + 1], self.all[#self.all + 1] = receiver, receiver
  end

  function model:close()
    local n = #self.live
    if n > 0 then
      local at = math.random(n)
      local receiver = self.live[at]
      self.live[at] = self.live[n]
      self.live[n] = nil
      receiver.to = #self.published[receiver.topic]
      receiver.sub:close()
    end
  end

  function model:publish(topic)
    local list = self.published[topic]
    local text = topic .. #list + 1
    -- Nothing runs between the checkpoint's end and the post, so its place is this one.
    list[#list + 1] = text
    if not pcall(hub.publish, hub, topic, text) then
      list.cut = true
    end
  end

  return model
end

local function check(receiver, published)
  local list = published[receiver.topic]
  local last = receiver.to or #list
  for i, text in ipairs(receiver.got) do
    assert.are.equal(list[receiver.from + i - 1], text)
  end
  if not receiver.to then
    assert.are.equal(last - receiver.from + 1, #receiver.got)
  else
    assert.is_true(#receiver.got <= last - receiver.from + 1)
  end
end

describe("a storm of subscriptions, closes and publishes", function()
  it("leaves each receiver with what it is due, and nothing behind", function()
    for _ = 1, 3 do
      local hub = hub_of()
      local model = new_model(hub)
      for _ = 1, 700 do
        model:subscribe(math.random() < 0.8 and "a" or "b")
      end
      for _ = 1, 3000 do
        local dice = math.random(100)
        if dice <= 40 then
          model:subscribe(dice <= 30 and "a" or "b")
        elseif dice <= 85 then
          model:close()
        elseif dice <= 95 then
          if hub:stats().line < 50 then -- else it would wait, and the model not know when
            model:publish(dice <= 92 and "a" or "b")
          end
        else
          green.sleep(0)
        end
      end
      testing.settle()
      for _, receiver in ipairs(model.all) do
        check(receiver, model.published)
      end
      while #model.live > 0 do
        model:close()
      end
      assert.are.equal(0, hub:stats().topics)
      assert.are.equal(0, hub:stats().subscriptions)
    end
  end)

  it("survives kills of all who take part", function()
    local hub = hub_of()
    local threads, sent, got = {}, 0, {}
    local watcher = hub:subscribe("t", nil, { max_queued = math.huge, max_buffered = math.huge })
    crowd(hub, 500)
    local function publisher()
      for _ = 1, 50 do
        sent = sent + 1
        hub:publish("t", tostring(sent))
      end
    end
    local function subscriber()
      local sub = hub:subscribe("t", nil, { member = tostring(math.random(5)) })
      green.finally(function()
        for _ = 1, 50 do
          sub:recv()
        end
      end, function()
        sub:close()
      end)
    end
    for i = 1, 60 do
      threads[i] = green.spawn(i % 2 == 0 and publisher or subscriber)
    end
    for _ = 1, 40 do
      local target = threads[math.random(#threads)]
      if not target:dead() then
        target:kill_soon()
      end
      green.sleep(0)
    end
    testing.settle()
    for _, thread in ipairs(threads) do
      thread:kill_soon()
    end
    testing.settle()
    assert.are.same({}, hub:members("t"))
    assert.are.equal(501, hub:stats().subscriptions)
    local text = watcher:recv(0)
    while text do
      assert.is_nil(got[text])
      got[text] = true
      text = watcher:recv(0)
    end
    hub:close()
    assert.are.equal(0, hub:stats().topics)
  end)

  it("gives its memory back", function()
    local hub = pubsub.new { history = 10, history_seconds = 5, frame = kit.encoder().frame }
    local function fill()
      local subs = {}
      for i = 1, 3000 do
        local topic = "t" .. i % 300
        subs[i] = hub:subscribe(topic, i % 2 == 0 and kit.receiver() or nil, { member = "m" .. i })
        hub:publish(topic, ("x"):rep(100))
      end
      for i = 1, 3000 do
        subs[i]:close()
      end
      green.sleep(10)
      assert.are.equal(0, hub:stats().topics)
    end
    fill()
    collectgarbage() collectgarbage()
    local before = collectgarbage "count"
    for _ = 1, 5 do
      fill()
    end
    collectgarbage() collectgarbage()
    assert.is_true(collectgarbage "count" - before < 200)
  end)
end)
