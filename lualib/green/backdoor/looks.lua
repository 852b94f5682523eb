--- What who attaches asks of green threads: a list, a screen, a traceback, a kill. Private to the
-- library.
--
-- Requests of green.backdoor.session: each is given that and a text, answers, and gives true.
-- @module green.backdoor.looks

local require, tonumber = require, tonumber
local find, match = string.find, string.match

local M = {}

--- The thread that a client names; nil: none has that id. Parks.
local function thread_of(id)
  return find(id, "^%d+$") and tonumber(id) > 0 and require("green.debug").thread(tonumber(id))
    or nil
end

local function trace_of(thread)
  local text = thread:traceback()
  return text and require("green.debug.trace").plain(text) or "it has not begun yet"
end

local NO_THREAD = "no green thread has that ID"

function M.threads(self)
  for text in require("green.debug").each_text() do
    self:send("out", text .. "\n")
  end
  self:send("answer", "")
  return true
end

function M.trace(self, id)
  local found = thread_of(id)
  self:send("answer", found and trace_of(found) or NO_THREAD)
  return true
end

function M.kill_thread(self, id)
  local found = thread_of(id)
  if found then
    found:kill_soon()
  end
  self:send("answer", found and "killed" or NO_THREAD)
  return true
end

function M.top(self, text)
  local columns, rows, order = match(text, "^(%d+) (%d+) (%l+)$")
  self:send("answer", require("green.backdoor.screen").text(self.last, tonumber(columns) or 80,
    tonumber(rows) or 24, order))
  return true
end

return M
