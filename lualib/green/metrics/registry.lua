--- Registries: metrics by name, and collectors, which are asked when somebody looks.
-- @module green.metrics.registry

local args = require "green.args"
local class = require "green.args.class"
local counters = require "green.metrics.counter"
local gauges = require "green.metrics.gauge"
local histograms = require "green.metrics.histogram"
local names = require "green.metrics.name"
local options = require "green.args.options"
local show = require "green.args.show"
local text = require "green.metrics.text"

-- Scripts may put their own in their places.
local concat = table.concat
local ipairs, pairs, require, setmetatable, type = ipairs, pairs, require, setmetatable, type

local methods = {}
local mt = show.kind({ __name = "green.metrics.registry", __index = methods }, function(self)
  return #self.families .. " metrics"
end)

local function is_same_list(a, b)
  if #a ~= #b then
    return false
  end
  for i, value in ipairs(a) do
    if value ~= b[i] then
      return false
    end
  end
  return true
end

--- Would these two be one metric?
local function is_same(a, b)
  return a.kind == b.kind and is_same_list(a.label_names, b.label_names)
    and is_same_list(a.bounds or {}, b.bounds or {})
end

--- It has the name and kind of one that is there, and is another.
local function check_same_name(was, metric)
  local labels = was and concat(was.label_names, ", ")
  if not was or was.name ~= metric.name or was.kind ~= metric.kind or was.is_own then
    return
  end
  args.misuse("%s: there is a %s %s already, with %s", metric.kind, was.kind, was.name,
    is_same_list(was.label_names, metric.label_names) and "other buckets"
      or labels == "" and "no labels" or "the labels " .. labels)
end

--- A new metric takes its names; one that is there already with the same kind, labels and
-- buckets is given instead: a module may be loaded twice.
local function enter(self, metric)
  local was = self.names[metric.name]
  if was and was.name == metric.name and is_same(was, metric) then
    return was
  end
  check_same_name(was, metric)
  local taken = names.taken(metric.kind, metric.name)
  for _, name in ipairs(taken) do
    local other = self.names[name]
    if other then
      local wanted = "one that can stand beside the %s %s (%s would be of both)"
      args.wrong(metric.kind, "name", wanted:format(other.kind, other.name, name), metric.name)
    end
  end
  for _, name in ipairs(taken) do
    self.names[name] = metric
  end
  self.families[#self.families + 1] = metric
  return metric
end

--- A counter: what only grows. The same call again gives the same. Does not park.
-- @tparam string name ends in "_total"
-- @tparam string help what is counted
-- @tparam[opt] table opts `labels` a list of names, 8 at most; `max_series` that there are of
-- them (1000)
-- @return an object with `inc`, `get`, `labels`, `clear`
function methods:counter(name, help, opts)
  return enter(self, counters.new(name, help, opts))
end

--- A gauge: what goes up and down. Does not park.
-- @param name not one that ends in "_total"
-- @param help as of counter
-- @tparam[opt] table opts as of counter
-- @return an object with `set`, `inc`, `dec`, `set_to_current_time`, `set_function`, `get`,
-- `labels`, `clear`
function methods:gauge(name, help, opts)
  return enter(self, gauges.new(name, help, opts))
end

--- A histogram: how many of each size. Does not park.
-- @param name as of gauge
-- @param help as of counter
-- @tparam[opt] table opts as of counter, and `buckets`: the largest value of each, in order, 64
-- at most (0.005 to 10, for seconds)
-- @return an object with `observe`, `time`, `get`, `labels`, `clear`
function methods:histogram(name, help, opts)
  return enter(self, histograms.new(name, help, opts))
end

--- Ask fn(emit) whenever somebody looks; it calls emit(kind, name, help, value, labels) for
-- each value: labels is a table of names and values, or nil. What it raises is counted in
-- greenlua_metrics_errors_total, and what it had emitted stays. Does not park, nor may fn.
-- @tparam function fn
function methods:collector(fn)
  self.collectors[#self.collectors + 1] = args.callable(fn, "collector", "fn")
end

local formats = { prometheus = true, openmetrics = true }

--- All of it as text. Parks where there is much.
-- @tparam[opt="prometheus"] string format "prometheus": version 0.0.4; "openmetrics": 1.0.0
-- @return the text, and its Content-Type
function methods:text(format)
  format = format == nil and "prometheus" or format
  if type(format) ~= "string" or not formats[format] then
    args.wrong("text", "format", '"prometheus" or "openmetrics"', format)
  end
  local list, kind = text.of(self, format == "openmetrics")
  return concat(list), kind
end

class.seal(mt)

local own = { process = "green.metrics.process", runtime = "green.metrics.runtime" }

--- The names of what a registry says of itself, which nobody else may have.
local function names_of_its_own()
  local taken = {}
  for _, name in ipairs(text.own) do
    local metric = { kind = "counter", name = name, label_names = { "" }, is_own = true }
    for _, line in ipairs(names.taken("counter", name)) do
      taken[line] = metric
    end
  end
  return taken
end

--- An empty registry. Does not park.
-- @tparam[opt] table opts `process` true: what the system says of this process; `runtime` true:
-- green threads, the loop, native pools, the collector, servers
local function new(opts)
  opts = options.check(opts, own, "registry")
  local self = setmetatable({
    families = {},
    names = names_of_its_own(), -- of all lines -> metric
    collectors = {},
    errors = 0, -- of collectors, and of functions of gauges
  }, mt)
  for name, module in pairs(own) do
    if args.optional(opts[name], "boolean", "registry", name) then
      self.collectors[#self.collectors + 1] = require(module).collect
    end
  end
  return self
end

return { new = new }
