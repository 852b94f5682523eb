--- TLS connections that go to another native thread, with the socket below: see
-- green.tpool.move. The codec goes as it is (green_tls_depart): keys, what it has read and not
-- given, what it has not sent.
-- @module green.tls.move

local close = require "green.tls.close"
local errors = require "green.error"
local moving = require "green.stream.moving"
local socket = require "green.socket"
local sockets = require "green.socket.move"
local tls_stream = require "green.tls.stream"

local ffi = require "ffi"
local buf_api = require "green.ffi.buf"
local sock_api = require "green.ffi.sock"
local C = require "green.ffi.tls"

local error, ipairs, pcall, tostring = error, ipairs, pcall, tostring -- scripts may put their own

-- To name a function of C's makes an object. These are called where nothing may be made.
local depart, arrive = C.depart, C.arrive
local reset, detach = buf_api.reset, sock_api.detach

local M = {}

-- Fields that go along: whom a client wants at the other end, where its session belongs, which
-- directions have ended.
local fields = { "_host", "_sessions", "_ended", "_read_shut" }

local function check(x)
  local below = x._below
  if x._box.p == nil then
    moving.refuse(x, "is not open")
  elseif not socket.is_socket(below) then
    moving.refuse(x, ("is TLS over %s: only a socket can be moved with it"):format(tostring(below)))
  elseif x._begins then
    moving.refuse(x, "has not done its handshake: handshake() does it")
  elseif x._farewell and not x._farewell.over then
    moving.refuse(x, "has not sent its last word yet: a green thread sees to that")
  end
  moving.refuse_held(x, x)
  moving.refuse_held(x, below)
end

function M.describe(x)
  check(x)
  local what = moving.describe(x)
  what.below = sockets.describe(x._below)
  for _, name in ipairs(fields) do
    what[name] = x[name]
  end
  return what
end

--- Nothing here is made once the codec has gone.
function M.leave(x)
  local box, below, input = x._box, x._below, x._in
  local s = below._s
  local status = depart(box.p)
  if status < 0 then
    error(errors.new(status, "move"), 0)
  end
  x._below = close.gone
  reset(input)
  return detach(s), box
end

--- The connection without its codec.
local function shell(what, below)
  local io = tls_stream.io_of(1)
  if io == nil then
    error(errors.new("ENOMEM", "move"), 0)
  end
  local conn = tls_stream.wrap(below, close.box(nil), false, 1)
  for _, name in ipairs(fields) do
    conn[name] = what[name]
  end
  moving.fill(conn, what)
  return conn, io
end

function M.arrive(what, fd, pointer)
  local codec = ffi.cast("green_tls *", pointer)
  local below = sockets.arrive(what.below, fd)
  local ok, conn, io = pcall(shell, what, below)
  if not ok then
    below:detach()
    error(conn, 0)
  end
  arrive(codec, io)
  conn._box.p = codec
  return conn
end

return M
