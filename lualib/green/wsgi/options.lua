--- The options of an HTTP server: defaults, checks, and what the C core is told.
--
-- Names are Eventlet's where it has one; durations are seconds, sizes bytes.
-- @module green.wsgi.options

local core = require "green.core"
local args = require "green.args"
local options = require "green.args.options"
local secure = require "green.net.secure"
local sinks = require "green.log.sink"

local FOR_EVER = 9e18 -- nanoseconds
local MOST_NAP = 0.001 -- nothing else happens meanwhile
local MOST_COUNT, MOST_BYTES = 4294967295, 2 ^ 53 -- what C has room for

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
  nap = function(v)
    return type(v) == "number" and v >= 0 and v <= MOST_NAP, "seconds, 0.001 at most"
  end,
  most = function(v)
    return v == false or type(v) == "number" and v >= 1, "a number of at least 1, or false"
  end,
  positive = function(v)
    return type(v) == "number" and v >= 1, "a number of at least 1"
  end,
  limit = function(v)
    return v == false or type(v) == "number" and v >= 0, "bytes, or false for no limit"
  end,
  format = function(v)
    return v == false or type(v) == "string", 'a text with fields, "json" or false'
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
    local is_object, good = pcall(function()
      return v.spawn and v.waitall
    end)
    return v == false or is_object and good, "an object with spawn and waitall"
  end,
  tls = function(v)
    return v == false or type(v) == "table", "a table with cert and key, or what tls.context gave"
  end,
  log = function(v)
    local kind = type(v)
    if sinks.no_line_of(v) ~= nil then
      return false, "one place to write to, or a list that has nothing in it but lines"
    end
    return kind ~= "number" and kind ~= "thread" and kind ~= "cdata" and v ~= "json" and v ~= "",
      'a path, a table, a function, an object with write, or a boolean (for lines of JSON: '
      .. 'log_format = "json")'
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
  log_format = { false, "format" },
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
  max_connections = { MOST_COUNT, "positive" },
  max_handshakes = { 4096, "most" },
  max_handshakes_per_address = { 1024, "most" },
  max_requests = { 0, "count" },
  nap = { 0, "nap" },
  -- The rest.
  date_header = { true, "flag" },
  connect = { false, "flag" },
  half_close = { true, "flag" },
  cancel_on_disconnect = { false, "flag" },
  server_software = { "greenlua/" .. core.version, "text" },
  signals = { false, "flag" },
  stop_grace = { 30, "seconds" },
  wsapi = { false, "flag" },
  listen = { {}, "table" },
  measure = { false, "flag" },
  tls = { false, "tls" },
}

local names = {}
for name in pairs(known) do
  names[name] = true
end

local function check_value(name, value, where)
  local good, want = checks[known[name][2]](value)
  if not good then
    args.wrong(where, ("option '%s'"):format(name), want, value)
  end
end

--- The options to serve with, checked, defaults filled in. Raises what is wrong
-- with them.
-- @tparam ?table opts
-- @tparam string where the function's name, for messages
local function read(opts, where)
  if type(opts) == "table" and opts.protocol ~= nil then
    args.misuse("%s: option 'protocol' does not exist here: the protocol is in C; its class "
      .. "attributes in Eventlet are options of their own", where)
  end
  opts = options.check(opts, names, where, secure.hint)
  local o = {}
  for name, spec in pairs(known) do
    local value = opts[name]
    if value == nil then
      value = spec[1]
    else
      check_value(name, value, where)
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

local function count(n)
  return math.min(n or MOST_COUNT, MOST_COUNT)
end

--- Tell the C core.
local function apply(httpd, o)
  httpd.keepalive = o.keepalive and o.keepalive ~= 0
  httpd.keepalive_timeout = ns(o.keepalive == true and 75 or o.keepalive or 0)
  httpd.header_timeout = ns(o.header_timeout)
  httpd.max_body = o.max_body and math.min(o.max_body, MOST_BYTES) or -1
  httpd.max_drain = math.min(o.max_drain, MOST_BYTES)
  httpd.max_requests = count(o.max_requests)
  httpd.max_connections = count(o.max_connections)
  httpd.max_handshakes = count(o.max_handshakes)
  httpd.max_handshakes_per_address = count(o.max_handshakes_per_address)
  httpd.max_line = count(o.url_length_limit)
  httpd.max_field = count(o.max_header_line)
  httpd.max_head = count(o.max_header_size)
  httpd.max_headers = count(o.max_headers)
  httpd.http10 = o.max_http_version == "HTTP/1.0"
  httpd.date = o.date_header
  httpd.connect = o.connect
  httpd.half_close = o.half_close
  httpd.nap = o.nap * 1e9
  httpd.gather = true
  httpd.in_place = not o.custom_pool -- whose threads others may wait for
end

return { read = read, apply = apply }
