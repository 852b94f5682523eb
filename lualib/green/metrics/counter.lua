--- Counters: what only grows.
-- @module green.metrics.counter

local args = require "green.args"
local class = require "green.args.class"
local family = require "green.metrics.family"
local names = require "green.metrics.name"

local type, huge = type, math.huge -- scripts may put their own there

local methods, mt = family.class "counter"

function mt.begin(series)
  series.value = 0
end

--- Count. Does not park.
-- @tparam[opt=1] number by at least 0
function methods:inc(by)
  local value = self.value
  if by == nil then
    by = 1
  elseif type(by) ~= "number" or not (by >= 0 and by < huge) then
    args.wrong("inc", "by", "a number of at least 0", by)
  end
  if not value then
    family.unlabelled(self, "inc")
  end
  self.value = value + by
end

--- What was counted so far. Does not park.
function methods:get()
  return self.value or family.unlabelled(self, "get")
end

class.seal(mt)

local function new(name, help, opts)
  names.counter(name, "counter")
  names.help(help, "counter")
  return family.new(mt, "counter", name, help, family.check(opts, family.options, "counter"),
    { value = false })
end

return { new = new }
