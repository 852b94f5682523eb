-- The part `things`: all that green threads share, on a clock that jumps, so
-- that a seed always gives the same round.

local core = require "green.core"
local storm = require "spec.storm.storm"
local weather = require "spec.storm.weather"

local subjects = {}
for _, name in ipairs { "queues", "permits", "pools", "scopes", "events" } do
  for _, subject in ipairs(require("spec.storm." .. name)) do
    subjects[#subjects + 1] = subject
  end
end
subjects = storm.only(subjects)

assert(core.set_virtual(true) == 0)

return function()
  weather.blow(subjects)
end
