-- What holds for several hubs over one server, and when it fails, whatever that server is: specs
-- of tests that take `beside.with`, which runs a body beside one, and `hub_at(server, more)`.

local assert = require "luassert"
local green = require "green"
local kit = require "spec.support.pubsub_kit"

local M = {}

--- An iterator over titles and functions of a list.
local function each(tests)
  local at = 0
  return function()
    at = at + 1
    local test = tests[at]
    if test then return test[1], test[2] end
  end
end

-- -- Several hubs over one server ---------------------------------------------

--- @tparam number heard what publish says of a topic that both want, and both of a pattern
local function order(server, hub_at, heard)
  local one, two = hub_at(server), hub_at(server)
  local subs = { one:subscribe("t"), two:subscribe("t"), one:psubscribe("t*"),
    two:psubscribe("*") }
  local writers = {}
  for w = 1, 4 do
    writers[w] = green.spawn(function()
      for i = 1, 50 do
        local hub = w % 2 == 0 and one or two
        local _, hubs = assert(hub:publish("t", w .. "-" .. i))
        assert.are.equal(heard, hubs)
      end
    end)
  end
  for _, writer in ipairs(writers) do writer:wait() end
  local all = kit.take(subs[1], 200)
  for i = 2, 4 do
    assert.are.same(all, kit.take(subs[i], 200))
  end
  local last = {}
  for _, text in ipairs(all) do
    local w, i = text:match "(%d+)-(%d+)"
    assert.are.equal((last[w] or 0) + 1, tonumber(i))
    last[w] = tonumber(i)
  end
  kit.close(one)
  kit.close(two)
end

local function history(server, hub_at)
  local one, two = hub_at(server), hub_at(server)
  local id = assert(one:publish("t", "1"))
  local second = assert(one:publish("t", "2", { key = "k", binary = true }))
  local sub = assert(two:subscribe("t", nil, { since = id }))
  assert.are.same({ "2", "t", second, true }, { sub:recv(5) })
  kit.close(one)
  kit.close(two)
end

local function members(server, hub_at)
  local one, two = hub_at(server), hub_at(server)
  local sub = assert(two:subscribe("room"))
  assert.is_true(one:join("room", "ann", "1"))
  assert.is_false(two:join("room", "ann", "2"))
  assert.is_true(two:join("room", "bob"))
  assert.are.same({ ann = "2", bob = "" }, one:members "room")
  assert.is_false(one:leave("room", "ann"))
  assert.is_true(two:leave("room", "ann"))
  assert.are.same({ "join ann 1", "join bob ", "leave ann 2" }, kit.take(sub, 3))
  kit.close(two)
  kit.eventually(function() return next(one:members "room") == nil end)
  kit.close(one)
end

local function outlive(server, hub_at)
  local opts = { presence_ttl = 0.5 }
  local one, two = hub_at(server, opts), hub_at(server, opts)
  local sub = assert(two:subscribe("room"))
  one:join("room", "ann", "1")
  two:join("room", "bob")
  green.sleep(1) -- they are renewed, and not by what this spec does
  assert.are.same({ ann = "1", bob = "" }, two:members "room")
  one._crew:dismiss "renew"
  assert.are.same({ "join ann 1", "join bob ", "leave ann 1" }, kit.take(sub, 3))
  assert.are.same({ bob = "" }, two:members "room")
  kit.close(one)
  kit.close(two)
end

--- Titles of "two hubs over one ...", and functions of a server, hub_at and `heard` (order).
function M.each_of_two()
  return each {
    { "give each message to the receivers of both, once and in one order", order },
    { "share history: who was at one resumes at the other", history },
    { "know the members of both, and tell of both", members },
    { "outlive one that goes without a word: its members do not", outlive },
  }
end

-- -- Failures -----------------------------------------------------------------

