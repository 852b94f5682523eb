-- Queues of all kinds. Every item is got once, or still there, or its put said
-- that it failed; also when those who wait are killed, timed out or abandoned.

local green = require "green"
local storm = require "spec.storm.storm"

local random = math.random

local kinds = {
  function() return green.Queue() end,
  function() return green.Queue(0) end,
  function() return green.Queue(random(3)) end,
  function() return green.LightQueue(random(0, 2)) end,
  function() return green.LifoQueue(random(2)) end,
  function() return green.PriorityQueue(random(2)) end,
}

local function is_full_or_late(err)
  return err.code == "ETIMEDOUT" or err.code == "EAGAIN" or err.code == "ECLOSED"
end

--- Call a method, now and then inside a limit of our own. As pcall.
local function call(fn, ...)
  if storm.chance(0.8) then
    return pcall(fn, ...)
  end
  local results = { pcall(green.timeout, random() * 0.001, fn, ...) }
  return unpack(results, 1, 3)
end

local function raised(ok, err)
  if not ok then
    error(err, 0)
  end
end

local function put(model, q)
  local n = #model.put + 1
  model.put[n] = "under way"
  local nowait = storm.chance(0.2)
  local ok, done, err = call(nowait and q.put_nowait or q.put, q, n,
    not nowait and storm.some_time() or nil)
  model.put[n] = ok and done and "done" or "failed"
  raised(ok, done)
  storm.rule(done or is_full_or_late(err), "put: %s", tostring(err))
end

local function note(model, n)
  storm.rule(model.put[n] ~= nil, "a get gave %s, which nobody put", tostring(n))
  storm.rule(not model.got[n], "the item %s came twice", tostring(n))
  model.got[n] = true
end

--- The item is noted inside of the call, so that no limit can come between.
local function get(model, q)
  local nowait = storm.chance(0.2)
  local seconds = not nowait and storm.some_time() or nil
  local ok, done, err = call(function()
    local n, why = (nowait and q.get_nowait or q.get)(q, seconds)
    if n then
      note(model, n)
    end
    return n, why
  end)
  raised(ok, done)
  storm.rule(done or is_full_or_late(err), "get: %s", tostring(err))
end

local function check(model, q)
  local n = q:get_nowait()
  while n do
    note(model, n)
    n = q:get_nowait()
  end
  for i, how in ipairs(model.put) do
    storm.rule(how ~= "done" or model.got[i], "the item %d was lost", i)
    storm.rule(how ~= "failed" or not model.got[i],
      "the put of %d failed, and yet it was got", i)
  end
end

local function new()
  local q = storm.any(kinds)()
  local model = { put = {}, got = {} }
  return {
    act = function()
      if storm.chance(0.5) then
        put(model, q)
      else
        get(model, q)
      end
    end,
    calm = function()
      storm.rule(q:qsize() == 0 or q:getting() == 0, "%s has items, and some wait for one",
        tostring(q))
      q:shutdown()
    end,
    check = function() check(model, q) end,
  }
end

return { { name = "queues", new = new } }
