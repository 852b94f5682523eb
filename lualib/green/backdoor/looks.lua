--- What who attaches asks of green threads: a list, a screen, a traceback, a kill. Private to the
-- library.
--
-- Requests of green.backdoor.session: each is given that and a text, answers, and gives true.
-- @module green.backdoor.looks

local require, tonumber = require, tonumber
local match = string.match

local M = {}

function M.threads(self)
  for text in require("green.debug").each_text() do
    self:send("out", text .. "\n")
  end
  self:send("answer", "")
  return true
end

function M.trace(self, id)
  local found = require("green.debug").thread(tonumber(id) or 1)
  self:send("answer", found and found:traceback() or "it has ended")
  return true
end

function M.kill_thread(self, id)
  local found = require("green.debug").thread(tonumber(id) or 1)
  if found then
    found:kill_soon()
  end
  self:send("answer", found and "killed" or "it has ended")
  return true
end

function M.top(self, text)
  local columns, rows, order = match(text, "^(%d+) (%d+) (%l+)$")
  self:send("answer", require("green.backdoor.screen").text(self.last, tonumber(columns) or 80,
    tonumber(rows) or 24, order))
  return true
end

return M
