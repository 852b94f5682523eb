--- Reading of open files: in large pieces, and where there is a position the next one while
-- the program is at the last, so that a loop over lines costs no call a line. Private to
-- green.fs.file.
-- @module green.fs.file_ahead

local core = require "green.core"
local job = require "green.fs.job"

local ffi = require "ffi"
local api = require "green.ffi.disk"

local tonumber, min, max = tonumber, math.min, math.max
local EAGAIN, EBADF, ECLOSED = core.codes.EAGAIN, core.codes.EBADF, core.codes.ECLOSED
local OP_READ = tonumber(ffi.C.GREEN_DISK_READ)
local HERE = {} -- a file needs no folder

local BLOCK = 262144 -- what is read at a time: a job costs as much as some ten KB of it
local LEAST = 4096
local MOST = 1048576 -- of one read, so that none has a thread for long

local M = { methods = {} }

--- How much to ask for: of a small file not more than it has, and its end.
local function read_size(self, want)
  if want > BLOCK then
    return min(want, MOST)
  elseif self._pos and self._size > self._pos then
    return max(LEAST, min(BLOCK, self._size - self._pos + 1))
  end
  return self._size > 0 and LEAST or 65536 -- without a size, as in /proc
end

--- Begin a read, for at least so many bytes. Does not park.
-- @return EAGAIN, or a code
function M.start(self, want)
  local err
  local next_job = self._other
  if not next_job then
    next_job, err = job.new()
    if not next_job then
      return err.number
    end
  end
  self._other = nil
  local size = read_size(self, want)
  local status = job.begin(next_job, HERE, OP_READ,
    { file = self._desc, offset = self._pos or -1, size = size })
  if status < 0 then
    job.drop(next_job)
    return status
  end
  next_job.asked = size
  self._job = next_job
  return EAGAIN
end

--- What a read has brought goes to the buffer, and the next one begins.
local function finish_read(self, done, n)
  self._job = nil
  if n < 0 then
    job.drop(done)
    return n
  end
  local status = api.give(done.p[0], self._in)
  if status < 0 then
    job.drop(done) -- the bytes are read again
    return status
  end
  self._other = done
  if self._pos then
    self._pos = self._pos + n
    if n == done.asked and n >= BLOCK then
      self._other = self._third
      self._third = done
      M.start(self, 0)
    end
  end
  return n
end

function M.methods:_fill(want)
  if not self._desc then
    return ECLOSED
  elseif not self._reads then
    return EBADF
  end
  local done = self._job
  if not done then
    return M.start(self, want)
  end
  local n = job.result(done)
  if n == EAGAIN then
    return n
  end
  return finish_read(self, done, n)
end

--- What was read ahead is not wanted, or not true any more.
function M.forget(self)
  local buf = self._in
  if self._pos then
    self._pos = self._pos - (buf.tail - buf.head)
  end
  buf.head, buf.tail = 0, 0
  if self._job then
    job.drop(self._job)
    self._job = nil
  end
end
M.methods._forget_reads = M.forget

return M
