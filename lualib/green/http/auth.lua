--- How a request proves who sends it: basic, bearer, digest, or a function.
--
-- An authentication is asked before each sending for the value of Authorization, and told of
-- each answer with 401. For a proxy it is the same with Proxy-Authorization and 407. What is
-- secret stands in no field and in no message.
-- @module green.http.auth

local args = require "green.args"
local class = require "green.args.class"
local challenges = require "green.http.challenge"
local digest = require "green.digest"
local show = require "green.args.show"

-- Scripts may put their own in their places.
local error, ipairs, setmetatable, type = error, ipairs, setmetatable, type

local methods = {}
local mt = { __name = "green.http.auth", __index = methods }

local M = {}

--- What does nothing but give the same header each time.
local function fixed(kind, value)
  return setmetatable({ kind = kind, _own = {
    header = function() return value end,
    challenged = function() return false end,
  } }, mt)
end

--- A text that may be secret: no message shows it.
local function secret(value, where, name)
  if type(value) ~= "string" then
    args.misuse("%s: %s must be a string, not %s", where, name,
      value == nil and "nil" or "a " .. type(value))
  elseif value:find("[%z\1-\31\127]") then
    args.misuse("%s: %s must have no control characters", where, name)
  end
  return value
end

-- -- Kinds --------------------------------------------------------------------

--- Basic (RFC 7617): name and password go with every request, to be read by who sees it; so
-- only over TLS. Both are sent as the bytes that they are: UTF-8, nearly always. Does not
-- park.
-- @tparam string user without a colon
-- @tparam string password
-- @treturn green.http.auth
function M.basic(user, password)
  secret(user, "auth.basic", "user")
  secret(password, "auth.basic", "password")
  if user:find(":", 1, true) then
    args.misuse("auth.basic: user must have no colon")
  end
  return fixed("basic", "Basic " .. digest.base64(user .. ":" .. password))
end

--- Bearer (RFC 6750): a token goes with every request. Does not park.
-- @tparam string token
-- @treturn green.http.auth
function M.bearer(token)
  if not secret(token, "auth.bearer", "token"):find("^[%w%-._~+/]+=*$") then
    args.misuse("auth.bearer: token must be letters, digits and -._~+/, then perhaps =")
  end
  return fixed("bearer", "Bearer " .. token)
end

--- Digest (RFC 7616): the first request is refused and says what to answer; the password is
-- never sent. One object serves all requests of a user, so that a nonce is used for many.
-- Does not park.
-- @tparam string user
-- @tparam string password
-- @treturn green.http.auth
function M.digest(user, password)
  secret(user, "auth.digest", "user")
  secret(password, "auth.digest", "password")
  local own = require("green.http.auth_digest").new(user, password)
  return setmetatable({ kind = "digest", _own = own }, mt)
end

--- A function's own way. Does not park.
-- @tparam function fn fn(request) gives the value of Authorization, or nil for none; it may
-- park. `request` has what `header` says
-- @treturn green.http.auth
function M.custom(fn)
  args.callable(fn, "auth.custom", "fn")
  return setmetatable({ kind = "custom", _own = {
    header = function(request)
      local value = fn(request)
      if value ~= nil and (type(value) ~= "string" or value:find("[%z\r\n]")) then
        error("auth: the function must return a string without CR, LF and NUL, or nil", 0)
      end
      return value
    end,
    challenged = function() return false end,
  } }, mt)
end

--- Check the option `auth` of a request. Does not park.
-- @param value nil; what one of these functions gave; { user, password } for basic; a function
-- as for custom
-- @tparam string where the function's name, for misuse
-- @tparam[opt="auth"] string name the option's
-- @treturn ?green.http.auth
function M.option(value, where, name)
  if value == nil or class.is(value, mt) then
    return value
  elseif type(value) == "table" and type(value[1]) == "string" and type(value[2]) == "string"
    and #value == 2 then
    return M.basic(value[1], value[2])
  elseif type(value) == "function" or args.is_callable(value) then
    return M.custom(value)
  end
  args.misuse("%s: %s must be { user, password }, a function, or what http.auth makes, not a %s",
    where, name or "auth", type(value))
end

-- -- Asking -------------------------------------------------------------------

local function check(request, where)
  args.type(request, "table", where, "request")
  for _, name in ipairs { "method", "target", "origin" } do
    args.type(request[name], "string", where, "request." .. name)
  end
end

--- The value of Authorization. Parks if a function of custom does.
-- @tparam table request `method`, `target` (as it is sent: "/path?query"), `origin` (the URL's:
-- what is known of one server is not for another); for custom, whatever else there is
-- @treturn ?string nil: none, for now
function methods:header(request)
  check(request, "header")
  return self._own.header(request)
end

--- Tell of an answer with 401. Does not park.
-- @tparam table request as for header; and `sent`, the value of Authorization that it had (nil:
-- none), `attempt`, which of its answers with 401 this is (1)
-- @tparam {string,...} texts the values of WWW-Authenticate
-- @treturn boolean true: send it again, with a new header; false: it is as it is. Then perhaps
-- an err: EPROTO (the server's words are malformed), ENOSYS (no random bytes)
function methods:challenged(request, texts)
  check(request, "challenged")
  args.integer(request.attempt, 1, "challenged", "request.attempt")
  args.list(texts, "challenged", "texts", "strings")
  local list, err = challenges.parse(texts)
  if not list then
    return false, err
  end
  return self._own.challenged(request, list)
end

--- Tell of an answer that was not refused: it may say how to go on. Does not park.
-- @tparam table request as for header
-- @tparam string text the value of Authentication-Info
function methods:answered(request, text)
  check(request, "answered")
  args.type(text, "string", "answered", "text")
  if self._own.answered then
    self._own.answered(request, text)
  end
end

show.kind(mt, function(self)
  return self.kind
end)
class.seal(mt)

--- Is it an authentication?
function M.is(value)
  return class.is(value, mt)
end

return M
