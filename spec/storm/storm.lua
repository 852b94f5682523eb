-- What the parts of the storm share: chance that a seed repeats, green threads
-- that may be struck at any moment (actors), and the look at what is left when a
-- round is over.

local core = require "green.core"
local green = require "green"

local random = math.random

local M = { acts = 0, failure = nil, actors = {}, abandoned = false }

-- -- Chance -------------------------------------------------------------------

function M.any(list)
  return list[random(#list)]
end

function M.chance(p)
  return random() < p
end

--- A short time, nil, or 0.
function M.some_time()
  local p = random()
  return p < 0.5 and random() * 0.002 or p < 0.6 and 0 or nil
end

function M.doze()
  green.sleep(M.chance(0.5) and 0 or random() * 0.001)
end

--- Those of a list that STORM_ONLY names; all of it, if it names none of them.
local wanted = {}
for name in (os.getenv("STORM_ONLY") or ""):gmatch("[^,%s]+") do
  wanted[name] = true
end

function M.only(list)
  local found = {}
  for _, one in ipairs(list) do
    if wanted[one.name] then
      found[#found + 1] = one
    end
  end
  return #found > 0 and found or list
end

--- For a part whose acts stand in a list { name, run }: how a round picks one.
function M.picker(list)
  list = M.only(list)
  return function()
    M.acts = M.acts + 1
    return M.any(list).run()
  end
end

-- -- Rules --------------------------------------------------------------------

--- A rule was broken. The first is what counts.
function M.fail(text, ...)
  M.failure = M.failure or text:format(...)
end

function M.rule(ok, text, ...)
  if not ok then
    M.fail(text, ...)
  end
  return ok
end

M.thrown = { code = "ETHROWN", message = "thrown by the storm" }

--- Errors that a storm causes itself.
function M.is_weather(err)
  return type(err) == "table"
    and (err == M.thrown or err.is_timeout or err.code == "ECANCELED" or err.code == "ETIMEDOUT")
end

function M.check_error(err, where)
  if not M.is_weather(err) then
    M.fail("%s raised: %s", where, tostring(err))
  end
end

-- -- Actors -------------------------------------------------------------------

local function traced(err)
  return M.is_weather(err) and err or debug.traceback(tostring(err), 2)
end

-- Some go on after they were cancelled, as bad programs do: only these can be
-- abandoned in the middle of something.
local function play(me, act, n)
  for _ = 1, n do
    M.acts = M.acts + 1
    local ok, err = xpcall(act, traced, me)
    if not ok then
      M.check_error(err, me.name)
      if not me.stubborn then
        break
      end
    end
    green.sleep(0)
  end
end

--- Let the storm strike a thread. Returns it.
function M.adopt(t)
  M.actors[#M.actors + 1] = t
  return t
end

--- A green thread that acts n times.
function M.actor(name, act, n)
  local me = { name = name, stubborn = M.chance(0.3) }
  me.thread = green.spawn(function()
    pcall(play, me, act, n)
  end)
  me.thread:name(name)
  return M.adopt(me.thread)
end

--- Some of the collector's work, or all.
function M.collect()
  if M.chance(0.1) then
    collectgarbage()
  else
    collectgarbage("step", random(0, 100))
  end
end

-- -- Rounds -------------------------------------------------------------------

local PATIENCE = 20 -- seconds; only a storm that found something waits so long

--- The compiler and the collector of this round.
local function set_climate()
  jit[M.chance(0.7) and "on" or "off"]()
  collectgarbage("setstepmul", M.any { 200, 1000, 1000000 })
end

local function snapshot()
  collectgarbage()
  collectgarbage()
  local now = core.stats()
  now.alive = {}
  for _, t in ipairs(core.threads()) do
    now.alive[t] = true
  end
  return now
end

local function describe(t)
  return ("%s (%s)\n%s"):format(tostring(t), t:status(), t:traceback() or t:spawn_site() or "")
end

--- Nothing may be left that was not there before.
local function check_left(before)
  collectgarbage()
  collectgarbage()
  for _ = 1, 3 do
    green.sleep(0) -- what finalizers have set going
  end
  local now = snapshot()
  for t in pairs(now.alive) do
    M.rule(before.alive[t], "left behind: %s", M.failure or describe(t))
  end
  local ok, all = pcall(green.wait, nil, M.failure and 0 or 1)
  M.rule(ok and all, "green.wait() waits, and nobody is left: %s", tostring(all))
  for _, name in ipairs { "timers", "waits", "fds" } do
    M.rule(now[name] <= before[name], "left behind: %d %s, %d before",
      now[name], name, before[name])
  end
end

local function end_all(before)
  for _, t in ipairs(core.threads()) do
    if not before.alive[t] then
      t:kill_soon()
      core.drop(t)
    end
  end
  M.actors = {}
end

--- Let everybody end by himself; a broken rule ends the round at once.
function M.wait_for_ends()
  local due = green.now() + PATIENCE
  for _, t in ipairs(M.actors) do
    while not t:dead() and not M.failure do
      pcall(t.wait, t, 0.2)
      if green.now() > due then
        M.fail("does not end: %s", describe(t))
      end
    end
  end
  M.actors = {}
end

--- One round: run() does the part's own, between two looks at what there is.
function M.round(seed, round, run)
  math.randomseed(seed * 100003 + round)
  set_climate()
  M.abandoned = false -- was anybody, in this round?
  local before = snapshot()
  local unheard
  local old = green.on_error(function(err, _, trace)
    unheard = unheard or not M.is_weather(err) and tostring(err) .. "\n" .. tostring(trace)
  end)
  local ok, err = xpcall(run, debug.traceback)
  M.rule(ok, "%s", tostring(err))
  if not M.failure then
    M.wait_for_ends()
    green.sleep(0.01) -- for links, guards and what dozes
    check_left(before)
  end
  M.rule(not unheard, "nobody heard: %s", tostring(unheard))
  end_all(before)
  green.on_error(old)
end

return M
