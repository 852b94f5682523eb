-- GreenPool, GreenPile, Pool: never more at once than there are places, and every
-- place is free in the end, however its user ended.

local green = require "green"
local storm = require "spec.storm.storm"

local random = math.random

-- -- GreenPool ----------------------------------------------------------------

--- Call fn as a member: how many are alive inside?
local function inside(model, fn)
  local me = storm.adopt(green.getcurrent())
  model.inside[me] = (model.inside[me] or 0) + 1
  local n = 0
  for t in pairs(model.inside) do
    n = n + (t:dead() and 0 or 1)
  end
  storm.rule(n <= model.most, "%d members of a pool for %d", n, model.most)
  local ok, err = pcall(fn)
  model.inside[me] = model.inside[me] > 1 and model.inside[me] - 1 or nil
  if not ok then error(err, 0) end
end

local function member(model)
  inside(model, function()
    storm.doze()
    if storm.chance(0.1) then
      model.pool:spawn(member, model) -- in place, if the pool is full
    end
    storm.doze()
  end)
end

local function check_pool(pool)
  storm.rule(pool:running() == 0, "%d members run still", pool:running())
  storm.rule(pool:free() == pool:size(), "%d of %d places are free", pool:free(), pool:size())
  local ok, all = pcall(pool.waitall, pool, 1)
  storm.rule(ok and all, "waitall: %s", tostring(all))
end

local function new_pool()
  local size = random(3)
  local pool = green.GreenPool(size)
  local model = { pool = pool, inside = {}, most = size }
  return {
    act = function()
      local p = random()
      if p < 0.4 then
        storm.adopt(pool:spawn(member, model))
      elseif p < 0.8 then
        pool:spawn_n(member, model)
      elseif p < 0.9 then
        pool:waitall(random() * 0.002)
      else
        local more = random(3)
        model.most = math.max(model.most, more)
        pool:resize(more)
      end
    end,
    check = function() check_pool(pool) end,
  }
end

-- -- imap and GreenPile -------------------------------------------------------

local function twice(x)
  storm.adopt(green.getcurrent())
  storm.doze()
  return x * 2
end

--- Take results until the end, or leave; errors stand for results.
local function take(next_result, n, ordered)
  local last, seen = 0, {}
  for _ = 1, n * 2 do
    local ok, i, value = pcall(next_result)
    if ok and i == nil then
      return
    elseif not ok then
      storm.check_error(i, "a result")
      green.sleep(0) -- raises if it is we who are cancelled
    else
      storm.rule(not seen[i] and (not ordered or i > last), "the result %d after %d", i, last)
      storm.rule(value == i * 2, "the result of %d is %s", i, tostring(value))
      seen[i], last = true, i
    end
    if storm.chance(0.05) then
      return
    end
  end
end

local function new_map()
  local pool = green.GreenPool(random(3))
  return {
    act = function()
      local list = {}
      for i = 1, random(0, 8) do list[i] = i end
      local ordered = storm.chance(0.5)
      local map = ordered and pool.imap or pool.imap_unordered
      take(map(pool, twice, list), #list, ordered)
    end,
    check = function() check_pool(pool) end,
  }
end

local function new_pile()
  local pool = green.GreenPool(random(3))
  return {
    act = function()
      local pile, n = green.GreenPile(pool), random(0, 6)
      for i = 1, n do
        pile:spawn(twice, i)
      end
      take(function() return pile:next() end, n, true)
    end,
    check = function() check_pool(pool) end,
  }
end

-- -- Pool ---------------------------------------------------------------------

local function make()
  local p = random()
  if p < 0.1 then
    error({ is_timeout = true }, 0)
  elseif p < 0.2 then
    return nil, "no item today"
  end
  return { user = nil }
end

local function use(item)
  local me = green.getcurrent()
  storm.rule(not item.user or item.user:dead(), "two have the same item")
  item.user = me
  local ok, err = pcall(storm.doze)
  item.user = nil
  if not ok then error(err, 0) end
end

--- Get and put by hand: what an abandoned thread had, the model gives back.
local function by_hand(pool, holders)
  local item = pool:get(storm.some_time())
  if item then
    local me = green.getcurrent()
    holders[me] = item
    local ok, err = pcall(use, item)
    holders[me] = nil
    pool:put(storm.chance(0.8) and item or nil)
    if not ok then error(err, 0) end
  end
end

local function give_back(pool, holders)
  for t, item in pairs(holders) do
    if t:dead() then
      holders[t] = nil
      item.user = nil
      pool:put(storm.chance(0.5) and item or nil)
    end
  end
end

local function new_items(with)
  local max, holders = random(3), {}
  local pool = green.Pool { create = make, max_size = max, order_as_stack = storm.chance(0.5) }
  return {
    act = function()
      if with then
        pool:with(use)
      else
        by_hand(pool, holders)
      end
    end,
    stir = function() give_back(pool, holders) end,
    calm = function() give_back(pool, holders) end,
    check = function()
      give_back(pool, holders)
      storm.rule(pool:free() == max, "%d of %d items can be had: %s", pool:free(), max,
        tostring(pool))
    end,
  }
end

return {
  { name = "pool", new = new_pool },
  { name = "map", new = new_map },
  { name = "pile", new = new_pile },
  { name = "items", new = function() return new_items(false) end },
  { name = "items_with", new = function() return new_items(true) end },
}
