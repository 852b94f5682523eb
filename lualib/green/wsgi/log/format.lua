--- Formats of the access log, as templates for the C core.
-- @module green.wsgi.log.format

local args = require "green.args"
local ffi = require "ffi"
local options = require "green.args.options"
local C = require "green.ffi.log"

local DEFAULT = '%(client_ip)s - - [%(date_time)s] "%(request_line)s" %(status_code)s '
  .. "%(body_length)s %(wall_seconds).6f"

-- The first seven are Eventlet's.
local fields = {}
for name, what in pairs {
  client_ip = "CLIENT_IP",
  client_port = "CLIENT_PORT",
  date_time = "DATE_TIME",
  request_line = "REQUEST_LINE",
  status_code = "STATUS",
  body_length = "BODY_LENGTH",
  wall_seconds = "WALL_SECONDS",
  iso_time = "ISO_TIME",
  method = "METHOD",
  path = "PATH",
  query = "QUERY",
  protocol = "PROTOCOL",
  reason = "REASON",
} do
  fields[name] = tonumber(ffi.C["GREEN_LOG_" .. what])
end
local TEXT, HEADER = tonumber(ffi.C.GREEN_LOG_TEXT), tonumber(ffi.C.GREEN_LOG_HEADER)

local short = {
  user_agent = "HTTP_USER_AGENT",
  referer = "HTTP_REFERER",
  host = "HTTP_HOST",
}

local known = {}
for name in pairs(fields) do known[name] = true end
for name in pairs(short) do known[name] = true end

local json = {
  "time", "iso_time", "client_ip", "client_ip", "client_port", "client_port",
  "method", "method", "path", "path", "query", "query", "protocol", "protocol",
  "request_line", "request_line", "status", "status_code", "body_length", "body_length",
  "wall_seconds", "wall_seconds", "host", "host", "user_agent", "user_agent",
  "referer", "referer", "reason", "reason",
}

local function add(log, number, text, decimals)
  if C.field(log, number, text, #text, decimals) < 0 then
    error("wsgi: out of memory", 0)
  end
end

local function add_literal(log, text)
  if text ~= "" then
    add(log, TEXT, text, 0)
  end
end

local function add_field(log, name, decimals, where)
  if fields[name] then
    return add(log, fields[name], "", decimals)
  end
  local key = short[name] or name:match("^HTTP_[A-Z0-9_]+$")
  if not key then
    options.unknown("field of log_format", name, known, where)
  end
  add(log, HEADER, key, 0)
end

--- "%(name)s" of the client's text, "%%" a per cent sign. A text without a field would
-- log the same line for each request.
local function add_template(log, text, where)
  local from = 1
  if not text:find("%", 1, true) then
    args.misuse('%s: log_format has no field, such as %%(path)s: "%s"', where, text:sub(1, 40))
  end
  while true do
    local at, to = text:find("%", from, true)
    add_literal(log, text:sub(from, (at or 0) - 1))
    if not at then
      return
    end
    local name, decimals = text:match("^%(([%w_]+)%)%.?(%d*)[sdf]", at + 1)
    if name then
      add_field(log, name, tonumber(decimals) or 6, where)
      to = select(2, text:find("^%([%w_]+%)%.?%d*[sdf]", at + 1))
    elseif text:sub(at + 1, at + 1) == "%" then
      add_literal(log, "%")
      to = at + 1
    else
      args.misuse("%s: log_format has a '%%' that begins no field: '%s'", where,
        text:sub(at, at + 15))
    end
    from = to + 1
  end
end

local function add_json(log, where, lead)
  log.json = true
  for i = 1, #json, 2 do
    add_literal(log, (i == 1 and "{" .. lead or ",") .. '"' .. json[i] .. '":')
    add_field(log, json[i + 1], 6, where)
  end
  add_literal(log, "}")
end

--- Give a C log its template.
-- @param log a green_log
-- @param format false or nil: the default; "json"; or a text with %(name)s
-- @tparam string where the function's name, for messages
-- @tparam[opt] string prefix of each line
-- @tparam[opt] string lead what an object of JSON begins with, or the template
local function compile(log, format, where, prefix, lead)
  add_literal(log, prefix or "")
  if format == "json" then
    add_json(log, where, lead or "")
  else
    add_template(log, (lead or "") .. (format or DEFAULT), where)
  end
end

return { compile = compile }
