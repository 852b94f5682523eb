--- SIGINT and SIGTERM, as the request to stop a server.
-- @module green.net.signals

local core = require "green.core"

-- timeout(1) sends its signal to the program and then to its process group: two
-- signals within this number of seconds count as one.
local SAME_SIGNAL = 0.3

local last -- when a stop began last

--- Has a server begun to stop, because of a signal? Does not park.
local function have_come()
  return last ~= nil
end

--- Call stop() when one of them comes, in a green thread of its own; it says whether
-- it has begun to stop by this. Does not park.
-- @return a function that ends it
local function watch(stop)
  local signal = require "green.signal"
  local handlers, began = {}, -math.huge
  local function on_signal()
    if core.now() - began >= SAME_SIGNAL and stop() then
      began = core.now()
      last = began
    end
  end
  local ok, err = pcall(function()
    for i, name in ipairs { "INT", "TERM" } do
      handlers[i] = assert(signal.handler(name, on_signal))
    end
  end)
  local function unwatch()
    for _, handler in ipairs(handlers) do
      handler:cancel()
    end
  end
  if not ok then -- the second may fail
    unwatch()
    error(err, 0)
  end
  return unwatch
end

return { watch = watch, have_come = have_come }
