--- What authenticators decide, by the rules that they have been given. Private to
-- green.zmq.auth.
-- @module green.zmq.auth_decision

local addresses = require "green.zmq.auth_address"
local args = require "green.args"
local digest = require "green.digest"
local keys = require "green.zmq.key"
local zap = require "green.zmq.zap"

local pairs, type = pairs, type

local USER_MOST = 255 -- bytes of a user's id
local ANY = "*"

local M = { ANY = ANY }

--- The rules for a request's domain.
function M.rules(self, request)
  return self._domains[request.domain] or self._domains[ANY] or {}
end

local deciders = {}

function deciders.NULL()
  return "200", "OK", ""
end

--- As long for a name that is not there as for a wrong password.
function deciders.PLAIN(rules, request)
  local password = rules.plain and rules.plain[request.user]
  local same = digest.equal(digest.sha256(password or ""), digest.sha256(request.password))
  if password and same then
    return "200", "OK", request.user
  end
  return "400", rules.plain and "Wrong name or password" or "No passwords for this domain"
end

function deciders.CURVE(rules, request)
  local key, known = keys.z85_encode(request.key), rules.curve
  if known == nil then
    return "400", "No keys for this domain"
  elseif known == ANY then
    return "200", "OK", key
  elseif known.has then
    return known:has(key) and "200" or "400", "Unknown key", key
  end
  local user = known[key]
  return user and "200" or "400", "Unknown key", type(user) == "string" and user or key
end

function deciders.GSSAPI()
  return "400", "GSSAPI needs a callback"
end

--- What a callback says of a peer that it lets in; nil: nothing.
local function metadata_of(value)
  if type(value) ~= "table" then
    return nil
  end
  for name, text in pairs(args.plain(value, "configure_callback", "metadata")) do
    if not zap.is_name(name) or type(text) ~= "string" or text:find("\0", 1, true) then
      args.misuse("configure_callback: metadata must be texts without a zero byte, name = text, "
        .. "names of letters, digits, - _ . +")
    end
  end
  return value
end

--- What a callback has said.
local function decide_by(fn, request)
  local user, why = fn(request)
  if user == true then
    return "200", "OK", request.user or request.key or request.principal or "", metadata_of(why)
  elseif type(user) == "string" and #user <= USER_MOST then
    return "200", "OK", user, metadata_of(why)
  elseif user then
    args.misuse("configure_callback: fn must return true, a user's id or false, not %s",
      args.shown(user))
  end
  return "400", type(why) == "string" and #why <= USER_MOST and why or "Refused"
end

--- What to answer: a status, a text, a user's id, metadata. Parks where it is slow.
function M.decide(rules, request)
  if rules.callback then
    local asked = { domain = request.domain, address = request.address, identity = request.identity,
      mechanism = request.mechanism, user = request.user, password = request.password,
      key = request.key and keys.z85_encode(request.key), principal = request.principal }
    return decide_by(rules.callback, asked)
  end
  return deciders[request.mechanism](rules, request)
end

--- Why an address may not connect; nil: it may.
function M.address_fault(self, text)
  if #self._denied == 0 and #self._allowed == 0 then
    return nil
  end
  local address = addresses.read(text)
  if not address then
    return "Unknown address"
  elseif addresses.has(self._denied, address) then
    return "Address denied"
  elseif #self._allowed > 0 and not addresses.has(self._allowed, address) then
    return "Address not allowed"
  end
end

--- May it take a while: does it ask a function, or look at files?
function M.is_slow(rules, request)
  local known = rules.curve
  return rules.callback
    or request.mechanism == "CURVE" and type(known) == "table" and known.is_old and known:is_old()
end

return M
