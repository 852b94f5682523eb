--- What is done to names: made, looked at, changed, removed. Private to green.fs.
--
-- Each function has a place before its arguments: nil for paths of the program's own, or where
-- a root is (green.fs.root).
-- @module green.fs.names

local args = require "green.args"
local check = require "green.fs.check"
local core = require "green.core"
local file_at = require "green.fs.file_at"
local info = require "green.fs.info"
local job = require "green.fs.job"

local ffi = require "ffi"

local gmatch, match, sort, tonumber = string.gmatch, string.match, table.sort, tonumber
local C = ffi.C
local function number(name)
  return tonumber(C["GREEN_DISK_" .. name])
end
local EINVAL, ENOENT = core.codes.EINVAL, core.codes.ENOENT
local ENOTDIR = -20
local NOFOLLOW, PARENTS, NOREPLACE = number "NOFOLLOW", number "PARENTS", number "NOREPLACE"
local MORE = job.MORE

local STAT, STATVFS, LIST = number "STAT", number "STATVFS", number "LIST"
local MKDIR, RMDIR, UNLINK = number "MKDIR", number "RMDIR", number "UNLINK"
local REMOVE, RENAME, LINK = number "REMOVE", number "RENAME", number "LINK"
local SYMLINK, READLINK, REALPATH = number "SYMLINK", number "READLINK", number "REALPATH"
local CHMOD, CHOWN, UTIME, TRUNCATE = number "CHMOD", number "CHOWN", number "UTIME",
  number "TRUNCATE"

local M = {}

-- -- Looking ------------------------------------------------------------------

local function ask(place, op, where, path, how, result)
  check.path(path, "fs." .. where)
  local n, one = job.run(place, op, where, { path = path, how = how })
  if not n then
    return nil, one
  end
  local answer = result(one)
  job.done(one)
  return answer
end

--- What lies at a path: a table with `type` ("file", "directory", "link", "fifo", "socket",
-- "char", "block"), `mode` (the permissions, a number), `size` in bytes, `mtime`, `atime` and
-- `ctime` in seconds since 1970, `uid`, `gid`, `nlink`, `ino`, `dev`, `rdev`, `blocks` (of 512
-- bytes) and `blksize`. Links are followed. Parks.
-- @function fs.stat
-- @tparam string path
-- @treturn table or nil, err: ENOENT, EACCES, ENOTDIR, ELOOP, ENAMETOOLONG
function M.stat(place, path)
  return ask(place, STAT, "stat", path, 0, info.stat)
end

--- The same of a link itself. Parks.
-- @function fs.lstat
-- @tparam string path
function M.lstat(place, path)
  return ask(place, STAT, "lstat", path, NOFOLLOW, info.stat)
end

--- The file system that a path is in: `size`, `free` and `available` (to users that are not
-- root) in bytes, `files`, `files_free`, `block_size`, `name_max`, `readonly`, `nosuid`,
-- `noexec`. Parks.
-- @function fs.statvfs
-- @tparam string path
-- @treturn table or nil, err: as stat
function M.statvfs(place, path)
  return ask(place, STATVFS, "statvfs", path, 0, info.statvfs)
end

--- Does something lie at a path? A link that leads to nothing is nothing. Parks.
-- @function fs.exists
-- @tparam string path
-- @treturn boolean or nil, err: EACCES and what else keeps one from knowing
function M.exists(place, path)
  local found, err = ask(place, STAT, "exists", path, 0, info.type_of)
  if found then
    return true
  elseif err.number == ENOENT or err.number == ENOTDIR then
    return false
  end
  return nil, err
end

--- What stands in a link. Parks.
-- @function fs.readlink
-- @tparam string path
-- @treturn string or nil, err: EINVAL (it is no link), ENOENT
function M.readlink(place, path)
  check.path(path, "fs.readlink")
  return job.text(place, READLINK, "readlink", { path = path })
end

--- The path without links, "." and "..", from "/" on; in a root: from the root on, "." for
-- itself. Parks.
-- @function fs.realpath
-- @tparam string path of something that is there
-- @treturn string or nil, err: as stat
function M.realpath(place, path)
  check.path(path, "fs.realpath")
  return job.text(place, REALPATH, "realpath", { path = path })
end

