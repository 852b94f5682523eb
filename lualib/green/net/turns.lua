--- Addresses that are to be tried: the families take turns (RFC 8305, 4).
-- @module green.net.turns

local addr = require "green.ffi.addr"

local ipairs, setmetatable = ipairs, setmetatable
local remove = table.remove

local methods = {}
local mt = { __index = methods }

local families = { [2] = "inet", [10] = "inet6" } -- GREEN_INET, GREEN_INET6

local function other_than(family)
  return family == "inet" and "inet6" or "inet"
end

--- Add a list of green_addr, best first. The family of the first one ever is the first in
-- turn.
function methods:add(list)
  for _, raw in ipairs(list) do
    local family = families[addr.family(raw)]
    self.turn = self.turn or family
    local line = self[family]
    line[#line + 1] = raw
  end
end

--- How many there are; of a family, or of both.
function methods:count(family)
  return family and #self[family] or #self.inet + #self.inet6
end

--- Take the next one away; nil: there is none at present.
function methods:next()
  if self:count() == 0 then
    return nil
  elseif #self[self.turn] == 0 then
    self.turn = other_than(self.turn)
  end
  local raw = remove(self[self.turn], 1)
  self.turn = other_than(self.turn)
  return raw
end

local function new()
  return setmetatable({ inet = {}, inet6 = {}, turn = nil }, mt)
end

return { new = new }
