--- Open files that go to another native thread: see green.tpool.move. The place where the next
-- byte is read or written goes along, and locks: they are the open file's.
-- @module green.fs.move

local errors = require "green.error"
local files = require "green.fs.file"
local job = require "green.fs.job"
local moving = require "green.stream.moving"

local buf_api = require "green.ffi.buf"
local desc_api = require "green.ffi.desc"

local error, pcall = error, pcall -- scripts may put their own there

-- To name a function of C's makes an object: not where a descriptor is in nobody's hands.
local detach, reset = desc_api.detach, buf_api.reset

local M = {}

--- Reading ahead is no such call where a file has places: it can be read again.
local function is_busy(x)
  return x._writing or x._tries or x._job and not x._pos
end

function M.describe(x)
  if not x._desc then
    moving.refuse(x, "is not open")
  end
  moving.refuse_held(x, x)
  if is_busy(x) then
    moving.refuse(x, "has a call under way, whose green thread has gone")
  end
  local what = moving.describe(x)
  what.path, what.pos, what.size = x.path, x._pos, x._size
  what.reads, what.writes, what.appends = x._reads, x._writes, x._appends
  return what
end

--- While a call holds the descriptor, there must be one more number for it.
function M.leave(x)
  local fd = detach(x:_give_up())
  reset(x._in)
  if fd < 0 then
    error(errors.new(fd, "move"), 0)
  end
  return fd
end

local function wrap(what, desc)
  local file = files.wrap(desc, what.path, { reads = what.reads, writes = what.writes,
    appends = what.appends, seeks = what.pos and true or false, size = what.size })
  file._pos = what.pos
  moving.fill(file, what)
  return file
end

function M.arrive(what, fd)
  local d = desc_api.new(fd)
  if d == nil then
    error(errors.new("ENOMEM", "move"), 0)
  end
  local desc = job.hold(d)
  local ok, file = pcall(wrap, what, desc)
  if not ok then
    detach(desc)
    error(file, 0)
  end
  return file
end

return M
