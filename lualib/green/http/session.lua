--- Sessions: what requests have in common, and the connections that they share.
-- @module green.http.session

local args = require "green.args"
local around = require "green.http.around"
local class = require "green.args.class"
local core = require "green.core"
local exchange = require "green.http.exchange"
local fields = require "green.http.fields"
local follow = require "green.http.follow"
local instrument = require "green.http.instrument"
local is_url = require("green.url.object").is
local options = require "green.http.options"
local pool = require "green.http.pool"
local quicker = require "green.http.quick"
local requests = require "green.http.request"
local secure = require "green.http.secure"
local show = require "green.args.show"
local targets = require "green.http.target"
local thread = require "green.thread"
local verbs = require "green.http.method"

-- Scripts may put their own in their places.
local ipairs, pairs, setmetatable, type = ipairs, pairs, setmetatable, type

local checkpoint, wait_now, now_of = thread.checkpoint, core.wait_now, core.now
local quick, is_redirect, follow_run = quicker.run, follow.is_redirect, follow.run

local KEPT = 256 -- requests that are ready to be sent again

local methods = {}
local mt = { __name = "green.http.session", __index = methods }

-- -- Requests -----------------------------------------------------------------

--- A request without options is made once for each URL. nil, err.
local function ready_request(self, url, where)
  local req, err = requests.plain(self, "GET", url, where)
  if not req then
    return nil, err
  end
  req.more = around.lines(req)
  req.bytes = requests.bytes(req)
  if self._nready >= KEPT then
    self._ready, self._nready = {}, 0
  end
  self._ready[url], self._nready = req, self._nready + 1
  return req
end

local function due_of(settings)
  local total = settings.total
  return total and now_of() + total or nil
end

--- The short way: GET of a text, with nothing to do before or behind it. Parks.
local function get(self, url, now)
  local req = self._ready[url]
  if not req then
    local problem
    req, problem = ready_request(self, url, "get")
    if not req then
      return nil, problem
    end
  end
  local settings = req.settings
  if settings.total or not settings.first or settings.max_body then
    return follow_run(self, req, due_of(settings))
  end
  local resp, err = quick(self, req, now)
  if resp and is_redirect[resp.status] then
    return follow.go_on(self, req, resp)
  end
  return resp, err
end

--- Any request. Parks.
local function perform(self, method, url, opts, where)
  checkpoint()
  local now = wait_now() -- where that raises, nothing has been done
  if opts == nil and method == "GET" and self._is_plain and not instrument.send
    and type(url) == "string" then
    return get(self, url, now)
  end
  local req, err
  if opts == nil then
    req, err = requests.plain(self, method, url, where)
  else
    req, err = requests.new(self, method, url, opts, where)
  end
  if not req then
    return nil, err
  end
  return follow_run(self, req, due_of(req.settings))
end

--- The same request with other headers beside its own; its body is streamed. Parks.
local function repeat_with(self, req, given)
  local own = {}
  for name, value in pairs(req) do
    own[name] = value
  end
  own.fields = fields.merge(req.own_fields or req.fields, fields.read(given, "request"))
  own.bytes, own.own_fields, own.stream = nil, nil, true
  return follow_run(self, own, due_of(own.settings))
end

--- Send a request and wait for its answer. See the page of green.http for the options.
-- Parks.
-- @tparam string method a token, such as "GET"; its case matters
-- @param url a text, or what green.url made
-- @tparam[opt] table opts
-- @treturn the response; or nil, err: an error with `method`, `url`, `phase` and `cause`
function methods:request(method, url, opts)
  verbs.check(method, "request")
  return perform(self, method, url, opts, "request")
end

for _, name in ipairs { "get", "post", "put", "patch", "delete", "head", "options" } do
  local method = name:upper()
  methods[name] = function(self, url, opts)
    return perform(self, method, url, opts, name)
  end
end

