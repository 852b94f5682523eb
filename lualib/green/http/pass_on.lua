--- Another server's answer as that of a handler: the second half of what a reverse proxy does.
-- Private to green.http, but for what responses have of it.
--
-- The head is checked and copied by C, without what is for one hop. Pieces of the body go from
-- the one connection to the other by C, too, and make no strings.
-- @module green.http.pass_on

local answers = require "green.wsgi.answer"
local args = require "green.args"
local core = require "green.core"
local errors = require "green.error"
local failure = require "green.http.failure"
local exchange_api = require "green.ffi.exchange"
local reading = require "green.http.reading"
local thread = require "green.thread"
local uploads = require "green.http.upload"

local body_api = require "green.ffi.http_body"

-- Scripts may put their own in their places.
local error, rawget, type, xpcall = error, rawget, type, xpcall

local relay_answer, conn_is_open = core.relay_answer, core.conn_is_open
local answer_whole, answer_stream = core.answer_whole, core.answer_stream
local answer_end = core.answer_end
local drain, DONE = answers.drain, answers.DONE
local put_piece, carry, gather = exchange_api.piece, exchange_api.carry, body_api.gather
local EAGAIN, ECLOSED, READ = core.codes.EAGAIN, core.codes.ECLOSED, core.READ

local CONN = "green.connection" -- where an env keeps its connection
local GATHER = 65536 -- so much does not wait for more

local function check(code)
  if code ~= 0 then
    error(errors.new(code, "pass on"), 0)
  end
end

--- Send what was put. Parks where the client is slow.
local function flush(server, handle)
  local ok, err = drain(server, handle)
  if not ok then
    error(err, 0)
  end
end

--- A piece for the client. Small ones wait for the next, or for when there is none. How much
-- waits. Parks.
local function put(server, handle, ptr, n)
  local waiting = put_piece(server.exchange, handle, ptr, n)
  if waiting < 0 then
    check(waiting)
  elseif waiting >= GATHER then
    flush(server, handle)
  end
end

--- What came of a piece of a body. true, and 0 or a negative status: that was all; else go on.
-- Parks.
local function carried(resp, server, handle, conn, n)
  if n > 0 then
    resp._no_reuse = resp._no_reuse or n == 2 -- what stands behind it is nobody's answer
    return true, 0
  elseif n < 0 and n ~= EAGAIN then
    return true, n
  end
  flush(server, handle)
  if n == EAGAIN then
    n = conn:wait(READ, resp._req.settings.between, resp._due)
    if n ~= 0 then
      return true, n
    end
  end
  conn:check()
  return conn:is_foreign(), ECLOSED
end

--- A body that comes over a socket, which is C's affair while there is some. 0; or a negative
-- status. Mostly all of it is there. Parks.
local function pass_socket(resp, server, handle)
  local conn, exchange = resp._conn, server.exchange
  local is_over, n = carried(resp, server, handle, conn, carry(exchange, handle, conn.sock,
    conn.body))
  while not is_over do
    is_over, n = carried(resp, server, handle, conn, carry(exchange, handle, conn.sock, conn.body))
  end
  return n
end

--- More of a body. 0; 1: the body has ended; or a negative status. Parks.
local function fill_more(resp, server, handle, conn, body)
  local n = conn.stream:_fill(0)
  if n == EAGAIN then
    flush(server, handle)
    n = conn:fill(resp._req.settings.between, resp._due)
  end
  if n > 0 then
    return 0
  elseif n == 0 then
    n = body_api.eof(body)
    conn.ended = n == 0
    return n == 0 and 1 or n
  end
  return n
end

--- The pieces of a body that comes over another stream, from the one's buffer to the other's. A
-- negative status; 0. Parks.
local function pass_pieces(resp, server, handle)
  local conn = resp._conn
  local body, buf = conn.body, conn.buf
  while true do
    local n = gather(body, buf.data + buf.head, buf.tail - buf.head)
    if n == 1 then
      local at = buf.data + buf.head + body.data_off
      put(server, handle, at, body.data_len)
      conn:consume(body.used)
      conn:check()
    elseif n ~= EAGAIN then
      conn:consume(body.used)
      return n
    else
      conn:consume(body.used)
    end
    if body.done then
      return 0
    elseif n == EAGAIN then
      n = fill_more(resp, server, handle, conn, body)
      if n ~= 0 then
        return n < 0 and n or 0
      end
    end
  end
end

--- A body that has not come as a whole. Parks.
local function pass_body(resp, server, handle)
  local ok, err = xpcall(resp._conn.sock and pass_socket or pass_pieces, thread.note_traceback,
    resp, server, handle)
  if ok and err < 0 then
    ok, err = false, uploads.problem(resp._conn) or failure.new(err, resp._req, "body")
  end
  if not ok then
    reading.abort(resp)
    error(err, 0)
  end
  reading.finish(resp)
end

--- See the page of green.http.
local function pass_on(resp, env)
  local handle = type(env) == "table" and rawget(env, CONN)
  if not handle or not conn_is_open(handle) then
    args.wrong("pass_on", "env", "the env of a request in hand", env)
  end
  local req = resp._req
  if resp._tunnel then
    args.misuse("pass_on: after %d the connections themselves go on: resp:stream() and "
      .. "env.take_over() are the two", resp.status)
  elseif not req.is_forwarded or resp._closed or req.is_taken then
    args.misuse("pass_on: it must be what forward has given, with a body of which nothing was read")
  end
  local text = resp._text or not resp._conn and resp._kept -- the whole body, if it is not empty
  req.is_taken = true
  check(relay_answer(handle, resp._head, req.via))
  if text then
    check(answer_whole(handle, text))
  else
    check(answer_stream(handle))
    if resp._conn then
      pass_body(resp, env["green.server"], handle)
    end
    check(answer_end(handle))
  end
  return nil, nil, DONE
end

return { pass_on = pass_on }
