--- The short way from one request to the next: what nearly every handler returns goes to
-- C in one call of the FFI, and C has what is next. So the whole loop of a worker, with its
-- handler, can be compiled, and an env that the handler does not keep is never made.
--
-- What it does not do, the doors of green.core do (answer_respond, conn_finish): where
-- they go on, the code says. Where the interpreter comes, which pays much for a call of the
-- FFI, C notices, and the server goes through the doors for a while.
-- @module green.wsgi.exchange

local ffi = require "ffi"
local core = require "green.core"
local thread = require "green.thread"
local C = require "green.ffi.exchange"

-- Scripts may put their own in their places.
local next, type = next, type

local M = {}

-- How far it has come.
for _, name in ipairs { "NONE", "COLD", "ANSWERED", "LOGGED", "SLOW", "DONE", "NEXT" } do
  M[name] = tonumber(ffi.C["GREEN_EXCHANGE_" .. name])
end
local NONE = M.NONE
local SAME, MEMO = -2, 64 -- see path_len and memo in exchange.h
local NO_TEXT, ASK = -1, -2
local BUFFER = 4096 -- of its buffer
local MAX = 1e15 -- bytes

local exchange_answer, exchange_header = C.answer, C.header
local exchange_text, exchange_body, exchange_length = C.text, C.body, C.length
local conn_path, conn_length, conn_body = core.conn_path, core.conn_length, core.conn_body
local string_of = ffi.string

--- Give a server what it needs for this, when it has an httpd and a log.
function M.attach(server)
  local x, log = ffi.new("green_exchange"), server.log.access
  C.init(x, thread.turn, server.httpd, log and log.c or nil, server.capitalize)
  server.exchange = x
  -- A pointer that is there already: between a call and the string that is made of what it
  -- left there, nothing allocates, and so no finalizer runs.
  server.exchange_buffer = ffi.cast("const char *", x.buffer)
  server.rest = 0 -- requests that are not to go the short way
  server.last_path = "" -- of the last request that went it
end
pcall(jit.off, M.attach) -- C.init asks for it; refused in a finalizer, which may load this

local function are_strings(name, value)
  return type(name) == "string" and type(value) == "string"
end

--- As answer, with two headers to four; the first two are there.
local function answer_more(x, conn, status, headers, body, a, a_value, b, b_value)
  local c, c_value = next(headers, b)
  local d, d_value
  if c ~= nil then
    d, d_value = next(headers, c)
  end
  if not are_strings(a, a_value) or not are_strings(b, b_value)
    or c ~= nil and not are_strings(c, c_value)
    or d ~= nil and not (are_strings(d, d_value) and next(headers, d) == nil)
    or not exchange_header(x, conn, status, a, #a, a_value, #a_value) then
    return NONE
  end
  if c ~= nil then
    if not exchange_header(x, conn, status, b, #b, b_value, #b_value) then
      return NONE
    end
    b, b_value = c, c_value
  end
  if d ~= nil then
    if not exchange_header(x, conn, status, b, #b, b_value, #b_value) then
      return NONE
    end
    b, b_value = d, d_value
  end
  return exchange_answer(x, conn, status, b, #b, b_value, #b_value, body, #body)
end

--- Answer with that: a number, a table of up to four headers or nil, and a string. Does
-- not park.
-- @return how far it has come
function M.answer(x, conn, status, headers, body)
  local name, value
  if headers then
    name, value = next(headers)
  end
  if name == nil then
    return exchange_answer(x, conn, status, nil, 0, nil, 0, body, #body)
  end
  local second, second_value = next(headers, name)
  if second ~= nil then
    return answer_more(x, conn, status, headers, body, name, value, second, second_value)
  elseif not are_strings(name, value) then
    return NONE
  end
  return exchange_answer(x, conn, status, name, #name, value, #value, body, #body)
end

--- Is the request in hand?
M.is_open = C.is_open

--- What the request says of a key of CGI.
-- @return true, and the value or nil; nil: it is to be made
function M.text(server, conn, key)
  local n = exchange_text(server.exchange, conn, key, #key)
  if n >= 0 then
    return true, string_of(server.exchange_buffer, n)
  elseif n == NO_TEXT then
    return true, nil
  end
  return nil
end

--- The request's Content-Length; nil: it has none. Raises when it is over.
function M.length(server, conn)
  if server.rest > 0 then
    return conn_length(conn)
  end
  local n = exchange_length(server.exchange, conn)
  if n == ASK then
    return conn_length(conn)
  end
  return n >= 0 and n or nil
end

--- The next bytes of its body, as core.conn_body.
function M.body(server, conn, max)
  if server.rest > 0 then
    return conn_body(conn, max)
  end
  local x = server.exchange
  local n = exchange_body(x, conn, max or MAX)
  if n > BUFFER or n == 0 then
    return conn_body(conn, max)
  elseif n < 0 then
    return nil, n
  end
  local is_last = x.is_last
  return string_of(server.exchange_buffer, n), nil, is_last
end

--- The path of the request that is next.
function M.path(server)
  local x = server.exchange
  local n = x.path_len
  if n == SAME then
    return server.last_path
  elseif n < 0 then
    return conn_path(x.conn)
  end
  local path = string_of(x.path, n)
  if n <= MEMO then
    server.last_path, x.memo_len = path, n
  end
  return path
end

return M
