--- Waiting for messages that closed sockets have still to send; and the end of the program,
-- which closes all sockets and does so.
-- @module green.zmq.ends

local core = require "green.core"
local ending = require "green.ending"
local errors = require "green.error"
local thread = require "green.thread"

local api = require "green.ffi.zmq_ctx"

local format, max, min = string.format, math.max, math.min -- scripts may put their own there
local pairs, pcall, setmetatable = pairs, pcall, setmetatable

local FIRST, MOST = 0.001, 0.02 -- seconds between two looks

local M = {}

--- Wait until the context with that number is not being ended; 0: none is. true; nil, err:
-- ETIMEDOUT. Parks.
function M.wait(id, timeout, op)
  local due, pause = core.now() + timeout, FIRST
  while api.ending(id) > 0 do
    local left = due - core.now()
    if left <= 0 then
      return nil, errors.new("ETIMEDOUT", op)
    end
    thread.sleep(min(pause, left))
    pause = min(pause * 2, MOST)
  end
  return true
end

-- -- The end of the program ---------------------------------------------------

local contexts, added_in -- and the process they are of

local function tell(seconds, n)
  core.complain(format("greenlua: ZeroMQ messages of %d context%s were not sent within %g s of the "
    .. "program's end; they are dropped\n", n, n == 1 and "" or "s", seconds))
end

--- Parks where it can.
local function end_all()
  local seconds = 0
  for context in pairs(contexts) do
    seconds = max(seconds, context._ending)
    context:_end(true)
  end
  local ok
  if pcall(core.waiter) then
    ok = M.wait(0, seconds, "end")
  else
    ok = api.end_wait((core.now() + seconds) * 1e9) == 0
  end
  if not ok then
    tell(seconds, api.ending(0))
  end
end

--- Have a context ended with the program. Does not park.
function M.add(context)
  if added_in ~= core.getpid() then -- a child's are not ended with its parent's
    contexts, added_in = setmetatable({}, { __mode = "k" }), core.getpid()
    ending.at_exit(end_all)
  end
  contexts[context] = true
end

return M
