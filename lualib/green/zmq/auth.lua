--- Who may connect: an authenticator for the ZeroMQ sockets of a context (RFC 27, ZAP).
-- @module green.zmq.auth

local addresses = require "green.zmq.auth_address"
local args = require "green.args"
local background = require "green.thread.background"
local class = require "green.args.class"
local core = require "green.core"
local decision = require "green.zmq.auth_decision"
local errors = require "green.error"
local keys = require "green.zmq.key"
local options = require "green.args.options"
local report = require "green.thread.report"
local show = require "green.args.show"
local stores = require "green.zmq.auth_store"
local timeouts = require "green.timeout"
local zap = require "green.zmq.zap"

local error, pairs, pcall, setmetatable, type = error, pairs, pcall, setmetatable, type
local traceback, xpcall = debug.traceback, xpcall

local TIMEOUT = 5 -- seconds: less than sockets wait for a handshake
local MOST = 100 -- that are asked about at the same time
local ANY = decision.ANY

-- -- Answers ------------------------------------------------------------------

local function answer(self, request, status, text, user_id, metadata)
  if status == "200" then
    text = "OK"
  end
  self._socket:send_multipart(zap.answer(request, status, text, user_id, metadata), 0)
  if self._log then
    pcall(self._log, { status = status, text = text, domain = request.domain,
      address = request.address, mechanism = request.mechanism, user = request.user,
      user_id = status == "200" and user_id or nil })
  end
end

--- An error that is nobody's end: tell of it. Kills are for the thread.
local function tell(err)
  if not errors.is_error(err, "ECANCELED") then
    report.report(err, core.current(), traceback("in an authenticator", 2))
  end
  return err
end

--- Decide where that may take a while. Parks.
local function decide_later(self, rules, request)
  local ok, status, text, user_id, metadata = xpcall(timeouts.timeout, tell, self._timeout,
    decision.decide, rules, request)
  self._busy = self._busy - 1
  if ok and status then
    answer(self, request, status, text, user_id, metadata)
  elseif ok then
    answer(self, request, "300", "No decision in time")
  elseif errors.is_error(status, "ECANCELED") then
    error(status, 0)
  else
    answer(self, request, "500", "Internal error")
  end
end

local function serve(self, request)
  local rules = decision.rules(self, request)
  if not decision.is_slow(rules, request) then
    return answer(self, request, decision.decide(rules, request))
  elseif self._busy >= self._most then
    return answer(self, request, "300", "Busy")
  end
  self._busy = self._busy + 1
  background[core.spawn(decide_later, self, rules, request)] = true
end

local function run(self)
  while true do
    local parts, err = self._socket:recv_multipart()
    if parts then
      local request, fault = zap.parse(parts)
      fault = fault or request and decision.address_fault(self, request.address)
      if fault then
        answer(self, request, "400", fault)
      elseif request then
        serve(self, request)
      end
    elseif not err:is "EMSGSIZE" then
      return
    end
  end
end

-- -- Rules --------------------------------------------------------------------

local methods = {}
local mt = { __name = "green.zmq.auth", __index = methods }

--- Let only these addresses connect, and those of earlier calls; they still have to say who they
-- are where the socket asks. Does not park.
-- @tparam string ... IP addresses, blocks of them ("10.0.0.0/8"), "ipc" for all peers by ipc,
-- "ipc:UID" for those of a user
function methods:allow(...)
  addresses.add(self._allowed, "allow", ...)
end

--- Let these addresses not connect, and those of earlier calls, whatever is allowed. Does not park.
-- @tparam string ... as allow
function methods:deny(...)
  addresses.add(self._denied, "deny", ...)
end

local function domain_of(self, domain, where)
  if args.type(domain, "string", where, "domain") == "" or #domain > 255 then
    args.wrong(where, "domain", 'a text of 1 to 255 bytes; "*" is all others', domain)
  end
  local rules = self._domains[domain] or {}
  self._domains[domain] = rules
  return rules
end

--- Say which names and passwords a domain has, instead of those said before. Does not park.
-- @tparam string domain a socket's zap_domain; "*": those for which nothing else is said
-- @tparam ?table users name = password; nil: nobody
function methods:configure_plain(domain, users)
  local copy = users and {} or nil
  for name, password in pairs(users and args.plain(users, "configure_plain", "users") or {}) do
    if type(name) ~= "string" or type(password) ~= "string" then
      args.misuse("configure_plain: users must be texts, name = password")
    end
    copy[name] = password
  end
  domain_of(self, domain, "configure_plain").plain = copy
