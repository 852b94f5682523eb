--- A registry as text: Prometheus's exposition format 0.0.4, or OpenMetrics 1.0.0.
-- @module green.metrics.text

local chunks = require "green.args.chunks"
local core = require "green.core"
local names = require "green.metrics.name"
local pacer = require "green.thread.pace"

-- Scripts may put their own in their places.
local concat, error, find, format, huge, ipairs, pairs = table.concat, error, string.find,
  string.format, math.huge, ipairs, pairs
local pcall, sort, sub, type = pcall, table.sort, string.sub, type

local number = names.number

local PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
local OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
local LINES = 32 -- between two looks at the clock

-- -- Lines --------------------------------------------------------------------

local function put(out, line)
  out.left = out.left - 1
  out:put(line)
end

--- Let the others have a turn, now and then: not within a series, whose lines belong together.
local function breathe(out)
  if out.left <= 0 then
    out.left = LINES
    out.pace()
  end
end

local function put_head(out, kind, name, help)
  if out.is_open and kind == "counter" then
    name = sub(name, 1, -7) -- of the family, without _total
  end
  put(out, format("# HELP %s %s", name, names.escaped_help(help, out.is_open)))
  put(out, format("# TYPE %s %s", name, kind))
end

local function put_value(out, name, labels, value)
  put(out, labels == "" and name .. " " .. number(value)
    or format("%s{%s} %s", name, labels, number(value)))
end

local function put_bucket(out, name, labels, bound, count)
  put(out, format('%s_bucket{%s%sle="%s"} %s', name, labels, labels == "" and "" or ",",
    names.bound(bound), number(count)))
end

