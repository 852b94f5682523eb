--- How the body of a response is read. Private to green.http.
--
-- Fields of the response: `_conn`: the connection, until the body has ended; `_kept`: bytes
-- that have come and were not taken (false: none); `_failed`: the error that ended it;
-- `_decoder`: undoes its Content-Encoding; `_req`: the request.
-- @module green.http.reading

local core = require "green.core"
local errors = require "green.error"
local failure = require "green.http.failure"
local pool = require "green.http.pool"
local uploads = require "green.http.upload"

-- Scripts may put their own in their places.
local concat, format, select = table.concat, string.format, select

local now_of, EBUSY = core.now, core.codes.EBUSY

-- What is read of a body that is not streamed before the response is returned: one that
-- nobody reads keeps no connection if it is no longer than that.
local EAGER = 65536

local M = {}

--- The body is over. Parks if that of the request is not.
local function finish(resp)
  local conn = resp._conn
  resp._conn = false
  if not uploads.finish(conn) then
    resp._no_reuse = true
  end
  resp._t_end = now_of()
  if conn.trailers then
    resp._trailers = conn.trailers
  end
  conn.used = conn.used + 1
  if conn:is_reusable() and not resp._no_reuse then
    conn:note_patience(resp._t_end)
    pool.put(conn, resp._t_end)
  else
    pool.drop(conn)
  end
end
M.finish = finish

--- The body is over before its end. Idempotent. Does not park.
function M.abort(resp, err)
  local conn, decoder = resp._conn, resp._decoder
  resp._failed = resp._failed or err or false
  if decoder then
    decoder:close()
    resp._decoder = false
  end
  if conn then
    resp._conn = false
    resp._t_end = now_of()
    uploads.stop(conn)
    pool.drop(conn)
  end
end

local function fail(resp, err)
  M.abort(resp, err)
  return nil, err
end

--- No more bytes: that was the end, or the connection failed.
local function at_end(resp, conn, status)
  if not status then
    finish(resp)
    return nil
  elseif status == EBUSY or not resp._conn then -- another green thread reads it, or has read it
    return nil, failure.new(status, resp._req, "body")
  end
  local why = conn.body.chunk.reason
  why = conn:is_foreign() and "the connection is the parent process's" or why ~= nil
    and require("ffi").string(why) or nil
  return fail(resp, failure.new(status, resp._req, "body", why))
end

--- Bytes as they come from the connection; nil at the end; nil, err. Parks.
local function pull_raw(resp)
  local conn = resp._conn
  local text, status = conn:read_body(resp._req.settings.between, resp._due)
  if not text then
    return at_end(resp, conn, status)
  elseif conn.body.done then
    finish(resp)
  end
  return text
end

--- What a decoder gave: it has failed for good after an error.
local function decoded(resp, text, err)
  if err then
    resp._decoder:close()
    resp._decoder = false
    return fail(resp, select(2, failure.of(err, resp._req, "body")))
  end
  return text
end

--- The same, decoded: what the decoder has, then what it makes of the next bytes, at last
-- what it has left. A piece may be empty; nil is the end. Parks.
local function pull_decoded(resp)
  local decoder = resp._decoder
  if resp._more then
    local text, err = decoded(resp, decoder:more())
    resp._more = text ~= "" and not err
    return text, err
  elseif resp._conn then
    local raw, err = pull_raw(resp)
    if err then
      return nil, err
    elseif raw then
      local text
      text, err = decoded(resp, decoder:feed(raw))
      resp._more = text ~= "" and not err
      return text, err
    end
  end
  local text, err = decoded(resp, decoder:finish())
  if text == "" then
    resp._decoder = false
    return nil
  end
  return text, err
end

local function too_big(resp, most)
  return fail(resp, failure.new("ETOOBIG", resp._req, "body",
    format("the body is longer than max_body, %.0f bytes", most)))
end

--- What was taken of a body cannot be passed on.
local function note_taken(req)
  if req.is_forwarded then
    req.is_taken = true
  end
end

--- The next bytes of the body, at least one; nil at the end; nil, err. Parks.
function M.next(resp)
  local kept, req = resp._kept, resp._req
  note_taken(req)
  if kept then
    resp._kept = false
    return kept
  elseif resp._failed then
    return nil, resp._failed
  elseif resp._tunnel then
    return nil -- what comes is no body
  end
  local text, err
  repeat
    if resp._decoder then
      text, err = pull_decoded(resp)
    elseif resp._conn then
      text, err = pull_raw(resp)
    else
      return nil
    end
  until err or text ~= "" and (text or not resp._decoder)
  local most = req.settings.max_body
  if text and most then
    resp._total = resp._total + #text
    if resp._total > most then
      return too_big(resp, most)
    end
  end
  return text, err
end

--- The rest of a body that comes as it is, given to put(ptr, n) piece by piece, without
-- strings; put must not park. true: all of it, or of none (see next); false: put has returned
-- a false value; nil, err. Parks.
function M.pour(resp, put)
  local settings = resp._req.settings
  note_taken(resp._req)
  while resp._conn and not (resp._tunnel or resp._kept or resp._decoder or settings.max_body) do
    local conn = resp._conn
    local ptr, n = conn:read_span(settings.between, resp._due)
    if not ptr then
      local _, err = at_end(resp, conn, n)
      return not err or nil, err
    elseif not put(ptr, n) then
      return false
    elseif conn.body.done then
      finish(resp) -- behind put: this may close the connection, and what ptr points to
    end
  end
  return true
end

--- Read what is read before the response is returned. true; or nil, err. Parks.
function M.settle(resp)
  local text, err = M.next(resp)
  if not text or not resp._conn and not resp._decoder then
    resp._kept = text or false
    return not err or nil, err
  end
  local pieces, n, total = { text }, 1, #text
  while total < EAGER and (resp._conn or resp._decoder) do
    text, err = M.next(resp)
    if err then
      return nil, err
    elseif not text then
      break
    end
    n, total = n + 1, total + #text
    pieces[n] = text
  end
  resp._kept = concat(pieces)
  return true
end

--- Nobody wants the rest: a short one is read, so that the connection can be used again.
-- Parks.
function M.let_go(resp)
  if resp._conn and not resp._tunnel and not resp._kept then
    M.settle(resp)
  end
  M.abort(resp)
end

--- All that is left of the body, most bytes of it. A string; or nil, err. Parks.
function M.all(resp, most)
  local pieces, n, total = {}, 0, 0
  while true do
    local text, err = M.next(resp)
    if err then
      return nil, err
    elseif not text then
      return n == 1 and pieces[1] or concat(pieces)
    end
    n, total = n + 1, total + #text
    pieces[n] = text
    if total > most then
      return too_big(resp, most)
    end
  end
end

--- The error of a response that was closed.
function M.closed(resp, op)
  return errors.new("ECLOSED", op, "the response was closed", { url = resp.url })
end

return M
