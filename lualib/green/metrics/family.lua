--- What counters, gauges and histograms share: a metric with a name, and its series, one for
-- each set of values that its labels have had.
--
-- A metric without labels is its own and only series. Series are capped: a client that can
-- choose a label's value must not choose how much memory there is. What is beyond goes to one
-- series, whose labels all say "other".
-- @module green.metrics.family

local args = require "green.args"
local names = require "green.metrics.name"
local options = require "green.args.options"
local show = require "green.args.show"

-- Scripts may put their own in their places.
local concat, format, ipairs, rawget, select, setmetatable = table.concat, string.format, ipairs,
  rawget, select, setmetatable

local MOST = 1000 -- series of a metric

local M = { OTHER = "other" }

M.options = { labels = true, max_series = true }

--- A metric.
-- @tparam table mt of M.class, whose `begin(series)` gives a series its fields
-- @param kind "counter", "gauge", "histogram"
-- @tparam table given checked options
-- @tparam ?table more fields that the class wants to have before begin
function M.new(mt, kind, name, help, given, more)
  local self = more or {}
  self.mt, self.kind, self.name, self.help = mt, kind, name, help
  self.label_names = given.labels
  self.n_labels = #given.labels
  self.most = given.max_series
  self.tree = {} -- value of the first label -> ... -> series
  self.series, self.n_series = {}, 0
  self.capped = 0 -- how often there was no series left
  self.other = false
  self.family = self
  setmetatable(self, mt)
  if self.n_labels == 0 then
    self.text = ""
    self.series[1], self.n_series = self, 1
    mt.begin(self)
  end
  return self
end

--- The options of a metric, checked. Raises.
function M.check(opts, known, where, reserved)
  opts = options.check(opts, known, where)
  return {
    labels = names.labels(opts.labels, where, reserved),
    max_series = args.integer(opts.max_series == nil and MOST or opts.max_series, 1, where,
      "max_series"),
  }
end

local function text_of(self, values)
  local pieces = {}
  for i, name in ipairs(self.label_names) do
    pieces[i] = format('%s="%s"', name, names.quoted(values[i]))
  end
  return concat(pieces, ",")
end

--- Put a series where the values lead to, or find the one that is there.
local function enter(self, values, make)
  local node = self.tree
  for i = 1, self.n_labels - 1 do
    local next_node = rawget(node, values[i])
    if not next_node then
      if not make then
        return nil
      end
      next_node = {}
      node[values[i]] = next_node
    end
    node = next_node
  end
  local last = values[self.n_labels]
  local one = node[last]
  if not one and make then
    one = setmetatable({ family = self, text = text_of(self, values) }, self.mt)
    self.mt.begin(one)
    node[last] = one
    self.n_series = self.n_series + 1
    self.series[self.n_series] = one
  end
  return one
end

--- There are too many. The series for the rest does not count among them.
local function other(self)
  self.capped = self.capped + 1
  if not self.other then
    local values = {}
    for i = 1, self.n_labels do
      values[i] = M.OTHER
    end
    self.other = enter(self, values, true)
  end
  return self.other
end

local function find_or_make(self, values)
  local one = enter(self, values, false)
  if one then
    return one
  elseif self.n_series >= self.most + (self.other and 1 or 0) then
    return other(self)
  end
  return enter(self, values, true)
end

--- As M.labels, whatever the values are.
local function labels_slowly(self, ...)
  local n = select("#", ...)
  if not self.tree or self.n_labels == 0 then
    args.misuse("labels: %s has none%s", self.family.name, self.tree and "" or " left to give")
  elseif n ~= self.n_labels then
    args.misuse("labels: %s has %d of them (%s), and there are %d values", self.name,
      self.n_labels, concat(self.label_names, ", "), n)
  end
  local values = {}
  for i, name in ipairs(self.label_names) do
    values[i] = names.value((select(i, ...)), "labels", name)
  end
  return find_or_make(self, values)
end

--- The series of these values, one for each label, in the order of their names: strings,
-- numbers or booleans. The same values give the same series: who counts often keeps it. With
-- max_series in use, others get the one whose labels say "other". Does not park.
-- @return the series
function M.labels(self, a, ...)
  local tree = self.tree
  local one = tree and self.n_labels == 1 and select("#", ...) == 0 and a ~= nil and tree[a]
  return one or labels_slowly(self, a, ...)
end

--- Forget all series, or what the only one, or this one, has counted. Does not park.
function M.clear(self)
  local family = self.family
  if self ~= family or self.n_labels == 0 then
    return family.mt.begin(self)
  end
  self.tree, self.series, self.n_series, self.other = {}, {}, 0, false
end

--- A call on a metric that has labels, without any. Raises.
function M.unlabelled(self, where)
  args.misuse("%s: %s has labels: %s:labels(%s):%s(...)", where, self.name, self.kind,
    concat(self.label_names, ", "), where)
end

--- How it prints.
function M.shown(self)
  local family = self.family
  if self ~= family then
    return format("%s{%s}", family.name, self.text)
  end
  return self.n_labels == 0 and self.name or format("%s, %d series", self.name, self.n_series)
end

--- What the metrics of a kind, and their series, are: their methods, and their metatable. Who has
-- filled them seals that.
function M.class(kind)
  local methods = { labels = M.labels, clear = M.clear }
  return methods, show.kind({ __name = "green.metrics." .. kind, __index = methods }, M.shown)
end

return M
