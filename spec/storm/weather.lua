-- What strikes actors, and a round of it over some subjects.
--
-- A subject is { name, new }: new() begins one for a round and returns a table:
--   act(me)   one thing an actor does, again and again
--   stir()    optional, now and then: what others wait for happens
--   calm()    optional: the storm is over, let everybody end by himself
--   check()   optional: all have ended; what must be true now?

local core = require "green.core"
local green = require "green"
local storm = require "spec.storm.storm"
local testing = require "green.testing"

local random = math.random

-- -- Strikes ------------------------------------------------------------------

local links -- those made in this round

local strikes = {
  { name = "kill", run = function(t) t:kill() end },
  { name = "kill_soon", run = function(t) t:kill_soon() end },
  { name = "throw", run = function(t) t:throw(storm.thrown) end },
  { name = "cancel", run = function(t) t:cancel() end },
  { name = "abandon", run = function(t)
    storm.abandoned = true
    t:kill_soon { force_after = storm.chance(0.5) and 0 or 0.0005 }
  end },
  { name = "drop", run = function(t)
    -- What force_after does, at moments that it seldom meets.
    storm.abandoned = true
    t:kill_soon()
    core.data(t).error = core.data(t).kill_error
    core.drop(t)
  end },
  { name = "link", run = function(t)
    local link = { told = 0, due = 1 }
    local function told(dead, x)
      link.told = link.told + 1
      storm.rule(dead == t and x == 1 and t:dead(), "a link was told too early, or of another")
    end
    t:link(told, 1)
    if storm.chance(0.5) then
      storm.rule(t:unlink(told, 1), "unlink found no link")
      link.due = 0
    end
    table.insert(links, link)
  end },
  { name = "collect", run = function()
    storm.collect()
  end },
}
strikes = storm.only(strikes)

--- Strike one actor; those that are dead leave the list.
local function strike()
  local i = random(math.max(#storm.actors, 1))
  local t = storm.actors[i]
  if not t then
    return
  elseif t:dead() then
    storm.actors[i] = storm.actors[#storm.actors]
    storm.actors[#storm.actors] = nil
    return
  end
  storm.acts = storm.acts + 1
  storm.any(strikes).run(t)
end

-- -- A round ------------------------------------------------------------------

--- The usual weather over some subjects: actors, strikes, stirs; then calm.
local function blow(subjects)
  local models = {}
  links = {}
  for i = 1, random(1, math.min(3, #subjects)) do
    local subject = storm.any(subjects)
    models[i] = subject.new()
    models[i].name = subject.name
  end
  for _ = 1, random(20, 200) do
    local m = storm.any(models)
    if #storm.actors < 30 and storm.chance(0.5) then
      storm.actor(m.name, m.act, random(10))
    end
    if m.stir then m.stir() end
    strike()
    green.sleep(storm.any { 0, 0, random() * 0.001 })
    if storm.failure then return end
  end
  green.sleep(0.01) -- whoever is to be abandoned is, by then
  testing.settle()
  for _, m in ipairs(models) do
    if m.calm then m.calm() end
  end
  storm.wait_for_ends()
  green.sleep(0.01)
  for _, m in ipairs(models) do
    if m.check and not storm.failure then m.check() end
  end
  for _, link in ipairs(links) do
    storm.rule(link.told == link.due, "a link was told %d times of %d", link.told, link.due)
  end
end

return { blow = blow }
