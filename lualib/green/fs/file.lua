--- Open files: streams whose bytes native threads read and write.
--
-- A file has a position of its own and tells the system where each piece is, so that what a
-- killed thread leaves behind moves nothing. Private to green.fs.
-- @module green.fs.file

local core = require "green.core"
local errors = require "green.error"
local job = require "green.fs.job"
local show = require "green.args.show"
local stream = require "green.stream"
local ahead = require "green.fs.file_ahead"
local at = require "green.fs.file_at"
local lock = require "green.fs.lock"

local ffi = require "ffi"
local buf_api = require "green.ffi.buf"
local desc_api = require "green.ffi.desc"

local tonumber, min, max = tonumber, math.min, math.max
local current, park, QUEUE = core.current, core.park, core.QUEUE
local READ, WRITE = stream.READ, stream.WRITE
local EAGAIN, EBADF, ECLOSED = core.codes.EAGAIN, core.codes.EBADF, core.codes.ECLOSED
local OP_WRITE = tonumber(ffi.C.GREEN_DISK_WRITE)
local HERE = {} -- a file needs no folder

local MOST = 1048576 -- of one write, so that none has a thread for long

local own = {}
for _, part in ipairs { ahead.methods, at.methods, lock.methods } do
  for name, method in pairs(part) do
    own[name] = method
  end
end

-- -- Writing ------------------------------------------------------------------

--- A write is over: the position, if nobody has set another meanwhile.
local function finish_write(self, done, n)
  self._writing = nil
  if n > 0 and done.offset >= 0 and self._pos == done.offset then
    self._pos = done.offset + n
    self._size = max(self._size, self._pos)
  end
  job.done(done)
  return n
end

local function start_write(self, ptr, n)
  local next_job, err = job.new()
  if not next_job then
    return err.number
  end
  if self._pos and not self._appends then
    ahead.forget(self)
  end
  next_job.offset = not self._appends and self._pos or -1
  local status = job.begin(next_job, HERE, OP_WRITE,
    { file = self._desc, offset = next_job.offset, size = min(n, MOST), data = ptr })
  if status < 0 then
    job.drop(next_job)
    return status
  end
  self._writing, self._write_owner = next_job, current()
  return EAGAIN
end

--- The count that is taken is what has been written: the same piece comes again and again until
-- then. A write whose thread was killed is waited for, and nobody hears of it.
function own:_send(ptr, n)
  if not self._desc then
    return ECLOSED
  elseif not self._writes then
    return EBADF
  elseif n == 0 then
    return 0
  end
  local done = self._writing
  if done then
    local written = job.result(done)
    if written == EAGAIN then
      return written
    end
    local is_ours = self._write_owner == current()
    finish_write(self, done, written)
    if is_ours then
      return written
    end
  end
  return start_write(self, ptr, n)
end

-- -- Waiting, and the end -----------------------------------------------------

function own:_wait(mode, deadline)
  local waits_for
  if mode == WRITE then
    waits_for = self._writing
  elseif mode == stream.WATCH and self._in.tail > self._in.head then
    return 0
  else
    waits_for = self._job
    if not waits_for and self._desc and self._reads then
      ahead.start(self, 0)
      waits_for = self._job
    end
  end
  if not self._desc then
    return ECLOSED
  elseif not waits_for or job.result(waits_for) ~= EAGAIN then
    return 0
  end
  local status = park(waits_for.queue, deadline, QUEUE)
  if status ~= 0 and mode == WRITE then
    self._write_owner = false
  end
  return status
end

function own:_shutdown(mode)
  if mode % (2 * READ) >= READ then
    self._reads = false
  end
  if mode >= WRITE then
    self._writes = false
  end
  return 0
end

local calls = { "_job", "_other", "_third", "_writing" }

--- Be closed, without the descriptor's holder, which is returned; false: it was. Calls that
-- are under way hold the descriptor until they are over.
function own:_give_up()
  local desc = self._desc
  if not desc then
    return false
  end
  self._desc = false
  for i = 1, #calls do -- without a word of memory
    local name = calls[i]
    if self[name] then
      job.drop(self[name])
      self[name] = nil
    end
  end
  return desc
end

function own:_close()
  local desc = self:_give_up()
  if desc then
    job.close_desc(desc)
  end
end

function own:_why(status)
  if status == ECLOSED or not self.path then
    return nil
  end
  local err = errors.new(status)
  local text = status == EBADF and "not opened for this" or err.message
  return job.printable(self.path) .. ": " .. text, { path = self.path }
end

--- The descriptor's number; it stays the file's. The system's position is put where the file's
-- is, for a child that gets the number. Does not park.
-- @treturn number or nil, err: ECLOSED
function own:fileno()
  if not self._desc then
    return nil, errors.new("ECLOSED", "fileno")
  end
  if self._pos then
    desc_api.seek(self._desc.desc, self:_tell())
  end
  return desc_api.number(self._desc.desc)
end

--- Where the next byte is read or written.
function own:_tell()
  return self._pos - (self._in.tail - self._in.head)
end

local function state_of(self)
  if not self._desc then
    return "closed"
  end
  return job.printable(self.path) .. ", " .. desc_api.number(self._desc.desc)
end

local mt = show.kind(stream.class("green.file", own), state_of)

--- The file of a descriptor (job.take_desc). has: `reads`, `writes`, `appends`, `seeks`, `size`.
local function wrap(desc, path, has)
  return setmetatable({
    path = path,
    _desc = desc,
    _in = ffi.gc(ffi.new("green_buf"), buf_api.reset),
    _pos = has.seeks and 0 or false,
    _size = has.size,
    _reads = has.reads,
    _writes = has.writes,
    _appends = has.appends,
    _timeout = false,
    _reader = false,
    _writer = false,
  }, mt)
end

return { wrap = wrap, mt = mt }
