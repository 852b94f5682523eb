--- A client of the debugger is heard while the program runs: by a green thread of its own, and in
-- whoever keeps the loop. Private to green.debugger.
-- @module green.debugger.hearing

local blocking = require "green.debug.blocking"
local core = require "green.core"
local thread = require "green.thread"
local trampoline = require("green.trampoline").trampoline

local M = {}

--- Do what has been asked next. Was there anything?
local function take(session)
  local message, why = session.wire:read(0)
  if message then
    session:handle(message)
  elseif why ~= "again" then
    session:detach()
  end
  return message ~= nil
end

--- Hear what the client of a session asks, until it has gone. Parks.
function M.watch(session)
  while not session.is_over do
    if not session:is_mine() then
      session:detach()
    elseif not take(session) and not session.is_over then
      trampoline(session.wire.input)
    end
  end
end

--- Where the program is to end, so does whoever runs: it may never wait, and main would not hear
-- of its kill. Raises.
function M.give_way(session)
  if session.is_ending then
    core.current():kill_soon()
    thread.checkpoint()
  end
end

--- In a hook of whoever keeps the loop: all that has come.
local function hear(session)
  while session:is_mine() and not session.is_over and take(session) do
  end
  M.give_way(session)
end

--- From now on it is heard also while a green thread keeps the loop.
function M.resume(session)
  if not session.is_over then
    blocking.break_in(function() hear(session) end)
  end
end

--- The program stands still: nobody keeps the loop.
function M.rest()
  blocking.break_in(false)
end

--- It has gone.
function M.leave()
  blocking.break_in(nil)
end

--- The program is to end, and who keeps the loop is raised at until it does.
function M.drive_out(session)
  blocking.break_in(function() M.give_way(session) end)
end

return M
