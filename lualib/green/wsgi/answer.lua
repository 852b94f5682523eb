--- Answers of HTTP handlers: how what a handler returned is written to its connection.
-- @module green.wsgi.answer

local args = require "green.args"
local conns = require "green.wsgi.conn"
local core = require "green.core"
local errors = require "green.error"
local mistakes = require "green.wsgi.mistakes"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, format, pcall, tostring, type = error, string.format, pcall, tostring, type

local answer_respond, conn_flush = core.answer_respond, core.conn_flush
local answer_piece, answer_sendfile = core.answer_piece, core.answer_sendfile
local conn_is_open = core.conn_is_open
local wait_to_write = conns.wait_to_write
local failed, checkpoint = thread.failed, thread.checkpoint
local is_callable, io_type = args.is_callable, io.type

local EAGAIN, EBADF, EINVAL = core.codes.EAGAIN, core.codes.EBADF, core.codes.EINVAL
local ENOMEM = core.codes.ENOMEM
local BLOCK = 65536 -- read at a time from files that sendfile cannot send

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

local function bad(what, ...)
  error(mistakes.new(format(what, ...)), 0)
end

--- Write one piece, and send what waits when it is at least that much. Parks.
local function put_piece(server, conn, text, least)
  local kind = type(text)
  if kind == "number" then
    text = tostring(text)
  elseif kind ~= "string" then
    bad("a piece of the body must be a string, not a %s", kind)
  end
  local waiting = answer_piece(conn, text)
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
  local ok, text = pcall(table.concat, body)
  local mistake = not ok and mistakes.list(body) or text == "" and mistakes.record(body)
  if mistake then
    bad("%s", mistake)
  elseif core.answer_whole(conn, text) ~= 0 then
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

--- The pieces of what has a read method. Of a file of io's no more than the handler's
-- Content-Length says, when its answer has begun: it may have no end.
local function pieces_of(conn, reader)
  local is_bounded = conn and io_type(reader)
  return function()
    local n = is_bounded and core.answer_room(conn) or BLOCK
    if n == 0 then
      return nil
    end
    local text, err = reader:read(math.min(n, BLOCK))
    if text == nil and err and io_type(reader) then
      bad("the file of the body cannot be read: %s", err)
    elseif text == nil and err then
      error(err, 0)
    end
    return text ~= "" and text or nil
  end
end

local function put_file(server, conn, file)
  if io_type(file) ~= "file" then
    bad("the body is a closed file")
  end
  local offset, size = core.file_rest(file)
  if offset then
    return send_file(server, conn, file, offset, size)
  end
  put_iterator(server, conn, pieces_of(conn, file), BLOCK)
end

local function put_body(server, conn, body, least)
  local kind = type(body)
  if is_callable(body) then
    put_iterator(server, conn, body, least)
  elseif io_type(body) then
    put_file(server, conn, body)
  elseif kind == "table" and type(body.read) == "function" then
    put_iterator(server, conn, pieces_of(nil, body), BLOCK)
  elseif kind == "table" then
    put_list(conn, body)
  else
    bad("the body must be a string, a list of strings, a function or a file, not a %s", kind)
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

--- Call the body's close, if it has one.
local function close_body(body)
  local kind = type(body)
  if (kind == "table" or kind == "userdata") and io_type(body) ~= "closed file" then
    local close = body.close
    if close then
      close(body)
    end
  end
end

return { respond = respond, begin = begin, drain = drain, close_body = close_body,
  put_piece = put_piece, end_pieces = end_pieces, pieces_of = pieces_of, DONE = DONE }
