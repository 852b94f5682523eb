-- Semaphores and locks: no permit is lost, none is made, and an owner is alone.
-- Who is abandoned gives back what `with` and RLock hold for him.

local green = require "green"
local storm = require "spec.storm.storm"

local random = math.random

local function release_after(release, fn)
  local ok, err = pcall(fn)
  release()
  if not ok then
    error(err, 0)
  end
end

-- -- Semaphores ---------------------------------------------------------------

--- Acquire and release by hand: an abandoned thread cannot give that back, so
-- the model knows who has a permit.
local function by_hand(s, holders)
  if s:acquire(storm.some_time()) then
    local me = green.getcurrent()
    holders[me] = (holders[me] or 0) + 1
    release_after(function()
      holders[me] = holders[me] > 1 and holders[me] - 1 or nil
      s:release()
    end, storm.doze)
  end
end

--- What the dead took with them.
local function give_back(s, holders)
  for t, n in pairs(holders) do
    if t:dead() then
      for _ = 1, n do s:release() end
      holders[t] = nil
    end
  end
end

local function new_semaphore(with)
  local n = random(3)
  local s = storm.any { green.Semaphore, green.BoundedSemaphore }(n)
  local holders = {}
  return {
    act = function()
      if with then
        s:with(storm.doze)
      else
        by_hand(s, holders)
      end
    end,
    stir = function() give_back(s, holders) end,
    calm = function()
      give_back(s, holders)
      storm.rule(s:balance() <= n, "%d permits of %d", s:balance(), n)
    end,
    check = function()
      give_back(s, holders)
      storm.rule(s:balance() == n, "permits: %d of %d", s:balance(), n)
    end,
  }
end

-- -- CappedSemaphore ----------------------------------------------------------

--- Sure is what returned true; maybe what ended without saying.
local function counted(count, fn)
  count.maybe = count.maybe + 1
  local ok, done = pcall(fn)
  count.maybe = count.maybe - 1
  if not ok then
    error(done, 0)
  elseif done then
    count.sure = count.sure + 1
  end
end

local function check_capped(s, begun, taken, given)
  local free = 0
  while s:try_acquire() do
    free = free + 1
  end
  local least = begun + given.sure - taken.sure
  storm.rule(free >= least and free <= least + given.maybe,
    "a capped semaphore has %d permits; at least %d were given, %d perhaps",
    free, least, given.maybe)
end

local function new_capped()
  local limit = random(0, 2)
  local begun = random(0, limit)
  local s = green.CappedSemaphore(begun, limit)
  local taken, given = { sure = 0, maybe = 0 }, { sure = 0, maybe = 0 }
  return {
    act = function()
      local seconds = random() * 0.002 -- nobody may wait for ever: there may be no other
      if storm.chance(0.5) then
        counted(taken, function() return s:acquire(seconds) end)
      else
        counted(given, function() return s:release(seconds) end)
      end
    end,
    check = function() check_capped(s, begun, taken, given) end,
  }
end

-- -- RLock --------------------------------------------------------------------

local function enter(model, lock)
  local me, inside = green.getcurrent(), model.inside
  storm.rule(not inside or inside == me or inside:dead(), "two have the lock: %s and %s",
    tostring(inside), tostring(me))
  storm.rule(lock:owner() == me, "the owner is %s", tostring(lock:owner()))
  model.inside = me
end

local function nest(model, lock, depth)
  if not lock:acquire(storm.some_time()) then
    return
  end
  enter(model, lock)
  release_after(function()
    if depth == 1 then model.inside = nil end
    lock:release()
  end, function()
    storm.doze()
    if depth < 3 and storm.chance(0.3) then
      nest(model, lock, depth + 1)
    end
  end)
end

local function new_rlock()
  local lock, model = green.RLock(), {}
  return {
    act = function()
      nest(model, lock, 1)
    end,
    check = function()
      storm.rule(not lock:locked(), "the lock is not free: %s", tostring(lock:owner()))
      storm.rule(lock:try_acquire() and lock:release(), "the lock cannot be taken")
    end,
  }
end

-- -- metaphore ----------------------------------------------------------------

local function new_metaphore()
  local m, under_way = green.metaphore(), {}
  local function done(t)
    under_way[t] = nil
    m:dec()
  end
  return {
    act = function()
      if storm.chance(0.5) then
        storm.rule(m:wait(storm.some_time()) or m:count() > 0 or storm.chance(1), "metaphore")
      else
        m:inc()
        local me = green.getcurrent()
        under_way[me] = true
        release_after(function() done(me) end, storm.doze)
      end
    end,
    calm = function()
      for t in pairs(under_way) do
        if t:dead() then done(t) end
      end
    end,
    check = function()
      for t in pairs(under_way) do
        if t:dead() then done(t) end
      end
      storm.rule(m:count() == 0, "the metaphore stands at %d", m:count())
    end,
  }
end

return {
  { name = "semaphore", new = function() return new_semaphore(false) end },
  { name = "with", new = function() return new_semaphore(true) end },
  { name = "capped", new = new_capped },
  { name = "rlock", new = new_rlock },
  { name = "metaphore", new = new_metaphore },
}
