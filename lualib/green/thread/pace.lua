--- Long work in steps: between two of them the others have a turn. Private to the library.
-- @module green.thread.pace

local core = require "green.core"
local thread = require "green.thread"

local now, sleep = core.now, thread.sleep

local STEP = 0.001 -- seconds of work
local PIECES = 100 -- at most, whatever the clock says: a virtual one stands still meanwhile

local function go_on() end

--- A function to be called between pieces of work of some microseconds each. It parks when there
-- was enough of them.
-- @tparam[opt=true] boolean can_park false: it never parks
return function(can_park)
  if can_park == false then
    return go_on
  end
  local began, pieces = now(), 0
  return function()
    pieces = pieces + 1
    if pieces >= PIECES or now() - began >= STEP then
      sleep(0)
      began, pieces = now(), 0
    end
  end
end
