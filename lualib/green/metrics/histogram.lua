--- Histograms: how many of each size, by buckets.
-- @module green.metrics.histogram

local args = require "green.args"
local class = require "green.args.class"
local core = require "green.core"
local family = require "green.metrics.family"
local names = require "green.metrics.name"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, huge, ipairs, pairs, type, xpcall = error, math.huge, ipairs, pairs, type, xpcall

local now, note_traceback = core.now, thread.note_traceback

-- Prometheus's own, for seconds.
local USUAL = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 }
local MOST_BUCKETS = 64

local methods, mt = family.class "histogram"

function mt.begin(series)
  local counts = {}
  for i = 1, #series.family.bounds + 1 do
    counts[i] = 0
  end
  series.counts, series.sum, series.bounds = counts, 0, series.family.bounds
end

--- One more. Does not park.
-- @tparam number value
function methods:observe(value)
  local counts, bounds = self.counts, self.bounds
  if type(value) ~= "number" or value ~= value then
    args.wrong("observe", "value", "a number", value)
  elseif not counts then
    family.unlabelled(self, "observe")
  end
  local i, n = 1, #bounds
  while i <= n and value > bounds[i] do
    i = i + 1
  end
  counts[i] = counts[i] + 1
  self.sum = self.sum + value
end

local function timed(self, began, ok, ...)
  self:observe(now() - began)
  if not ok then
    error((...), 0)
  end
  return ...
end

--- Call fn(...) and observe how many seconds it takes, whether it returns or raises. Parks if
-- fn does.
-- @return what fn returns; what it raises is raised
function methods:time(fn, ...)
  args.callable(fn, "time", "fn")
  if not self.counts then
    family.unlabelled(self, "time")
  end
  return timed(self, now(), xpcall(fn, note_traceback, ...))
end

--- How many there were, and their sum. Does not park.
-- @return count, sum
function methods:get()
  local count = 0
  for _, n in ipairs(self.counts or family.unlabelled(self, "get")) do
    count = count + n
  end
  return count, self.sum
end

class.seal(mt)

--- Bounds in order, without the infinite one. Raises.
local function check_buckets(buckets)
  local copy = {}
  for i, bound in ipairs(args.list(buckets, "histogram", "buckets", "numbers")) do
    if type(bound) ~= "number" or bound ~= bound or bound == -huge
      or i > 1 and bound <= buckets[i - 1] then
      args.wrong("histogram", ("buckets[%d]"):format(i), "a number, more than the one before",
        bound)
    elseif bound < huge then
      copy[i] = bound
    end
  end
  if #copy == 0 or #copy > MOST_BUCKETS then
    args.wrong("histogram", "buckets", ("a list of 1 to %d numbers beside the infinite one"):format(
      MOST_BUCKETS), buckets)
  end
  return copy
end

local known = { buckets = true }
for name in pairs(family.options) do
  known[name] = true
end

local function new(name, help, opts)
  names.other(name, "histogram")
  names.help(help, "histogram")
  local given = family.check(opts, known, "histogram", { le = true })
  return family.new(mt, "histogram", name, help, given, {
    counts = false,
    bounds = check_buckets(opts and opts.buckets or USUAL),
  })
end

return { new = new }
