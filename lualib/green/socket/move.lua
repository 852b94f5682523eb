--- Sockets that go to another native thread: see green.tpool.move.
-- @module green.socket.move

local moving = require "green.stream.moving"
local socket = require "green.socket"

local sock = require "green.ffi.sock"

local error = error -- scripts may put their own there

local M = {}

function M.describe(x)
  moving.check(x, sock.fileno(x._s))
  return moving.describe(x)
end

function M.leave(x)
  return sock.detach(x._s)
end

function M.arrive(what, fd)
  local s, err = socket.from_fd(fd)
  if not s then
    error(err, 0)
  end
  return moving.settle(moving.fill, sock.detach, s._s, s, what)
end

return M
