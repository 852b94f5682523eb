--- What takes long is done in steps: between two of them the others have a turn.
-- @module green.metrics.pace

local core = require "green.core"
local thread = require "green.thread"

local now, sleep = core.now, thread.sleep

local STEP = 0.001 -- seconds of work

--- A function to be called between pieces of work: it parks when there was enough of it.
return function()
  local began = now()
  return function()
    if now() - began >= STEP then
      sleep(0)
      began = now()
    end
  end
end
