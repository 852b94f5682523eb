-- Connections over a stream of somebody else's: who waits for it, and wrong calls.

local green = require "green"
local pubsub = require "green.pubsub"
local testing = require "green.testing"
local websocket = require "green.websocket"

local _, it = testing.busted()

--- Both ends of a stream that holds little, as websockets.
local function pair(options)
  local a, b = testing.stream_pair { capacity = 1024 }
  local ours = assert(websocket.attach(a, options))
  return ours, assert(websocket.attach(b, { client = true }))
end

describe("a websocket over a stream", function()
  it("does not hold up whoever sends to many", function()
    local ours, theirs = pair()
    local frame = websocket.frame(("x"):rep(5000))
    for _ = 1, 3 do
      assert.is_true(ours:send_frame(frame)) -- nobody reads: a wait would be a deadlock
    end
    for _ = 1, 3 do
      assert.equal(5000, #theirs:recv())
    end
    local closing = green.spawn(ours.close, ours)
    assert.is_nil(theirs:recv())
    closing:wait()
  end)

  it("does not hold up a topic, however much waits for it", function()
    local ours, theirs = pair { max_buffered = 1000 }
    local hub = pubsub.new()
    local others = assert(hub:subscribe "t")
    assert(hub:subscribe("t", ours))
    for i = 1, 3 do
      assert(hub:publish("t", ("x"):rep(5000 + i)))
      assert.equal(5000 + i, #others:recv())
    end
    for i = 1, 3 do
      assert.equal(5000 + i, #theirs:recv())
    end
    hub:close()
    ours:abort()
    theirs:abort()
  end)

  it("says what it has still to say before it goes", function()
    local ours, theirs = pair()
    local closing = green.spawn(function()
      assert(ours:send_frame(websocket.frame(("x"):rep(5000))))
      return ours:close(1000, "done")
    end)
    assert.equal(5000, #theirs:recv())
    assert.is_nil(theirs:recv())
    assert.equal("done", theirs.close_reason)
    closing:wait()
  end)

  it("is lost when a write is cut, and holds nobody up", function()
    local ours, theirs = pair()
    local _, err = green.timeout(0.01, ours.send, ours, ("x"):rep(5000))
    assert.equal("ETIMEDOUT", err.code)
    assert.equal("ECLOSED", select(2, ours:send "more").code)
    ours:abort()
    theirs:abort()
  end)

  --- Who writes, and who comes after: nobody reads yet.
  local function two_senders(seconds)
    local ours, theirs = pair { max_buffered = 1000 }
    local done = {}
    local first = green.spawn(function() done[1] = { ours:send(("a"):rep(5000)) } end)
    green.sleep(0)
    local second = green.spawn(function() done[2] = { ours:send(("b"):rep(5000), seconds) } end)
    testing.settle()
    return ours, theirs, done, first, second
  end

  it("holds up a second sender while too much waits for the peer", function()
    local ours, theirs, done, first, second = two_senders()
    assert.is_nil(done[1])
    assert.is_nil(done[2])
    assert.is_true(ours.buffered > 5000)
    assert.equal(("a"):rep(5000), theirs:recv())
    assert.equal(("b"):rep(5000), theirs:recv())
    first:wait()
    second:wait()
    assert.same({ { true }, { true } }, done)
    assert.equal(0, ours.buffered)
    ours:abort()
    theirs:abort()
  end)

  it("holds up a second sender as long as it wishes; its message leaves all the same", function()
    local ours, theirs, done, first, second = two_senders(0.01)
    second:wait()
    assert.equal("ETIMEDOUT", done[2][2].code)
    assert.is_nil(done[1])
    assert.equal(5000, #theirs:recv())
    assert.equal(("b"):rep(5000), theirs:recv())
    first:wait()
    ours:abort()
    theirs:abort()
  end)

  it("tells a second sender that the first was killed amidst a frame", function()
    local ours, theirs, done, first, second = two_senders()
    first:kill()
    second:wait()
    assert.is_nil(done[2][1])
    assert.equal("ECLOSED", done[2][2].code)
    ours:abort()
    theirs:abort()
  end)

  it("has a second sender go on with what the first has no time for", function()
    local ours, theirs, done, _, second = two_senders()
    ours:abort()
    theirs:abort()
    second:wait()
    assert.equal("ECLOSED", done[2][2].code)
    ours, theirs = pair { max_buffered = 1000 }
    local result
    local hasty = green.spawn(function() return ours:send(("a"):rep(5000), 0.01) end)
    green.sleep(0)
    second = green.spawn(function() result = { ours:send(("b"):rep(5000)) } end)
    testing.settle()
    assert.equal("ETIMEDOUT", select(2, hasty:wait()).code)
    assert.equal(("a"):rep(5000), theirs:recv())
    assert.equal(("b"):rep(5000), theirs:recv())
    second:wait()
    assert.same({ true }, result)
    ours:abort()
    theirs:abort()
  end)

  it("is aborted without a wait while another thread writes", function()
    local ours, theirs = pair()
    ours:send_frame(websocket.frame(("x"):rep(5000)))
    green.sleep(0)
    ours:abort()
    assert.is_true(ours.closed)
    theirs:abort()
  end)
end)

describe("wrong calls of green.websocket", function()
  local function refused(fn)
    local ok, err = pcall(fn)
    assert.is_false(ok)
    assert.truthy(tostring(err):find("attach_spec.lua:", 1, true), tostring(err))
    return tostring(err):gsub("^.-attach_spec%.lua:%d+: ", "")
  end

  it("of attach name what was agreed", function()
    local stream = testing.stream_pair()
    assert.equal("attach: offer must be a table, not nan", (refused(function()
      websocket.attach(stream, { offer = 0 / 0 })
    end):gsub("%-nan", "nan")))
    assert.equal("attach: offer.server_bits must be a whole number from 8 to 15, not 7",
      (refused(function() websocket.attach(stream, { offer = { server_bits = 7 } }) end)))
    assert.truthy(refused(function()
      websocket.attach(stream, { offer = { server_bit = 9 } })
    end):find("did you mean 'server_bits'", 1, true))
    refused(function() websocket.attach(stream, { client = 1 }) end)
    refused(function() websocket.attach(stream, { path = {} }) end)
    stream:close()
  end)

  it("of frame name the argument", function()
    assert.equal('frame: is_binary must be true or false, not "x"', (refused(function()
      websocket.frame("x", "x")
    end)))
  end)

  it("of handler show what was given", function()
    assert.equal("handler: the handler must be a function, or a table with the function message, "
      .. "not a table", (refused(function() websocket.handler {} end)))
  end)
end)
