-- The broker of pub/sub over ZeroMQ without its sockets: what comes in, what goes out.

local ask = require "green.zmq.broker.ask"
local pubsub_glob = require "green.pubsub.glob"
local states = require "green.zmq.broker.state"
local wire = require "green.zmq.broker.wire"

local now -- seconds of the broker's clock

local function broker(more)
  now = 1000
  local opts = { history = 5, max_bytes = 5000, max_topics = 10, max_topic = 20, max_message = 100,
    max_members = 6, max_info = 10, last = false, pub = "ipc://feed" }
  for name, value in pairs(more or {}) do
    opts[name] = value
  end
  return ask.init(states.new(opts, function() return now end))
end

local count = 0

--- What an op results in; or nil and a code.
local function asked(state, ...)
  count = count + 1
  local answer = assert(ask.ask(state, { wire.VERSION, tostring(count), ... }))
  assert.equal(tostring(count), answer[1])
  if answer[2] == "no" then
    assert.is_string(answer[4])
    return nil, answer[3]
  end
  assert.equal("ok", answer[2])
  return unpack(answer, 3)
end

local publishes = 0

local function publish(state, topic, text, keep)
  publishes = publishes + 1
  return asked(state, "publish", "hub", tostring(publishes), "", topic, "t", "", keep or "5", text)
end

