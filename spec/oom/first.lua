-- More threads than there ever were: the table of threads grows.

local core = require "green.core"
local green = require "green"
local kit = require "spec.oom.kit"

local ran = 0
local function run()
  ran = ran + 1
end

kit.run_first("many threads", function()
  for _ = 1, 70 do
    core.spawn_n(run)
  end
  green.sleep(0)
  assert(ran == 70)
end)

kit.finish()