--- Server-sent events of a URL, for a loop over them; the connection is made again when it is
-- lost, from the last event on. Does not park; the loop does.
-- @param url as for get
-- @tparam[opt] table opts options of a request; and `retry` seconds until another connection,
-- unless the server says another number (3); `max_retry` what it may say (3600); `tries`
-- connections that may fail one after the other (no limit); `last_id`; `max_line`, `max_event`
-- @treturn green.http.events
function methods:events(url, opts)
  if opts ~= nil then
    options.table(opts, "events", "opts")
  end
  return require("green.http.subscribe").open(self, url, opts)
end

local forward -- loaded when it is first needed

--- Hand a request that a server of this process has in hand on to another server, for
-- `response:pass_on`. See "Reverse proxies" on the page of green.http. Parks.
-- @tparam table env the handler's
-- @tparam string origin scheme, host and port of the other server, as a URL
-- @tparam[opt] table opts `host`: what Host is to say (what the client has said); `via`: the
-- name of this proxy in Via ("greenlua")
-- @treturn the response, of which nothing but the head was read; or nil, err, as for request;
-- `err.may_retry`: another server may be asked, for nothing can happen twice. Raises what
-- reading the client's body raises
function methods:forward(env, origin, opts)
  forward = forward or require("green.http.forward").forward
  return forward(self, env, origin, opts)
end

-- -- The session --------------------------------------------------------------

--- Close the connections that are kept and not in use. Does not park.
function methods:close_idle()
  pool.close_idle(self._pool)
end

--- Close the connections that are not in use, and from now on each other one when its
-- response has been read: further requests give ECLOSED, and so do those that wait for a
-- connection. Idempotent, does not park.
function methods:close()
  pool.close(self._pool)
end

--- Numbers of the connections: `open` (in use, kept, or being opened), `idle` (of these:
-- kept), `waiting` (requests that wait for one). Does not park.
-- @treturn table
function methods:stats()
  local p = self._pool
  return { open = p.count, idle = p.idle, waiting = p.waiting }
end

show.kind(mt, function(self)
  local p = self._pool
  return ("%d connections, %d idle, %d waiting"):format(p.count, p.idle, p.waiting)
end)

--- What each request has, unless it says otherwise.
local function base_fields(settings, given, where)
  local set = fields.new()
  fields.put(set, "User-Agent", "greenlua/" .. core.version, where)
  fields.put(set, "Accept", "*/*", where)
  if settings.decompress then
    fields.put(set, "Accept-Encoding", require("green.http.coding").accept() or false, where)
  end
  set = fields.merge(set, fields.read(given, where))
  if settings.trailers then
    fields.want_trailers(set)
  end
  return set
end

local function base_of(text, where)
  if text == nil then
    return nil
  end
  if type(text) ~= "string" and not is_url(text) then
    args.wrong(where, "base_url", "a URL or the text of one", text)
  end
  local target, err = targets.read(text, nil, {}, where)
  if not target then -- the text may have a password
    args.misuse("%s: base_url is no URL: %s", where, err.message:match("^[^;]*"))
  end
  return target.url
end

--- Is there nothing to do around a request?
local function is_plain(own, settings)
  return not (settings.hooks or settings.retries or settings.trace or own.cookies or own.auth
    or own.app or own.proxy ~= nil)
end

--- A session. Raises misuse. Does not park.
local function new(opts, where)
  local own, settings, limits = options.of_session(opts, where)
  return setmetatable({
    _settings = settings,
    _fields = base_fields(settings, own.headers, where),
    _base = base_of(own.base_url, where),
    _params = { options.check_params(own.params, where) },
    _pool = pool.new(limits, exchange.class),
    _tls = secure.new(),
    _app = own.app ~= nil and require("green.http.app").option(own.app, where) or false,
    _repeat = repeat_with,
    _ready = {},
    _nready = 0,
    _is_plain = is_plain(own, settings),
    _auth = around.auth(own.auth, where),
    _proxy = around.rules(own.proxy, where),
    _env_proxy = false,
    cookies = around.jar(own.cookies, where),
  }, mt)
end

class.seal(mt)

return { new = new, mt = mt }