--- The texts that are kept behind an id.
local function since(state, topic, id, age)
  local list, got = { asked(state, "since", topic, id, age or "") }, {}
  if not list[1] then
    return nil, list[2]
  end
  for i = 3, #list, 2 do
    got[#got + 1] = list[i]
  end
  return got, list[1]
end

local function lists(...)
  local made = { ... }
  for i = 1, #made do
    made[i] = assert(wire.unpack(made[i], 1000))
  end
  return made
end

local function members(state, what, hub, ...)
  return asked(state, "members", "room", what, hub, "1000", wire.pack { ... })
end

describe("a broker's messages", function()
  it("are numbered, and told with the number before them in their topic", function()
    local state = broker()
    state:hear "\1t\0"
    local id, heard = publish(state, "t", "one")
    assert.same({ state.epoch .. "-1", "1" }, { id, heard })
    assert.same({ state.epoch .. "-2", "0" }, { publish(state, "u", "x") })
    publish(state, "t", "two")
    assert.same({ { "t\0", state.epoch .. "-1 0 t ", "one" }, { "u\0", state.epoch .. "-2 0 t ",
      "x" }, { "t\0", state.epoch .. "-3 1 t ", "two" } }, state.feed)
  end)

  it("are published once, however often somebody asks", function()
    local state = broker()
    local id = asked(state, "publish", "hub", "7", "", "t", "b", "k", "5", "x")
    assert.equal(id, (asked(state, "publish", "hub", "7", state.epoch, "t", "b", "k", "5", "x")))
    assert.equal(1, #state.feed)
    assert.equal("b k", state.feed[1][2]:match "b .*$")
    local other = broker()
    assert.same({ nil, "ECONNRESET" },
      { asked(other, "publish", "hub", "7", state.epoch, "t", "b", "k", "5", "x") })
    assert.equal(0, #other.feed)
  end)

  it("are refused when they are too long or too many, and nothing is left of them", function()
    local state = broker()
    assert.same({ nil, "EINVAL" }, { publish(state, "", "x") })
    assert.same({ nil, "EINVAL" }, { publish(state, wire.FENCE .. "x", "x") })
    assert.same({ nil, "ENAMETOOLONG" }, { publish(state, ("t"):rep(21), "x") })
    assert.same({ nil, "EMSGSIZE" }, { publish(state, "t", ("x"):rep(101)) })
    for i = 1, 10 do assert.is_string((publish(state, "t" .. i, "x"))) end
    assert.same({ nil, "ENOSPC" }, { publish(state, "t11", "x") })
    assert.is_string((publish(state, "t10", "x")))
    assert.equal(11, #state.feed)
    assert.equal(5, state:stats().refused)
    assert.equal(10, state:stats().topics)
  end)

  it("of plain publishers are a topic and a text", function()
    local state = broker()
    state:take { "t", "x" }
    state:take { "t" }
    state:take { "t", "x", "y" }
    state:take {}
    state:take { "", "x" }
    assert.equal(1, #state.feed)
    assert.equal(4, state:stats().malformed)
    assert.same({ "x" }, (since(state, "t", "0")))
  end)
end)

describe("a broker's history", function()
  it("has what is newer than an id, or says that it has not", function()
    local state, ids = broker(), {}
    for i = 1, 4 do ids[i] = publish(state, "t", "m" .. i) end
    assert.same({ "m1", "m2", "m3", "m4" }, (since(state, "t", "0")))
    assert.same({ "m3", "m4" }, (since(state, "t", ids[2])))
    assert.same({}, (since(state, "t", ids[4])))
    for i = 5, 7 do publish(state, "t", "m" .. i) end
    assert.same({ "m3", "m4", "m5", "m6", "m7" }, (since(state, "t", ids[2])))
    assert.same({ nil, "EGAP" }, { since(state, "t", ids[1]) })
    for _, id in ipairs { "", "x", "1-1", state.epoch .. "-999", state.epoch .. "-", "-1",
      state.epoch .. "-99999999999999999999", broker().epoch .. "-3" } do
      assert.same({ nil, "EGAP" }, { since(state, "t", id) }, id)
      assert.same({ nil, "EGAP" }, { since(state, "other", id) }, id)
    end
  end)

  it("keeps as many as the publisher wants, and the broker allows", function()
    local state = broker()
    local first = publish(state, "t", "m1", "2")
    for i = 2, 3 do publish(state, "t", "m" .. i, "2") end
    assert.same({ "m2", "m3" }, (since(state, "t", "0")))
    for i = 4, 9 do publish(state, "t", "m" .. i, "1000") end
    assert.equal(5, #since(state, "t", "0"))
    assert.same({ nil, "EGAP" }, { since(state, "t", first) })
    local none = publish(state, "none", "x", "0")
    assert.same({}, (since(state, "none", "0")))
    publish(state, "none", "y", "0")
    assert.same({ nil, "EGAP" }, { since(state, "none", none) })
  end)

  it("has no more bytes than it may: the silent topics go first", function()
    local each = states.BESIDE + 100
    local state = broker { max_bytes = 10 * each }
    local id = publish(state, "old", ("x"):rep(100))
    publish(state, "old", ("y"):rep(100))
    for i = 1, 9 do publish(state, "t" .. i % 3, ("z"):rep(100)) end
    assert.equal(10 * each, state:stats().bytes)
    assert.equal(1, #since(state, "old", "0"))
    publish(state, "t1", ("z"):rep(100))
    assert.same({}, (since(state, "old", "0")))
    assert.same({ nil, "EGAP" }, { since(state, "old", id) })
    assert.equal(10 * each, state:stats().bytes)
    assert.is_nil(state.topics.old)
  end)

  it("counts small messages and their keys, too", function()
    local state = broker { history = 1000, max_bytes = 50000, max_topics = 1000 }
    for i = 1, 100 do
      assert(state:publish("t" .. i % 2, "t", ("k"):rep(1000), "", 1000))
      assert(state:publish("small", "t", "", "", 1000))
    end
    assert.is_true(state:stats().bytes <= 50000)
    local kept = 0
    for _, topic in pairs(state.topics) do
      kept = kept + (topic.past and topic.past.last - topic.past.first + 1 or 0)
    end
    assert.is_true(kept <= 50000 / states.BESIDE, kept)
  end)

  it("grows old for the broker, or for who asks", function()
    local state = broker { history_seconds = 10 }
    local first = publish(state, "t", "m1")
    now = now + 5
    local second = publish(state, "t", "m2")
    now = now + 1
    assert.same({ "m2" }, (since(state, "t", "0", "4000")))
    assert.same({}, (since(state, "t", second, "500")))
    assert.same({ "m2" }, (since(state, "t", first, "4000")))
    assert.same({ nil, "EGAP" }, { since(state, "t", first, "1000") })
    now = now + 4
    assert.same({ "m2" }, (since(state, "t", "0")))
    now = now + 5
    state:sweep()
    assert.equal(0, state:stats().topics)
    assert.equal(0, state:stats().bytes)
    assert.same({ nil, "EGAP" }, { since(state, "t", first) })
  end)

  it("is told in pages", function()
    local state = broker { history = 1000, max_bytes = 1e6 }
    for i = 1, 450 do publish(state, "t", "m" .. i, "1000") end
    local got, rounds, id = {}, 0, "0"
    repeat
      local answer = { asked(state, "since", "t", id, "") }
      for i = 2, #answer, 2 do
        local record = assert(wire.read("t", answer[i], answer[i + 1]))
        got[#got + 1], id = record.text, record.id
      end
      rounds = rounds + 1
    until answer[1] == ""
    assert.same({ 3, 450, "m450" }, { rounds, #got, got[450] })
  end)

  it("tells the newest number of topics, and the newest message of one", function()
    local state = broker()
    for i = 1, 3 do publish(state, i == 2 and "u" or "t", "m" .. i) end
    local epoch, packed = asked(state, "newest", wire.pack { "t", "u", "none" })
    assert.same({ state.epoch, { "3", "2", "0" } }, { epoch, wire.unpack(packed, 3) })
    local head, text = asked(state, "last", "t")
    assert.same({ "m3", 3 }, { text, wire.read("t", head, text).number })
    assert.same({ "" }, { asked(state, "last", "none") })
  end)
end)

describe("a broker's subscriptions", function()
  it("are counted, and a topic that is heard remembers its newest number", function()
    local state = broker()
    state:hear "\1t\0"
    state:hear "\1t\0"
    assert.equal("2", select(2, publish(state, "t", "x", "0")))
    state:hear "\0t\0"
    assert.equal("1", select(2, publish(state, "t", "y", "0")))
    assert.matches("-2 1 t $", state.feed[2][2])
    state:hear "\0t\0"
    state:hear "\0t\0"
    assert.same({ 0, 0 }, { state:stats().topics, state:stats().subscriptions })
    publish(state, "t", "z", "0")
    assert.matches("-3 2 t $", state.feed[3][2]) -- what may have been lost
  end)

  it("do not mind what an XSUB sends instead", function()
    local state = broker()
    state:hear "\1t\0"
    for _, bytes in ipairs { "", "xt\0", "\2t\0", "t\0" } do
      state:hear(bytes)
    end
    assert.same({ 1, 1, 4 }, { state.topics.t.subs, state.keys, state.counts.malformed })
  end)

  it("have fences answered, in order, and no others", function()
    local state = broker()
    publish(state, "t", "x")
    local key = wire.FENCE .. "me:1"
    state:hear("\1" .. key)
    state:hear("\0" .. key)
    state:hear("\1" .. wire.FENCE .. ("x"):rep(100))
    publish(state, "t", "y")
    assert.same({ key, state.epoch .. "-1", "" }, state.feed[2])
    assert.equal(3, #state.feed)
    assert.equal(0, state:stats().subscriptions)
  end)

  it("bring the last value where the broker was told so", function()
    local state = broker { last = true }
    publish(state, "t", "m1")
    publish(state, "t", "m2")
    state:hear "\1t\0"
    state:hear "\1t"
    state:hear "\1none\0"
    assert.equal(4, #state.feed)
    assert.same({ state.feed[2], state.feed[2] }, { state.feed[3], state.feed[4] })
  end)
end)

describe("a broker's members", function()
  it("come, are there, and go, each once", function()
    local state = broker()
    assert.same({ { "ann" }, {}, {} }, lists(members(state, "join", "h1", "ann", "=1")))
    assert.same({ {}, {}, {} }, lists(members(state, "join", "h2", "ann", "=2")))
    assert.same({ {}, {}, {} }, lists(members(state, "join", "h2", "ann", "")))
    assert.same({ {}, {}, { "ann", "2" } }, lists(members(state, "list", "h1")))
    assert.same({ {}, {}, {} }, lists(members(state, "leave", "h1", "ann", "")))
    assert.same({ {}, {}, {} }, lists(members(state, "leave", "h1", "ann", "")))
    assert.same({ {}, { "ann", "2" }, {} }, lists(members(state, "leave", "h2", "ann", "")))
    assert.equal(0, state:stats().members)
    assert.is_nil(next(state.presence.topics))
  end)

  it("of a hub that is gone are told to be gone", function()
    local state = broker()
    members(state, "join", "h1", "ann", "=1", "bob", "")
    now = now + 0.9
    members(state, "join", "h1", "bob", "")
    members(state, "join", "h2", "eve", "=")
    now = now + 0.5
    assert.same({ {}, { "ann", "1" }, {} }, lists(members(state, "look", "h2")))
    now = now + 10
    state:sweep()
    assert.same({ 0, nil }, { state:stats().members, next(state.presence.topics) })
  end)

  it("are no more than there may be; those that are there may be renewed", function()
    local state = broker()
    members(state, "join", "h1", "a", "", "b", "", "c", "", "d", "", "e", "")
    assert.same({ nil, "ENOSPC" }, { members(state, "join", "h2", "f", "", "g", "") })
    assert.same({ { "f" }, {}, {} }, lists(members(state, "join", "h2", "f", "")))
    assert.same({ {}, {}, {} }, lists(members(state, "join", "h1", "a", "=x")))
    assert.same({ nil, "ENAMETOOLONG" }, { members(state, "join", "h1", ("a"):rep(21), "") })
    assert.same({ nil, "ENAMETOOLONG" }, { members(state, "join", "h1", "a", ("="):rep(12)) })
    assert.same({ nil, "ENAMETOOLONG" }, { members(state, "join", "h1", "a") })
    assert.same({ nil, "EPROTO" }, { members(state, "dance", "h1") })
  end)
end)

describe("a broker", function()
  it("has no answer to what is no question, and counts it", function()
    local state = broker()
    local bad = { {}, { "" }, { wire.VERSION }, { "green2", "1", "hello" },
      { wire.VERSION, ("1"):rep(21), "hello" }, { wire.VERSION, "1", "hello", unpack({}, 1, 20) } }
    for i = 4, 30 do bad[6][i] = "x" end
    for _, frames in ipairs(bad) do
      assert.is_nil(ask.ask(state, frames))
    end
    assert.equal(#bad, state:stats().malformed)
    for _, frames in ipairs { { "hello", "x" }, { "nothing" }, {}, { "publish" }, { "__index" } } do
      assert.same({ nil, "EPROTO" }, { asked(state, unpack(frames)) })
    end
    assert.same({ nil, "EPROTO" }, { asked(state, "publish", "h", "1", "", "t", "x", "", "5", "") })
    assert.same({ nil, "EPROTO" }, { asked(state, "publish", "", "1", "", "t", "t", "", "-", "") })
    assert.same({ nil, "EPROTO" }, { asked(state, "newest", "5:abc") })
    assert.equal(0, #state.feed)
  end)

  it("says where its feed is, and figures", function()
    local state = broker()
    publish(state, "t", "x")
    assert.same({ "ipc://feed", state.epoch, "1" }, { asked(state, "hello") })
    local list, stats = wire.unpack(asked(state, "stats"), 100), {}
    for i = 1, #list, 2 do stats[list[i]] = list[i + 1] end
    assert.same({ "1", "1", state.epoch }, { stats.published, stats.topics, stats.epoch })
  end)

  it("survives whatever bytes there are", function()
    local state = broker()
    local words = { "", "0", "1", "t", "b", "hello", "publish", "since", "newest", "last",
      "members", "join", "leave", "list", "look", "hub", "5:abcde", "1:", ":", "9999999999999999",
      "-1", wire.VERSION, wire.FENCE, wire.FENCE .. "x", "t\0", ("x"):rep(200), state.epoch,
      state.epoch .. "-1", wire.pack { "a", "=b" }, "\255\0\1" }
    local function word()
      return words[math.random(#words)]
    end
    for _ = 1, 20000 do
      local frames = {}
      for i = 1, math.random(0, 13) do frames[i] = word() end
      local kind = math.random(4)
      if kind == 1 then
        state:take(frames)
      elseif kind == 2 then
        state:hear(table.concat(frames))
        state:hear(("\1\0"):sub(math.random(2)) .. word())
      else
        ask.ask(state, kind == 3 and frames or { wire.VERSION, "1", unpack(frames) })
      end
      now = now + math.random() / 100
    end
    local stats = state:stats()
    assert.is_true(stats.topics <= 10 and stats.bytes <= 5000 and stats.members <= 6)
    for _, message in ipairs(state.feed) do
      assert.is_true(wire.is_reserved(message[1])
        or wire.read(assert(wire.topic_of(message[1])), message[2], message[3]) ~= nil)
    end
  end)
end)

describe("the wire", function()
  it("packs lists of any bytes", function()
    for _, list in ipairs { {}, { "" }, { "a", "", "\0:1:", ("x"):rep(1000) } } do
      assert.same(list, wire.unpack(wire.pack(list), 10))
    end
    assert.is_nil(wire.unpack(wire.pack { "a", "b" }, 1))
    for _, text in ipairs { "1", "1:", ":", "a:b", "-1:a", "2:a", "1:ab",
      "99999999999999999999:a" } do
      assert.is_nil(wire.unpack(text, 10), text)
    end
  end)

  it("reads no heads but its own", function()
    local record = { number = 7, previous = 5, flags = "b", key = "k \n\0" }
    local read = assert(wire.read("t", wire.head("abc", record), "x"))
    assert.same({ "abc-7", 7, 5, "k \n\0", true }, { read.id, read.number, read.previous, read.key,
      read.binary })
    for _, head in ipairs { "", "abc-7", "abc-7 5", "abc-7 5 x k", "xyz-7 5 t ", "abc-7 -5 t ",
      "abc-9999999999999999 5 t ", "abc-7 9999999999999999 t ", " abc-7 5 t ", "-7 5 t ",
      ("a"):rep(33) .. "-7 5 t " } do
      assert.is_nil(wire.read("t", head, "x"), head)
    end
  end)

  it("knows which of two ids is newer", function()
    assert.is_true(wire.is_newer("a-2", "a-1"))
    assert.is_false(wire.is_newer("a-1", "a-1"))
    assert.is_false(wire.is_newer("a-9", "a-10"))
    assert.is_true(wire.is_newer("a-1", wire.NONE))
  end)

  it("asks for what all matches of a pattern begin with", function()
    for pattern, prefix in pairs { ["a*"] = "a", ["*"] = "", ["ab"] = "ab", ["a\\*b?c"] = "a*b",
      ["[ab]"] = "", ["x[ab]"] = "x" } do
      assert.equal(prefix, pubsub_glob.prefix(pubsub_glob.compile(pattern)))
    end
  end)
end)
