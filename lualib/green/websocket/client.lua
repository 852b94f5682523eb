--- Websockets to servers: a request of green.http's that asks for an upgrade.
--
-- Names, addresses, proxies, TLS, cookies, credentials and all timeouts of the way there are
-- the HTTP client's. Private to green.websocket.
-- @module green.websocket.client

local agreed = require "green.websocket.agreed"
local args = require "green.args"
local attach = require "green.websocket.attach"
local class = require "green.args.class"
local conn_options = require "green.websocket.options"
local deflate = require "green.websocket.deflate"
local errors = require "green.error"
local fields = require "green.http.fields"
local http = require "green.http"
local http_targets = require "green.http.target"
local options = require "green.args.options"
local reconnect = require "green.websocket.reconnect"
local retry = require "green.websocket.retry"
local request_options = require "green.http.options"
local session_mt = require("green.http.session").mt
local targets = require "green.websocket.target"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, format, ipairs, lower, pairs, type, xpcall = error, string.format, ipairs,
  string.lower, pairs, type, xpcall

local M = {}

local TOTAL = 30 -- seconds that a handshake may take in all
local BODY_MOST = 1024 -- bytes of a refusal's body that are told

-- -- Options ------------------------------------------------------------------

-- What is the request's.
local of_request = {}
for _, name in ipairs { "headers", "params", "auth", "cookies", "timeout", "redirects", "retries",
  "proxy", "tls", "unix", "resolver", "allow", "max_head", "hooks", "trace" } do
  of_request[name] = true
end

-- What is the handshake's.
local of_handshake = { origin = true, protocols = true, compression = true, session = true }

local known = {}
for _, names in ipairs { of_request, of_handshake, conn_options.both } do
  for name in pairs(names) do
    known[name] = true
  end
end

--- Headers that make it a handshake are ours to say.
local function check_header(name, where)
  local small = type(name) == "string" and lower(name) or ""
  if small == "connection" or small == "upgrade" or small:find("^sec%-websocket%-") then
    args.misuse("%s: the header %s is the library's own", where, name)
  end
end

