--- Server-sent events of a URL: how a session opens their streams. Private to green.http.
-- @module green.http.subscribe

local errors = require "green.error"
local events = require "green.http.events"
local options = require "green.http.options"
local targets = require "green.http.target"

-- Scripts may put their own in their places.
local ipairs, pairs, type = ipairs, pairs, type

local M = {}

-- Options of the events; all others are the requests'.
local names = { "retry", "max_retry", "tries", "last_id", "max_line", "max_event" }
local of_events = {}
for _, name in ipairs(names) do
  of_events[name] = true
end

--- Both kinds of options, apart.
local function split(opts)
  local own, request = {}, {}
  for name, value in pairs(opts or {}) do
    (of_events[name] and own or request)[name] = value
  end
  request.stream = true
  if request.timeout == nil then
    request.timeout = { between = false } -- events come when they come
  end
  return own, request
end

--- The headers of a request for events, before those of the user's.
local function headers_of(given, last_id)
  local list = { { "Accept", "text/event-stream" }, { "Cache-Control", "no-cache" } }
  if last_id ~= "" then
    list[3] = { "Last-Event-ID", last_id }
  end
  for name, value in pairs(given or {}) do
    list[#list + 1] = type(value) == "table" and type(name) == "number" and value
      or { name, value }
  end
  return list
end

local function refused(resp, text)
  resp:close()
  return errors.new("EPROTO", "GET " .. resp.url, text, { url = resp.url, status = resp.status })
end

--- Is that worth another try?
local function may_pass(status)
  return status == 429 or status >= 500 and status ~= 501
end

--- What an answer means for the events; see green.http.events.
local function judge(resp)
  if resp.status == 204 then
    resp:close()
    return nil
  elseif resp.status ~= 200 then
    local _, err = resp:check()
    resp:close()
    if may_pass(resp.status) then
      return nil, err
    end
    return false, err or refused(resp, "the server answered " .. resp.status)
  elseif not (resp.headers:get("content-type") or ""):lower():find("^text/event%-stream") then
    return false, refused(resp, "the answer is no stream of events")
  end
  return resp
end

--- Events of a URL. Does not park.
function M.open(session, url, opts)
  targets.check(url, "events")
  options.check_events(opts, names, session._settings)
  local own, request = split(opts)
  local headers = request.headers
  return events.new(function(last_id)
    request.headers = headers_of(headers, last_id)
    local resp, err = session:get(url, request)
    if not resp then
      return nil, err
    end
    return judge(resp)
  end, own)
end

return M
