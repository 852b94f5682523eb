-- libzmq does not look for news at each send: one who waits for room is told when there is
-- some, and does not try again and again until libzmq looks.

local core = require "green.core"
local green = require "green"
local kit = require "spec.support.zmq_kit"
local testing = require "green.testing"
local tpool = require "green.tpool"

local _, it = testing.busted()

local COUNT = 100000

local function pull(endpoint, count)
  local zmq = require "green.zmq"
  local s = zmq.socket(zmq.PULL)
  assert(s:connect(endpoint))
  for _ = 1, count do
    assert(s:recv(20))
  end
  s:close()
end

it("a sender at the high-water mark does not turn the loop for nothing", kit.with(function(ctx)
  local s = assert(ctx:socket "PUSH")
  assert(s:bind(kit.endpoint "ipc"))
  local pool = tpool.pool { threads = 1 }
  local other = green.spawn(pool.execute, pool, pull, s.last_endpoint, COUNT)
  local turns = core.stats().turns
  for _ = 1, COUNT do
    assert(s:send("m", 20))
  end
  assert.is_true(core.stats().turns - turns < COUNT / 25)
  other:wait()
  pool:close()
end))