--- counts[i]: of those of at most bounds[i], and of more than the one before.
local function put_histogram(out, name, labels, bounds, counts, sum)
  local count = 0
  for i, bound in ipairs(bounds) do
    count = count + counts[i]
    put_bucket(out, name, labels, bound, count)
  end
  count = count + counts[#bounds + 1]
  put_bucket(out, name, labels, huge, count)
  put_value(out, name .. "_sum", labels, sum)
  put_value(out, name .. "_count", labels, count)
end

-- -- Metrics ------------------------------------------------------------------

--- What a gauge's function says; nil: nothing.
local function ask(registry, series)
  local ok, value = pcall(series.read)
  if ok and type(value) == "number" then
    return value
  end
  registry.errors = registry.errors + 1
end

local function put_series(out, registry, metric, series)
  if metric.kind == "histogram" then
    return put_histogram(out, metric.name, series.text, series.bounds, series.counts, series.sum)
  end
  local value = series.value
  if series.read then
    value = ask(registry, series)
  end
  if value then
    put_value(out, metric.name, series.text, value)
  end
end

--- Series that come meanwhile are for the next time.
local function put_metric(out, registry, metric)
  local list, n = metric.series, metric.n_series
  put_head(out, metric.kind, metric.name, metric.help)
  for i = 1, n do
    put_series(out, registry, metric, list[i])
    breathe(out)
  end
end

-- -- Collectors ---------------------------------------------------------------

local reserved = { histogram = { le = true } } -- labels, by kind

local function labels_of(kind, labels)
  if not labels then
    return ""
  end
  local pieces = {}
  for name, value in pairs(labels) do
    pieces[#pieces + 1] = format('%s="%s"', names.labels({ name }, "emit", reserved[kind])[1],
      names.quoted(names.value(value, "emit", name)))
  end
  sort(pieces)
  return concat(pieces, ",")
end

local kinds = { counter = names.counter, gauge = names.other, histogram = names.other }

local function are_numbers(list, n)
  for i = 1, n do
    if type(list[i]) ~= "number" then
      return false
    end
  end
  return true
end

--- Is it { bounds, counts, sum }, with one count more than there are bounds?
local function is_histogram(h)
  return type(h) == "table" and type(h.bounds) == "table" and type(h.counts) == "table"
    and type(h.sum) == "number" and are_numbers(h.bounds, #h.bounds)
    and are_numbers(h.counts, #h.bounds + 1)
end

local function check(kind, name, help, value)
  if not kinds[kind] then
    error(format("emit: the kind must be counter, gauge or histogram, not %s", core.shown(kind)),
      0)
  end
  kinds[kind](name, "emit")
  names.help(help, "emit")
  local is_good = type(value) == "number"
  if kind == "histogram" then
    is_good = is_histogram(value)
  end
  if not is_good then
    error(format("emit: the value of %s must be a %s, not %s", name, kind == "histogram"
      and "table of bounds, counts and sum" or "number", core.shown(value)), 0)
  end
end

--- A name that nobody has yet takes its names.
local function new_family(registry, gathered, kind, name, help)
  local family = { kind = kind, name = name, help = help, seen = {} }
  local taken = names.taken(kind, name)
  for _, line in ipairs(taken) do
    if registry.names[line] or gathered[line] then
      error(format("emit: there is another metric that has %s", line), 0)
    end
  end
  for _, line in ipairs(taken) do
    gathered[line] = family
  end
  gathered[#gathered + 1] = family
  return family
end

--- What collectors say is gathered by name: a name has its lines together, each set of labels
-- once.
local function emitter(registry, gathered)
  return function(kind, name, help, value, labels)
    check(kind, name, help, value)
    local family = gathered[name]
    if not family or family.name ~= name or family.kind ~= kind then
      family = new_family(registry, gathered, kind, name, help)
    end
    local text = labels_of(kind, labels)
    if family.seen[text] then
      error(format("emit: there is a value of %s{%s} already", name, text), 0)
    end
    family.seen[text] = true
    family[#family + 1] = { text = text, value = value }
  end
end

local function gather(registry, pace)
  local gathered = {}
  local emit = emitter(registry, gathered)
  for _, collect in ipairs(registry.collectors) do
    if not pcall(collect, emit) then
      registry.errors = registry.errors + 1
    end
    pace()
  end
  return gathered
end

local function put_gathered(out, family)
  put_head(out, family.kind, family.name, family.help)
  for _, one in ipairs(family) do
    local h = family.kind == "histogram" and one.value
    if h then
      put_histogram(out, family.name, one.text, h.bounds, h.counts, h.sum)
    else
      put_value(out, family.name, one.text, one.value)
    end
    breathe(out)
  end
end

-- -- All of it ----------------------------------------------------------------

-- What there is to say of the registry itself.
local CAPPED, ERRORS = "greenlua_metrics_capped_total", "greenlua_metrics_errors_total"

local function put_own(out, registry)
  local capped = {}
  for _, metric in ipairs(registry.families) do
    if metric.capped > 0 then
      capped[#capped + 1] = metric
    end
  end
  if #capped > 0 then
    put_head(out, "counter", CAPPED, "Calls for a new series where max_series were there.")
    for _, metric in ipairs(capped) do
      put_value(out, CAPPED, format('metric="%s"', metric.name), metric.capped)
    end
  end
  put_head(out, "counter", ERRORS, "Collectors and functions of gauges that raised.")
  put_value(out, ERRORS, "", registry.errors)
end

--- All of a registry as a list of texts of some KB, to be sent one after the other; and their
-- Content-Type. Parks where there is much.
local function of(registry, is_open)
  local out = chunks.new "\n"
  out.is_open, out.left, out.pace = is_open, LINES, pacer()
  for i = 1, #registry.families do
    put_metric(out, registry, registry.families[i])
  end
  for _, family in ipairs(gather(registry, out.pace)) do
    put_gathered(out, family)
  end
  put_own(out, registry)
  if is_open then
    put(out, "# EOF")
  end
  return out:finish(), is_open and OPENMETRICS or PROMETHEUS
end

--- Does a request's Accept ask for OpenMetrics? Prometheus names it first where it likes it
-- best.
local function is_open_wanted(accept)
  return type(accept) == "string" and find(accept, "application/openmetrics-text", 1, true) ~= nil
end

return { of = of, own = { CAPPED, ERRORS }, is_open_wanted = is_open_wanted }
