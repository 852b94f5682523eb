--- One request of an HTTP server: its handler is called, and what that returns or raises
-- becomes the answer, or what the log says.
--
-- The path of a plain request is short on purpose: every table access here is paid for
-- by every request.
-- @module green.wsgi.request

local bodies = require "green.wsgi.body"
local core = require "green.core"
local exchange = require "green.wsgi.exchange"
local errors = require "green.error"
local mistakes = require "green.wsgi.mistakes"
local answers = require "green.wsgi.answer"
local posthooks = require "green.wsgi.posthooks"
local raised = require "green.wsgi.raised"
local states = require "green.wsgi.state"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, pairs, rawget, rawset, setmetatable, tostring, type, xpcall =
  error, pairs, rawget, rawset, setmetatable, tostring, type, xpcall
local format = string.format

local answer_respond, core_reset = core.answer_respond, core.reset
local respond, close_body, DONE = answers.respond, bodies.close, answers.DONE
local note_traceback, turn = thread.note_traceback, thread.turn
local unwind = states.unwind
local quick_answer, COLD, ANSWERED = exchange.answer, exchange.COLD, exchange.ANSWERED
local REST = 20000 -- requests until the short way is tried again that was slow
local TAKEN = -1 -- stands among those

-- -- Failures -----------------------------------------------------------------

--- Another answer instead: if nothing has left yet, else the connection is cut.
local function answer_error(server, conn, status, text)
  core.conn_set_close(conn)
  if core.answer_rollback(conn) == 0 then
    respond(server, conn, 0, status, { ["Content-Type"] = "text/plain" }, text)
  end
end

local function is_cancel(err)
  return errors.is_error(err, "ECANCELED") or errors.is_error(err, "EGONE")
end

--- Is there nobody to answer any more?
local function is_client_gone(err)
  return errors.is_error(err, "EGONE")
    or errors.is_error(err) and err.client_gone == true
end

--- What the client is to hear of a body that could not be read; nil: it is not that.
local function body_status(err)
  return errors.is_error(err) and err.body_status
end

local function fail(server, conn, env, err)
  if is_client_gone(err) then
    core.conn_cut(conn, err.number) -- what is left is not waited for once more
    server.log:debug("client went away: %s", tostring(err))
    return
  end
  local page, status = raised.not_found(err), body_status(err)
  if page then
    rawset(env, "STATUS", 404)
    return answer_error(server, conn, 404, page)
  end
  if status then
    rawset(env, "STATUS", status)
    server.log:debug("bad request body: %s", tostring(err))
    return answer_error(server, conn, status, err.message .. "\n")
  end
  rawset(env, "STATUS", 500)
  server.failed = server.failed + 1
  if not (server.stopping and errors.is_error(err, "ECANCELED")) then
    server.log:failure(env, err)
  end
  local text = "Internal Server Error\n"
  if server.options.debug then
    text = format("%s\n%s\n", raised.failure(err, server, env), thread.traceback_of(err) or "")
  end
  answer_error(server, conn, 500, text)
end

-- -- One request --------------------------------------------------------------

local function least_chunk(server, env)
  return rawget(env, "green.minimum_write_chunk_size")
    or rawget(env, "eventlet.minimum_write_chunk_size") or server.options.minimum_chunk_size
end

--- The body's end, also when its connection is not ours any more.
local function finish_body(server, env, body)
  local ok, err = xpcall(close_body, note_traceback, body)
  if not ok then
    server.log:failure(env, err)
  end
end

--- What ends the thread if it is this request's alone: what its handler, or its
-- body, raised.
local function note_failure(state, err)
  state.failure = { error = err }
end

--- An answer whose body is not a string: it may park, and is closed in any case.
local function answer_slowly(server, state, conn, env, status, headers, body)
  local least = least_chunk(server, env)
  local ok, err = xpcall(respond, note_traceback, server, conn, least, status,
    headers, body)
  finish_body(server, env, body)
  if ok then
    return
  end
  note_failure(state, err)
  if not state.taken then
    fail(server, conn, env, err)
  else
    server.log:failure(env, err)
  end
end

--- The handler has the connection: what it returns does not matter.
local function answer_nobody(server, state, env, ok, status, body)
  if ok then
    return finish_body(server, env, body)
  end
  note_failure(state, status)
  if not is_cancel(status) then
    server.log:failure(env, status)
  end
end

--- With what xpcall(app) gave.
local function answer_any(server, state, conn, env, ok, status, headers, body, why)
  if state.taken then
    answer_nobody(server, state, env, ok, status, body)
  elseif ok and body == DONE then
    return -- all is written
  elseif not ok then
    note_failure(state, status)
    fail(server, conn, env, status)
  elseif body == nil and type(why) == "string" then
    fail(server, conn, env, mistakes.missing(why))
  elseif type(body) == "string" or body == nil then
    local done, problem = answer_respond(conn, server.capitalize, status, headers, body)
    if not done then
      fail(server, conn, env, problem)
    end
  else
    answer_slowly(server, state, conn, env, status, headers, body)
  end
end

--- What stands in the list is the handler's: it may be no list, or hold no hooks.
-- They are called when the answer has left, or cannot leave. Returns what is to be
-- raised then: this thread was killed meanwhile.
local function run_posthooks(server, state, conn, env, hooks)
  local sent, killed, problem = true, nil, nil
  if not state.taken then
    sent, killed, problem = xpcall(answers.drain, note_traceback, server, conn)
  end
  if problem and core.conn_is_open(conn) then
    core.conn_cut(conn, problem.number) -- the client is not waited for once more
  end
  posthooks.call(env, hooks, function(err) server.log:failure(env, err) end)
  return not sent and killed or nil
end

--- The short way, where it may be gone. Returns how far it has come; nil: nowhere.
local function answer_shortly(server, conn, env, status, headers, body)
  if type(status) ~= "number" or headers ~= nil and type(headers) ~= "table"
    or rawget(env, "posthooks") ~= nil or server.workers > server.max_workers then
    return nil
  end
  local code = quick_answer(server.exchange, conn, status, headers, body)
  if code > COLD then
    return code
  elseif code == COLD then
    server.rest = REST
  end
  return nil
end

--- With what xpcall(app) gave. Returns as handle.
local function answer(server, state, conn, env, ok, status, headers, body, why)
  local rest, code = server.rest, nil
  if rest > 0 then
    server.rest = rest - 1
  elseif ok and type(body) == "string" and not state.taken then
    code = answer_shortly(server, conn, env, status, headers, body)
  end
  if not code then
    answer_any(server, state, conn, env, ok, status, headers, body, why)
    local hooks = rawget(env, "posthooks")
    local killed = hooks and run_posthooks(server, state, conn, env, hooks)
    if killed then
      error(killed, 0)
    end
  end
  state.idle = false
  if code and code ~= ANSWERED then
    return code
  elseif turn.touched ~= 0 then
    unwind(state) -- locks that the handler has not released
    core_reset()
  end
  return state.taken and TAKEN or ANSWERED
end

--- One request. Returns how far it has come, as exchange.answer, or TAKEN: the handler
-- took the connection over.
local function handle(server, state, conn, path)
  local env = setmetatable({ ["green.connection"] = conn, PATH_INFO = path }, server.env_mt)
  state.failure = false
  if server.environ then
    for key, value in pairs(server.environ) do
      env[key] = value
    end
  end
  return answer(server, state, conn, env, xpcall(server.app, note_traceback, env))
end

return { handle = handle, is_cancel = is_cancel, TAKEN = TAKEN }
