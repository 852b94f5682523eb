--- Handing a server's request on to another server: the first half of what a reverse proxy
-- does. Private to green.http, but for what sessions have of it.
--
-- The head is made by C, without what is for one hop. The request is sent as any other of
-- the session's; what differs from one to the next are its bytes and its body.
-- @module green.http.forward

local args = require "green.args"
local core = require "green.core"
local exchange = require "green.http.exchange"
local options = require "green.args.options"
local quick = require("green.http.quick").run
local requests = require "green.http.request"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, rawget, setmetatable, type = error, rawget, setmetatable, type
local find = string.find

local relay_request, conn_is_open, now_of = core.relay_request, core.conn_is_open, core.now
local checkpoint, run = thread.checkpoint, exchange.run

local CONN = "green.connection" -- where an env keeps its connection
local NAME = "greenlua" -- as which it stands in Via

local M = {}

-- Where a connection may have been tried, but nothing was sent.
local UNSENT = { pool = true, resolve = true, connect = true, tls = true }

-- Each place's is kept, up to that many.
local PLACES = 256

local PIECE = 65536 -- of a body, at once
local SHORT = 16384 -- a body that there is room for in any socket

--- What all requests to a place have in common: the metatable of them.
local function place_of(session, origin)
  local base, err = requests.new(session, "GET", origin, { proxy = false, decompress = false },
    "forward")
  if not base then
    return nil, err
  elseif base.target.target ~= "/" then
    args.wrong("forward", "origin", "a URL without a path", origin)
  end
  base.stream, base.is_forwarded, base.jar, base.auth = true, true, false, false
  local own = { __index = base }
  if not session._places or session._nplaces >= PLACES then
    session._places, session._nplaces = {}, 0
  end
  session._places[origin], session._nplaces = own, session._nplaces + 1
  return own
end

local function place(session, origin)
  args.type(origin, "string", "forward", "origin")
  if session._app then
    args.misuse("forward: a session with app has no other server")
  end
  local places = session._places
  if places and places[origin] then
    return places[origin]
  end
  return place_of(session, origin)
end

--- The request's body as it comes. `begun`: some of it was asked for.
local function body_of(env, handle, length)
  local input, body = env.input, { begun = false, length = length >= 0 and length or nil }
  local held, problem, whole -- what is known of it already
  function body.pull()
    body.begun = true
    local piece, err = held, problem
    held = nil
    if not piece and not err then
      piece, err = input:read_some(PIECE)
    end
    if err then
      error(err, 0)
    end
    return piece
  end
  --- The body, if it is short and all of it is there; nil: ask pull. Does not park.
  function body.whole()
    if whole then
      return whole
    elseif type(input) ~= "table" or rawget(input, "conn") ~= handle then
      return nil -- it was read before, or is the handler's own
    end
    local piece, more = input:_present(SHORT)
    body.begun = body.begun or piece ~= nil and piece ~= ""
    if piece and more then
      whole = piece
      return piece
    end
    held, problem = piece, not piece and more or nil
  end
  function body.rewind()
    return whole
  end
  return body
end

--- May the request be sent to somebody else, having failed here?
local function may_retry(req, err)
  local body = req.body
  if body and body.begun then
    return false
  end
  return req.is_idempotent or err.unsent == true or UNSENT[err.phase] == true
end

local known = { host = true, via = true }

-- What may stand in a line of the head, and is a host with its port, or a name.
local FIT = "^[%w!$%%&'()*+,.:;=%[%]_~#^`|-]+$"
local fits, nfits = {}, 0 -- texts that were found to fit: most are always the same

--- An option that becomes a part of the head. Raises misuse.
local function check_part(name, value)
  if fits[value] then
    return value
  elseif type(value) ~= "string" or not find(value, FIT) then
    args.wrong("forward", name, name == "host" and 'a host, with a port if need be ("a.test:81")'
      or "a name without blanks", value)
  end
  if nfits >= PLACES then
    fits, nfits = {}, 0
  end
  fits[value], nfits = true, nfits + 1
  return value
end

--- See the page of green.http.
function M.forward(session, env, origin, opts)
  local conn = type(env) == "table" and rawget(env, CONN)
  if not conn or not conn_is_open(conn) then
    args.wrong("forward", "env", "the env of a request in hand", env)
  end
  opts = opts and options.check(opts, known, "forward")
  local own, problem = place(session, origin)
  if not own then
    return nil, problem
  end
  local host, via = opts and opts.host or false, opts and opts.via or NAME
  if host then
    check_part("host", host)
  end
  check_part("via", via)
  checkpoint()
  local bytes, method, length = relay_request(conn, host,
    "Via: 1.1 " .. via .. "\r\n", own.__index.target.authority)
  local req = requests.describe(setmetatable({ -- as many as get their room at once
    method = method,
    asked = 0,
    is_idempotent = false,
    body = length ~= nil and body_of(env, conn, length),
    bytes = bytes,
    via = "1.1 " .. via,
    is_taken = false,
  }, own))
  local settings = req.settings
  local send = run
  if not req.body and req.method ~= "HEAD" and settings.first and not settings.total then
    send = quick
  end
  local resp, err = send(session, req, settings.total and now_of() + settings.total or nil)
  if err then
    err.may_retry = may_retry(req, err)
  end
  return resp, err
end

return M
