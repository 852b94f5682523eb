--- What brokers do with a message, so that a mistake of ours, or a lack of memory, costs that
-- message and not the broker. Private to green.zmq.
-- @module green.zmq.guard

local core = require "green.core"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, pcall = error, pcall

local ECANCELED = core.codes.ECANCELED

local M = {}

--- fn(...), whose error is reported; but a kill of the running thread is none.
-- @tparam string where for the report
-- @tparam function fn
function M.run(where, fn, ...)
  local ok, err = pcall(fn, ...)
  if not ok and core.check() == ECANCELED then
    error(err, 0)
  elseif not ok then
    thread.report(err, core.current(), "(" .. where .. ")")
  end
end

return M
