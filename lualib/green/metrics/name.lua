--- Names of metrics and labels, and how texts are written in an exposition.
-- @module green.metrics.name

local args = require "green.args"
local scrub = require("green.http.utf8").scrub

-- Scripts may put their own in their places.
local find, floor, format, gsub, huge, ipairs, sub, tonumber, tostring, type = string.find,
  math.floor, string.format, string.gsub, math.huge, ipairs, string.sub, tonumber, tostring, type

local M = {}

--- The name of a metric, by Prometheus's rules. Raises.
function M.metric(name, where)
  args.type(name, "string", where, "name")
  if not find(name, "^[%a_:][%w_:]*$") then
    args.wrong(where, "name", 'letters, digits, "_" and ":", and no digit first', name)
  end
  return name
end

--- The name of a counter ends in _total, as OpenMetrics wants it. Raises.
function M.counter(name, where)
  M.metric(name, where)
  if not find(name, "._total$") then
    args.wrong(where, "name", 'a name that ends in "_total", as counters\' do', name)
  end
  return name
end

--- The name of what is no counter. Raises.
function M.other(name, where)
  M.metric(name, where)
  if find(name, "_total$") then
    args.wrong(where, "name", 'a name that does not end in "_total", as counters\' do', name)
  end
  return name
end

local MOST_LABELS = 8

--- The names of labels: a list, which is copied. Raises.
-- @tparam ?table reserved names that this kind of metric has for itself
function M.labels(labels, where, reserved)
  local copy, seen = {}, {}
  for i, label in ipairs(args.list(labels == nil and {} or labels, where, "labels", "names")) do
    if type(label) ~= "string" or not find(label, "^[%a_][%w_]*$") or find(label, "^__") then
      args.wrong(where, format("labels[%d]", i),
        'letters, digits and "_", no digit first and no "__"', label)
    elseif reserved and reserved[label] then
      args.misuse('%s: "%s" is a label of its own here', where, label)
    elseif seen[label] then
      args.misuse('%s: the label "%s" stands there twice', where, label)
    end
    copy[i], seen[label] = label, true
  end
  if #copy > MOST_LABELS then
    args.wrong(where, "labels", format("a list of %d names at most", MOST_LABELS), labels)
  end
  return copy
end

--- A help text. Raises.
function M.help(help, where)
  args.type(help, "string", where, "help")
  if help == "" then
    args.wrong(where, "help", "a text that says what is counted", help)
  end
  return help
end

-- Of each kind, beside the name itself.
local endings = { counter = { "_created" }, gauge = {}, histogram = { "_bucket", "_sum", "_count",
  "_created" } }

--- The names that nobody else may have: of a metric, and of its lines, those of OpenMetrics
-- among them, which names a counter without its _total.
function M.taken(kind, name)
  local base = kind == "counter" and sub(name, 1, -7) or name
  local list = { base }
  if base ~= name then
    list[2] = name
  end
  for _, ending in ipairs(endings[kind]) do
    list[#list + 1] = base .. ending
  end
  return list
end

local VALUE_MOST = 1024 -- bytes
local kinds = { string = true, number = true, boolean = true }

--- The text of a label's value: its beginning, where it is very long, and U+FFFD for what is no
-- UTF-8: values that would be written the same are the same series. Raises.
function M.value(value, where, label)
  if not kinds[type(value)] then
    args.wrong(where, format("the label '%s'", label), "a string, a number or a boolean", value)
  end
  return scrub(sub(type(value) == "string" and value or tostring(value), 1, VALUE_MOST))
end

local escapes = { ["\\"] = "\\\\", ["\n"] = "\\n", ['"'] = '\\"' }

--- What M.value gave, as it stands between quotes.
function M.quoted(text)
  return (gsub(text, '[\\\n"]', escapes))
end

--- A help text, as it stands behind # HELP; OpenMetrics has quotes escaped, too.
function M.escaped_help(text, is_open)
  return (gsub(scrub(text), is_open and '[\\\n"]' or "[\\\n]", escapes))
end

--- A value.
function M.number(n)
  if n ~= n then
    return "NaN"
  elseif n == huge then
    return "+Inf"
  elseif n == -huge then
    return "-Inf"
  elseif n == floor(n) and n > -1e15 and n < 1e15 then
    return format("%.0f", n)
  end
  local text = format("%.15g", n)
  return tonumber(text) == n and text or format("%.17g", n)
end

--- A bound of a bucket, as OpenMetrics has it: "1.0", "1e+06".
function M.bound(n)
  if n >= 1e6 and n < huge and tonumber(format("%.0e", n)) == n then
    return format("%.0e", n)
  end
  local text = M.number(n)
  return find(text, "^%-?%d+$") and text .. ".0" or text
end

return M
