--- The options of a server: defaults, checks, and what the C core is told.
--
-- Names are Eventlet's where it has one; durations are seconds, sizes bytes.
-- @module green.wsgi.options

local core = require "green.core"
local options = require "green.options"

local FOR_EVER = 9e18 -- nanoseconds

-- Each check returns whether it likes the value, and says what it wants.
local checks = {
  flag = function(v)
    return type(v) == "boolean", "true or false"
  end,
  seconds = function(v)
    return v == false or type(v) == "number" and v >= 0, "seconds, or false for no limit"
  end,
  keepalive = function(v)
    return type(v) == "boolean" or type(v) == "number" and v >= 0, "true, false or seconds"
  end,
  count = function(v)
    return type(v) == "number" and v >= 0, "a number of at least 0"
  end,
  positive = function(v)
    return type(v) == "number" and v >= 1, "a number of at least 1"
  end,
  limit = function(v)
    return v == false or type(v) == "number" and v >= 0, "bytes, or false for no limit"
  end,
  text = function(v)
    return type(v) == "string", "a string"
  end,
  table = function(v)
    return type(v) == "table", "a table"
  end,
  version = function(v)
    return v == "HTTP/1.0" or v == "HTTP/1.1", '"HTTP/1.0" or "HTTP/1.1"'
  end,
  pool = function(v)
    local kind = type(v)
    local ok = v == false or (kind == "table" or kind == "userdata") and v.spawn and v.waitall
    return ok, "an object with spawn and waitall"
  end,
  log = function(v)
    local kind = type(v)
    return kind ~= "number" and kind ~= "thread",
      "a path, a table, a function, an object with write, or a boolean"
  end,
}

-- name = { default, check }
local known = {
  -- What Eventlet has.
  log = { false, "log" },
  environ = { {}, "table" },
  max_size = { 1024, "positive" },
  custom_pool = { false, "pool" },
  max_http_version = { "HTTP/1.1", "version" },
  minimum_chunk_size = { 4096, "count" },
  log_x_forwarded_for = { true, "flag" },
  keepalive = { true, "keepalive" },
  log_output = { true, "flag" },
  log_format = { false, "log" },
  url_length_limit = { 8192, "positive" },
  debug = { false, "flag" },
  socket_timeout = { false, "seconds" },
  capitalize_response_headers = { true, "flag" },
  -- Logs.
  access_log = { false, "log" },
  error_log = { true, "log" },
  -- Times.
  header_timeout = { 30, "seconds" },
  body_timeout = { 60, "seconds" },
  write_timeout = { 60, "seconds" },
  handler_timeout = { false, "seconds" },
  -- Sizes.
  max_header_line = { 8192, "positive" },
  max_header_size = { 65536, "positive" },
  max_headers = { 100, "positive" },
  max_body = { 67108864, "limit" },
  max_drain = { 1048576, "count" },
  max_connections = { 4294967295, "positive" },
  max_requests = { 0, "count" },
  -- The rest.
  date_header = { true, "flag" },
  server_software = { "greenlua/" .. core.version, "text" },
  signals = { false, "flag" },
  stop_grace = { 30, "seconds" },
  wsapi = { false, "flag" },
  listen = { {}, "table" },
}

local names = {}
for name in pairs(known) do
  names[name] = true
end

local function check(name, value, where, level)
  local good, want = checks[known[name][2]](value)
  if not good then
    error(("%s: option '%s' must be %s, not %s"):format(where, name, want, tostring(value)),
      level + 1)
  end
end

--- The options to serve with, checked, defaults filled in.
-- @tparam ?table opts
-- @tparam string where the function's name, for messages
-- @tparam number level of the caller to blame
local function read(opts, where, level)
  level = level + 1
  if opts and opts.protocol ~= nil then
    error(where .. ": option 'protocol' does not exist here: the protocol is in C; its class "
      .. "attributes in Eventlet are options of their own", level)
  end
  opts = options.check(opts, names, where, level)
  local o = {}
  for name, spec in pairs(known) do
    local value = opts[name]
    if value == nil then
      value = spec[1]
    else
      check(name, value, where, level)
    end
    o[name] = value
  end
  for _, name in ipairs { "header_timeout", "body_timeout", "write_timeout" } do
    if opts[name] == nil and opts.socket_timeout ~= nil then
      o[name] = o.socket_timeout
    end
  end
  return o
end

local function ns(seconds)
  return seconds and math.min(seconds * 1e9, FOR_EVER) or FOR_EVER
end

--- Tell the C core.
local function apply(httpd, o)
  httpd.keepalive = o.keepalive and o.keepalive ~= 0
  httpd.keepalive_timeout = ns(o.keepalive == true and 75 or o.keepalive or 0)
  httpd.header_timeout = ns(o.header_timeout)
  httpd.max_body = o.max_body or -1
  httpd.max_drain = o.max_drain
  httpd.max_requests = o.max_requests
  httpd.max_connections = math.min(o.max_connections, 4294967295)
  httpd.max_line = o.url_length_limit
  httpd.max_field = o.max_header_line
  httpd.max_head = o.max_header_size
  httpd.max_headers = math.min(o.max_headers, 128)
  httpd.http10 = o.max_http_version == "HTTP/1.0"
  httpd.date = o.date_header
end

return { read = read, apply = apply }
