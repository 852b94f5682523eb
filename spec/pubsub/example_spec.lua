-- examples/pubsub.lua, in one process and over Redis.

local beside = require "spec.support.redis_beside"
local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

local function check(...)
  local run = program.run_greenlua { "examples/pubsub.lua", ... }
  assert.are.equal(0, run.status, run.err)
  assert.are.equal("", run.err)
  for _, line in ipairs { "room:tea   %* ann joins\n", "there is\tann\n", "room:tea   ann: hello\n",
    "missed\tbob: is nobody here%?\n", "tea 100\tprices", "cake 200\tprices", "left out\t198\n" } do
    assert.matches(line, run.out)
  end
end

describe("examples/pubsub.lua", function()
  it("runs in one process", function()
    check()
  end)

  it("runs over Redis", function()
    beside.with(function(server)
      check(server.url)
    end)
  end)
end)
