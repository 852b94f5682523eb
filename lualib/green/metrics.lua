--- Counters, gauges and histograms, for Prometheus and whoever reads what it does.
--
-- The functions here are of one registry, which also has what the system says of the process
-- and what the runtime says of itself; `metrics.registry()` makes others. green.status serves
-- it.
-- @module green.metrics

local registries = require "green.metrics.registry"

local M = {}

local default

--- The registry of the functions here. Does not park.
function M.default()
  default = default or registries.new { process = true, runtime = true }
  return default
end

--- Another registry, empty. Does not park.
-- @tparam[opt] table opts `process` true: process_cpu_seconds_total and its like; `runtime`
-- true: what begins with greenlua_
-- @return an object with `counter`, `gauge`, `histogram`, `collector`, `text`
M.registry = registries.new

--- See green.metrics.registry's counter. Does not park.
function M.counter(name, help, opts)
  return M.default():counter(name, help, opts)
end

--- See green.metrics.registry's gauge. Does not park.
function M.gauge(name, help, opts)
  return M.default():gauge(name, help, opts)
end

--- See green.metrics.registry's histogram. Does not park.
function M.histogram(name, help, opts)
  return M.default():histogram(name, help, opts)
end

--- See green.metrics.registry's collector. Does not park.
function M.collector(fn)
  M.default():collector(fn)
end

--- See green.metrics.registry's text. Parks where there is much.
function M.text(format)
  return M.default():text(format)
end

return M