--- Everything that needs the server fails with that code, and nothing is left.
function M.all_fail(hub, code)
  for _, try in ipairs {
    function() return hub:publish("t", "x") end,
    function() return hub:subscribe "t" end,
    function() return hub:psubscribe "t" end,
    function() return hub:subscribe("t", nil, { since = "0" }) end,
    function() return hub:subscribe("t", nil, { member = "m" }) end,
    function() return hub:join("t", "m") end,
    function() return hub:members "t" end,
  } do
    local ok, err = try()
    assert.is_nil(ok)
    assert.is_true(err:is(code), tostring(err))
  end
  assert.are.equal(0, hub:stats().subscriptions)
  assert.are.equal(0, hub:stats().topics)
  kit.close(hub)
end

--- The server crashes and comes back, and has forgotten all: gaps are told, all goes on, and
-- members are there again. The hub, and the id of what was published before.
function M.restart(server, hub_at)
  local gaps = {}
  local hub = hub_at(server, { presence_ttl = 1,
    on_gap = function(name) gaps[#gaps + 1] = name end })
  local sub, pattern = assert(hub:subscribe "t"), assert(hub:psubscribe "p*")
  local id = assert(hub:publish("t", "1"))
  assert.are.same({ "1" }, kit.take(sub, 1))
  assert.is_true(hub:join("room", "ann", "x"))
  server:stop()
  server:start()
  kit.eventually(function() return #gaps >= 2 end, "no gap was told")
  table.sort(gaps)
  assert.are.same({ "p*", "t" }, gaps)
  assert(hub:publish("t", "2"))
  assert.are.same({ "2" }, kit.take(sub, 1))
  assert(hub:publish("pp", "3"))
  assert.are.same({ "3" }, kit.take(pattern, 1))
  kit.eventually(function() return hub:members("room").ann == "x" end, "ann never came back")
  return hub, id
end

-- -- Kills and closes while the server is asked -------------------------------

local function joins(server, hub_at)
  local hub = hub_at(server)
  assert.is_true(hub:join("t", "m"))
  local other = green.spawn(hub.join, hub, "t", "x")
  green.sleep(0)
  local late = green.spawn(hub.join, hub, "t", "m", "again") -- stands in line behind it
  green.sleep(0)
  late:kill()
  assert.is_true(other:wait())
  assert.is_true(hub:leave("t", "m"))
  assert.same({ x = "" }, hub:members "t")
  kit.close(hub)
end

local function close_subscriptions(topic)
  for _, sub in ipairs(topic and topic.subs or {}) do
    if sub then sub:close() end -- it was whole when the kill came: nobody holds it
  end
end

--- @tparam function leaves_nothing(hub, server) what the server must have forgotten
local function leave_nothing(server, hub_at, leaves_nothing)
  local hub = hub_at(server)
  assert(hub:publish("t", "x"))
  for round = 1, 150 do
    local opts = ({ [0] = { since = "0" }, { member = "m" } })[round % 3]
    local name = "t" .. round % 5
    local thread = green.spawn(function()
      local sub = hub:subscribe(name, nil, opts)
      assert(hub:publish(name, "x"))
      green.sleep(10)
      sub:close()
    end)
    for _ = 1, math.random(0, 8) do
      green.sleep(0)
    end
    if round % 2 == 0 then
      green.sleep(0.001)
    end
    if math.random(3) == 1 then
      thread:kill_soon()
      green.sleep(0)
    else
      thread:kill()
    end
    close_subscriptions(hub._topics[name])
  end
  kit.eventually(function() return hub:stats().topics == 0 end, "topics")
  kit.eventually(function() return next(hub:members "t1") == nil end, "members")
  leaves_nothing(hub, server)
  kit.close(hub)
end

local function closed(server, hub_at)
  local hub, told = hub_at(server), 0
  for i = 1, 20 do
    green.spawn(function()
      local sub, err = hub:subscribe("t" .. i % 4)
      if sub then
        sub, err = sub:recv()
      end
      assert.is_nil(sub)
      assert.is_true(err:is "ECLOSED", tostring(err))
      told = told + 1
    end)
  end
  green.sleep(0)
  hub:close()
  kit.eventually(function() return told == 20 end)
end

--- Titles of "kills and closes while ... is asked", and functions of a server, hub_at and
-- leaves_nothing(hub, server).
function M.each_strike()
  return each {
    { "take back no join of others", joins },
    { "leave nothing", leave_nothing },
    { "tell whoever waits that the hub is closed", closed },
  }
end

return M
