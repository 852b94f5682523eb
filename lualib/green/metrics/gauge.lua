--- Gauges: what goes up and down.
-- @module green.metrics.gauge

local args = require "green.args"
local class = require "green.args.class"
local family = require "green.metrics.family"
local names = require "green.metrics.name"

local type, time = type, os.time -- scripts may put their own there

local methods, mt = family.class "gauge"

function mt.begin(series)
  series.value, series.read = 0, false
end

local function check(by, where, name)
  if type(by) ~= "number" then
    args.wrong(where, name, "a number", by)
  end
  return by
end

--- Give it a value. Does not park.
-- @tparam number value any, NaN and infinity too
function methods:set(value)
  check(value, "set", "value")
  if not self.value then
    family.unlabelled(self, "set")
  end
  self.value = value
end

--- Add to it. Does not park.
-- @tparam[opt=1] number by
function methods:inc(by)
  local value = self.value
  by = by == nil and 1 or check(by, "inc", "by")
  if not value then
    family.unlabelled(self, "inc")
  end
  self.value = value + by
end

--- Take from it. Does not park.
-- @tparam[opt=1] number by
function methods:dec(by)
  local value = self.value
  by = by == nil and 1 or check(by, "dec", "by")
  if not value then
    family.unlabelled(self, "dec")
  end
  self.value = value - by
end

--- Give it the present time, in seconds since 1970. Does not park.
function methods:set_to_current_time()
  self:set(time())
end

--- Ask a function whenever somebody looks, instead of keeping a value. Where it raises, or
-- gives no number, the series is left out. Does not park.
-- @tparam ?function fn nil: no more
function methods:set_function(fn)
  if fn ~= nil then
    args.callable(fn, "set_function", "fn")
  end
  if not self.value then
    family.unlabelled(self, "set_function")
  end
  self.read = fn or false
end

--- Its value; of set_function's function what it says. Does not park.
function methods:get()
  if not self.value then
    family.unlabelled(self, "get")
  end
  return self.read and self.read() or self.value
end

class.seal(mt)

local function new(name, help, opts)
  names.other(name, "gauge")
  names.help(help, "gauge")
  return family.new(mt, "gauge", name, help, family.check(opts, family.options, "gauge"),
    { value = false, read = false })
end

return { new = new }
