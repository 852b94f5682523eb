--- What is kept of names for a while: a bounded store that forgets what was not asked for
-- longest.
--
-- There are two generations. What is looked at comes into the young one; when that is full
-- it is the old one, and what was in the old one is gone. So one look costs one or two
-- looks into tables, and at most `most` things are kept, the latest half of them surely.
-- @module green.dns.cache

local setmetatable = setmetatable

local methods = {}
local mt = { __index = methods }

--- What is kept under a key, or nil. How long it is good is its own matter.
function methods:get(key)
  local value = self.young[key]
  if value ~= nil then
    return value
  end
  value = self.old[key]
  if value ~= nil then
    self:put(key, value)
  end
  return value
end

function methods:put(key, value)
  if self.young[key] == nil then
    if self.n >= self.half then
      self.old, self.young, self.n = self.young, {}, 0
    end
    self.n = self.n + 1
  end
  self.young[key] = value
end

function methods:clear()
  self.young, self.old, self.n = {}, {}, 0
end

--- A store of at most so many things; 0: it keeps nothing.
local function new(most)
  if most < 2 then
    return setmetatable({}, { __index = { get = function() end, put = function() end,
      clear = function() end } })
  end
  return setmetatable({ young = {}, old = {}, n = 0, half = most / 2 }, mt)
end

return { new = new }
