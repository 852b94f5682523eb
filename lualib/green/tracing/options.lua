--- What green.tracing is started with: options, and the variables that OpenTelemetry has.
-- @module green.tracing.options

local args = require "green.args"
local core = require "green.core"
local options = require "green.args.options"

-- Scripts may put their own in their places.
local pairs, type = pairs, type
local find, gsub = string.find, string.gsub

local M = {}

local defaults = { service = false, resource = {}, endpoint = false, file = false, export = false,
  headers = {}, sample = 1, trust = false, baggage = false, queries = false, propagate = true,
  queue = 2048, batch = 256, delay = 1, timeout = 10, retries = 4 }

local function check_text(value, where, name)
  if type(value) ~= "string" or value == "" then
    args.wrong(where, name, "a text", value)
  end
  return value
end

local function check_flag(value, where, name)
  return args.type(value, "boolean", where, name)
end

local function check_table(value, where, name)
  return args.type(value, "table", where, name)
end

--- Each request would be refused because of one that cannot be sent: better say it here.
local function check_headers(value, where, name)
  for field, text in pairs(args.plain(value, where, name)) do
    if type(field) ~= "string" or not find(field, "^[%w!#$&'*+.^_`|~%%-]+$") then
      args.wrong(where, "a name in headers", "the name of a field", field)
    elseif type(text) ~= "string" or find(text, "%c") then
      args.wrong(where, "headers: the value of " .. field, "a text without control characters",
        text)
    end
  end
  return value
end

local checks = {
  service = check_text, file = check_text, resource = check_table, headers = check_headers,
  trust = check_flag, baggage = check_flag, queries = check_flag,
  endpoint = function(v, where)
    if type(v) ~= "string" or not find(v, "^https?://[^/]") then
      args.wrong(where, "endpoint", "a URL that begins with http:// or https://", v)
    end
    return v
  end,
  export = function(v, where) return args.type(v, "function", where, "export") end,
  sample = function(v, where)
    if type(v) ~= "number" or not (v >= 0 and v <= 1) then
      args.wrong(where, "sample", "a number from 0 to 1", v)
    end
    return v
  end,
  propagate = function(v, where)
    if type(v) ~= "boolean" and type(v) ~= "function" then
      args.wrong(where, "propagate", "true, false or a function of the host", v)
    end
    return v
  end,
  queue = function(v, where) return args.integer(v, 1, where, "queue", 1000000) end,
  batch = function(v, where) return args.integer(v, 1, where, "batch", 10000) end,
  delay = function(v, where) return args.number(v, 0, where, "delay") end,
  timeout = function(v, where) return args.number(v, 0, where, "timeout") end,
  retries = function(v, where) return args.integer(v, 0, where, "retries", 100) end,
}

--- The variables that OpenTelemetry has for this, where the options say nothing.
local function add_environment(o)
  if not (o.endpoint or o.file or o.export) then
    local base = core.env "OTEL_EXPORTER_OTLP_ENDPOINT"
    o.endpoint = core.env "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
      or base and gsub(base, "/*$", "") .. "/v1/traces" or "http://127.0.0.1:4318/v1/traces"
  end
  o.service = o.service or core.env "OTEL_SERVICE_NAME" or "unknown_service:greenlua"
end

--- The options of start, checked. Raises misuse.
function M.read(opts, where)
  opts = options.check(opts, defaults, where)
  local o = {}
  for name, default in pairs(defaults) do
    o[name] = default
    if opts[name] ~= nil then
      o[name] = checks[name](opts[name], where, name)
    end
  end
  add_environment(o)
  local resource, headers = { ["service.name"] = o.service }, {}
  for name, value in pairs(o.resource) do
    resource[name] = value
  end
  for name, value in pairs(o.headers) do
    headers[name] = value
  end
  headers["Content-Type"] = "application/json"
  o.resource, o.headers = resource, headers
  return o
end

return M
