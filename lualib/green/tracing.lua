--- Distributed tracing: spans of what a program does, tied to those of the programs that ask
-- it and that it asks (W3C Trace Context), exported as OTLP/JSON. Off until it is started.
--
-- The running thread's span goes to the threads that it spawns, and to the lines of green.log.
-- @module green.tracing

local args = require "green.args"
local contexts = require "green.thread.context"
local ending = require "green.ending"
local errors = require "green.error"
local instrument = require "green.http.instrument"
local options = require "green.args.options"
local parents = require "green.tracing.parent"
local recorders = require "green.tracing.recorder"
local spans = require "green.tracing.span"
local targets = require "green.tracing.target"
local thread = require "green.thread"
local web = require "green.tracing.web"

-- Scripts may put their own in their places.
local error, getenv, pairs, type, xpcall = error, os.getenv, pairs, type, xpcall
local find, gsub = string.find, string.gsub

local M = {}

local EXIT_SECONDS = 2 -- that the end of the program waits for the exporter

local defaults = { service = false, resource = {}, endpoint = false, file = false, export = false,
  headers = {}, sample = 1, trust = false, baggage = false, queries = false, propagate = true,
  queue = 2048, batch = 256, delay = 1, timeout = 10, retries = 4 }

-- -- Options ------------------------------------------------------------------

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
  for field, text in pairs(args.type(value, "table", where, name)) do
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
    local own = getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or ""
    local base = getenv("OTEL_EXPORTER_OTLP_ENDPOINT") or ""
    o.endpoint = own ~= "" and own or base ~= "" and gsub(base, "/*$", "") .. "/v1/traces"
      or "http://127.0.0.1:4318/v1/traces"
  end
  local name = getenv("OTEL_SERVICE_NAME") or ""
  o.service = o.service or name ~= "" and name or "unknown_service:greenlua"
end

local function read(opts, where)
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

-- -- On and off ---------------------------------------------------------------

local at_exit -- the end of the program

--- Begin to make spans. Does not park.
-- @tparam[opt] table opts see the page of green.tracing
-- @treturn boolean true; or nil, err: it runs already (EALREADY), or the file could not be opened
function M.start(opts)
  local o = read(opts, "start")
  if spans.recorder then
    return nil, errors.new("EALREADY", "start")
  end
  local target, err = targets.new(o, "start")
  if not target then
    return nil, err
  end
  spans.recorder = recorders.new(o, target)
  instrument.send = web.send
  at_exit = ending.at_exit(function() M.stop(EXIT_SECONDS) end)
  return true
end

--- Make no more spans, and send those that wait. Idempotent. Parks.
-- @tparam[opt=5] number seconds that it may take; what is left then is dropped
-- @treturn boolean whether all spans were sent
function M.stop(seconds)
  args.timeout(seconds, "stop")
  local recorder = spans.recorder
  if not recorder then
    return true
  end
  spans.recorder, instrument.send = false, false
  at_exit:cancel()
  return recorder:finish(seconds or 5)
end

--- Send what waits now. Parks.
-- @tparam[opt=5] number seconds that it may take
-- @treturn boolean whether nothing waits any more
function M.flush(seconds)
  args.timeout(seconds, "flush")
  local recorder = spans.recorder
  return not recorder or recorder:flush(seconds or 5)
end

--- Are spans made? Does not park.
function M.is_on()
  return spans.recorder and true or false
end

--- Numbers. Does not park.
-- @treturn table spans: `waiting`, `exported`, `dropped`
function M.stats()
  local r = spans.recorder
  return { waiting = r and r:waiting() + r.in_hand or 0, exported = r and r.exported or 0,
    dropped = r and r.dropped or 0 }
end

-- -- Spans --------------------------------------------------------------------

local span_options = { kind = true, attributes = true, parent = true, root = true }

local function is_parent(value)
  return value.trace_id == false
    or parents.is_id(value.trace_id, 32) and parents.is_id(value.span_id, 16)
end

local function parent_of(value, where)
  if type(value) ~= "table" or not is_parent(value) then
    args.wrong(where, "parent", "a span, or what parse gave", value)
  end
  return value
end

local function begin(name, opts, where)
  args.type(name, "string", where, "name")
  opts = options.check(opts, span_options, where)
  local kind = opts.kind == nil and "internal" or spans.kind(opts.kind, where)
  args.optional(opts.attributes, "table", where, "attributes")
  args.optional(opts.root, "boolean", where, "root")
  local parent = opts.parent ~= nil and parent_of(opts.parent, where) or nil
  if not parent and not opts.root then
    parent = spans.current()
  end
  return spans.begin(name, kind, parent, opts.attributes)
end

local function finish(span, before, ok, ...)
  contexts.set(before)
  if not ok then
    span:error((...))
  end
  span:finish()
  if not ok then
    error((...), 0)
  end
  return ...
end

--- Call fn(span, ...) in a span: it is the running thread's until fn is over, and an error is
-- its error. Parks if fn does.
-- @tparam string name
-- @tparam[opt] table opts `kind` ("internal", "server", "client", "producer", "consumer"),
-- `attributes`, `parent` (a span, or what parse gave; default: the thread's), `root` (true: none)
-- @tparam function fn
-- @return what fn returns; raises what it raises
function M.span(name, opts, fn, ...)
  if type(opts) == "function" then
    return M.span(name, nil, opts, fn, ...)
  end
  local span = begin(name, opts, "span")
  args.callable(fn, "span", "fn")
  local before = contexts.get()
  if span.trace_id then
    contexts.set(contexts.added("span", span))
  end
  return finish(span, before, xpcall(fn, thread.note_traceback, span, ...))
end

--- A span that is nobody's until it is finished: for what begins here and ends elsewhere. Does
-- not park.
-- @tparam string name
-- @tparam[opt] table opts as for span
-- @return the span
function M.begin(name, opts)
  return begin(name, opts, "begin")
end

--- The running thread's span; nil: it has none. Does not park.
M.current = spans.current

-- -- Others -------------------------------------------------------------------

--- Take the headers of another program's request apart, strictly. Does not park.
-- @tparam string traceparent
-- @tparam[opt] string tracestate dropped as a whole if it cannot be read
-- @treturn table `trace_id`, `span_id`, `sampled`, `state`: to be a `parent`; or nil, why not
function M.parse(traceparent, tracestate)
  local parent, why = parents.parse(traceparent)
  if not parent then
    return nil, errors.new("EINVAL", "parse", "traceparent: " .. why)
  end
  parent.is_remote, parent.state = true, parents.state(tracestate) or false
  return parent
end

--- An application for green.wsgi whose requests are spans, with what the client's headers say
-- as their parent. Does not park; its requests do as the application does.
-- @tparam function app app(env)
-- @treturn function
function M.app(app)
  args.callable(app, "app", "app")
  return web.app(app)
end

return M
