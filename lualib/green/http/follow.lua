--- Redirects: which are followed, and with what. Private to green.http.
-- @module green.http.follow

local bodies = require "green.http.body"
local failure = require "green.http.failure"
local fields = require "green.http.fields"
local hop = require "green.http.hop"
local reading = require "green.http.reading"
local requests = require "green.http.request"
local targets = require "green.http.target"

-- Scripts may put their own in their places.
local format, pairs, type = string.format, pairs, type

local send = hop.send

local M = {}

-- Statuses that name another place (RFC 9110, 15.4).
local is_redirect = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }
M.is_redirect = is_redirect

-- What is for one origin and nobody else.
local SECRETS = { authorization = true, cookie = true, ["proxy-authorization"] = true,
  host = true, origin = true }
-- What is said of a body that is not sent any more.
local OF_BODY = { ["content-length"] = true, ["content-type"] = true,
  ["content-encoding"] = true, ["content-language"] = true, ["content-location"] = true,
  ["transfer-encoding"] = true, expect = true, digest = true }

local function refused(req, resp, text, ...)
  reading.let_go(resp)
  return nil, failure.new("EREDIRECT", req, "redirect", format(text, ...), { response = resp,
    status = resp.status })
end

--- The method that the next request has: 303 asks for what is there instead, and for POST
-- everybody takes 301 and 302 to mean the same.
local function next_method(method, status)
  if status == 303 and method ~= "HEAD" or (status == 301 or status == 302)
    and method == "POST" then
    return "GET"
  end
  return method
end

--- What belongs to the former origin is taken away: credentials of all kinds.
local function cross_origin(req)
  req.fields = fields.without(req.fields, SECRETS)
  req.auth, req.own_cookies = false, nil
  local settings = req.settings
  if settings.tls or settings.unix then
    local own = {}
    for name, value in pairs(settings) do
      own[name] = value
    end
    own.unix = false
    own.tls = M.without_identity(settings.tls)
    req.settings = own
  end
end

--- TLS options without what says who we are.
function M.without_identity(given)
  if type(given) ~= "table" then
    return given
  end
  local own = {}
  for name, value in pairs(given) do
    own[name] = value
  end
  own.cert, own.key, own.password, own.pkcs12, own.host, own.pins = nil, nil, nil, nil, nil, nil
  if given.context then
    return true
  end
  return own
end

--- Where an answer points; nil: nowhere. "": to several places.
local function location_of(resp)
  local list = resp.headers:all("location")
  for i = 2, #list do
    if list[i] ~= list[1] then
      return ""
    end
  end
  return list[1]
end

-- Servers write blanks and letters of all kinds there: browsers code them.
local AS_BROWSERS = { lenient = true }

--- The request that a redirect asks for; nil: it is none; or nil, err.
local function next_request(session, req, resp, count)
  local location = location_of(resp)
  local most = req.settings.redirects
  if most == 0 or not location then
    return nil
  elseif count >= most then
    return refused(req, resp, "more than %d redirects", most)
  elseif location == "" or location:find("[%z\1-\8\10-\31\127]") then
    return refused(req, resp, "the server names no URL, or more than one")
  end
  local target, err = targets.read(location, req.target.url, {}, "request", AS_BROWSERS)
  if not target then
    return refused(req, resp, "the server names no URL that can be followed: %s", err.message)
  elseif req.target.scheme == "https" and target.scheme == "http"
    and not req.settings.to_http then
    return refused(req, resp, "from https to http, to %s", target.text)
  end
  return M.derive(session, req, resp.status, target, resp)
end

--- The same request for another place.
function M.derive(session, req, status, target, resp)
  local method = next_method(req.method, status)
  local own = {}
  for name, value in pairs(req) do
    own[name] = value
  end
  own.method, own.target, own.bytes, own.own_fields = method, target, nil, nil
  own.fields = req.own_fields or req.fields
  if method ~= req.method then
    own.body, own.expect = false, false
    own.fields = fields.without(own.fields, OF_BODY)
  elseif not bodies.rewind(req.body) then
    return refused(req, resp, "the body cannot be sent again")
  end
  requests.describe(own)
  if target.origin ~= req.target.origin then
    cross_origin(own)
  end
  return requests.aim(session, own)
end

--- Follow redirects from an answer on. Parks.
function M.go_on(session, req, resp, due)
  local history = {}
  while is_redirect[resp.status] do
    local next_req, err = next_request(session, req, resp, #history)
    if not next_req then
      if err then
        return nil, err
      end
      break
    end
    reading.let_go(resp)
    history[#history + 1] = resp
    hop.redirected(next_req, resp)
    req = next_req
    resp, err = send(session, req, due)
    if not resp then
      return nil, err
    end
  end
  if history[1] then
    resp.history = history
  end
  return resp
end

--- Send a request and follow. Parks.
function M.run(session, req, due)
  local resp, err = send(session, req, due)
  if resp and is_redirect[resp.status] then
    return M.go_on(session, req, resp, due)
  end
  return resp, err
end

return M
