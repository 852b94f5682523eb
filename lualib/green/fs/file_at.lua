--- What files can do beside streaming: places in them, their size, what stands about them.
-- Private to green.fs.
-- @module green.fs.file_at

local args = require "green.args"
local check = require "green.fs.check"
local core = require "green.core"
local errors = require "green.error"
local info = require "green.fs.info"
local job = require "green.fs.job"
local options = require "green.args.options"
local thread = require "green.thread"

local ffi = require "ffi"

local concat, min, tonumber = table.concat, math.min, tonumber
local C = ffi.C
local function op(name)
  return tonumber(C["GREEN_DISK_" .. name])
end
local READ, WRITE, STAT, SYNC, TRUNCATE = op "READ", op "WRITE", op "STAT", op "SYNC",
  op "TRUNCATE"
local STATVFS, CHMOD, CHOWN, UTIME = op "STATVFS", op "CHMOD", op "CHOWN", op "UTIME"
local EBADF = core.codes.EBADF
local ESPIPE = -29

local MOST = 1048576 -- a piece
local HERE = {}

local methods = {}

--- Is it open, and can it do this? nil, err.
local function ready(self, where, needs)
  if not self._desc then
    return nil, errors.new("ECLOSED", where)
  elseif needs and not self[needs] then
    return job.failure(needs == "_pos" and ESPIPE or EBADF, where, self.path)
  end
  return true
end

--- One call about the file: true; or nil, err.
local function act(self, number, where, c, needs)
  local ok, err = ready(self, where, needs)
  if not ok then
    return nil, err
  end
  c.file, c.shown = self._desc, self.path
  return job.act(HERE, number, where, c)
end

-- -- Positions ----------------------------------------------------------------