-- -- Folders ------------------------------------------------------------------

--- Add what a job has listed.
local function add_entries(entries, text)
  for letter, name in gmatch(text, "(.)([^%z]*)%z") do
    entries[#entries + 1] = { name = name, type = info.letters[letter] }
  end
end

local function by_name(a, b)
  return a.name < b.name
end

-- The entries of a folder: a sorted list of { name =, type = }; nil, err. A large one takes
-- several calls. Parks.
-- @tparam[opt] boolean nofollow the path must not be a link
function M.entries(place, path, where, nofollow)
  local entries = {}
  local n, one = job.run(place, LIST, where, { path = path, how = nofollow and NOFOLLOW or 0 })
  local desc = n == MORE and job.take_desc(one)
  while n do
    add_entries(entries, job.take_text(one))
    if n ~= MORE then
      break
    end
    n, one = job.run(place, LIST, where, { file = desc, shown = path })
  end
  if desc then
    job.close_desc(desc)
  end
  if not n then
    return nil, one
  end
  sort(entries, by_name)
  return entries
end

--- The names in a folder, in the order of their bytes, without "." and "..". Parks.
-- @function fs.readdir
-- @tparam string path
-- @tparam[opt] table opts `types` true: each is a table with `name` and `type` (as of lstat,
-- "unknown" if it has gone)
-- @treturn table or nil, err: ENOENT, ENOTDIR, EACCES
function M.readdir(place, path, opts)
  check.path(path, "fs.readdir")
  opts = check.options(opts, { types = "boolean" }, "fs.readdir")
  local entries, err = M.entries(place, path, "readdir")
  if not entries or opts.types then
    return entries, err
  end
  for i = 1, #entries do
    entries[i] = entries[i].name
  end
  return entries
end

--- Make a folder. Parks.
-- @function fs.mkdir
-- @tparam string path
-- @tparam[opt] table opts `parents` true: and those it is in; one that is there already is fine.
-- `mode`: permissions, "0777", without the bits of umask
-- @return true; or nil, err: EEXIST, ENOENT (there is nothing to make it in), EACCES, ENOSPC
function M.mkdir(place, path, opts)
  check.path(path, "fs.mkdir")
  opts = check.options(opts, { parents = "boolean", mode = "mode" }, "fs.mkdir")
  return job.act(place, MKDIR, "mkdir", { path = path, how = opts.parents and PARENTS or 0,
    mode = check.mode(opts.mode, 511, "fs.mkdir") })
end

--- Remove an empty folder. Parks.
-- @function fs.rmdir
-- @tparam string path
-- @return true; or nil, err: ENOTEMPTY, ENOENT, ENOTDIR, EBUSY, EACCES
function M.rmdir(place, path)
  check.path(path, "fs.rmdir")
  return job.act(place, RMDIR, "rmdir", { path = path })
end

--- Remove a name that is no folder's: a link itself, not what it leads to. Parks.
-- @function fs.unlink
-- @tparam string path
-- @return true; or nil, err: ENOENT, EISDIR, EACCES, EPERM
function M.unlink(place, path)
  check.path(path, "fs.unlink")
  return job.act(place, UNLINK, "unlink", { path = path })
end

--- "", "/", "." and "..", and what ends in the last two, have no name that could be removed.
local function has_name(path)
  local last = match(path, "([^/]+)/*$")
  return last and last ~= "." and last ~= ".."
end

--- Remove what lies at a path, a folder with all that is below it. Links are removed, never
-- followed, whatever is put in the place of a folder meanwhile. It goes on in slices of some
-- milliseconds: one that is killed has removed a part. Parks.
-- @function fs.remove
-- @tparam string path not "/" or what ends in "." or ".."
-- @tparam[opt] table opts `missing_ok` true: nothing there is no error
-- @return true; or nil, err: ENOENT, EACCES and others, with `path`: where; EINVAL
function M.remove(place, path, opts)
  check.path(path, "fs.remove")
  opts = check.options(opts, { missing_ok = "boolean" }, "fs.remove")
  if not has_name(path) then
    return job.failure(EINVAL, "remove", path)
  end
  local n, one = job.run(place, REMOVE, "remove", { path = path, tells = true })
  if n then
    job.done(one)
  elseif not (opts.missing_ok and one.number == ENOENT) then
    return nil, one
  end
  return true
end

-- -- Names --------------------------------------------------------------------

--- Give a thing another name, in the place of what has that name. Both are in one file system.
-- Parks.
-- @function fs.rename
-- @tparam string from
-- @tparam string to
-- @tparam[opt] table opts `replace` false: EEXIST when something is there
-- @return true; or nil, err: ENOENT, EXDEV (another file system: see move), ENOTEMPTY, EISDIR,
-- ENOTDIR, EACCES
function M.rename(place, from, to, opts)
  check.path(from, "fs.rename", "from")
  check.path(to, "fs.rename", "to")
  opts = check.options(opts, { replace = "boolean" }, "fs.rename")
  return job.act(place, RENAME, "rename", { path = from, to = to, two = true,
    how = opts.replace == false and NOREPLACE or 0 })
end

--- Give a file a second name. A link gets one itself. Parks.
-- @function fs.link
-- @tparam string from
-- @tparam string to the new name
-- @return true; or nil, err: EEXIST, ENOENT, EXDEV, EPERM (a folder), EACCES
function M.link(place, from, to)
  check.path(from, "fs.link", "from")
  check.path(to, "fs.link", "to")
  return job.act(place, LINK, "link", { path = from, to = to, two = true })
end

--- Make a link that leads to a path, which need not be there. Parks.
-- @function fs.symlink
-- @tparam string target what stands in it: from its own folder, where it is relative
-- @tparam string path the link's name
-- @return true; or nil, err: EEXIST, ENOENT, EACCES
function M.symlink(place, target, path)
  check.path(target, "fs.symlink", "target")
  check.path(path, "fs.symlink")
  return job.act(place, SYMLINK, "symlink", { path = path, to = target })
end

-- -- Properties ---------------------------------------------------------------

--- Set permissions. Parks.
-- @function fs.chmod
-- @tparam string path
-- @param mode a string of octal digits ("0644") or a number
-- @return true; or nil, err: ENOENT, EPERM
function M.chmod(place, path, mode)
  check.path(path, "fs.chmod")
  if mode == nil then
    args.wrong("fs.chmod", "mode", 'octal digits as a string ("0644") or a number', mode)
  end
  return job.act(place, CHMOD, "chmod",
    { path = path, mode = check.mode(mode, nil, "fs.chmod") })
end

--- Give to another user, or group. Parks.
-- @function fs.chown
-- @tparam string path
-- @tparam[opt] table opts `uid` and `gid`, numbers; what is not there stays. `follow` false: of
-- a link itself
-- @return true; or nil, err: EPERM, ENOENT
function M.chown(place, path, opts)
  check.path(path, "fs.chown")
  opts = check.options(opts, { uid = true, gid = true, follow = "boolean" }, "fs.chown")
  return job.act(place, CHOWN, "chown", { path = path,
    how = opts.follow == false and NOFOLLOW or 0,
    offset = file_at.id_of(opts.uid, "fs.chown", "uid"),
    size = file_at.id_of(opts.gid, "fs.chown", "gid") })
end

--- Set the times of a file. Parks.
-- @function fs.utime
-- @tparam string path
-- @tparam[opt] table opts `atime` and `mtime` in seconds since 1970; without one of them it is
-- as the other, without both now. `follow` false: of a link itself
-- @return true; or nil, err: ENOENT, EPERM, EACCES
function M.utime(place, path, opts)
  check.path(path, "fs.utime")
  opts = check.options(opts, { atime = true, mtime = true, follow = "boolean" }, "fs.utime")
  local accessed, modified = file_at.times_of(opts.atime, opts.mtime, "fs.utime")
  return job.act(place, UTIME, "utime", { path = path, offset = accessed, size = modified,
    how = opts.follow == false and NOFOLLOW or 0 })
end

--- Cut a file off, or make it longer with a hole. Parks.
-- @function fs.truncate
-- @tparam string path
-- @tparam number size
-- @return true; or nil, err: ENOENT, EISDIR, EACCES, EFBIG
function M.truncate(place, path, size)
  check.path(path, "fs.truncate")
  check.offset(size, "fs.truncate", "size")
  return job.act(place, TRUNCATE, "truncate", { path = path, size = size })
end

return M
