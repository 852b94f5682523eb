-- The guard of kill{force_after} outlived its target: a timer and a green thread stayed
-- for all the seconds given, green.wait() waited for them, and so did a host's loop.

local core = require "green.core"
local green = require "green"
local testing = require "green.testing"

local chunk = require "spec.support.chunk"

local it = testing.busted()

local function nothing() end

local function stubborn()
  while true do
    pcall(green.sleep, 1)
  end
end

--- Cleans up for that long after its kill.
local function cleaner(seconds)
  return function()
    pcall(green.sleep, 1000)
    green.shield(500, green.sleep, seconds)
  end
end

local function started(fn, ...)
  local t = green.spawn(fn, ...)
  testing.settle()
  return t
end

--- Nothing is left of guards, and nobody waits for one.
local function nothing_is_left(before)
  testing.settle()
  assert.equal(before.timers, core.stats().timers)
  assert.equal(before.threads, core.stats().threads)
  local t0 = green.now()
  assert.is_true(green.wait(nil, 100))
  assert.is_near(0, green.now() - t0, 1e-6)
end

local function spec(title, fn)
  it(title, function()
    local old = green.on_error(nothing)
    local before = core.stats()
    fn()
    green.on_error(old)
    nothing_is_left(before)
  end)
end

describe("the guard of force_after ends", function()
  spec("when kill has ended the target", function()
    started(green.sleep, 100):kill { force_after = 30 }
  end)

  spec("when kill_soon has", function()
    started(green.sleep, 100):kill_soon { force_after = 30 }
  end)

  spec("when killall has, waiting or not", function()
    local list = { started(green.sleep, 100), started(green.sleep, 100) }
    assert.is_true(green.killall(list, { force_after = 30 }))
    list = { started(green.sleep, 100), started(green.sleep, 100) }
    assert.is_true(green.killall(list, { force_after = 30, block = false }))
  end)

  spec("when the target ends later, before its time", function()
    local t = started(cleaner(5))
    t:kill { force_after = 30 }
    assert.equal("parked", t:status())
    pcall(t.wait, t)
    assert.is_true(t:dead())
  end)

  spec("when the target ends later by an error", function()
    local t = started(function()
      cleaner(5)()
      error("x", 0)
    end)
    t:kill_soon { force_after = 30 }
    pcall(t.wait, t)
  end)

  spec("by abandoning the target in time", function()
    local t, t0 = started(stubborn), green.now()
    t:kill { force_after = 3 }
    pcall(t.wait, t)
    assert.equal("killed", t:status())
    assert.is_near(3, green.now() - t0, 1e-6)
  end)

  spec("at once when its seconds are 0", function()
    local t = started(stubborn)
    t:kill { force_after = 0 }
    testing.settle()
    assert.is_true(t:dead())
    t = started(green.sleep, 100)
    t:kill { force_after = 0 }
    assert.is_true(t:dead())
    t = started(stubborn)
    t:kill_soon { force_after = 0 }
    testing.settle()
    assert.is_true(t:dead())
  end)

  spec("when it is a thread that has not started", function()
    green.spawn(nothing):kill { force_after = 30 }
    green.spawn_after(50, nothing):kill { force_after = 30 }
    green.spawn(nothing):kill_soon { force_after = 30 }
    local t = green.spawn_after(50, nothing)
    t:cancel { force_after = 30 }
    assert.is_true(t:dead())
  end)

  spec("when there was nothing to end", function()
    local t = green.spawn(nothing)
    t:wait()
    t:kill { force_after = 30 }
    t:kill_soon { force_after = 30 }
  end)

  spec("when a second one takes its place: the last word counts", function()
    for _, c in ipairs { { 30, 3, 3 }, { 3, 30, 30 }, { 30, 0, 0 } } do
      local t, t0 = started(stubborn), green.now()
      t:kill { force_after = c[1] }
      t:kill { force_after = c[2] }
      pcall(t.wait, t)
      assert.is_true(t:dead())
      assert.is_near(c[3], green.now() - t0, 1e-6)
    end
  end)

  spec("when the second kill has none", function()
    local t, t0 = started(stubborn), green.now()
    t:kill { force_after = 3 }
    t:kill()
    pcall(t.wait, t)
    assert.is_near(3, green.now() - t0, 1e-6)
    t = started(cleaner(1))
    t:kill { force_after = 30 }
    t:kill()
    pcall(t.wait, t)
  end)

  spec("in whatever order kill_soon and kill come", function()
    local orders = {
      function(t) t:kill_soon { force_after = 30 } t:kill() end,
      function(t) t:kill_soon { force_after = 30 } t:kill { force_after = 40 } end,
      function(t) t:kill_soon() t:kill { force_after = 30 } end,
      function(t) t:kill { force_after = 30 } t:kill_soon { force_after = 40 } end,
      function(t) t:kill_soon { force_after = 30 } t:kill_soon { force_after = 40 } end,
      function(t) t:throw("x") t:kill { force_after = 30 } end,
      function(t) t:kill_soon { force_after = 30 } t:throw("x") end,
      function(t) t:kill_soon { force_after = 30 } core.drop(t) end,
    }
    for _, order in ipairs(orders) do
      local before = core.stats()
      local t = started(green.sleep, 100)
      order(t)
      testing.settle()
      assert.is_true(t:dead())
      nothing_is_left(before)
      t = started(cleaner(2))
      order(t)
      pcall(t.wait, t)
      assert.is_true(t:dead())
      nothing_is_left(before)
    end
  end)

  spec("when the target kills itself", function()
    local t = started(function()
      green.getcurrent():kill { force_after = 30 }
    end)
    assert.equal("killed", t:status())
    t = started(function()
      green.getcurrent():kill_soon { force_after = 30 }
    end)
    assert.is_true(t:dead())
  end)

  spec("when the killer is killed while it waits", function()
    local t = started(cleaner(5))
    local killer = green.spawn(t.kill, t, { force_after = 30 })
    green.sleep(0)
    killer:kill()
    pcall(t.wait, t)
  end)

  spec("when an outer timeout ends the kill", function()
    local t = started(cleaner(5))
    green.timeout(0, t.kill, t, { force_after = 30 })
    t:kill()
    pcall(t.wait, t)
  end)

  spec("when it and its target are due at once", function()
    local t = started(cleaner(3))
    t:kill { force_after = 3 }
    pcall(t.wait, t)
    assert.is_true(t:dead())
  end)

  spec("of every one of many", function()
    local list = {}
    for i = 1, 200 do
      list[i] = green.spawn(i % 3 == 0 and stubborn or i % 3 == 1 and cleaner(i % 7) or green.sleep,
        100)
    end
    testing.settle()
    for i, t in ipairs(list) do
      t:kill_soon { force_after = i % 5 }
      if i % 2 == 0 then
        t:kill_soon { force_after = i % 4 }
      end
    end
    green.joinall(list)
    for _, t in ipairs(list) do
      assert.is_true(t:dead())
    end
  end)

  spec("and does not reach a thread that came after its target", function()
    for _ = 1, 20 do
      local t = started(green.sleep, 100)
      t:kill_soon { force_after = 3 }
      testing.settle()
      t = nil -- luacheck: ignore 311
      collectgarbage()
      local other = started(green.sleep, 5)
      other:wait()
      assert.equal("returned", other:status())
    end
  end)
end)

describe("a program whose threads were killed with force_after", function()
  it("ends at once when it waits for all", function()
    chunk.prints("true\ttrue\n", [[
      local green = require "green"
      local t = green.spawn(function() green.sleep(100) end)
      green.sleep(0)
      local t0 = green.now()
      t:kill_soon { force_after = 20 }
      local ok = green.wait(nil, 30)
      print(ok, green.now() - t0 < 5)
    ]])
  end)
end)
