--- URLs of websockets (RFC 6455, 3). Private to green.websocket.
-- @module green.websocket.target

local errors = require "green.error"
local targets = require "green.http.target"
local urls = require "green.url"

-- Scripts may put their own in their places.
local gsub, type = string.gsub, type

local M = {}

-- What is asked for over HTTP, and what it is called here.
local HTTP = { ws = "http", wss = "https", http = "http", https = "https" }
local WS = { http = "ws", https = "wss", ws = "ws", wss = "wss" }

local function refused(shown, why)
  return nil, errors.new("EINVAL", "connect" .. (shown == "" and "" or " " .. shown), why,
    { url = shown, phase = "url" })
end

--- Take a URL apart. CR, LF and NUL raise. Does not park.
-- @param value a text, or what green.url made
-- @treturn table `url`, for HTTP; `shown`: its text for messages, without user and
-- password; `path`; or nil, err: EINVAL
function M.read(value, where)
  targets.check(value, where)
  local u, err = value, nil
  if type(value) == "string" then
    u, err = urls.parse(value)
  end
  if not u then
    return refused(targets.shown(value), (gsub(err.message, "http://", "ws://")))
  elseif not HTTP[u.scheme] then
    return refused(targets.shown(u), "its scheme must be ws, wss, http or https")
  elseif u.fragment then
    return refused(targets.shown(u), "it must have no fragment")
  end
  local scheme = WS[u.scheme]
  return { url = u:with { scheme = HTTP[scheme] }, shown = u:with({ scheme = scheme }):redacted(),
    path = u.path == "" and "/" or u.path }
end

return M
