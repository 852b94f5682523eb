--- Requests that a handler of the server's kind answers in this process, without a network:
-- for tests. Private to green.http.
--
-- The handler gets an env with what every server says, and its answer is read as one from a
-- connection. What it raises is raised.
-- @module green.http.app

local answers = require "green.http.app_answer"
local apps = require "green.wsgi.app"
local bodies = require "green.wsgi.body"
local core = require "green.core"
local errors = require "green.error"
local input = require "green.http.app_input"
local posthooks = require "green.wsgi.posthooks"
local raised = require "green.wsgi.raised"
local responses = require "green.http.response"
local thread = require "green.thread"
local unescape = require("green.url.escape").unescape

-- Scripts may put their own in their places.
local error, ipairs, rawget, tostring, xpcall = error, ipairs, rawget, tostring, xpcall
local concat, upper = table.concat, string.upper

local DONE = require("green.wsgi.answer").DONE
local OUTLET = require("green.wsgi.outlet").KEY

local M = {}

local function nothing() end

-- -- What the handler gets ------------------------------------------------------

--- All of a request's body; nil: it has none.
local function text_of(body)
  if not body then
    return nil
  elseif body.text then
    return body.text
  end
  local pieces = {}
  for piece in body.pull do
    pieces[#pieces + 1] = piece
  end
  return concat(pieces)
end

--- HTTP_X_Y for X-Y; several values of a name with "," between them. Names that a server
-- leaves out are left out.
local function add_headers(env, lines)
  local raw = env.headers_raw
  for line in lines:gmatch("[^\r\n]+") do
    local name, value = line:match("^([^:]+): ?(.*)$")
    raw[#raw + 1] = { name, value }
    local key = upper(name):gsub("-", "_")
    if key ~= "CONTENT_TYPE" and key ~= "CONTENT_LENGTH" then
      key = "HTTP_" .. key
    end
    if key ~= "HTTP_PROXY" and not name:find("_", 1, true) then
      env[key] = env[key] and env[key] .. "," .. value or value
    end
  end
end

--- There is no connection behind a request in this process.
local function take_over()
  return nil, errors.new("EOPNOTSUPP", "take_over", "a session's app has no connection to take")
end

--- What an env knows under several names.
local function add_names(env, body, log, hooks)
  for _, name in ipairs { "input", "wsgi.input", "green.input", "eventlet.input" } do
    env[name] = body
  end
  for _, name in ipairs { "posthooks", "green.posthooks", "eventlet.posthooks" } do
    env[name] = hooks
  end
  env.error, env["wsgi.errors"] = log, log
  env.take_over, env["green.take_over"] = take_over, take_over
  env["green.set_idle"], env["eventlet.set_idle"] = nothing, nothing
end

local function env_of(req, head)
  local target = req.target
  local path, query = target.target:match("^([^?]*)%??(.*)$")
  local text = text_of(req.body)
  local body = input.new(text)
  local env = {
    REQUEST_METHOD = req.method,
    SCRIPT_NAME = "",
    PATH_INFO = unescape(path),
    RAW_PATH_INFO = path,
    QUERY_STRING = target.target:find("?", 1, true) and query or nil,
    REQUEST_URI = target.target,
    SERVER_NAME = target.host,
    SERVER_PORT = tostring(target.port),
    SERVER_PROTOCOL = "HTTP/1.1",
    SERVER_SOFTWARE = "greenlua/" .. core.version,
    GATEWAY_INTERFACE = "CGI/1.1",
    REMOTE_ADDR = "127.0.0.1",
    HTTPS = target.scheme == "https" and "on" or nil,
    headers_raw = {},
    ["wsgi.version"] = { 1, 0 },
    ["wsgi.url_scheme"] = target.scheme,
    ["wsgi.multithread"] = true,
    ["wsgi.multiprocess"] = false,
    ["wsgi.run_once"] = false,
  }
  add_names(env, body, { write = function(_, ...) io.stderr:write(...) end }, {})
  add_headers(env, head:match("^[^\r\n]*\r\n(.*)$"))
  if text then
    env.CONTENT_LENGTH = tostring(#text)
  end
  return env
end

-- -- What it gives ------------------------------------------------------------

--- What a connection is for a response, as far as it reads a body.
local function source_of(answer, over)
  local source = { ticket = { live = false }, stream = { close = over }, used = 0, is_cut = false,
    head = { status = answer.status, minor = 1 }, body = { done = answer.is_bare, chunk = {} } }
  function source.read_body()
    local piece
    repeat
      piece = answer:take()
    until piece ~= ""
    return piece
  end
  function source.is_reusable()
    return false
  end
  return source
end

--- Tell of what nobody waits for, as a server's log does.
local function tell(env, err)
  env.error:write("greenlua: ", raised.failure(err, nil, env), "\n")
end

--- What is to be done once, when the answer is over: the body's close, and posthooks.
local function ending(env, body)
  local is_over = false
  return function()
    if is_over then
      return
    end
    is_over = true
    local ok, err = xpcall(bodies.close, thread.note_traceback, body)
    if not ok then
      tell(env, err)
    end
    local hooks = rawget(env, "posthooks")
    if hooks then
      posthooks.call(env, hooks, function(problem) tell(env, problem) end)
    end
  end
end

--- What the handler has returned, or raised: the answer begins. What is to be done when it is
-- over. Raises what the handler has raised, but for a page that is not there.
local function begun(answer, env, ok, status, headers, body, why)
  local over = ending(env, ok and body ~= DONE and body or nil)
  local page = not ok and raised.not_found(status)
  if page then
    status, headers, body, why = 404, { ["Content-Type"] = "text/plain" }, page, nil
  elseif not ok then
    over()
    error(status, 0)
  end
  if body ~= DONE then
    local done, err = xpcall(answer.returned, thread.note_traceback, answer, status, headers, body,
      why)
    if not done then
      over()
      error(err, 0)
    end
  end
  return over
end

--- Ask the handler. Parks if it does; raises what it raises.
-- @tparam string head the request's
function M.run(session, req, head)
  local env, answer = env_of(req, head), answers.new(req.method)
  env[OUTLET] = answer
  local over = begun(answer, env, xpcall(session._app, thread.note_traceback, env))
  return responses.new(req, source_of(answer, over), answer:head())
end

--- The handler of a session's option, in any form that a server takes. Raises misuse. Parks if
-- its module does.
function M.option(value, where)
  return (apps.read(value, {}, where))
end

return M
