--- Errors of requests: which request, how far it had come, and why. Private to green.http.
--
-- Such an error has `method`, `url` (without user and password), `phase` and `cause`, the
-- error below it, if there is one. Its `code` is the cause's.
-- @module green.http.failure

local errors = require "green.error"

-- Scripts may put their own in their places.
local type = type

local M = {}

-- The URL itself stands in front of what is wrong with it.
local words = {
  pool = "waiting for a connection",
  resolve = "looking up the host",
  connect = "connecting",
  tls = "beginning TLS",
  proxy = "asking the proxy",
  send = "sending the request",
  head = "waiting for the answer",
  body = "reading the body",
  redirect = "following a redirect",
}

--- What the codes mean here, where the table's words are too general.
local texts = {
  head = {
    EEOF = "the server closed the connection without an answer",
    EPROTO = "the answer is not HTTP",
    ETOOBIG = "the head of the answer is larger than the limit",
  },
  body = { EEOF = "the connection ended in the middle of the body" },
}

--- An error.
-- @param code a code's name or number
-- @tparam table req `method` and `shown`, the URL
-- @tparam string phase a key of words, or "url"
-- @tparam ?string text a sentence; default: the table's for the code
-- @tparam ?table extra fields
function M.new(code, req, phase, text, extra)
  local op = req.shown == "" and req.method or req.method .. " " .. req.shown
  local err = errors.new(code, op, text, extra)
  local known = texts[phase]
  if not text and known and known[err.code] then
    err.message = known[err.code]
  end
  if words[phase] then
    err.message = words[phase] .. ": " .. err.message
  end
  err.method, err.url, err.phase = req.method, req.shown, phase
  return err
end

-- What causes say that was tried, where the phase has said so.
local own = { ["http: tls"] = true, ["url.parse"] = true, ["url.join"] = true }

--- nil and an error for what something below gave: an error object, or a negative status.
function M.of(cause, req, phase, text)
  if type(cause) == "number" then
    return nil, M.new(cause, req, phase, text)
  end
  local op = words[phase] and cause.op and not own[cause.op] and cause.op .. ": " or ""
  local err = M.new(cause.number or cause.code, req, phase, text or op .. cause.message,
    { cause = cause })
  err.code = cause.code
  return nil, err
end

return M
