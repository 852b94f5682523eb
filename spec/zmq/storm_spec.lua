-- A storm of messages over all patterns with kills, timeouts, closes and reconnects, on each
-- backend of the loop. ZMQ_STORM=n moves n messages on each, SEED repeats one.

local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

local MESSAGES = tonumber(os.getenv("ZMQ_STORM")) or 6000
local seed = tonumber(os.getenv("SEED")) or math.random(1, 2 ^ 30)

for _, backend in ipairs { "epoll", "poll", "select" } do
  describe("a storm of ZeroMQ messages on " .. backend, function()
    it("loses no wake-up", function()
      local command = ("GREENLUA_HUB=%s timeout %d '%s' spec/zmq/storm.lua %d %d 2>&1"):format(
        backend, 120 + MESSAGES / 500, program.greenlua, seed, MESSAGES)
      local pipe = io.popen(command)
      local text = pipe:read "*a"
      pipe:close()
      assert(text:find "moved\ttrue", "seed " .. seed .. ": " .. text)
    end)
  end)
end
