--- An HTTP client: requests that wait without blocking, connections that are kept.
--
-- The functions here share one session, which has no cookies and no options. A session of
-- one's own has both. What may be said of a request stands on the page of green.http.
-- @module green.http

local args = require "green.args"
local sessions = require "green.http.session"

-- Scripts may put their own in their places.
local ipairs, rawget, rawset, setmetatable = ipairs, rawget, rawset, setmetatable

local M = {}

local default -- the session of the functions below, made when it is first needed

local function session()
  default = default or sessions.new(nil, "http")
  return default
end

for _, name in ipairs { "get", "post", "put", "patch", "delete", "head", "options" } do
  M[name] = function(url, opts)
    if url == M then
      args.misuse("%s: url must be a URL or the text of one, not a table; call it with a dot, "
        .. "http.%s(...)", name, name)
    end
    local own = session()
    return own[name](own, url, opts)
  end
end

--- Send a request and wait for its answer; `get`, `post`, `put`, `patch`, `delete`, `head` and
-- `options` are the same for their methods. Parks.
-- @tparam string method a token, such as "GET"; its case matters
-- @param url a text, or what green.url made
-- @tparam[opt] table opts see the page of green.http
-- @treturn green.http.response the answer, whatever its status; or nil, err: an error with
-- `method`, `url` (without user and password), `phase` and `cause`. Its codes are those of
-- green.connect, of TLS, and EINVAL (it is no URL), EPROTO (the answer is no HTTP), EEOF,
-- ECONNRESET, ETIMEDOUT, ETOOBIG (a limit), EREDIRECT, EBUSY (too many requests wait)
function M.request(method, url, opts)
  return session():request(method, url, opts)
end

--- Server-sent events; see the session's. Does not park.
function M.events(url, opts)
  return session():events(url, opts)
end

--- A session: connections of its own, and what all its requests have in common. Does not
-- park.
-- @tparam[opt] table opts see the page of green.http
-- @treturn green.http.session
function M.session(opts)
  if opts ~= nil then
    args.type(opts, "table", "http.session", "opts")
  end
  return sessions.new(opts, "http.session")
end

--- Close the connections that the functions of this module have kept. Does not park.
function M.close_idle()
  session():close_idle()
end

-- What is loaded when it is first named.
local lazy = {
  auth = function()
    local auth = require "green.http.auth"
    return { basic = auth.basic, bearer = auth.bearer, digest = auth.digest, custom = auth.custom }
  end,
  cookies = function() return require("green.http.cookies").new end,
  retry_budget = function() return require("green.http.retry").budget end,
  is_public = function() return require("green.http.public").is_public end,
}

return setmetatable(M, {
  __index = function(self, name)
    if lazy[name] then
      rawset(self, name, lazy[name]())
      return rawget(self, name)
    end
  end,
})
