-- run.lua PART SEED SECONDS: one part of the storm, in rounds that follow from
-- the seed. Silent but for a last line; status 1 when a rule was broken.
--
--   ROUND=n            that round alone
--   STORM_ONLY=a,b     only the subjects, acts and strikes of these names
--   STORM_TRACE=1      say each round before it begins: what was the last one?

-- Some programs keep Lua's own coroutine functions from before the library.
local raw = require "spec.storm.raw"
raw.keep()

local part, seed, seconds = arg[1], tonumber(arg[2]), tonumber(arg[3])
if not seconds then
  io.stderr:write("usage: run.lua PART SEED SECONDS\n")
  os.exit(2)
end

local storm = require "spec.storm.storm"
local run = require("spec.storm." .. part)
local only = tonumber(os.getenv("ROUND"))
local due = os.time() + seconds -- whole seconds will do, and no clock is asked twice
local started, round = os.clock(), only or 1

local function is_over()
  return only or os.time() > due or os.time() == due and os.clock() - started >= seconds
end

local function report()
  local names = os.getenv("STORM_ONLY")
  print(("storm %s seed %d: round %d: %s"):format(part, seed, round, storm.failure))
  print(("again: %sROUND=%d greenlua spec/storm/run.lua %s %d 1"):format(
    names and "STORM_ONLY=" .. names .. " " or "", round, part, seed))
  os.exit(1)
end

repeat
  if os.getenv("STORM_TRACE") then
    io.stderr:write(("round %d\n"):format(round))
  end
  storm.round(seed, round, run)
  if storm.failure then
    report()
  end
  round = round + 1
until is_over()
print(("storm %s seed %d: %d acts, ok"):format(part, seed, storm.acts))
