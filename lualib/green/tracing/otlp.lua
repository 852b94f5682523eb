--- Spans as OTLP/JSON: an ExportTraceServiceRequest by the JSON mapping of Protocol Buffers,
-- with what OTLP says otherwise (ids in hexadecimal, enumerations as numbers).
--
-- Field by field from opentelemetry/proto/trace/v1/trace.proto, common/v1/common.proto and
-- resource/v1/resource.proto, and "JSON Protobuf Encoding" of the OTLP specification.
-- @module green.tracing.otlp

local core = require "green.core"
local json = require "green.args.json"
local report = require "green.thread.report"
local values = require "green.log.value"

local ffi = require "ffi"

-- Scripts may put their own in their places.
local floor, huge, next, rawget, sort, type = math.floor, math.huge, next, rawget, table.sort, type
local concat, format, match, tostring = table.concat, string.format, string.match, tostring

local quote, text_of, cut = json.quote, report.text_of, values.cut
local TEXT_MOST = 4096 -- bytes of a text
local DEPTH, ITEMS, VALUES = 4, 100, 1000 -- of tables in an attribute
-- SpanFlags: SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK and SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK.
local HAS_REMOTE, IS_REMOTE, SAMPLED = 256, 512, 1

local M = {}

local function text(value)
  return quote(cut(value, TEXT_MOST))
end

--- fixed64 and int64 are texts of digits in JSON.
local function digits(value)
  return '"' .. match(tostring(value), "^-?%d+") .. '"'
end

local function number(value)
  if value ~= value then
    return '{"doubleValue":"NaN"}'
  elseif value == huge or value == -huge then
    return value > 0 and '{"doubleValue":"Infinity"}' or '{"doubleValue":"-Infinity"}'
  elseif floor(value) == value and value > -2 ^ 53 and value < 2 ^ 53 then
    return format('{"intValue":"%.0f"}', value)
  end
  local shown = format("%.17g", value):gsub(",", ".")
  return '{"doubleValue":' .. shown .. "}"
end

local any -- an AnyValue; left.n: how many more there may be

local function list_value(t, depth, left)
  local n, parts = #t, {}
  for i = 1, n < ITEMS and n or ITEMS do
    parts[i] = any(rawget(t, i), depth + 1, left)
  end
  return '{"arrayValue":{"values":[' .. concat(parts, ",") .. "]}}"
end

--- A list of KeyValue, by name, so that it does not change from one time to the next.
local function pairs_of(t, depth, left)
  local names, texts, parts = {}, {}, {}
  for name in next, t do
    if #names < ITEMS then
      names[#names + 1], texts[name] = name, text_of(name)
    end
  end
  sort(names, function(a, b) return texts[a] < texts[b] end)
  for i = 1, #names do
    local name = names[i]
    local value = any(rawget(t, name), depth, left or { n = VALUES })
    parts[i] = '{"key":' .. text(texts[name]) .. ',"value":' .. value .. "}"
  end
  return "[" .. concat(parts, ",") .. "]"
end

local function is_shown_by_fields(value)
  local mt = core.class_of(value)
  return not (mt and rawget(mt, "__tostring"))
end

function any(value, depth, left)
  local kind = type(value)
  left.n = left.n - 1
  if left.n < 0 then
    return '{"stringValue":"(more)"}'
  elseif kind == "string" then
    return '{"stringValue":' .. text(value) .. "}"
  elseif kind == "number" then
    return number(value)
  elseif kind == "boolean" then
    return value and '{"boolValue":true}' or '{"boolValue":false}'
  elseif kind == "nil" then
    return "{}" -- an AnyValue that is empty
  elseif kind == "cdata" and (ffi.istype("int64_t", value) or ffi.istype("uint64_t", value)
    and value < 2ULL ^ 63) then
    return '{"intValue":' .. digits(value) .. "}"
  elseif kind == "table" and depth < DEPTH and is_shown_by_fields(value) then
    if rawget(value, 1) ~= nil then
      return list_value(value, depth, left)
    end
    return '{"kvlistValue":{"values":' .. pairs_of(value, depth + 1, left) .. "}}"
  end
  return '{"stringValue":' .. text(text_of(value)) .. "}"
end

local function event(e)
  return '{"timeUnixNano":' .. digits(e.at) .. ',"name":' .. text(e.name) .. ',"attributes":'
    .. pairs_of(e.attributes, 0) .. "}"
end

local function events(span)
  local parts = {}
  for i = 1, #span._events do
    parts[i] = event(span._events[i])
  end
  return "[" .. concat(parts, ",") .. "]"
end

local function attributes(span)
  local list, parts = span._attributes, {}
  for i = 1, list.n do
    local name = list[i]
    local value = any(list.values[name], 0, { n = VALUES })
    parts[i] = '{"key":' .. text(name) .. ',"value":' .. value .. "}"
  end
  return "[" .. concat(parts, ",") .. "]"
end

local function status(span)
  if span._status == 0 then
    return "{}"
  end
  local message = span._status_text and ',"message":' .. text(span._status_text) or ""
  return '{"code":' .. span._status .. message .. "}"
end

local function flags(span)
  local known = span.parent_id and HAS_REMOTE + (span.parent_is_remote and IS_REMOTE or 0) or 0
  return SAMPLED + known
end

--- One Span.
function M.span(span)
  return concat {
    '{"traceId":"', span.trace_id, '","spanId":"', span.span_id, '"',
    span.state and ',"traceState":' .. quote(span.state) or "",
    span.parent_id and ',"parentSpanId":"' .. span.parent_id .. '"' or "",
    ',"flags":', flags(span), ',"name":', text(span.name), ',"kind":', span.kind,
    ',"startTimeUnixNano":', digits(span.start), ',"endTimeUnixNano":', digits(span.ended),
    ',"attributes":', attributes(span), ',"droppedAttributesCount":', span._dropped,
    ',"events":', events(span), ',"droppedEventsCount":', span._events_dropped,
    ',"status":', status(span), "}",
  }
end

--- What a request begins with.
-- @tparam table resource attributes
function M.head(resource)
  return '{"resourceSpans":[{"resource":{"attributes":' .. pairs_of(resource, 0)
    .. '},"scopeSpans":[{"scope":{"name":"greenlua","version":' .. quote(core.version)
    .. '},"spans":['
end

M.tail = "]}]}]}"

return M
