--- Pipes, FIFOs and terminals that go to another native thread, those of processes too: see
-- green.tpool.move.
-- @module green.pipe.move

local errors = require "green.error"
local moving = require "green.stream.moving"
local pipe = require "green.pipe"

local api = require "green.ffi.pipe"

local error = error -- scripts may put their own there

local M = {}

function M.describe(x)
  moving.check(x, api.fileno(x._p))
  local what = moving.describe(x)
  what.mode = api.mode(x._p)
  return what
end

function M.leave(x)
  return api.detach(x._p)
end

--- A FIFO may still wait for its first writer: nothing is read before there is something.
local function fill(stream, what)
  api.await(stream._p)
  moving.fill(stream, what)
end

function M.arrive(what, fd)
  local p = pipe._handle()
  local stream = pipe._wrap(p)
  local status = api.adopt(p, fd, what.mode)
  if status < 0 then
    error(errors.new(status, "move"), 0)
  end
  return moving.settle(fill, api.detach, p, stream, what)
end

return M
