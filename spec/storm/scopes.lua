-- Timeouts, shields, cleanup and groups, one in another at random. A scope never
-- fires before its time nor after its end; who is shielded is not killed; cleanup
-- runs; children end with their group.

local green = require "green"
local storm = require "spec.storm.storm"

local random = math.random

local EPSILON = 1e-6 -- seconds: what the sum of two numbers may be off

local nest -- forward

local function seconds()
  return storm.chance(0.2) and 0 or random() * 0.003
end

local function is_kill(err)
  return type(err) == "table" and err.code == "ECANCELED"
end

local nests = {
  { name = "doze", run = storm.doze },
  { name = "timeout", run = function(me, depth)
    local s, begun = seconds(), green.now()
    local _, err = green.timeout(s, nest, me, depth)
    storm.rule(not green.is_timeout(err) or green.now() - begun >= s - EPSILON,
      "a timeout of %g s fired after %g s", s, green.now() - begun)
  end },
  { name = "Timeout", run = function(me, depth)
    local limit = green.Timeout(seconds(), storm.chance(0.3) and { is_timeout = true } or nil)
    local ok, err = pcall(nest, me, depth)
    limit:cancel()
    storm.rule(not limit:pending() and not limit:fired(), "a Timeout lives after its cancel")
    if not ok and not rawequal(err, limit:raises()) then
      error(err, 0)
    end
  end },
  { name = "shield", run = function(me, depth)
    local was = me.shielded
    me.shielded = true
    local ok, err = pcall(green.shield, seconds(), function()
      local ok, err = pcall(nest, me, depth)
      storm.rule(ok or not is_kill(err), "a kill came through a shield")
      return true
    end)
    me.shielded = was
    if not ok then error(err, 0) end
  end },
  { name = "finally", run = function(me, depth)
    me.cleanups = me.cleanups + 1
    green.finally(function() nest(me, depth) end, function()
      me.cleanups = me.cleanups - 1
      storm.doze()
    end)
  end },
  { name = "group", run = function(me, depth)
    local children = {}
    local ok, err = pcall(green.group, function(g)
      for i = 1, random(0, 3) do
        children[i] = storm.adopt(g:spawn(storm.doze))
      end
      nest(me, depth)
    end)
    for _, child in ipairs(children) do
      storm.rule(child:dead(), "a child outlives its group: %s", tostring(child))
    end
    if not ok then error(err, 0) end
  end },
  { name = "swallow", run = function(me, depth)
    for _ = 1, 3 do
      pcall(nest, me, depth)
    end
  end },
}
nests = storm.only(nests)

function nest(me, depth)
  storm.doze()
  if depth < 4 then
    storm.any(nests).run(me, depth + 1)
  end
  storm.doze()
end

--- Outside of all scopes nothing but a kill or a throw may be raised.
local function act(me)
  me.cleanups = me.cleanups or 0
  local ok, err = pcall(nest, me, 1)
  storm.rule(me.cleanups == 0, "%d cleanups did not run", me.cleanups)
  local still, late = pcall(green.sleep, 0)
  storm.rule(still or not late.is_timeout, "a scope raised after its end")
  if not ok then error(err, 0) end
end

local function new_scopes()
  return { act = act }
end

-- -- Guards -------------------------------------------------------------------

--- A guard ends with its target: nothing of it is left when that has ended.
local function guard()
  local target = storm.adopt(green.spawn(storm.doze))
  if storm.chance(0.7) then green.sleep(0) end
  local opts = { force_after = random(1000, 2000) }
  local p = random()
  if p < 0.4 then
    target:kill(opts)
  elseif p < 0.8 then
    target:kill_soon(opts)
  else
    green.killall({ target }, opts)
  end
end

-- -- Threads for later --------------------------------------------------------

local function later()
  local parent = green.getcurrent()
  local t
  if storm.chance(0.5) then
    t = green.spawn_after(random() * 0.002, storm.doze)
  else
    t = green.spawn_after_local(random() * 0.002, function()
      storm.rule(not parent:dead(), "a local thread began after its parent's end")
    end)
  end
  storm.adopt(t)
  storm.doze()
  if storm.chance(0.3) then t:cancel() end
end

return {
  { name = "scopes", new = new_scopes },
  { name = "guard", new = function() return { act = guard } end },
  { name = "later", new = function() return { act = later } end },
}
