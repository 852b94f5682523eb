--- What the system tells of files and file systems, as tables. Private to green.fs.
-- @module green.fs.info

local ffi = require "ffi"
local api = require "green.ffi.disk"

local band, tonumber = bit.band, tonumber

local M = {}

local types = { [0x1000] = "fifo", [0x2000] = "char", [0x4000] = "directory", [0x6000] = "block",
  [0x8000] = "file", [0xa000] = "link", [0xc000] = "socket" }

--- The names of types by the letters of a list.
M.letters = { f = "file", d = "directory", l = "link", p = "fifo", s = "socket", c = "char",
  b = "block", ["?"] = "unknown" }

local function seconds(ns)
  return tonumber(ns / 1000000000LL) + tonumber(ns % 1000000000LL) * 1e-9
end

--- Of a green_disk_info.
local function of_stat(info)
  local mode = info.mode
  return {
    type = types[band(mode, 0xf000)] or "unknown",
    mode = band(mode, 0xfff),
    size = tonumber(info.size),
    nlink = tonumber(info.nlink),
    uid = info.uid,
    gid = info.gid,
    dev = tonumber(info.dev),
    ino = tonumber(info.ino),
    rdev = tonumber(info.rdev),
    blocks = tonumber(info.blocks),
    blksize = tonumber(info.blksize),
    atime = seconds(info.atime),
    mtime = seconds(info.mtime),
    ctime = seconds(info.ctime),
  }
end

--- Of a job that has called STAT.
function M.stat(job)
  return of_stat(api.stat(job.p[0]))
end

local RDONLY, NOSUID, NOEXEC = 1, 2, 8

--- Of a job that has called STATVFS. Sizes are bytes.
function M.statvfs(job)
  local s = api.statvfs(job.p[0])
  local unit, flag = tonumber(s.frsize), tonumber(s.flag)
  return {
    size = tonumber(s.blocks) * unit,
    free = tonumber(s.bfree) * unit,
    available = tonumber(s.bavail) * unit,
    files = tonumber(s.files),
    files_free = tonumber(s.ffree),
    block_size = tonumber(s.bsize),
    name_max = tonumber(s.namemax),
    readonly = band(flag, RDONLY) ~= 0,
    nosuid = band(flag, NOSUID) ~= 0,
    noexec = band(flag, NOEXEC) ~= 0,
  }
end

--- Is it a regular file, a directory, ... by its mode?
function M.type_of(job)
  return types[band(api.stat(job.p[0]).mode, 0xf000)] or "unknown"
end

M.size_of = function(job)
  return tonumber(api.stat(job.p[0]).size)
end

M.int64 = ffi.typeof("int64_t")

return M
