local codecs = require "green.zmq.rpc.codec"
local errors = require "green.error"
local failure = require "green.zmq.rpc.failure"
local testing = require "green.testing"

local it = testing.busted()

local ID = ("i"):rep(8)

local function there_and_back(codec, err)
  local frames = failure.write(ID, codec, err)
  assert.equal(4, #frames)
  return failure.read(codec, frames, 1, "call")
end

describe("green.zmq.rpc.failure", function()
  it("keeps code, message and plain fields of an error", function()
    local err = there_and_back(codecs.of(nil, "spec"),
      errors.new("ENOENT", nil, "no such row", { table = "t", row = 7 }))
    assert.same({ "ENOENT", "no such row", "t", 7, true },
      { err.code, err.message, err.remote.table, err.remote.row, err.sent })
  end)

  -- Not to answer at all would leave the caller waiting.
  it("tells code and message though the codec can write no fields", function()
    local numbers = codecs.of({
      encode = function(list) return "" .. list[1] end,
      decode = function(text) return { n = 1, tonumber(text) } end,
    }, "spec")
    local err = there_and_back(numbers, errors.new("EPROTO", nil, "no number", { row = 7 }))
    assert.same({ "EPROTO", "no number", nil, true },
      { err.code, err.message, err.remote.row, err.sent })
  end)
end)
