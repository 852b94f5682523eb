-- A `with` in a coroutine of the script's has a guard that gives back what it held,
-- should the coroutine be dropped in the middle. The guard of one that had ended long
-- ago gave it back once more when it was collected: one permit let two green threads in,
-- and a pool handed one item out twice. The guard of a group that had ended started a
-- green thread. CappedSemaphore and RLock had no guard.

local green = require "green"

local _, it = require("green.testing").busted()

local function collect()
  for _ = 1, 3 do
    collectgarbage()
  end
  green.sleep(0) -- what finalizers have set going
end

local function pool()
  return green.Pool { create = function() return {} end, max_size = 2 }
end

--- Name -> what makes one, and what says that all of it is there.
local kinds = {
  Semaphore = { function() return green.Semaphore(1) end, "^green.Semaphore{1 free, 0 w" },
  BoundedSemaphore = { function() return green.BoundedSemaphore(1) end, "{1 free of 1, 0 w" },
  CappedSemaphore = { function() return green.CappedSemaphore(1, 1) end,
    "{1 free of 1, 0 waiting, 0 releasing}" },
  RLock = { green.RLock, "{free, 0 waiting}" },
  Pool = { pool, "{0 of 2 taken, 0 waiting}" },
}

for name, kind in pairs(kinds) do
  local make, whole = kind[1], kind[2]

  describe("a with of " .. name .. " in a coroutine of the script's", function()
    it("gives back once when it ends", function()
      local object = make()
      for _ = 1, 3 do
        coroutine.wrap(object.with)(object, function() end)
        coroutine.wrap(pcall)(object.with, object, error, "no")
      end
      collect()
      assert.matches(whole, tostring(object))
    end)

    it("gives back once when the coroutine is dropped in it", function()
      local object = make()
      for _ = 1, 3 do
        coroutine.wrap(object.with)(object, coroutine.yield)
        collect()
        assert.matches(whole, tostring(object))
      end
    end)

    it("gives back nothing more when its green thread has ended before", function()
      local object = make()
      local step = green.spawn(function()
        local step = coroutine.wrap(object.with)
        step(object, coroutine.yield)
        return step
      end):wait()
      assert.matches(whole, tostring(object))
      assert.is_function(step)
      step = nil -- luacheck: ignore
      collect()
      assert.matches(whole, tostring(object))
    end)
  end)
end

describe("an RLock that a dropped coroutine has taken", function()
  it("stays with the frames below that have it", function()
    local lock = green.RLock()
    lock:with(function()
      coroutine.wrap(lock.with)(lock, coroutine.yield)
      collect()
      assert.matches("taken 1 times", tostring(lock))
    end)
    assert.is_false(lock:locked())
  end)
end)

describe("a group that has ended in a coroutine of the script's", function()
  it("starts no green thread when that is collected", function()
    local before = #green.threads()
    coroutine.wrap(green.group)(function() end)
    collectgarbage()
    collectgarbage()
    assert.equals(before, #green.threads())
  end)
end)
