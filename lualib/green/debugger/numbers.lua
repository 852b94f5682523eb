--- The numbers by which a client knows green threads. Private to green.debugger.
-- @module green.debugger.numbers

local core = require "green.core"
local report = require "green.thread.report"
local wire = require "green.debugger.wire"

local ipairs, pairs, setmetatable = ipairs, pairs, setmetatable

local Numbers = {}
Numbers.__index = Numbers

--- The number of a green thread, for as long as it lives.
function Numbers:of(thread)
  if not self.ids[thread] then
    self.last = self.last + 1
    self.ids[thread], self.threads[self.last] = self.last, thread
  end
  return self.ids[thread]
end

--- The green thread of a number; nil: there is none.
function Numbers:thread(id)
  return self.threads[id]
end

--- A client is not to see this green thread: it is the debugger's own.
function Numbers:hide(thread)
  self.hidden[thread] = true
end

function Numbers:is_hidden(thread)
  return self.hidden[thread] == true
end

--- Those that have ended are not to live on by their numbers.
local function forget_dead(self)
  for id, thread in pairs(self.threads) do
    if core.is_dead(thread) then
      self.threads[id], self.ids[thread] = nil, nil
    end
  end
end

--- All green threads that a client sees, as it is told them.
function Numbers:all()
  local all = wire.list()
  forget_dead(self)
  for _, thread in ipairs(core.threads(true)) do
    if not self.hidden[thread] then
      all[#all + 1] = { id = self:of(thread), name = report.label(thread) }
    end
  end
  return all
end

return {
  new = function()
    return setmetatable({ ids = {}, threads = {}, last = 0,
      hidden = setmetatable({}, { __mode = "k" }) }, Numbers)
  end,
}
