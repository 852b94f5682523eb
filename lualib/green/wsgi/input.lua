--- A request's body, read when the handler asks for it.
-- @module green.wsgi.input

local ffi = require "ffi"
local core = require "green.core"
local errors = require "green.error"
local thread = require "green.thread"
local C = require "green.ffi.httpd"

local next_body, unread, sock_of = C.httpconn_body, C.httpconn_unread, C.httpconn_sock
local core_park, ffi_string = core.park, ffi.string
local checkpoint, deadline_of, failed = thread.checkpoint, thread.deadline, thread.failed

local EAGAIN = core.codes.EAGAIN
local READ = 1
local LINE_MAX = 65536

local ptr = ffi.new("const char *[1]")

local methods = {}
local mt = { __name = "green.input", __index = methods }

--- The next bytes that are there, however many; nil at the end. Parks.
local function next_piece(self)
  local conn = self.conn
  if not conn then
    return nil
  end
  local deadline = deadline_of(self.timeout)
  checkpoint()
  while true do
    local n = next_body(conn, ptr)
    if n > 0 then
      return ptr[0], n
    elseif n == 0 then
      return nil
    elseif n ~= EAGAIN then
      return nil, errors.new(n, "read request body")
    end
    local sock = sock_of(conn)
    local status = core_park(sock, deadline, READ)
    if status ~= 0 then
      conn.close = true
      return failed(status, "read request body")
    end
  end
end

--- What is there of the body, at most max bytes. Parks.
-- @return a string; nil at the end of the body; nil, err: EPROTO (bad chunks),
-- EEOF (the client stopped in the middle), ETOOBIG, ETIMEDOUT
function methods:read_some(max)
  local p, n = next_piece(self)
  if not p then
    return nil, n
  end
  if max and n > max then
    unread(self.conn, n - max)
    n = max
  end
  return ffi_string(p, n)
end

local function collect(self, want)
  local pieces, have = {}, 0
  while have < want do
    local piece, err = self:read_some(want - have)
    if not piece then
      if err then
        return nil, err
      end
      break
    end
    have = have + #piece
    pieces[#pieces + 1] = piece
  end
  return table.concat(pieces)
end

--- Read the body. Parks.
-- @tparam[opt] number n at most that many bytes; default: all the rest
-- @return a string: n bytes, fewer at the end; nil when there are none; or
-- nil, err as read_some
function methods:read(n)
  if n == 0 then
    return nil
  end
  local data, err = collect(self, n or math.huge)
  if data == "" then
    return nil
  end
  return data, err
end

--- A line with its "\n"; the last one may lack it. Parks.
-- @tparam[opt=65536] number max bytes at most; a longer line comes in pieces
-- @return a string, nil at the end, or nil, err as read_some
function methods:read_line(max)
  max = max or LINE_MAX
  local pieces, have = {}, 0
  while have < max do
    local p, n = next_piece(self)
    if not p then
      if n then
        return nil, n
      end
      break
    end
    local take = math.min(n, max - have)
    local text = ffi_string(p, take)
    local eol = text:find("\n", 1, true)
    if eol then
      text = text:sub(1, eol)
    end
    if #text < n then
      unread(self.conn, n - #text)
    end
    pieces[#pieces + 1], have = text, have + #text
    if eol then
      break
    end
  end
  if have > 0 then
    return table.concat(pieces)
  end
end

--- An iterator over the lines, each with its "\n". Parks at each step.
function methods:lines()
  return function()
    local line, err = self:read_line()
    if err then
      error(err, 0)
    end
    return line
  end
end

--- An iterator over pieces as they come. Parks at each step.
function methods:chunks()
  return function()
    local piece, err = self:read_some()
    if err then
      error(err, 0)
    end
    return piece
  end
end

--- Read the rest and forget it. Parks.
-- @return true, or nil, err
function methods:discard()
  while true do
    local p, err = next_piece(self)
    if not p then
      return err == nil or nil, err
    end
  end
end

--- Further headers for the "100 Continue" that the first read will send.
-- @tparam table headers list of { name, value }
function methods:set_hundred_continue_response_headers(headers)
  self.continue_headers = headers
end

--- Send "100 Continue" now, if the client waits for it. May be called again.
function methods:send_hundred_continue_response()
  local lines = {}
  for _, pair in ipairs(self.continue_headers or {}) do
    if (pair[1] .. pair[2]):find("[%c]") then
      error("100 Continue: control characters in a header", 2)
    end
    lines[#lines + 1] = pair[1] .. ": " .. pair[2] .. "\r\n"
  end
  local text = table.concat(lines)
  local err = C.httpconn_continue(self.conn, text, #text)
  if err == 0 then
    err = C.httpconn_flush(self.conn)
  end
  if err ~= 0 and err ~= EAGAIN then
    return nil, errors.new(err, "100 Continue")
  end
  return true
end

--- The input of a request. `length` is the Content-Length, nil if unknown.
return function(conn, _, server)
  local length = tonumber(conn.head.content_length)
  return setmetatable({
    conn = conn, -- nil when the request is over
    timeout = server.options.body_timeout,
    length = length >= 0 and length or nil,
    continue_headers = nil, -- list of { name, value }
  }, mt)
end
