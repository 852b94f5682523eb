-- What green.pubsub says of wrong options and receivers.

local ffi = require "ffi"
local green = require "green"
local pubsub = require "green.pubsub"
local testing = require "green.testing"

local it = testing.busted()

local function said(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return (err:gsub("^spec/pubsub/options_spec%.lua:%d+: ", "", 1))
end

describe("pubsub.new", function()
  it("shows what stands where it must not", function()
    local need = "pubsub.new: history_seconds must be nil without history, the number of messages "
      .. "to keep, not "
    assert.equal(need .. "1.5", said(pubsub.new, { history_seconds = 1.5 }))
    assert.equal(need .. "inf", said(pubsub.new, { history_seconds = math.huge }))
    assert.matches("^pubsub.new: unknown option '_[a-z]+'; a green.Queue stands where options must",
      said(pubsub.new, green.Queue()))
  end)

  it("takes no other value for a client of Redis", function()
    for _, value in ipairs { 5, true, {}, print, io.stdout, 5LL, ffi.new "int[1]", newproxy(),
      newproxy(true), green.Queue(), { script = print } } do
      assert.matches("^pubsub.new: redis must be a URL or a client of green.redis, not ",
        said(pubsub.new, { redis = value }))
    end
  end)
end)

describe("subscribe", function()
  it("takes no other value for a receiver", function()
    local hub = pubsub.new()
    for _, value in ipairs { 5, true, {}, "x", io.stdout, 5LL, ffi.new "int[1]", newproxy(),
      newproxy(true), green.Queue(), { send_frame = 5, buffered = 0 } } do
      assert.matches("^subscribe: receiver must be a websocket, .*, not ",
        said(hub.subscribe, hub, "t", value))
    end
    assert.matches("^subscribe: receiver.buffered must be a number of bytes, not nil",
      said(hub.subscribe, hub, "t", { send_frame = print }))
    hub:close()
  end)
end)
