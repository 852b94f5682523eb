--- What a program is told of each request that was sent: as HAR has it, without secrets.
-- Private to green.http.
-- @module green.http.trace

local core = require "green.core"

-- Scripts may put their own in their places.
local lower, time = string.lower, os.time

local M = {}

-- Their values are for the two ends alone.
local SECRETS = { authorization = true, cookie = true, ["proxy-authorization"] = true,
  ["set-cookie"] = true, ["set-cookie2"] = true }

local function shown(name, value)
  return { name = name, value = SECRETS[lower(name)] and "(hidden)" or value }
end

local function sent_headers(req)
  local list = {}
  for i = 1, req.fields.n, 2 do
    list[#list + 1] = shown(req.fields[i], req.fields[i + 1])
  end
  for name, value in (req.more or ""):gmatch("([^:\r\n]+): ([^\r\n]*)") do
    list[#list + 1] = shown(name, value)
  end
  return list
end

local function got(resp)
  local list = {}
  for name, value in resp.headers:each() do
    list[#list + 1] = shown(name, value)
  end
  return { status = resp.status, reason = resp.reason, version = resp.version, headers = list }
end

--- When something began, for M.tell.
function M.begin()
  return { wall = time(), at = core.now() }
end

--- Tell the function of the option. Raises what it raises; parks if it does.
function M.tell(req, begun, resp, err)
  req.settings.trace {
    started = begun.wall,
    seconds = core.now() - begun.at,
    request = { method = req.method, url = req.url, headers = sent_headers(req) },
    response = resp and got(resp) or nil,
    timings = resp and resp.timings or nil,
    error = err,
  }
end

return M
