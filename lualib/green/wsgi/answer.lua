--- Answers of HTTP handlers: how what a handler returned is written to its connection.
-- @module green.wsgi.answer

local bodies = require "green.wsgi.body"
local conns = require "green.wsgi.conn"
local core = require "green.core"
local errors = require "green.error"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, type = error, type

local answer_respond, conn_flush = core.answer_respond, core.conn_flush
local answer_piece, answer_sendfile = core.answer_piece, core.answer_sendfile
local conn_is_open = core.conn_is_open
local wait_to_write = conns.wait_to_write
local failed, checkpoint = thread.failed, thread.checkpoint
local bad, kind_of, pieces_of = bodies.bad, bodies.kind_of, bodies.pieces_of
local text_of, text_of_list, BLOCK = bodies.text_of, bodies.text_of_list, bodies.BLOCK
local io_type = io.type

local EAGAIN, EBADF, EINVAL = core.codes.EAGAIN, core.codes.EBADF, core.codes.EINVAL
local ENOMEM = core.codes.ENOMEM

-- The body of an answer that its handler has written itself.
local DONE = {}

--- An error of sending. Its `client_gone` says that there is nobody to answer any more.
local function send_error(code)
  return errors.new(code, "write response", nil, { client_gone = code ~= ENOMEM })
end

--- The same of a wait that did not succeed; what cancels the thread is raised.
local function wait_error(status)
  local _, err = failed(status, "write response")
  err.client_gone = status ~= ENOMEM
  return err
end

--- Send what is written; waits for a slow client. Parks.
-- @return true, or nil, err: ETIMEDOUT, EPIPE, ECONNRESET, ...
-- ECLOSED: the request has ended meanwhile, as it may for a thread that the
-- handler has left behind.
local function drain(server, conn)
  while true do
    local code = conn_flush(conn)
    if code == 0 then
      return true
    elseif code ~= EAGAIN then
      return nil, send_error(code)
    end
    local status = wait_to_write(server, conn)
    if not conn_is_open(conn) then
      return nil, send_error(core.codes.ECLOSED)
    elseif status ~= 0 then
      return nil, wait_error(status)
    end
  end
end

--- Write one piece, and send what waits when it is at least that much. Parks.
local function put_piece(server, conn, text, least)
  local waiting = answer_piece(conn, text_of(text))
  if waiting == EINVAL then
    bad("the body is longer than its Content-Length")
  elseif waiting < 0 then
    error(send_error(waiting), 0)
  elseif waiting > 0 and waiting >= least then
    local ok, err = drain(server, conn)
    if not ok then
      error(err, 0)
    end
    checkpoint() -- a client that reads as fast as we write keeps nobody out
  end
end

local function end_pieces(conn)
  if core.answer_end(conn) ~= 0 then
    bad("the body is shorter than its Content-Length")
  end
end

-- The first piece is made before the head leaves, so that an error in making it
-- is still a clean 500. In making it the handler may take the connection over:
-- then there is nothing to write to any more.
local function put_iterator(server, conn, body, least)
  local text = body()
  if not conn_is_open(conn) then
    return
  elseif core.answer_stream(conn) ~= 0 then
    bad("the head of the answer could not be written")
  end
  -- HEAD, 204, 304: the rest of the pieces, which may have no end, is not made.
  while text ~= nil and not core.answer_has_no_body(conn) do
    put_piece(server, conn, text, least)
    text = body()
    if not conn_is_open(conn) then
      return -- taken over, nothing of the answer had left
    end
  end
  end_pieces(conn)
end

local function put_list(conn, body)
  if core.answer_whole(conn, text_of_list(body)) ~= 0 then
    bad("the body's length differs from its Content-Length")
  end
end

--- Wait until the client has taken some. Raises when it does not. Parks.
local function wait_to_send(server, conn)
  local status = wait_to_write(server, conn)
  if status ~= 0 then
    error(wait_error(status), 0)
  end
end

--- A regular file, past us. Its length, or the handler's Content-Length, is known
-- to the client before the first byte.
local function send_file(server, conn, file, offset, size)
  local left = core.answer_file(conn, size)
  if left < 0 then
    bad("the file is shorter than its Content-Length")
  end
  while left > 0 do
    local n = answer_sendfile(conn, file, offset, left)
    if n > 0 then
      offset, left = offset + n, left - n
      checkpoint()
    elseif n == EAGAIN then
      wait_to_send(server, conn)
    elseif n == 0 then
      bad("the file became shorter while it was sent")
    elseif n == EBADF then
      bad("the file was closed while it was sent")
    else
      error(send_error(n), 0)
    end
  end
  end_pieces(conn)
end

local function put_file(server, conn, file)
  if io_type(file) ~= "file" then
    bad("the body is a closed file")
  end
  local offset, size = core.file_rest(file)
  if offset then
    return send_file(server, conn, file, offset, size)
  end
  put_iterator(server, conn, pieces_of(file, function()
    return core.answer_room(conn)
  end), BLOCK)
end

local function put_body(server, conn, body, least)
  local kind = kind_of(body)
  if kind == "iterator" then
    put_iterator(server, conn, body, least)
  elseif kind == "file" then
    put_file(server, conn, body)
  elseif kind == "reader" then
    put_iterator(server, conn, pieces_of(body), BLOCK)
  else
    put_list(conn, body)
  end
end

--- Write the head; the body is to follow. Raises as respond. Does not park.
local function begin(server, conn, status, headers)
  local done, problem = answer_respond(conn, server.capitalize, status, headers, false)
  if done == nil then
    error(problem, 0)
  end
end

--- Write a whole answer. Raises when it is not one, or when the client is gone
-- (an error with `client_gone`). Parks when the body comes in pieces
-- and the client is slow.
local function respond(server, conn, least, status, headers, body)
  if body == DONE then
    return
  elseif type(body) == "string" then
    local done, problem = answer_respond(conn, server.capitalize, status, headers, body)
    if not done then
      error(problem, 0)
    end
    return
  end
  begin(server, conn, status, headers)
  put_body(server, conn, body, least)
end

return { respond = respond, begin = begin, drain = drain, put_piece = put_piece,
  end_pieces = end_pieces, DONE = DONE }
