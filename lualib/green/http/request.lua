--- Requests: everything that is to be sent, from what the caller has said. Private to
-- green.http.
--
-- A request is a table: `session`, whose it is; `method`; `target` (green.http.target) and
-- `url`, `shown`, texts of its URL, the second for messages; `key`: the origin in the pool;
-- `settings` (green.http.options); `fields` (green.http.fields); `body` (green.http.body) or false;
-- `bytes`: what is sent first, if that is always the same; `proxy`: the way there; `form`: its
-- target as a proxy is told; `more`: lines of the head for this sending alone; `upgrade`: the
-- protocol that the connection is to become one of, or false.
-- @module green.http.request

local args = require "green.args"
local around = require "green.http.around"
local bodies = require "green.http.body"
local failure = require "green.http.failure"
local fields = require "green.http.fields"
local is_token = require("green.http.token").is
local keys = require "green.http.key"
local options = require "green.http.options"
local targets = require "green.http.target"
local verbs = require "green.http.method"

local ffi = require "ffi"
require "green.ffi.http_response"

-- Scripts may put their own in their places.
local format, pairs, pcall, tonumber = string.format, pairs, pcall, tonumber

local M = {}

local ASKED_OTHER = tonumber(ffi.C.GREEN_ASKED_OTHER)
local ASKED = {
  HEAD = tonumber(ffi.C.GREEN_ASKED_HEAD),
  CONNECT = tonumber(ffi.C.GREEN_ASKED_CONNECT),
}

-- Of these a server expects to be told that there is no body.
local WITH_BODY = { POST = true, PUT = true, PATCH = true }

-- -- Bodies -------------------------------------------------------------------

local function json_of(value, where)
  local cjson, err = require("green.http.json").library()
  if not cjson then
    return nil, err
  end
  local ok, text = pcall(cjson.encode, value)
  if not ok then
    args.misuse("%s: json must be a value that JSON has, not %s: %s", where, args.shown(value),
      text)
  end
  return { text = text }, "application/json"
end

local makers = {
  json = json_of,
  form = function(value, where)
    options.table(value, where, "form")
    return { text = require("green.url").query(value) }, "application/x-www-form-urlencoded"
  end,
  multipart = function(value, where)
    return require("green.http.multipart").body(value, where)
  end,
  body = function(value, where)
    return bodies.of(value, where)
  end,
}

--- The body and its type, or nothing. Raises misuse when there is more than one.
local function body_of(opts, where)
  local chosen
  for name in pairs(makers) do
    if opts[name] ~= nil then
      if chosen then
        args.misuse("%s: give one of body, json, form and multipart, not two", where)
      end
      chosen = name
    end
  end
  if not chosen then
    return false
  end
  return makers[chosen](opts[chosen], where)
end

