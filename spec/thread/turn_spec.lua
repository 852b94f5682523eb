local green = require "green"
local testing = require "green.testing"

local virtual, it = testing.busted()

local nothing = require("spec.support.threads").nothing

local turn = require("green.thread.checkpoint").turn
local renew = require("green.ffi.turn").renew

local function renewed()
  turn.budget = 0
  return renew(turn), turn.budget
end

-- Calls into C that the compiler does not know end compiled code: checkpoints do without.
describe("a budget that is used up is renewed by compiled code", function()
  it("while nobody else has anything to do", function()
    local got, budget
    for _ = 1, 1000 do -- the last poll must not be long ago
      testing.settle()
      got, budget = renewed()
      if got == 1 then break end
    end
    assert.are.same({ 1, 64 }, { got, budget })
  end)

  it("not where another green thread is ready", function()
    testing.settle()
    local other = green.spawn(nothing)
    assert.are.same({ 0, 0 }, { renewed() })
    other:wait()
  end)

  it("not where something is pending in the running one", function()
    local results, t
    t = green.spawn(function()
      t:kill_soon()
      results = { renewed() }
    end)
    testing.settle()
    assert.are.same({ 0, 0 }, results)
  end)

  virtual("not on a virtual clock, where every poll counts", function()
    testing.settle()
    assert.are.same({ 0, 0 }, { renewed() })
  end)
end)
