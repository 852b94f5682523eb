--- Spans of requests: those that this program's server answers, and those that its client
-- sends.
-- @module green.tracing.web

local contexts = require "green.thread.context"
local parents = require "green.tracing.parent"
local spans = require "green.tracing.span"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, next, rawset, tonumber, tostring, type, xpcall =
  error, next, rawset, tonumber, tostring, type, xpcall
local format, match, upper = string.format, string.match, string.upper

local note_traceback = thread.note_traceback

local M = {}

-- -- Servers ------------------------------------------------------------------

--- What a request says it is a part of; nil: nothing that can be read.
-- @param header header(name): its value, or nil
function M.extract(header, wants_baggage)
  local parent = parents.parse(header "traceparent")
  if parent then
    parent.is_remote = true
    parent.state = parents.state(header "tracestate") or false
    parent.baggage = wants_baggage and parents.baggage(header "baggage") or false
  end
  return parent
end

local function header_of(env)
  return function(name)
    return env["HTTP_" .. upper(name)]
  end
end

local function describe(env, queries)
  local query = env.QUERY_STRING
  return {
    ["http.request.method"] = env.REQUEST_METHOD,
    ["url.path"] = env.RAW_PATH_INFO or env.PATH_INFO,
    ["url.scheme"] = env["wsgi.url_scheme"],
    ["url.query"] = queries and query ~= "" and query or nil,
    ["server.address"] = match(env.HTTP_HOST or env.SERVER_NAME or "", "^%[?([^%]]-)%]?:?%d*$"),
    ["server.port"] = tonumber(env.SERVER_PORT),
    ["client.address"] = env.REMOTE_ADDR,
    ["network.protocol.version"] = match(env.SERVER_PROTOCOL or "", "([%d.]+)$"),
    ["user_agent.original"] = env.HTTP_USER_AGENT,
  }
end

--- What an answer says of a request. RFC 9110: 5xx are the server's fault.
local function note_status(span, status, least)
  local number = tonumber(status) or tonumber(match(tostring(status), "^%d%d%d"))
  span:set("http.response.status_code", number)
  if number and number >= least then
    span:set("error.type", format("%d", number))
    span:status("error")
  end
end

--- A body that is produced while it is sent: the span ends behind it.
local function is_lasting(body)
  local kind = type(body)
  return kind == "function" or kind == "userdata" or kind == "table" and body[1] == nil
    and next(body) ~= nil
end

local function produced(span, ok, ...)
  if not ok then
    span:error((...))
    error((...), 0)
  end
  return ...
end

--- A function's pieces, and its error is the span's.
local function watched(span, body)
  return function(...)
    return produced(span, xpcall(body, note_traceback, ...))
  end
end

local function finish(span, before, env, ok, status, headers, body, ...)
  if not ok then
    span:error(status):set("http.response.status_code", 500):finish()
    contexts.set(before)
    error(status, 0)
  end
  note_status(span, status, 500)
  if is_lasting(body) then
    local hooks = env.posthooks
    hooks[#hooks + 1] = { function() span:finish() end }
    rawset(env, "posthooks", hooks)
    if type(body) == "function" and span:recording() then
      body = watched(span, body)
    end
  else
    span:finish()
    contexts.set(before)
  end
  return status, headers, body, ...
end

--- An application whose requests are spans.
function M.app(app)
  return function(env)
    local recorder = spans.recorder
    if not recorder then
      return app(env)
    end
    local parent = M.extract(header_of(env), recorder.baggage)
    local span = spans.begin(env.REQUEST_METHOD, "server", parent)
    if span.sampled then
      span:set(describe(env, recorder.queries))
    end
    local before = contexts.get()
    contexts.set(contexts.added("span", span))
    return finish(span, before, env, xpcall(app, note_traceback, env))
  end
end

-- -- Clients ------------------------------------------------------------------

--- The lines of a head for others to go on with.
local function lines_of(span, recorder)
  local text = "traceparent: " .. span:traceparent() .. "\r\n"
  if span.state then
    text = text .. "tracestate: " .. span.state .. "\r\n"
  end
  if recorder.baggage and span.baggage then
    text = text .. "baggage: " .. span.baggage .. "\r\n"
  end
  return text
end

local function is_told(recorder, target)
  local propagate = recorder.propagate
  if type(propagate) == "function" then
    return propagate(target.host) and true or false
  end
  return propagate
end

local function conclude(span, resp, err)
  if resp then
    note_status(span, resp.status, 400)
    span:set("network.protocol.version", resp.version)
  else
    span:error(err)
  end
  span:finish()
  return resp, err
end

local function checked(span, ok, resp, err)
  if not ok then
    span:error(resp):finish()
    error(resp, 0)
  end
  return conclude(span, resp, err)
end

--- Around each request of the client (green.http.instrument).
function M.send(run, session, req, due)
  local recorder, context = spans.recorder, contexts.get()
  if not recorder or context and context.is_mute then
    return run(session, req, due)
  end
  local target = req.target
  local span = spans.begin(req.method, "client", context and context.span)
  if span.sampled then
    span:set {
      ["http.request.method"] = req.method,
      ["server.address"] = target.host,
      ["server.port"] = target.port,
      ["url.full"] = target.origin .. match(target.target, "^[^?]*"),
    }
  end
  if is_told(recorder, target) and not req.fields.has.traceparent then
    req.more = (req.more or "") .. lines_of(span, recorder)
  end
  return checked(span, xpcall(run, note_traceback, session, req, due))
end

return M