--- Say in the head how long the body is.
local function frame(set, method, body, where)
  local given = fields.get(set, "content-length")
  if given then
    local length = tonumber(given)
    local known = body and (body.text and #body.text or body.length) or not body and 0 or nil
    if not given:find("^%d+$") or known and known ~= length then
      args.misuse("%s: Content-Length is %s, but the body has %s bytes", where,
        args.shown(given), format("%.0f", known or 0))
    end
    if body and not body.text then
      body.length = length
    end
    return
  end
  if not body then
    if WITH_BODY[method] then
      fields.put(set, "Content-Length", "0", where)
    end
    return
  end
  local length = body.text and #body.text or body.length
  if length then
    fields.put(set, "Content-Length", format("%.0f", length), where)
  else
    set[set.n + 1], set[set.n + 2], set.n = "Transfer-Encoding", "chunked", set.n + 2
  end
end

-- -- Heads --------------------------------------------------------------------

--- The head's text. It is made anew for each sending: cookies and credentials change.
function M.head(req)
  local target = req.target
  local host = req.fields.has.host and "" or "Host: " .. target.authority .. "\r\n"
  return req.method .. " " .. (req.form or target.target) .. " HTTP/1.1\r\n" .. host
    .. fields.text(req.fields) .. (req.more or "") .. "\r\n"
end

--- What is sent first: the head, and a short body behind it.
function M.bytes(req)
  local body = req.body
  local head = M.head(req)
  if body and body.text and #body.text <= bodies.TOGETHER and not req.expect then
    return head .. body.text, true
  end
  return head, false
end

--- Give a request what follows from its target: how it gets there, and over what. nil, err.
function M.aim(session, req)
  local target, settings = req.target, req.settings
  req.url, req.shown = target.text, target.text
  local proxy, err = around.proxy(session, req)
  if err then
    return failure.of(err, req, "proxy")
  end
  req.proxy = proxy
  req.form = proxy and proxy.scheme ~= "socks5" and target.scheme == "http" and not req.upgrade
    and target.text or nil -- a proxy hands an upgrade on only through a tunnel
  if req.method == "CONNECT" then
    req.form = target.place
  end
  req.key = keys.of(req, session._tls:name(settings))
  return req
end

--- Give a request what follows from its method.
function M.describe(req)
  req.asked = ASKED[req.method] or ASKED_OTHER
  req.is_idempotent = verbs.is_idempotent(req.method)
  return req
end

local function new(session, method, target, settings, upgrade)
  return M.aim(session, M.describe {
    session = session,
    method = method,
    target = target,
    settings = settings,
    body = false,
    stream = false,
    expect = false,
    jar = session.cookies,
    auth = around.auth_of(session, target),
    upgrade = upgrade or false,
  })
end

--- The protocol of the option; nil: there is none. Raises misuse.
local function upgrade_of(value, where)
  if value ~= nil and not is_token(value) then
    args.wrong(where, "upgrade", 'the name of a protocol, such as "websocket"', value)
  end
  return value
end

--- Ask the server to go on with another protocol (RFC 9110, 7.8).
local function ask_upgrade(req, where)
  if req.upgrade then
    fields.put(req.fields, "Connection", "Upgrade", where)
    fields.put(req.fields, "Upgrade", req.upgrade, where)
  end
end

--- A request with nothing but a URL. nil, err. Raises misuse.
function M.plain(session, method, url, where)
  local target, err = targets.read(url, session._base, session._params, where)
  if not target then
    return failure.of(err, { method = method, shown = targets.shown(url) }, "url")
  end
  local req
  req, err = new(session, method, target, session._settings)
  if not req then
    return nil, err
  end
  req.fields = session._fields
  if WITH_BODY[method] then
    req.fields = fields.merge(req.fields, fields.new())
    frame(req.fields, method, false, where)
  end
  return req
end

--- A request with options. nil, err. Raises misuse. Parks only if a hook does.
function M.new(session, method, url, opts, where)
  local own, settings = options.of_request(opts, session._settings, where)
  local params = session._params
  if options.check_params(own.params, where) ~= nil then
    params = params[1] and { params[1], own.params } or { own.params }
  end
  local target, err = targets.read(url, session._base, params, where)
  if not target then
    return failure.of(err, { method = method, shown = targets.shown(url) }, "url")
  end
  local req
  req, err = new(session, method, target, settings, upgrade_of(own.upgrade, where))
  if not req then
    return nil, err
  end
  local body, kind = body_of(own, where)
  if body == nil then
    return failure.of(kind, req, "send")
  end
  req.fields = fields.merge(session._fields, fields.read(own.headers, where))
  ask_upgrade(req, where)
  if settings.trailers then
    fields.want_trailers(req.fields)
  end
  if kind and not req.fields.has["content-type"] then
    fields.put(req.fields, "Content-Type", kind, where)
  end
  frame(req.fields, method, body, where)
  req.body = body
  if req.body and own.expect_continue then
    fields.put(req.fields, "Expect", "100-continue", where)
  end
  req.stream = args.optional(own.stream, "boolean", where, "stream") or false
  req.expect = body and args.optional(own.expect_continue, "boolean", where,
    "expect_continue") or false
  around.cookies(req, own.cookies, where)
  if own.auth ~= nil then
    req.auth = around.auth(own.auth, where)
  end
  return req
end

return M