--- The user's headers behind ours, as a list of pairs.
local function headers_of(ours, given, where)
  if given ~= nil then
    request_options.table(given, where, "headers")
  end
  local list = { { "Accept", false }, { "Accept-Encoding", false } }
  for _, pair in ipairs(ours) do
    list[#list + 1] = pair
  end
  for name, value in pairs(given or {}) do
    local is_pair = type(value) == "table" and type(name) == "number"
    local pair = is_pair and value or { name, value }
    check_header(pair[1], where)
    list[#list + 1] = pair
  end
  return list
end

local default -- the session of those who have none

local function session_of(value, where)
  if value == nil then
    default = default or http.session { timeout = { total = TOTAL } }
    return default
  elseif not class.is(value, session_mt) then
    args.wrong(where, "session", "what http.session gave", value)
  end
  return value
end

--- What the options come to: for the handshake, and for what follows. Raises misuse. Does
-- not park.
-- @tparam ?table opts
function M.plan(opts, where)
  opts = options.check(opts, known, where)
  local plan = { request = { upgrade = "websocket", stream = true, redirects = false }, conn = {} }
  for name, value in pairs(opts) do
    if of_request[name] then
      plan.request[name] = value
    elseif not of_handshake[name] then
      plan.conn[name] = value
    end
  end
  plan.origin = args.optional(opts.origin, "string", where, "origin")
  plan.protocols = agreed.protocols(opts.protocols, where)
  plan.compression = deflate.options(opts.compression, where)
  plan.session = session_of(opts.session, where)
  plan.given = opts.headers
  fields.read(headers_of({ { "Origin", plan.origin or false } }, plan.given, where), where)
  conn_options.read(plan.conn, where)
  request_options.of_request(plan.request, plan.session._settings, where)
  return plan
end

-- -- Failures -----------------------------------------------------------------

local function failed(target, code, message, more)
  more.url = target.shown
  return nil, errors.new(code, "connect " .. target.shown, message, more)
end

--- The request did not get as far as an answer.
local function not_reached(target, err)
  local none, own = failed(target, err.number or err.code, err.message, { phase = err.phase,
    cause = err.cause, status = err.status, response = err.response, unsent = err.unsent })
  own.code = err.code
  return none, own
end

--- How a body begins: what comes of it until it ends, fails or takes too long. Parks.
local function beginning(resp)
  local body, piece = "", resp:read_some(BODY_MOST)
  while piece do
    body = body .. piece
    piece = #body < BODY_MOST and resp:read_some(BODY_MOST - #body)
  end
  return body
end

--- The server has answered something else than 101. Parks.
local function refused(target, resp)
  local body = beginning(resp)
  resp:close()
  return failed(target, "EHTTPSTATUS", format("the server answered %d %s", resp.status,
    resp.reason), { phase = "status", status = resp.status, reason = resp.reason,
    headers = resp.headers, body = body })
end

-- -- The handshake ------------------------------------------------------------

--- The answer's stream and what was agreed. Parks only for a refusal's body.
local function judge(target, resp, asked, plan)
  if resp.status ~= 101 then
    return refused(target, resp)
  end
  local answer, fault = agreed.check(resp.headers, asked, plan)
  if not answer then
    resp:close()
    return failed(target, "EPROTO", fault, { phase = "handshake", status = 101,
      headers = resp.headers })
  end
  local stream, err = resp:stream()
  if not stream then
    return not_reached(target, err)
  end
  answer.headers = resp.headers
  return stream, answer
end

--- Open a connection as far as its first frame. Parks.
-- @param url ws, wss, http or https: a text, or what green.url made
-- @tparam table plan what `plan` gave
-- @treturn stream; and a table: `protocol`, `offer`, `headers` of the answer, `target`; or
-- nil, err
function M.open(url, plan, where)
  thread.checkpoint()
  local target, err = targets.read(url, where)
  if not target then
    return nil, err
  end
  local asked, resp
  asked, err = agreed.ask(plan)
  if not asked then
    return not_reached(target, err)
  end
  local request = plan.request
  request.headers = headers_of(asked.headers, plan.given, where)
  resp, err = plan.session:get(target.url, request)
  if not resp then
    return not_reached(target, err)
  end
  local ok, stream, answer = xpcall(judge, thread.note_traceback, target, resp, asked, plan)
  if not ok then
    resp:close()
    error(stream, 0)
  elseif stream then
    answer.target = target
  end
  return stream, answer
end

-- -- For users ----------------------------------------------------------------

--- What the options say of the connection, and the handshake, for attach.
local function of_answer(plan, answer)
  local own = { client = true, path = answer.target.path, origin = plan.origin,
    protocol = answer.protocol, offer = answer.offer, compression = plan.compression }
  for name, value in pairs(plan.conn) do
    own[name] = value
  end
  return own
end

--- A function() that connects as often as it is called, options and all being checked now.
-- Raises misuse. Does not park itself; the function parks.
-- @param url as for open; or a function that gives one
local function connector(url, opts, where)
  local plan = M.plan(opts, where)
  local is_asked = args.is_callable(url)
  if not is_asked then
    http_targets.check(url, where)
  end
  return function()
    local stream, answer = M.open(is_asked and url() or url, plan, where)
    if not stream then
      return nil, answer
    end
    local ws, err = attach.attach(stream, of_answer(plan, answer), where)
    if not ws then
      stream:close()
      return failed(answer.target, err.code, err.message, { phase = "handshake", cause = err })
    end
    ws.headers = answer.headers
    return ws
  end
end

--- See green.websocket.connect. Parks.
function M.connect(url, opts)
  return connector(url, opts, "connect")()
end

--- See green.websocket.reconnecting. Does not park.
function M.reconnecting(url, opts)
  local own, rest = {}, {}
  for name, value in pairs(args.optional(opts, "table", "reconnecting", "opts") or {}) do
    (retry.names[name] and own or rest)[name] = value
  end
  return reconnect.new(connector(url, rest, "reconnecting"), own)
end

return M
