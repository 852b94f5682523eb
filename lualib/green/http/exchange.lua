--- One request and its answer over a connection of the pool. Private to green.http.
-- @module green.http.exchange

local bodies = require "green.http.body"
local conns = require "green.http.conn"
local core = require "green.core"
local failure = require "green.http.failure"
local opening = require "green.http.open"
local pool = require "green.http.pool"
local reading = require "green.http.reading"
local requests = require "green.http.request"
local responses = require "green.http.response"
local thread = require "green.thread"
local uploads = require "green.http.upload"

local ffi = require "ffi"

-- Scripts may put their own in their places.
local error, xpcall = error, xpcall

local now_of, codes = core.now, core.codes
local take, drop = pool.take, pool.drop
local begun_response = responses.begun
local EPIPE, ECONNRESET, ETIMEDOUT = codes.EPIPE, codes.ECONNRESET, codes.ETIMEDOUT
local CONTENT_ENCODING = tonumber(ffi.C.GREEN_H_CONTENT_ENCODING)

local PATIENCE = 1 -- seconds that a server may think about Expect: 100-continue

-- What the end of a connection that was kept looks like to whoever uses it next.
local stale = {}
for _, name in ipairs { "EEOF", "EPIPE", "ECONNRESET", "ECONNABORTED", "ETLSTRUNCATED" } do
  stale[codes[name]] = true
end

local M = { class = conns.mt }

-- -- Sending ------------------------------------------------------------------

--- Wait for what the server says before the body is sent. 0: send it; more: the answer's
-- head has come; or a negative status. Parks.
local function ask_first(conn, due)
  local function is_continue(status)
    return status == 100
  end
  local n = conn:read_head(PATIENCE, due, is_continue)
  if n == ETIMEDOUT and not (due and now_of() >= due) then
    return 0
  end
  return n
end

--- Send the body behind a head that has left. 0; 1: the answer has begun; uploads.GO_ON: it has,
-- and the body goes on; negative. A function of the caller's may raise, and may be anywhere in
-- its body then. Parks.
local function send_body(conn, req, due)
  local ok, status = xpcall(req.is_forwarded and uploads.send or bodies.send,
    thread.note_traceback, conn, req.body, req.settings.between, due)
  if status ~= uploads.GO_ON then
    conn:end_body()
    uploads.stop(conn)
  end
  if not ok then
    drop(conn)
    error(status, 0)
  end
  return status
end

--- The length of the answer's head, or a negative status and the phase. Parks.
local function talk(conn, req, bytes, is_whole, due)
  local settings = req.settings
  local text = req.is_forwarded and req.body and req.body.whole()
  if text then
    bytes, is_whole = bytes .. bodies.framed(req.body, text), true
  end
  local status = conn:send(bytes, settings.between, due)
  if status == 0 and not is_whole and req.body then
    if req.expect then
      local n = ask_first(conn, due)
      if n ~= 0 then
        conn.is_cut = true
        return n, "head"
      end
    end
    status = send_body(conn, req, due)
  end
  if status == 0 or status == uploads.GO_ON then
    return conn:read_head(settings.first, due), "head"
  end
  conn.is_cut = true
  if status == 1 or req.body and (status == EPIPE or status == ECONNRESET
    or status == ETIMEDOUT and conn.is_answered) then
    -- It has answered before all was sent, and perhaps closed the connection, or reads no more.
    local n = conn:read_head(settings.first, due)
    if n > 0 or status == 1 then
      return n, "head"
    end
  end
  return status, "send"
end

-- -- Answers ------------------------------------------------------------------

--- What undoes the coding of the body; false: nothing is to be undone, or nobody knows how.
-- nil, err.
local function decoder_of(req, resp)
  if not req.settings.decompress then
    return false
  end
  local decoder, err = require("green.http.coding").decoder(resp.headers:get("content-encoding"),
    req.settings.max_body or nil)
  if err and err.code ~= "EOPNOTSUPP" then
    return nil, err
  end
  return decoder or false
end

--- A response, with what of its body is read ahead. nil, err. Parks.
local function settled(req, resp)
  if not req.stream then
    local ok, err = reading.settle(resp)
    if not ok then
      return nil, err
    end
  end
  return resp
