--- Digest authentication, the client's side (RFC 7616): MD5 and SHA-256, with -sess.
--
-- The password is never sent. It is asked for only inside of this file, and stands in no
-- object's field.
-- @module green.http.auth_digest

local challenges = require "green.http.challenge"
local digest = require "green.digest"

-- Scripts may put their own in their places.
local concat, format, gmatch, gsub, ipairs = table.concat, string.format, string.gmatch,
  string.gsub, ipairs

local COUNT_MOST = 0xffffffff -- uses of a nonce: eight digits
local ORIGINS_MOST = 100 -- servers whose nonces are kept
local ANSWERS_MOST = 3 -- to challenges, for one request

local ALGORITHMS = {
  ["MD5"] = { digest.md5 }, ["MD5-SESS"] = { digest.md5, true },
  ["SHA-256"] = { digest.sha256 }, ["SHA-256-SESS"] = { digest.sha256, true },
}

local function quoted(text)
  return '"' .. gsub(text, '["\\]', "\\%0") .. '"'
end

-- -- Challenges ---------------------------------------------------------------

--- Does it offer qop=auth, or nothing (as RFC 2069 had it)? The qop; false: neither.
local function qop_of(params)
  if not params.qop then
    return nil
  end
  for word in gmatch(params.qop, "[^,%s]+") do
    if word:lower() == "auth" then
      return "auth"
    end
  end
  return false
end

--- The first challenge that we can answer: the server has put the one that it likes best
-- first. What is needed to answer it.
local function choose(list)
  for _, challenge in ipairs(list) do
    local params = challenge.params
    local algorithm = ALGORITHMS[(params.algorithm or "MD5"):upper()]
    local qop = qop_of(params)
    if challenge.scheme == "digest" and algorithm and params.realm and params.nonce
      and qop ~= false then
      return { hash = algorithm[1], is_session = algorithm[2], algorithm = params.algorithm,
        realm = params.realm, nonce = params.nonce, opaque = params.opaque, qop = qop,
        userhash = (params.userhash or ""):lower() == "true", count = 0,
        is_stale = (params.stale or ""):lower() == "true" }
    end
  end
end

-- -- Answers ------------------------------------------------------------------

local function hashed(hash, ...)
  return digest.hex(hash(concat({ ... }, ":")))
end

--- Prepare what stays for all uses of a nonce. nil, err: no random bytes.
local function begin(state, user, password)
  local bytes, err = digest.random(16)
  if not bytes then
    return nil, err
  end
  state.cnonce = digest.hex(bytes)
  local secret = hashed(state.hash, user, state.realm, password)
  state.secret = state.is_session and hashed(state.hash, secret, state.nonce, state.cnonce)
    or secret
  state.user = state.userhash and hashed(state.hash, user, state.realm) or user
  return true
end

local function response_of(state, request, count)
  local what = hashed(state.hash, request.method, request.target)
  if not state.qop then
    return hashed(state.hash, state.secret, state.nonce, what)
  end
  return hashed(state.hash, state.secret, state.nonce, count, state.cnonce, state.qop, what)
end

local function header_of(state, request)
  state.count = state.count + 1
  local count = format("%08x", state.count)
  local parts = {
    "username=" .. quoted(state.user), "realm=" .. quoted(state.realm),
    "nonce=" .. quoted(state.nonce), "uri=" .. quoted(request.target),
    "response=" .. quoted(response_of(state, request, count)),
  }
  if state.algorithm then
    parts[#parts + 1] = "algorithm=" .. state.algorithm
  end
  if state.opaque then
    parts[#parts + 1] = "opaque=" .. quoted(state.opaque)
  end
  if state.qop then
    parts[#parts + 1] = "qop=auth, nc=" .. count
  end
  if state.qop or state.is_session then
    parts[#parts + 1] = "cnonce=" .. quoted(state.cnonce)
  end
  if state.userhash then
    parts[#parts + 1] = "userhash=true"
  end
  return "Digest " .. concat(parts, ", ")
end

-- -- The three questions ------------------------------------------------------

--- What green.http.auth asks, for that user.
-- @tparam string user
-- @tparam string password
-- @treturn table `header`, `challenged`, `answered`
local function new(user, password)
  local states, count = {}, 0 -- origin -> state
  local own = {}

  local function put(origin, state)
    if not states[origin] then
      count = count + 1
    end
    if count > ORIGINS_MOST then
      states, count = {}, 1
    end
    states[origin] = state
  end

  --- The nonce of the last challenge serves for what follows.
  function own.header(request)
    local state = states[request.origin]
    if not state or state.count >= COUNT_MOST then
      return nil
    end
    return header_of(state, request)
  end

  --- An answer to a challenge that was refused is not given again, unless its nonce was too
  -- old or it was for another realm.
  function own.challenged(request, list)
    local before, state = states[request.origin], choose(list)
    if not state or request.attempt > ANSWERS_MOST
      or request.sent and not state.is_stale and before and before.realm == state.realm then
      return false
    end
    local ok, err = begin(state, user, password)
    if not ok then
      return false, err
    end
    put(request.origin, state)
    return true
  end

  --- The server may give the next nonce before the last one is used up.
  function own.answered(request, text)
    local state, params = states[request.origin], challenges.params(text)
    local nonce = params and params.nextnonce
    if state and nonce and nonce ~= state.nonce then
      state.nonce, state.count = nonce, 0
      begin(state, user, password)
    end
  end

  return own
end

return { new = new }
