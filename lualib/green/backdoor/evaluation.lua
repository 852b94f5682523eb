--- A statement that runs, in a green thread of its own: what that prints goes to the client, and
-- so does what comes of it. Private to green.backdoor.session.
-- @module green.backdoor.evaluation

local core = require "green.core"
local output = require "green.patch.stdio.output"
local pretty = require "green.backdoor.pretty"
local thread = require "green.thread"
local timeout = require "green.timeout"

local concat, pcall, setfenv = table.concat, pcall, setfenv

local M = { INTERRUPTED = "interrupted\n" }

--- Nobody is there any more: seconds until a statement is abandoned that does not let itself be
-- killed.
M.GRACE = { force_after = 1 }

local function show_results(self, results)
  if results and results.n > 0 then
    local parts = {}
    for i = 1, results.n do
      parts[i] = pretty.text(results[i])
    end
    self:send("out", concat(parts, "\t") .. "\n")
  end
end

local function end_statement(self, running)
  local data = core.data(running)
  if core.state(running) == "killed" then
    self:send("out", M.INTERRUPTED)
  elseif data.error ~= nil or data.error_is_nil then
    self:send("out", thread.describe(running) .. "\n")
  else
    show_results(self, data.results)
  end
end

--- Run a statement of a session's: `running` is its thread meanwhile. Parks.
-- @param self the session
-- @tparam function chunk
function M.run(self, chunk)
  local running = core.spawn(setfenv(chunk, self.env))
  running:name("backdoor")
  self.running = running
  output.divert(running, function(text)
    self:send("out", text)
  end)
  timeout.finally(function()
    pcall(running.wait, running)
  end, function()
    output.divert(running, nil)
    self.running = nil
    running:kill_soon(M.GRACE) -- it goes with its session
  end)
  thread.checkpoint() -- the pcall may have caught a kill of this thread
  end_statement(self, running)
end

return M
