-- Hubs over ZeroMQ without a broker: each process speaks to all others.

local green = require "green"
local beside = require "spec.support.zmq_beside"
local folder = require "spec.support.folder"
local kit = require "spec.support.pubsub_kit"
local patient = require "spec.support.patient"
local program = require "spec.support.program"
local pubsub = require "green.pubsub"
local wire = require "green.zmq.broker.wire"
local zmq = require "green.zmq"

local it = beside.settled(patient.busted())

-- A process that has the third of three endpoints, until it is killed.
local DYING = [[
local green, pubsub = require "green", require "green.pubsub"
local hub = assert(pubsub.new { zmq = { bind = arg[3], peers = { arg[1], arg[2] }, wait = 20 } })
assert(hub:publish("elsewhere", "here"))
print "here"
io.stdout:flush()
green.sleep(1000)
]]
local dir = folder.each(before_each, after_each)

local function endpoint(i)
  return "ipc://" .. dir() .. "/" .. i
end

--- One of n hubs that know each other.
local function hub_of(i, n, more)
  local opts = kit.options(more)
  opts.presence, opts.zmq = nil, { bind = endpoint(i), peers = {}, wait = 20 }
  for other = 1, n do
    opts.zmq.peers[other] = endpoint(other)
  end
  return assert(pubsub.new(opts))
end

-- What needs to know who is there.
local needs_broker = {
  ["knows who is there, each once"] = true,
  ["lets a subscription's member leave with it"] = true,
  ["tells who comes and goes"] = true,
  ["refuses what is too long"] = true, -- of members, too
}

describe("pubsub without a broker", function()
  for title, test in kit.each() do
    if not needs_broker[title] then
      it(title, function()
        local opts, encoder = kit.options { zmq = { bind = endpoint(1) } }
        opts.presence = nil
        local hub = assert(pubsub.new(opts))
        test(hub, opts.history, encoder)
        kit.close(hub)
      end)
    end
  end

  it("takes all that max_message lets through, more than sockets do by default as well", function()
    local one, two = hub_of(1, 2, { max_message = 80e6 }), hub_of(2, 2, { max_message = 80e6 })
    local sub = assert(one:subscribe("t", nil, { max_buffered = 80e6 }))
    local text = ("x"):rep(70e6)
    assert(two:publish("t", text))
    assert.is_true(text == sub:recv(30))
    kit.close(one)
    kit.close(two)
  end)

  it("says what needs a broker", function()
    local hub = hub_of(1, 1)
    for _, call in ipairs { "join", "leave", "members" } do
      local ok, err = hub[call](hub, "t", call ~= "members" and "m" or nil)
      assert.is_nil(ok)
      assert.is_true(err:is "EOPNOTSUPP")
      assert.matches("greenlua -m zmq.broker", tostring(err), 1, true)
    end
    local none, err = hub:subscribe("t", nil, { member = "m" })
    assert.is_nil(none)
    assert.is_true(err:is "EOPNOTSUPP")
    assert.are.equal(0, hub:stats().subscriptions)
    kit.close(hub)
    assert.has_error(function()
      pubsub.new { zmq = { bind = endpoint(1) }, presence = print }
    end, "pubsub.new: presence must be nil without a broker (greenlua -m zmq.broker), who alone "
      .. "knows who is there, not a function")
  end)

  it("says that an endpoint is taken, or none", function()
    local hub = hub_of(1, 1)
    for _, bad in ipairs { endpoint(1):gsub("/1$", "/none/1"), "nonsense://x" } do
      local none, err = pubsub.new { zmq = { bind = bad } }
      assert.is_nil(none)
      assert.is_truthy(err.code)
    end
    local none, err = pubsub.new { zmq = { bind = endpoint(2), peers = { "nonsense://x" } } }
    assert.is_nil(none)
    assert.is_truthy(err.code)
    kit.close(hub)
  end)
end)

