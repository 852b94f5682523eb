-- Messages of green.zmq are whole or not there, whoever goes in the middle of one; and runtimes
-- that share the process's context end in any order.

local green = require "green"
local kit = require "spec.support.zmq_kit"
local testing = require "green.testing"
local tpool = require "green.tpool"

local _, it = testing.busted()
local with = kit.with

local LARGE = ("x"):rep(2 ^ 20)

--- Send it again and again: what is on its way to a peer that goes is lost.
local function insist(s, parts)
  return green.spawn(function()
    while s:send_multipart(parts, 20) do green.sleep(0.02) end
  end)
end

--- Large messages, for as long as there is room.
local function send_large(s)
  for i = 1, math.huge do
    assert(s:send_multipart({ LARGE, LARGE, "end " .. i }))
  end
end

it("a peer that goes in the middle of a message leaves no half of it", with(function(ctx)
  for round = 1, 8 do
    local first = assert(ctx:socket("PULL", { rcvhwm = 1 }))
    assert(first:bind "tcp://127.0.0.1:*")
    local push = assert(ctx:socket("PUSH", { sndhwm = 1, reconnect_ivl = 0.01 }))
    assert(push:connect(first.last_endpoint))
    local sender = green.spawn(send_large, push)
    for _ = 1, round % 3 do
      assert.equal(3, #assert(first:recv_multipart(20)))
    end
    first:close(0)
    sender:kill()
    local second = assert(ctx:socket "PULL")
    while not second:bind(first.last_endpoint) do green.sleep(0.01) end
    local again = insist(push, { "whole", "message" })
    repeat
      local parts = assert(second:recv_multipart(20))
      local is_ours = #parts == 2 and parts[1] == "whole"
      assert.is_true(is_ours or #parts == 3)
    until is_ours
    again:kill()
    push:close(0)
    second:close(0)
  end
end))

it("threads that are killed between parts send nothing of their message", with(function(ctx)
  local a, b = kit.pair(ctx, "DEALER", "DEALER", "inproc")
  for i = 1, 100 do
    local t = green.spawn(function()
      for part = 1, 3 do
        b:send("part", { more = part < 3 })
        green.sleep(0)
      end
    end)
    for _ = 1, i % 4 do green.sleep(0) end
    t:kill()
  end
  assert(b:send "done")
  local whole = 0
  for parts in a:messages(20) do
    if parts[1] == "done" then break end
    assert.equal(3, #parts)
    whole = whole + 1
  end
  assert.is_true(whole > 0 and whole < 100)
end))

it("threads that are killed between parts take the rest of theirs along", with(function(ctx)
  local a, b = kit.pair(ctx, "PAIR", "PAIR", "inproc")
  for i = 1, 50 do
    assert(b:send_multipart { "first " .. i, "second", "third" })
  end
  for i = 1, 50 do
    local t = green.spawn(function()
      assert.equal("first " .. i, (a:recv(20)))
      if i % 2 == 0 then green.sleep(1000) end
    end)
    green.sleep(0)
    green.sleep(0)
    t:kill()
  end
  kit.fails("EAGAIN", a:recv(0))
end))

--- What a native thread does: sends, and ends with a socket open that is waited for.
local function work(i, endpoint)
  local green_there, zmq = require "green", require "green.zmq"
  local s = assert(zmq.socket "PUSH")
  assert(s:connect(endpoint))
  for j = 1, 500 do assert(s:send_multipart({ i .. "", j .. "" }, 20)) end
  local left = assert(zmq.socket "PULL")
  assert(left:bind("inproc://left-" .. i))
  green_there.spawn(function() left:recv() end)
  green_there.sleep(0)
end

it("runtimes share the process's context, and end while others use it", function()
  local zmq = require "green.zmq"
  local s = assert(zmq.socket "PULL")
  assert(s:bind "inproc://gone-all")
  local pool = tpool.pool { threads = 3 }
  local calls = {}
  for i = 1, 6 do
    calls[i] = green.spawn(pool.execute, pool, work, i, "inproc://gone-all")
  end
  local last = {}
  for _ = 1, 6 * 500 do
    local parts = assert(s:recv_multipart(20))
    local i, j = tonumber(parts[1]), tonumber(parts[2])
    assert.equal((last[i] or 0) + 1, j)
    last[i] = j
  end
  for i = 1, 6 do calls[i]:wait() end
  pool:close()
  kit.fails("EAGAIN", s:recv(0))
  s:close(0)
  assert(zmq.Context():term(20))
end)
