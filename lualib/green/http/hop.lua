--- One request to one place, with all that goes around it: credentials, cookies, hooks,
-- further tries. Private to green.http.
-- @module green.http.hop

local args = require "green.args"
local around = require "green.http.around"
local bodies = require "green.http.body"
local core = require "green.core"
local exchange = require "green.http.exchange"
local fields = require "green.http.fields"
local instrument = require "green.http.instrument"
local reading = require "green.http.reading"
local thread = require "green.thread"
local tracing = require "green.http.trace"

-- Scripts may put their own in their places.
local error, xpcall = error, xpcall

local run = exchange.run

local M = {}

-- -- Before and behind ----------------------------------------------------------

--- Let the hook look at the request, and add headers to it. Parks if it does.
local function call_before(req)
  local view = { method = req.method, url = req.url, headers = {} }
  req.settings.hooks.before(view)
  args.type(view.headers, "table", "the hook before", "headers")
  return fields.merge(req.own_fields or req.fields, fields.read(view.headers, "the hook before"))
end

--- Make the request what is to be sent now. Parks if a hook does.
local function prepare(req)
  local hooks = req.settings.hooks
  if hooks and hooks.before then
    req.own_fields = req.own_fields or req.fields
    req.fields = call_before(req)
  end
  req.more = around.lines(req)
end

--- What an answer leaves behind.
local function note(req, resp)
  if req.jar then
    local list = resp.headers:all("set-cookie")
    if #list > 0 then
      req.jar:store(req.target.url, list)
    end
  end
end

--- Tell the function of the option trace. Parks if it does. The response is closed should it
-- raise.
local function told(session, req, due)
  local begun = tracing.begin()
  local resp, err = run(session, req, due)
  local ok, problem = xpcall(tracing.tell, thread.note_traceback, req, begun, resp, err)
  if not ok then
    if resp then
      reading.abort(resp)
    end
    error(problem, 0)
  end
  return resp, err
end

--- Tell a hook, if there is one. Parks if it does. The response is closed should it raise.
local function tell(req, resp, name, ...)
  local hooks = req.settings.hooks
  if not hooks or not hooks[name] then
    return
  end
  local ok, err = xpcall(hooks[name], thread.note_traceback, resp, ...)
  if not ok then
    reading.abort(resp)
    error(err, 0)
  end
end

--- Send it once, and once more for each question that the server or the proxy has about who
-- asks. Parks.
local function send_known(session, req, due)
  while true do
    prepare(req)
    local act, stand_around = req.settings.trace and told or run, instrument.send
    local resp, err
    if stand_around then
      resp, err = stand_around(act, session, req, due)
    else
      resp, err = act(session, req, due)
    end
    if not resp then
      return nil, err
    end
    note(req, resp)
    if not around.is_challenged(req, resp) or not bodies.rewind(req.body) then
      return resp
    end
    reading.let_go(resp)
  end
end

--- Tell who wants to know that a redirect is followed. Parks if they do.
function M.redirected(req, resp)
  tell(req, resp, "on_redirect", { method = req.method, url = req.url })
end

-- -- Further tries ------------------------------------------------------------

--- How long to wait before another try; nil: it is not made.
local function wait_of(req, attempt, resp, err, due)
  local policy = req.settings.retries
  if not policy then
    return nil
  end
  local seconds = require("green.http.retry").delay(attempt, {
    method = req.method,
    status = resp and resp.status,
    retry_after = resp and resp.headers:get("retry-after"),
    err = err,
    unsent = err and err.unsent,
    resendable = bodies.can_repeat(req.body),
  }, policy)
  if seconds and (not due or core.now() + seconds < due) and bodies.rewind(req.body) then
    return seconds
  end
end

--- Send it until there is an answer that counts. Parks.
-- @tparam ?number due absolute
-- @treturn the response; or nil, err
function M.send(session, req, due)
  local attempt = 1
  while true do
    local resp, err = send_known(session, req, due)
    local seconds = wait_of(req, attempt, resp, err, due)
    if not seconds then
      if resp then
        tell(req, resp, "after")
      end
      return resp, err
    end
    if resp then
      reading.let_go(resp)
    end
    thread.sleep(seconds)
    attempt = attempt + 1
  end
end

return M
