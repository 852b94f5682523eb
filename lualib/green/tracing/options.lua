--- What green.tracing is started with: options, and the variables that OpenTelemetry has.
-- @module green.tracing.options

local args = require "green.args"
local core = require "green.core"
local errors = require "green.error"
local options = require "green.args.options"

-- Scripts may put their own in their places.
local pairs, type = pairs, type
local find, format, gsub, match = string.find, string.format, string.gsub, string.match

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

local function is_url(value)
  return type(value) == "string" and find(value, "^https?://[^/]") ~= nil
end

local checks = {
  service = check_text, file = check_text, resource = check_table, headers = check_headers,
  trust = check_flag, baggage = check_flag, queries = check_flag,
  endpoint = function(v, where)
    if not is_url(v) then
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

local OWN, BASE = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"

--- Where a receiver is, by the variables that OpenTelemetry has for this. nil, err: they say no
-- URL; the program is not to blame, so this is no misuse.
local function endpoint_outside(where)
  local own, base = core.env(OWN), core.env(BASE)
  local url = own or base and gsub(base, "/*$", "") .. "/v1/traces"
    or "http://127.0.0.1:4318/v1/traces"
  if is_url(url) then
    return url
  end
  local scheme, rest = match(own or base, "^(%a[%w+.%-]*://)(.*)$")
  local shown = (scheme or "") .. gsub(rest or own or base, "^[^/@]*@", "...@") -- no password
  return nil, errors.new("EINVAL", where, format(
    "%s must be a URL that begins with http:// or https://, not %s", own and OWN or BASE,
    core.shown(shown)))
end

--- The options of start, checked. nil, err: what the environment says is wrong. Raises misuse.
function M.read(opts, where)
  opts = options.check(opts, defaults, where)
  local o = {}
  for name, default in pairs(defaults) do
    o[name] = default
    if opts[name] ~= nil then
      o[name] = checks[name](opts[name], where, name)
    end
  end
  if not (o.endpoint or o.file or o.export) then
    local err
    o.endpoint, err = endpoint_outside(where)
    if not o.endpoint then
      return nil, err
    end
  end
  o.service = o.service or core.env "OTEL_SERVICE_NAME" or "unknown_service:greenlua"
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
