--- Sockets that go to another native thread: see green.tpool.move.
-- @module green.socket.move

local moving = require "green.stream.moving"
local socket = require "green.socket"

local sock = require "green.ffi.sock"

local error, pcall = error, pcall -- scripts may put their own there

local M = {}

function M.describe(x)
  moving.refuse_held(x, x)
  if sock.fileno(x._s) < 0 then
    moving.refuse(x, "is not open")
  end
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
  local ok, problem = pcall(moving.fill, s, what)
  if not ok then
    sock.detach(s._s)
    error(problem, 0)
  end
  return s
end

return M
