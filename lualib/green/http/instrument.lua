--- Who stands around each request of the client that leaves this process: green.tracing puts
-- itself here while it runs, and so do the lines of GREENLUA_TRACE=http. Private to green.http.
-- @module green.http.instrument

local core = require "green.core"

-- Scripts may put their own in their places.
local error, format, match, xpcall = error, string.format, string.match, xpcall

local M = {
  send = false, -- send(run, session, req, due): calls run with the others, returns its results
}

local function outcome(ok, resp, err)
  if not ok then
    return "raised an error"
  end
  return resp and format("%d", resp.status) or err and err.code or "failed"
end

local function tell(req, begun, ok, resp, err)
  core.trace_http(format("client: %s %s: %s, %.6f s", req.method,
    req.target.origin .. match(req.target.target, "^[^?]*"), outcome(ok, resp, err),
    core.now() - begun))
  if not ok then
    error(resp, 0)
  end
  return resp, err
end

local function same(err)
  return err
end

--- Lines around another one, or around the request itself.
local function traced(inner)
  return function(run, session, req, due)
    local begun = core.now()
    core.trace_http(format("client: %s %s", req.method,
      req.target.origin .. match(req.target.target, "^[^?]*")))
    if inner then
      return tell(req, begun, xpcall(inner, same, run, session, req, due))
    end
    return tell(req, begun, xpcall(run, same, session, req, due))
  end
end

--- Put one there; false: nobody.
function M.put(send)
  M.send = core.traces_http() and traced(send) or send
end

M.put(false)

return M
