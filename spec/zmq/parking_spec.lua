-- green.zmq: the calls that park: at once, later, timeouts, kills, close; nothing is left.

local core = require "green.core"
local green = require "green"
local kit = require "spec.support.zmq_kit"
local testing = require "green.testing"

local ffi = require "ffi"

local _, it = testing.busted()
local fails, with = kit.fails, kit.with

--- A socket that has no room: nobody takes what it sends.
local function full(ctx)
  local s = assert(ctx:socket "PUSH")
  assert(s:bind(kit.endpoint()))
  return s, function()
    local taker = assert(ctx:socket "PULL")
    assert(taker:connect(s.last_endpoint))
    return taker
  end
end

local function empty(ctx)
  local pull, push = kit.pair(ctx, "PULL", "PUSH")
  return pull, function() assert(push:send "m") end
end

local calls = {
  recv = { make = empty, call = function(s, t) return s:recv(t) end, result = "m" },
  recv_multipart = {
    make = empty,
    call = function(s, t)
      local parts, err = s:recv_multipart(t)
      return parts and table.concat(parts, ","), err
    end,
    result = "m",
  },
  recv_message = {
    make = empty,
    call = function(s, t)
      local parts, err = s:recv_message(t)
      return parts and table.concat(parts, ","), err
    end,
    result = "m",
  },
  recv_into = {
    make = empty,
    call = function(s, t) return s:recv_into(ffi.new("char[8]"), 8, t) end,
    result = 1,
  },
  send = { make = full, call = function(s, t) return s:send("m", t) end, result = true },
  send_multipart = {
    make = full,
    call = function(s, t) return s:send_multipart({ "a", "b" }, t) end,
    result = true,
  },
}

local function killed(t)
  local ok, err = pcall(t.wait, t)
  assert.is_false(ok)
  assert.is_true(green.is_error(err, "ECANCELED"))
end

local function waits()
  return core.stats().waits
end

for name, case in pairs(calls) do
  describe("green.zmq " .. name, function()
    it("returns at once when it can", with(function(ctx)
      local s, ready = case.make(ctx)
      ready()
      local others_ran = false
      green.sleep(0.01)
      green.spawn(function() others_ran = true end)
      assert.equal(case.result, (case.call(s)))
      assert.is_false(others_ran)
      green.sleep(0)
    end))

    it("waits until it can", with(function(ctx)
      local s, ready = case.make(ctx)
      local woken = false
      local t = green.spawn(function()
        green.sleep(0.01)
        woken = true
        ready()
      end)
      assert.equal(case.result, (case.call(s, 20)))
      assert.is_true(woken)
      t:wait()
    end))

    it("gives up in time, at once with 0, and leaves nothing [b150]", with(function(ctx)
      local s, ready = case.make(ctx)
      local before = waits()
      local err = fails("EAGAIN", case.call(s, 0))
      assert.is_true(green.is_timeout(err))
      fails("ETIMEDOUT", case.call(s, 0.01))
      fails("ETIMEDOUT", case.call(s, { timeout = 0.01 }))
      assert.equal(before, waits())
      ready()
      assert.equal(case.result, (case.call(s, 20)))
      assert.equal(before, waits())
    end))

    it("keeps to the socket's own timeout [b151]", with(function(ctx)
      local s = case.make(ctx)
      assert(s:set("rcvtimeo", 0.01))
      assert(s:set("sndtimeo", 0.01))
      fails("ETIMEDOUT", case.call(s))
      assert(s:set("rcvtimeo", 0))
      assert(s:set("sndtimeo", 0))
      fails("EAGAIN", case.call(s))
    end))

    it("raises in a killed thread before any effect", with(function(ctx)
      local s, ready = case.make(ctx)
      ready()
      green.sleep(0.01)
      killed(green.spawn(function()
        green.getcurrent():kill_soon()
        case.call(s)
      end))
      assert.equal(case.result, (case.call(s, 20)))
    end))

    it("can be killed while it waits, and the socket is well", with(function(ctx)
      local s, ready = case.make(ctx)
      local before = waits()
      local t = green.spawn(case.call, s)
      local other = green.spawn(case.call, s)
      green.sleep(0)
      t:kill()
      killed(t)
      ready()
      assert.equal(case.result, (other:wait()))
      assert.equal(before, waits())
    end))

    it("hands its turn on when it was told and is killed before it runs", with(function(ctx)
      local s, ready = case.make(ctx)
      local first = green.spawn(case.call, s)
      local second = green.spawn(case.call, s)
      green.sleep(0)
      ready()
      core.wake_thread(first, 0)
      core.drop(first)
      assert.equal(case.result, (second:wait(20)))
    end))

    it("gives ECLOSED when the socket is closed meanwhile, and after [b148]", with(function(ctx)
      local s = case.make(ctx)
      local t = green.spawn(case.call, s)
      green.sleep(0)
      s:close()
      fails("ECLOSED", t:wait())
      fails("ECLOSED", case.call(s))
      s:close()
      assert.is_true(s.closed)
    end))

    it("is ended by a scope, and by a shield's end", with(function(ctx)
      local s = case.make(ctx)
      local value, err = green.timeout(0.01, case.call, s)
      assert.is_nil(value)
      assert.is_true(green.is_timeout(err))
    end))

    it("serves those that wait in the order they came [b149]", with(function(ctx)
      local s, ready = case.make(ctx)
      local order = {}
      for i = 1, 5 do
        green.spawn(function()
          case.call(s)
          order[#order + 1] = i
        end)
      end
      green.sleep(0)
      for _ = 1, 5 do ready() end
      while #order < 5 do green.sleep(0.001) end
      assert.same({ 1, 2, 3, 4, 5 }, order)
    end))
  end)
end
