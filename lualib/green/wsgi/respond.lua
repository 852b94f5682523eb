--- Answers: what a handler returned, written to its connection.
-- @module green.wsgi.respond

local ffi = require "ffi"
local core = require "green.core"
local errors = require "green.error"
local thread = require "green.thread"
local C = require "green.ffi.httpd"

local begin, begin_line = C.httpconn_begin, C.httpconn_begin_line
local add_header, whole, stream = C.httpconn_header, C.httpconn_whole, C.httpconn_stream
local piece, end_pieces = C.httpconn_piece, C.httpconn_end
local flush, sock_of = C.httpconn_flush, C.httpconn_sock
local core_park, failed = core.park, thread.failed

local EAGAIN = core.codes.EAGAIN
local WRITE = 2
local HIGH_WATER = 65536 -- pieces wait for the client beyond this many bytes

--- Send what is written; waits for a slow client. Parks.
-- @return true, or nil, err: ETIMEDOUT, EPIPE, ECONNRESET, ...
local function drain(conn, timeout)
  local deadline
  while true do
    local err = flush(conn)
    if err == 0 then
      return true
    elseif err ~= EAGAIN then
      return nil, errors.new(err, "write response")
    end
    deadline = deadline or thread.deadline(timeout)
    local status = core_park(sock_of(conn), deadline, WRITE)
    if status ~= 0 then
      return failed(status, "write response")
    end
  end
end

local function bad(what, ...)
  error(("wsgi: " .. what):format(...), 0)
end

local function put_status(conn, status)
  local err
  if type(status) == "number" then
    err = begin(conn, status)
  elseif type(status) == "string" then
    err = begin_line(conn, status, #status)
  else
    bad("the status must be a number or a string, not %s", type(status))
  end
  if err ~= 0 then
    bad("bad status %q", tostring(status))
  end
end

local function put_header(conn, name, value, capitalize)
  local kind = type(value)
  if kind == "number" then
    value = tostring(value)
  elseif kind ~= "string" then
    bad("the value of header %s must be a string, a number or a list, not %s", name, kind)
  end
  if add_header(conn, name, #name, value, #value, capitalize) ~= 0 then
    bad("header %q cannot have the value %q", name, value)
  end
end

local function put_list(conn, name, list, capitalize)
  for i = 1, #list do
    put_header(conn, name, list[i], capitalize)
  end
end

--- headers: name -> value or list of values; or a list of { name, value }.
local function put_headers(conn, headers, capitalize)
  for name, value in pairs(headers) do
    if type(name) == "number" then
      put_header(conn, value[1], value[2], capitalize)
    elseif type(value) == "table" then
      put_list(conn, name, value, capitalize)
    else
      put_header(conn, name, value, capitalize)
    end
  end
end

local function check_piece(err)
  if err == core.codes.EINVAL then
    bad("the body is longer than the Content-Length that the handler gave")
  elseif err < 0 then
    error(errors.new(err, "write response"), 0)
  end
end

--- One piece of a body that comes in pieces. Parks when the client is slow.
local function put_piece(conn, text, options, least)
  if type(text) ~= "string" then
    if type(text) ~= "number" then
      bad("a piece of the body must be a string, not %s", type(text))
    end
    text = tostring(text)
  end
  local waiting = piece(conn, text, #text)
  check_piece(waiting)
  if waiting >= least and waiting > 0 then
    local ok, err = drain(conn, options.write_timeout)
    if not ok then
      error(err, 0)
    end
  end
end

local function put_table(conn, body)
  local n = #body
  if n == 1 and type(body[1]) == "string" then
    return whole(conn, body[1], #body[1])
  end
  local text = table.concat(body)
  return whole(conn, text, #text)
end

-- The first piece decides: nothing was sent before it, so an error in making it
-- is still a clean 500.
local function put_iterator(conn, body, options, least, state, control)
  local text = body(state, control)
  if stream(conn) ~= 0 then
    bad("the answer's head could not be written")
  end
  while text ~= nil do
    put_piece(conn, text, options, least)
    text = body(state, text)
  end
  if end_pieces(conn) ~= 0 then
    bad("the body is shorter than the Content-Length that the handler gave")
  end
end

local function put_file(conn, file, options)
  put_iterator(conn, function()
    return file:read(HIGH_WATER)
  end, options, HIGH_WATER)
end

local function is_file(body)
  return io.type(body) ~= nil or (type(body) ~= "string" and type(body.read) == "function")
end

local function close_body(body)
  local kind = type(body)
  if kind ~= "table" and kind ~= "userdata" then
    return
  end
  local close = body.close
  if close and io.type(body) ~= "closed file" then
    close(body)
  end
end

local function put_other(conn, body, options, least)
  local mt = getmetatable(body)
  if is_file(body) then
    put_file(conn, body, options)
  elseif type(body) == "table" and not (mt and mt.__call) then
    if put_table(conn, body) ~= 0 then
      bad("the body's length differs from the Content-Length that the handler gave")
    end
  elseif type(body) == "function" or (mt and mt.__call) then
    put_iterator(conn, body, options, least)
  else
    bad("the body must be a string, a table, a function or a file, not %s", type(body))
  end
end

--- Write a whole answer. Raises when it is not one, or the client is gone.
-- Parks when the body comes in pieces and the client is slow.
local function respond(conn, options, least, status, headers, body)
  put_status(conn, status)
  if headers then
    put_headers(conn, headers, options.capitalize_response_headers)
  end
  local err
  if type(body) == "string" then
    err = whole(conn, body, #body)
  elseif body == nil then
    err = whole(conn, "", 0)
  else
    return put_other(conn, body, options, least)
  end
  if err ~= 0 then
    bad("the body's length differs from the Content-Length that the handler gave")
  end
end

return {
  respond = respond,
  drain = drain,
  close_body = close_body,
  put_status = put_status,
  put_headers = put_headers,
  put_piece = put_piece,
  C = C,
  ffi = ffi,
}