end

--- The same of a response whose body is yet to come, decoded if it is coded. nil, err. Parks.
local function decoded(req, resp, is_coded)
  if is_coded then
    local decoder, err = decoder_of(req, resp)
    if err then
      reading.abort(resp)
      return failure.of(err, req, "body")
    end
    resp._decoder = decoder
  end
  return settled(req, resp)
end

--- The response, with as much of its body as is read at once. Parks.
local function answer(conn, req, n, started, opened, due)
  local text = conn:take_head(n)
  local resp = begun_response(req, conn, text, started, now_of())
  if due then
    resp._due = due
  end
  if conn.used == 0 then
    resp._t_open, resp._times = opened, conn.times
  end
  if conn.head.tunnel then
    resp._tunnel = true
    return resp
  end
  conn:begin_body(req.settings.trailers)
  if conn.is_cut or req.upgrade then
    resp._no_reuse = true -- who refused that may have read the rest as well
  end
  if conn.body.done then
    reading.finish(resp)
    return resp
  end
  return decoded(req, resp, conn.head.fields.first[CONTENT_ENCODING] ~= 0)
end

-- -- Both ----------------------------------------------------------------------

--- A connection, open. nil, err. Parks.
local function connection(session, req, started, due, is_fresh)
  local seconds = req.settings.pool
  local deadline = seconds and started + seconds or nil -- false: no limit
  if due and (not deadline or due < deadline) then
    deadline = due
  end
  local conn, err = take(session._pool, req.key, started, deadline, is_fresh)
  if not conn then
    return failure.of(err, req, "pool")
  elseif not conn.stream then
    local ok
    ok, err = opening.open(session, conn, req, due)
    if not ok then
      return nil, err
    end
  end
  return conn
end

--- Why the head of an answer could not be read, in the parser's words.
local function reason_of(conn, status)
  if status == codes.EPROTO or status == codes.ETOOBIG then
    local reason = conn.head.reason
    return reason ~= nil and conn.head.error == status and ffi.string(reason) or nil
  end
end

--- May it be sent again, over another connection? The one it was sent over had been kept,
-- and was closed by the server before it saw this request, as far as anybody can know.
local function may_repeat(conn, req, status)
  return conn.used > 0 and not conn.seen and stale[status]
    and (req.is_idempotent or conn.sent == 0) and bodies.rewind(req.body)
end

--- The same, of a handler in this process. Parks if it does.
local function ask_app(session, req, started)
  local resp = require("green.http.app").run(session, req, requests.head(req))
  resp._t_begin, resp._t_head = started, now_of()
  if resp._conn.body.done then
    reading.finish(resp)
    return resp
  end
  return decoded(req, resp, resp.headers:get("content-encoding"))
end

local run

--- What comes of a request that was sent: n is the length of the answer's head, or a negative
-- status. Parks.
local function conclude(session, conn, req, due, started, opened, is_fresh, n, phase)
  if n > 0 then
    return answer(conn, req, n, started, opened, due)
  end
  local text, again = reason_of(conn, n), not is_fresh and may_repeat(conn, req, n)
  local unsent = conn.sent == 0
  drop(conn)
  if again then
    return run(session, req, due, true)
  end
  local none, err = failure.of(n, req, phase, text)
  err.unsent = unsent or nil
  return none, err
end

--- Send a request that is ready, and read its answer. Parks.
-- @tparam ?number due absolute seconds when it must be over
-- @treturn the response; or nil, err
function run(session, req, due, is_fresh)
  local started = now_of()
  if session._app then
    return ask_app(session, req, started)
  end
  local conn, err = connection(session, req, started, due, is_fresh)
  if not conn then
    return nil, err
  end
  local opened = conn.used == 0 and now_of() or started
  conn.sent, conn.seen, conn.is_cut, conn.is_answered = 0, false, false, false
  conn.head.asked, conn.head.max_head = req.asked, req.settings.max_head
  local bytes, is_whole = req.bytes, not req.body
  if not bytes then
    bytes, is_whole = requests.bytes(req)
  end
  return conclude(session, conn, req, due, started, opened, is_fresh,
    talk(conn, req, bytes, is_whole, due))
end

M.run, M.conclude = run, conclude

return M