--- Bytes from a place, which do not move the position. Parks.
-- @tparam number n
-- @tparam number offset
-- @treturn ?string fewer than n only before the end of the file; nil: there are none; or nil,
-- err: EBADF (not opened for reading), ESPIPE (it has no places), ECLOSED
function methods:pread(n, offset)
  n = args.size(n, 0, "pread", "n")
  check.offset(offset, "pread", "offset")
  local ok, err = ready(self, "pread", "_pos")
  if ok then
    ok, err = ready(self, "pread", "_reads")
  end
  if not ok then
    thread.checkpoint()
    return nil, err
  end
  local pieces, got = {}, 0
  repeat
    if not self._desc then
      return ready(self, "pread")
    end
    local text
    text, err = job.text(HERE, READ, "pread", { file = self._desc, offset = offset + got,
      size = min(n - got, MOST), shown = self.path })
    if not text then
      return nil, err
    end
    pieces[#pieces + 1] = text
    got = got + #text
  until text == "" or got == n
  if got == 0 and n > 0 then
    return nil
  end
  return concat(pieces)
end

--- Write at a place; the position stays. A file that appends writes at its end all the same.
-- Parks. A write that is killed may have been made, whole or in part.
-- @tparam string text
-- @tparam number offset
-- @return true; or nil, err as write, and ESPIPE; `err.written` bytes were written
function methods:pwrite(text, offset)
  args.type(text, "string", "pwrite", "text")
  check.offset(offset, "pwrite", "offset")
  local ok, err = ready(self, "pwrite", "_pos")
  if ok then
    ok, err = ready(self, "pwrite", "_writes")
  end
  if not ok then
    thread.checkpoint()
    return nil, err
  end
  thread.checkpoint()
  local done = 0
  while done < #text do
    if not self._desc then
      return ready(self, "pwrite")
    end
    local piece = #text <= MOST and done == 0 and text or text:sub(done + 1, done + MOST)
    local n, left = job.run(HERE, WRITE, "pwrite", { file = self._desc, offset = offset + done,
      size = #piece, data = piece, shown = self.path })
    if not n then
      left.written = done
      return nil, left
    end
    job.done(left)
    done = done + n
  end
  if self._desc then
    self:_forget_reads() -- they may be of before
  end
  return true
end

local whences = { set = true, cur = true, ["end"] = true }

--- Where the next byte is read or written, and set that, as io's seek does. What a file that
-- appends writes goes to its end, wherever this is. Parks for "end" only.
-- @tparam[opt="cur"] string whence "set", "cur" or "end": offset is from the start, from where
-- it is, or from the end
-- @tparam[opt=0] number offset
-- @treturn number the position; or nil, err: ESPIPE (it has none), EINVAL (before the start),
-- ECLOSED
function methods:seek(whence, offset)
  whence = whence == nil and "cur" or whence
  if not whences[whence] then
    options.unknown("whence", whence, whences, "seek")
  end
  offset = offset == nil and 0 or args.integer(offset, -2 ^ 53, "seek", "offset")
  local ok, err = ready(self, "seek", "_pos")
  if not ok then
    return nil, err
  end
  local base = whence == "cur" and self:_tell() or 0
  if whence == "end" then
    local n, one = job.run(HERE, STAT, "seek", { file = self._desc, shown = self.path })
    if not n then
      return nil, one
    end
    base = info.size_of(one)
    job.done(one)
    if not self._desc then
      return ready(self, "seek")
    end
  end
  if base + offset < 0 then
    return job.failure(core.codes.EINVAL, "seek", self.path)
  end
  if base + offset ~= self:_tell() then
    self:_forget_reads()
    self._pos = base + offset
  end
  return base + offset
end

--- Cut it off, or make it longer with a hole. The position stays. Parks.
-- @tparam number size
-- @return true; or nil, err: EBADF, EINVAL (not a regular file), EFBIG, ECLOSED
function methods:truncate(size)
  check.offset(size, "truncate", "size")
  local ok, err = act(self, TRUNCATE, "truncate", { size = size }, "_writes")
  if ok and self._desc and self._pos then
    self:_forget_reads()
  end
  return ok, err
end

--- Wait until all that was written is on the disk. Parks.
-- @tparam[opt] table opts `data` true: the bytes and the size, but not the times
-- @return true; or nil, err: EIO (a write came to nothing), ENOSPC, EINVAL (nothing that has a
-- disk), ECLOSED
function methods:sync(opts)
  opts = check.options(opts, { data = "boolean" }, "sync")
  return act(self, SYNC, "sync", { flags = opts.data and 1 or 0 })
end

-- -- About it -----------------------------------------------------------------

local function ask(self, number, where, result)
  local ok, err = ready(self, where)
  if not ok then
    return nil, err
  end
  local n, one = job.run(HERE, number, where, { file = self._desc, shown = self.path })
  if not n then
    return nil, one
  end
  local answer = result(one)
  job.done(one)
  return answer
end

--- What fs.stat tells of a path, of the open file. Parks.
-- @treturn table or nil, err: ECLOSED
function methods:stat()
  return ask(self, STAT, "stat", info.stat)
end

--- What fs.statvfs tells, of the file system it is in. Parks.
function methods:statvfs()
  return ask(self, STATVFS, "statvfs", info.statvfs)
end

--- As fs.chmod. Parks.
-- @param mode "0644"
function methods:chmod(mode)
  if mode == nil then
    args.wrong("chmod", "mode", 'octal digits as a string ("0644") or a number', mode)
  end
  return act(self, CHMOD, "chmod", { mode = check.mode(mode, nil, "chmod") })
end

local function id_of(value, where, name)
  return value == nil and -1 or args.integer(value, 0, where, name, 2 ^ 32 - 2)
end

--- As fs.chown. Parks.
-- @tparam[opt] table opts `uid`, `gid`
function methods:chown(opts)
  opts = check.options(opts, { uid = true, gid = true }, "chown")
  return act(self, CHOWN, "chown",
    { offset = id_of(opts.uid, "chown", "uid"), size = id_of(opts.gid, "chown", "gid") })
end

local NOW = tonumber(C.GREEN_DISK_NOW)

--- The two times of utime: one that is not there is as the other, both are now.
local function times_of(atime, mtime, where)
  local accessed = atime ~= nil and check.nanoseconds(atime, where, "atime")
  local modified = mtime ~= nil and check.nanoseconds(mtime, where, "mtime")
  return accessed or modified or NOW, modified or accessed or NOW
end

--- As fs.utime. Parks.
-- @tparam[opt] table opts `atime`, `mtime`
function methods:utime(opts)
  opts = check.options(opts, { atime = true, mtime = true }, "utime")
  local accessed, modified = times_of(opts.atime, opts.mtime, "utime")
  return act(self, UTIME, "utime", { offset = accessed, size = modified })
end

return { methods = methods, id_of = id_of, times_of = times_of }