end

--- The keys of a table, in Z85, with their users' ids or true.
local function keys_of(list)
  local found = {}
  for name, value in pairs(list) do
    local key = keys.letters(type(name) == "number" and value or name)
    if not key then
      args.misuse("configure_curve: keys must be 40 letters of Z85, or 32 bytes")
    end
    found[key] = type(name) == "string" and type(value) == "string" and value or true
  end
  return found
end

--- Say which keys a domain knows, instead of those said before. Parks for a folder.
-- @tparam string domain as configure_plain
-- @param known a folder of certificates, NAME.key: one that comes, changes or goes is seen within a
-- second; a list of public keys, or a table key = user's id; zmq.CURVE_ALLOW_ANY: all; nil: none
-- @treturn true or nil, err, and nothing has changed: as zmq.load_certificates
function methods:configure_curve(domain, known)
  if type(known) == "string" and known ~= ANY then
    local store, err = stores.new(known)
    if not store then
      return nil, err
    end
    known = store
  elseif type(known) == "table" then
    known = keys_of(known)
  elseif known ~= nil and known ~= ANY then
    args.wrong("configure_curve", "known", "a folder, a table of keys, or zmq.CURVE_ALLOW_ANY",
      known)
  end
  domain_of(self, domain, "configure_curve").curve = known
  return true
end

--- Ask a function about a domain, instead of what else is said of it. It may park: it has `timeout`
-- seconds. Whoever it raises for is refused, and the error is reported. Does not park.
-- @tparam string domain as configure_plain
-- @tparam ?function fn fn(request): `mechanism`, `domain`, `address`, `identity`, `user` and
-- `password`, `key` (Z85), `principal`. Returns true, or a user's id, to let the peer in, and
-- perhaps a table of metadata (name = text), which `recv_message` gives; false and a text else
function methods:configure_callback(domain, fn)
  if fn ~= nil then
    args.callable(fn, "configure_callback", "fn")
  end
  domain_of(self, domain, "configure_callback").callback = fn
end

-- -- Life ---------------------------------------------------------------------

--- Authenticate no more. Where a domain is said, nobody is let in from now on. Idempotent, does not
-- park.
function methods:stop()
  if not self.stopped then
    self.stopped = true
    self.thread:kill_soon()
    self._socket:unbind(zap.ENDPOINT)
    self._socket:close(0)
  end
end

show.kind(mt, function(self)
  return self.stopped and "stopped" or self.thread:dead() and "dead" or "at work"
end)
class.seal(mt)

local of_auth = { timeout = true, most = true, log = true }

--- The socket, which outlives its thread: where that has died requests stay without an answer, and
-- nobody is let in. nil, err.
local function socket_of(context)
  local state = context.state
  local last = state.zap
  if last and not last.stopped and not last._socket.closed then
    if not last.thread:dead() then
      return nil, errors.new("EBUSY", "auth", "the context has an authenticator")
    end
    return last._socket
  end
  local s, err = context:socket("ROUTER", { linger = 0, rcvhwm = 0, sndhwm = 0 })
  if not s then
    return nil, err
  end
  local ok
  ok, err = s:bind(zap.ENDPOINT)
  if not ok then
    s:close(0)
    return nil, err
  end
  return s
end

--- An authenticator for a context, at work.
-- @return the authenticator; or nil, err
local function new(context, opts)
  opts = options.check(opts, of_auth, "auth")
  local log = opts.log ~= nil and args.callable(opts.log, "auth", "log") or nil
  local timeout = args.timeout(opts.timeout, "auth") or TIMEOUT
  local most = args.integer(opts.most or MOST, 1, "auth", "most")
  local s, err = socket_of(context)
  if not s then
    return nil, err
  end
  local self = setmetatable({ stopped = false, _socket = s, _domains = {}, _allowed = {},
    _denied = {}, _busy = 0, _most = most, _timeout = timeout, _log = log }, mt)
  self.thread = core.spawn(run, self)
  background[self.thread] = true
  context.state.zap = self
  return self
end

return { new = new, ANY = ANY }
