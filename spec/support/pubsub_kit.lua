-- What the specs of green.pubsub share: receivers that remember, and what holds for a hub
-- whatever is behind it.

local assert = require "luassert"
local green = require "green"

local M = {}

local WAIT = 10 -- seconds that something may take at most

--- An encoder for receivers with send_frame; `made` counts.
function M.encoder()
  local self = { made = 0 }
  function self.frame(text, binary)
    self.made = self.made + 1
    return { text = text, binary = binary }
  end
  return self
end

--- A receiver like a websocket.
function M.receiver(fields)
  local made = fields or {}
  made.buffered, made.closed = made.buffered or 0, false
  made.got, made.frames = {}, {}
  function made:send_frame(frame)
    self.got[#self.got + 1] = frame.text
    self.frames[#self.frames + 1] = frame
    return true
  end
  function made:close(code, reason)
    self.closed, self.code, self.reason = true, code, reason
  end
  return made
end

--- Wait until a condition holds.
function M.eventually(holds, what)
  local stop = green.now() + WAIT
  while not holds() do
    assert.is_true(green.now() < stop, what or "it never happened")
    green.sleep(0.005)
  end
end

--- Close a hub, and wait until it has told Redis so.
function M.close(hub)
  hub:close()
  M.eventually(function() return next(hub._crew.by_name) == nil end)
end

--- The texts of n messages.
function M.take(sub, n)
  local texts = {}
  for i = 1, n do
    texts[i] = assert(sub:recv(WAIT))
  end
  return texts
end

--- Nothing waits in a subscription, nor is on its way: a message of one's own comes next.
function M.nothing_before(hub, sub, topic)
  assert(hub:publish(topic, "the mark"))
  assert.are.equal("the mark", (assert(sub:recv(WAIT))))
end

-- -- What holds for every hub -------------------------------------------------

local tests = {}

tests["gives a message to who is subscribed, with its topic and id"] = function(hub)
  local sub = assert(hub:subscribe("news"))
  local id = assert(hub:publish("news", "hello"))
  assert.are.same({ "hello", "news", id, false }, { sub:recv(WAIT) })
  assert.is_string(id)
  assert(hub:publish("news", "\0\255", { binary = true }))
  local text, _, _, binary = sub:recv(WAIT)
  assert.are.same({ "\0\255", true }, { text, binary })
  sub:close()
end

tests["takes topics literally: * is a byte, and empty messages are some"] = function(hub)
  local all, star = assert(hub:subscribe("a*")), assert(hub:subscribe("[a]"))
  assert(hub:publish("ab", "no"))
  assert(hub:publish("a", "no"))
  assert(hub:publish("a*", ""))
  assert.are.equal("", (all:recv(WAIT)))
  M.nothing_before(hub, star, "[a]")
  all:close()
  star:close()
end

tests["gives each message to each receiver once and in order"] = function(hub)
  local one, two, count = assert(hub:subscribe("t")), assert(hub:subscribe("t")), 0
  local got, wanted = {}, {}
  local fn = assert(hub:subscribe("t", function(text)
    count = count + 1
    got[count] = text
    green.sleep(0)
  end))
  for i = 1, 200 do
    assert(hub:publish("t", "m" .. i))
    wanted[i] = "m" .. i
  end
  assert.are.same(wanted, M.take(one, 200))
  assert.are.same(wanted, M.take(two, 200))
  M.eventually(function() return count == 200 end)
  assert.are.same(wanted, got)
  for _, sub in ipairs { one, two, fn } do
    sub:close()
  end
end

tests["gives messages that match a pattern, and a topic's own, to each of both"] = function(hub)
  local pattern = assert(hub:psubscribe("room.[1-3]"))
  local literal = assert(hub:subscribe("room.2"))
  assert(hub:publish("room.9", "none"))
  assert(hub:publish("room.2", "both"))
  assert(hub:publish("room.1", "one"))
  local text, topic = pattern:recv(WAIT)
  assert.are.same({ "both", "room.2" }, { text, topic })
  assert.are.equal("one", (pattern:recv(WAIT)))
  assert.are.equal("both", (literal:recv(WAIT)))
  M.nothing_before(hub, literal, "room.2")
  pattern:close()
  literal:close()
end

tests["gives objects one encoded frame, made once a message"] = function(hub, _, encoder)
  local list = {}
  for i = 1, 5 do
    list[i] = M.receiver()
    assert(hub:subscribe("t", list[i]))
  end
  assert(hub:publish("t", "x", { binary = true }))
  M.eventually(function() return #list[5].got == 1 end)
  for i = 1, 5 do
    assert.are.equal(list[1].frames[1], list[i].frames[1])
  end
  assert.is_true(list[1].frames[1].binary)
  assert.are.equal(1, encoder.made)
end

tests["gives objects without frames their messages"] = function(hub)
  local got = {}
  local object = { buffered = 0, closed = false }
  function object:send_message(text, topic)
    got[#got + 1] = topic .. ":" .. text
  end
  assert(hub:subscribe("t", object))
  assert(hub:publish("t", "x"))
  M.eventually(function() return #got == 1 end)
  assert.are.same({ "t:x" }, got)
end

tests["gives nothing after close"] = function(hub)
  local one, two = assert(hub:subscribe("t")), assert(hub:subscribe("t"))
  one:close()
  one:close()
  M.nothing_before(hub, two, "t")
  assert.are.equal(0, select("#", (function(...) return select(3, ...) end)(one:recv())))
  assert.is_nil((one:recv()))
  two:close()
end

tests["ends with the hub"] = function(hub)
  local sub = assert(hub:subscribe("t"))
  local waiting = green.spawn(sub.recv, sub)
  green.sleep(0)
  hub:close()
  hub:close()
  local text, err = waiting:wait()
  assert.is_nil(text)
  assert.is_true(err:is("ECLOSED"))
  for _, call in ipairs { "publish", "subscribe", "psubscribe", "join", "leave", "members" } do
    local second = call == "publish" and "x" or (call == "join" or call == "leave") and "m" or nil
    local ok, why = hub[call](hub, "t", second)
    assert.is_nil(ok)
    assert.is_true(why:is("ECLOSED"), call)
  end
end

tests["knows who is there, each once"] = function(hub)
  assert.are.same({}, hub:members("room"))
  assert.is_true(hub:join("room", "ann", "blue"))
  assert.is_false(hub:join("room", "ann"))
  assert.is_true(hub:join("room", "bob"))
  assert.are.same({ ann = "blue", bob = "" }, hub:members("room"))
  assert.is_false(hub:leave("room", "ann"))
  assert.is_true(hub:leave("room", "ann"))
  assert.is_false(hub:leave("room", "ann"))
  assert.are.same({ bob = "" }, hub:members("room"))
  assert.are.same({}, hub:members("elsewhere"))
  assert.is_true(hub:leave("room", "bob"))
  assert.are.same({}, hub:members("room"))
end

tests["lets a subscription's member leave with it"] = function(hub)
  local sub = assert(hub:subscribe("room", nil, { member = "ann", info = "1" }))
  local other = assert(hub:subscribe("room", nil, { member = "ann" }))
  assert.are.same({ ann = "1" }, hub:members("room"))
  sub:close()
  other:close()
  M.eventually(function() return next(hub:members "room") == nil end)
end

tests["tells who comes and goes"] = function(hub)
  local sub = assert(hub:subscribe("room"))
  hub:join("room", "ann", "blue")
  hub:join("room", "ann", "blue")
  hub:leave("room", "ann")
  hub:leave("room", "ann")
  assert.are.same({ "join ann blue", "leave ann blue" }, M.take(sub, 2))
  M.nothing_before(hub, sub, "room")
  sub:close()
end

tests["replays what is newer than an id, and goes on"] = function(hub)
  local ids = {}
  for i = 1, 5 do
    ids[i] = assert(hub:publish("t", "m" .. i))
  end
  local some = assert(hub:subscribe("t", nil, { since = ids[3] }))
  local none = assert(hub:subscribe("t", nil, { since = ids[5] }))
  local all = assert(hub:subscribe("t", nil, { since = "0" }))
  local fresh = assert(hub:subscribe("t"))
  assert(hub:publish("t", "m6"))
  assert.are.same({ "m4", "m5", "m6" }, M.take(some, 3))
  assert.are.same({ "m6" }, M.take(none, 1))
  assert.are.same({ "m1", "m2", "m3", "m4", "m5", "m6" }, M.take(all, 6))
  assert.are.same({ "m6" }, M.take(fresh, 1))
  for _, sub in ipairs { some, none, all, fresh } do
    M.nothing_before(hub, sub, "t")
    sub:close()
    hub:publish("t", "more")
  end
end

tests["replays to objects and functions, too"] = function(hub)
  assert(hub:publish("t", "m1"))
  local id = assert(hub:publish("t", "m2", { binary = true }))
  local object, got = M.receiver(), {}
  assert(hub:subscribe("t", object, { since = "0" }))
  local fn = assert(hub:subscribe("t", function(text, _, given, binary)
    got[#got + 1] = text
    if text == "m2" then
      assert.are.same({ id, true }, { given, binary })
    end
  end, { since = "0" }))
  assert(hub:publish("t", "m3"))
  M.eventually(function() return #object.got == 3 and #got == 3 end)
  assert.are.same({ "m1", "m2", "m3" }, object.got)
  assert.are.same({ "m1", "m2", "m3" }, got)
  assert.is_true(object.frames[2].binary)
  fn:close()
end

tests["loses and doubles nothing for who comes back while others publish"] = function(hub, history)
  local total, done = history - 10, false
  local publisher = green.spawn(function()
    for i = 1, total do
      assert(hub:publish("t", tostring(i)))
      green.sleep(0)
    end
    done = true
  end)
  local got, last = {}, "0"
  while #got < total do
    local sub = assert(hub:subscribe("t", nil, { since = last }))
    for _ = 1, math.random(0, 12) do
      if #got == total then break end
      local text, _, id = sub:recv(WAIT)
      got[#got + 1], last = tonumber(text), id
    end
    sub:close()
  end
  publisher:wait()
  assert.is_true(done)
  for i = 1, total do
    assert.are.equal(i, got[i])
  end
end

tests["says EGAP when history has not all of it"] = function(hub, history)
  local first = assert(hub:publish("t", "first"))
  for i = 1, history * 3 + 300 do
    assert(hub:publish("t", "m" .. i))
  end
  for _, since in ipairs { first, "12345-1", "nonsense", "" } do
    local sub, err = hub:subscribe("t", nil, { since = since })
    assert.is_nil(sub)
    assert.is_true(green.is_error(err, "EGAP"), since)
  end
  local sub = assert(hub:subscribe("t", nil, { since = "0", max_queued = 1 }))
  assert.is_true(sub:waiting() >= history)
  sub:close()
end

tests["refuses what is too long"] = function(hub)
  local long = ("x"):rep(300)
  local function code(...)
    local ok, err = hub[...](hub, select(2, ...))
    assert.is_nil(ok)
    return err.code
  end
  for _, call in ipairs { "subscribe", "psubscribe", "members" } do
    assert.are.equal("ENAMETOOLONG", code(call, long))
    assert.are.equal("EINVAL", code(call, ""))
  end
  assert.are.equal("ENAMETOOLONG", code("publish", long, "x"))
  assert.are.equal("EMSGSIZE", code("publish", "t", ("x"):rep(2 ^ 20 + 1)))
end

--- Options of the hub that the tests need.
function M.options(more)
  local encoder = M.encoder()
  local opts = { history = 100, frame = encoder.frame, max_queued = 1000,
    presence = function(what, topic, member, info)
      return topic == "room" and ("%s %s %s"):format(what, member, info) or nil
    end }
  for name, value in pairs(more or {}) do
    opts[name] = value
  end
  return opts, encoder
end

--- An iterator over what holds: titles, and functions of a hub with M.options, the number
-- of messages it keeps at least, and its encoder.
function M.each()
  local titles = {}
  for title in pairs(tests) do
    titles[#titles + 1] = title
  end
  table.sort(titles)
  local at = 0
  return function()
    at = at + 1
    return titles[at], tests[titles[at]]
  end
end

return M