describe("hubs without a broker", function()
  it("lose nothing at the beginning, and keep the order of each", function()
    local n, each, hubs, subs, writers = 3, 50, {}, {}, {}
    for i = 1, n do
      hubs[i] = hub_of(i, n, { history = 0 })
      subs[i] = green.spawn(hubs[i].subscribe, hubs[i], "t")
    end
    for i = 1, n do subs[i] = assert(subs[i]:wait()) end
    for i = 1, n do
      writers[i] = green.spawn(function()
        for k = 1, each do assert(hubs[i]:publish("t", i .. " " .. k)) end
      end)
    end
    for i = 1, n do
      local last = {}
      for _, text in ipairs(kit.take(subs[i], n * each)) do
        local w, k = text:match "(%d+) (%d+)"
        assert.are.equal((last[w] or 0) + 1, tonumber(k))
        last[w] = tonumber(k)
      end
      writers[i]:wait()
    end
    for i = 1, n do kit.close(hubs[i]) end
  end)

  it("publish at once, before anybody else has connected, and it comes", function()
    local one = hub_of(1, 2, { history = 0 })
    local publisher = green.spawn(one.publish, one, "t", "first")
    green.sleep(0.05) -- it waits for the other
    local two = hub_of(2, 2) -- which has history: hears all
    assert.is_truthy(publisher:wait())
    local sub = assert(two:subscribe("t", nil, { since = "0" }))
    assert.are.same({ "first" }, kit.take(sub, 1))
    kit.close(one)
    kit.close(two)
  end)

  it("wait for one that does not come no longer than they are told", function()
    local hub = assert(pubsub.new { zmq = { bind = endpoint(1), peers = { endpoint(2) },
      wait = 0.05 } })
    local sub = assert(hub:subscribe "t")
    assert(hub:publish("t", "x"))
    assert.are.same({ "x" }, kit.take(sub, 1))
    kit.close(hub)
  end)

  it("have a history each: ids are of one of them", function()
    local one, two = hub_of(1, 2), hub_of(2, 2)
    local id = assert(one:publish("t", "1"))
    assert(two:publish("t", "2"))
    kit.eventually(function()
      local sub = assert(one:subscribe("t", nil, { since = id }))
      local n = sub:waiting()
      sub:close()
      return n == 1
    end)
    local none, err = two:subscribe("t", nil, { since = id })
    assert.is_nil(none)
    assert.is_true(err:is "EGAP")
    kit.eventually(function()
      local sub = assert(two:subscribe("t", nil, { since = "0" }))
      local n = sub:waiting()
      sub:close()
      return n == 2
    end)
    kit.close(one)
    kit.close(two)
  end)

  it("do not mind one that dies, nor what strangers say", function()
    local file = program.file(DYING)
    local child = program.start { program.greenlua, file, endpoint(1), endpoint(2), endpoint(3) }
    local one, two = hub_of(1, 3, { history = 0 }), hub_of(2, 3, { history = 0 })
    local up, down = assert(one:subscribe "up"), assert(two:subscribe "down")
    kit.eventually(function()
      child:listen(0)
      return child.out:find "here\n"
    end)
    child:kill(program.KILL)
    child:wait()
    os.remove(file)
    for i = 1, 20 do assert(one:publish("down", tostring(i))) end
    for i = 1, 20 do assert.are.same({ tostring(i) }, kit.take(down, 1)) end
    local stranger = assert(zmq.socket(zmq.XPUB))
    assert(stranger:bind(endpoint(3)))
    assert(stranger:recv(10)) -- somebody has connected
    for _, frames in ipairs { { "" }, { "green:up\0" }, { "green:up\0", "x", "y" },
      { "green:up\0", "abc-1 0 t ", "no", "more" }, { wire.FENCE }, { wire.FENCE, "x" },
      { "green:\0", "abc-1 0 t ", "x" }, { wire.FENCE .. "x", "-1", "" } } do
      stranger:send_multipart(frames)
    end
    kit.nothing_before(two, up, "up")
    stranger:close(0)
    kit.close(one)
    kit.close(two)
  end)

  it("hears others when somebody has sent a message of too many parts", function()
    local hub = assert(pubsub.new { zmq = { bind = endpoint(1), options = { max_parts = 3 } } })
    local other = assert(zmq.socket("XSUB", { linger = 0 }))
    assert(other:connect(endpoint(1)))
    assert(other:send_multipart { "a", "b", "c", "d" })
    local key = wire.FENCE .. "ab"
    assert(other:send("\1" .. key))
    assert.equal(key, assert(other:recv_multipart(20))[1])
    other:close()
    hub:close()
  end)
end)
