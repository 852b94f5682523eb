local core = require "green.core"
local green = require "green"
local testing = require "green.testing"

local sockets = dofile("spec/support/sockets.lua")
local fails = sockets.fails
local _, it = testing.busted()

local SOON = 0.005

--- A body for a fresh c, which is closed whatever happens.
local function with(what, fn)
  return function()
    local c = what.open()
    local ok, err = pcall(fn, c)
    what.done(c)
    if not ok then error(err, 0) end
  end
end

--- Start the call and let it come to where it waits.
local function start(what, c)
  local t = green.spawn(what.call, c)
  testing.settle_io()
  assert.is_false(t:dead())
  return t
end

local function killed(t)
  local ok, err = pcall(t.wait, t)
  assert.is_false(ok)
  assert.is_true(err:is("ECANCELED"), tostring(err))
end

local function describe_parking(what)
  describe("green.socket " .. what.name, function()
    it("finishes at once when it can", with(what, function(c)
      what.ready(c)
      testing.settle_io()
      what.ok(what.call(c))
    end))

    it("waits until it can finish", with(what, function(c)
      local t = start(what, c)
      what.ready(c)
      what.ok(t:wait(5))
    end))

    it("gives ETIMEDOUT and works again afterwards [b70] [b75]", with(what, function(c)
      local _, err = what.call(c, SOON)
      assert.is_true(green.is_timeout(err))
      fails("ETIMEDOUT", what.call(c, SOON))
      assert.equal(0, core.stats().waits)
      what.ready(c)
      what.ok(what.call(c, 5))
    end))

    it("raises before any effect in a killed thread", with(what, function(c)
      what.ready(c)
      testing.settle_io()
      local t = green.spawn(function()
        green.getcurrent():kill_soon()
        return what.call(c)
      end)
      killed(t)
      what.ok(what.call(c, 5))
    end))

    it("raises when killed and leaves nothing behind", with(what, function(c)
      local t = start(what, c)
      t:kill()
      killed(t)
      assert.equal(0, core.stats().waits)
      what.ready(c)
      what.ok(what.call(c, 5))
    end))

    it("gives ECLOSED at once when it is closed by another thread [b79]", with(what, function(c)
      local t = start(what, c)
      what.shut(c)
      fails("ECLOSED", t:wait(5))
      fails("ECLOSED", what.call(c, SOON))
    end))
  end)
end

for _, what in ipairs(sockets.parking) do
  describe_parking(what)
end

describe("green.socket with a scope around it", function()
  it("raises the scope's own error in every call that parks [b68]", function()
    for _, what in ipairs(sockets.parking) do
      local c = what.open()
      local _, err = green.timeout(SOON, what.call, c)
      assert.is_true(err:is("ETIMEDOUT"))
      assert.is_true(green.is_timeout(err))
      what.done(c)
    end
  end)
end)
