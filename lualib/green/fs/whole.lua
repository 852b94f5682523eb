--- Files as wholes: opened, read, written, copied, moved, temporary. Private to green.fs.
-- Each function has a place before its arguments, as in green.fs.names.
-- @module green.fs.whole

local args = require "green.args"
local check = require "green.fs.check"
local core = require "green.core"
local file = require "green.fs.file"
local info = require "green.fs.info"
local job = require "green.fs.job"
local names = require "green.fs.names"
local thread = require "green.thread"

local ffi = require "ffi"

local min, tonumber, type = math.min, tonumber, type
local C = ffi.C
local function number(name)
  return tonumber(C["GREEN_DISK_" .. name])
end
local OPEN, LOAD, SAVE, APPEND = number "OPEN", number "LOAD", number "SAVE", number "APPEND"
local COPY, TEMP = number "COPY", number "TEMP"
local NOREPLACE, SYNCED = number "NOREPLACE", number "SYNCED"
local PRESERVE, FOLDER, WAITS = number "PRESERVE", number "FOLDER", number "WAITS"
local ENXIO, ENOENT = -6, core.codes.ENOENT

local MOST = 0x7ffffffe -- bytes that a string is read of at once
local NAP_FIRST, NAP_LAST = 0.001, 0.05 -- seconds between looks for a FIFO's reader

local M = {}

-- -- Opening ------------------------------------------------------------------

--- The file, or the stream, of what a job has opened.
local function opened(one, n, path, reads, writes, appends)
  local size, desc = info.size_of(one), job.take_desc(one)
  job.done(one)
  if n == WAITS then
    return require("green.fs.special").wrap(desc, path, reads, writes)
  end
  return file.wrap(desc, path, { reads = reads, writes = writes, appends = appends,
    seeks = n == 1, size = size })
end

--- Is it a FIFO that nobody reads yet?
local function lacks_reader(place, path, err)
  if err.number ~= ENXIO then
    return false
  end
  local st = names.stat(place, path)
  return st and st.type == "fifo"
end

--- Open as io.open does; what waits for bytes or room parks. A file is a stream
-- (green.stream) that can do more: see the page of this module. A FIFO, a terminal or another
-- device that can be waited for is a stream that waits in the loop, and no more. Parks.
-- @function fs.open
-- @tparam string path
-- @tparam[opt="r"] string mode "r", "w", "a", "r+", "w+", "a+"; "x" behind the last five but
-- "r+": nothing may be there yet. A "b" changes nothing
-- @tparam[opt] table opts `mode`: permissions of a new file, "0666", without the bits of umask;
-- `flags`: a list of "excl", "nofollow", "sync", "dsync", "noatime", "create", "truncate";
-- `timeout`: seconds that a FIFO opened for writing may be without a reader
-- @return the file; or nil, err: ENOENT, EACCES, EEXIST, EISDIR, EMFILE, ELOOP ("nofollow"),
-- ETIMEDOUT
function M.open(place, path, mode, opts)
  check.path(path, "fs.open")
  local flags, reads, writes, appends = check.open_mode(mode, "fs.open")
  opts = check.options(opts, { mode = "mode", flags = true, timeout = "seconds" }, "fs.open")
  flags = check.flags(flags, opts.flags, "fs.open")
  local rights = check.mode(opts.mode, 438, "fs.open")
  local deadline, nap = thread.deadline(opts.timeout), NAP_FIRST
  while true do
    local n, one = job.run(place, OPEN, "open", { path = path, flags = flags, mode = rights })
    if n then
      return opened(one, n, path, reads, writes, appends)
    elseif not lacks_reader(place, path, one) then
      return nil, one
    elseif deadline and core.now() >= deadline then
      return job.failure(core.codes.ETIMEDOUT, "open", path)
    end
    thread.sleep(nap)
    nap = min(2 * nap, NAP_LAST)
  end
end

--- Open a file, made if it is not there, and lock it (see the file's lock): so that only one
-- program, or one green thread, does what the file stands for. Closing it gives the lock back;
-- the file stays. Parks.
-- @function fs.lock
-- @tparam string path
-- @tparam[opt] table opts `kind` "exclusive" or "shared"; `timeout` in seconds; 0: one try;
-- `mode`: permissions of a new file, "0666", without the bits of umask
-- @return the file, open for reading and writing; or nil, err: ETIMEDOUT (another has it),
-- ENOENT, EACCES
function M.lock(place, path, opts)
  check.path(path, "fs.lock")
  opts = check.options(opts, { kind = "string", timeout = "seconds", mode = "mode" }, "fs.lock")
  local mode = check.mode(opts.mode, nil, "fs.lock")
  local one, err = M.open(place, path, "r+", { flags = "create", mode = mode })
  if not one then
    return nil, err
  elseif file.mt ~= getmetatable(one) then
    one:close()
    return job.failure(core.codes.EOPNOTSUPP, "lock", path)
  end
  local ok
  ok, err = one:lock(opts.kind, { timeout = opts.timeout })
  if not ok then
    one:close()
    return nil, err
  end
  return one
end

--- A new file that nobody else knows of: its name cannot be guessed, nothing was there before,
-- and only its owner may read it (0600). It is removed by whoever wants that. Parks.
-- @function fs.tempfile
-- @tparam[opt] table opts `dir`: the folder (TMPDIR, else "/tmp"; in a root "."); `prefix` and
-- `suffix` of its name ("lua-", "")
-- @return the file, open for reading and writing; its path is `file.path`. Or nil, err: ENOENT,
-- EACCES, ENOSPC
function M.tempfile(place, opts)
  local dir, c = M._temp_call(place, opts, "fs.tempfile", 384)
  local n, one = job.run(place, TEMP, "tempfile", c)
  if not n then
    return nil, one
  end
  local desc = job.take_desc(one)
  return file.wrap(desc, dir .. job.take_text(one),
    { reads = true, writes = true, seeks = true, size = 0 })
end

--- A new folder, as tempfile makes a file (0700). Parks.
-- @function fs.tempdir
-- @tparam[opt] table opts as of tempfile
-- @treturn string its path; or nil, err
function M.tempdir(place, opts)
  local dir, c = M._temp_call(place, opts, "fs.tempdir", 448)
  c.how = FOLDER
  local name, err = job.text(place, TEMP, "tempdir", c)
  return name and dir .. name, err
end

function M._temp_call(place, opts, where, mode)
  opts = check.options(opts, { dir = true, prefix = true, suffix = true }, where)
  local dir = opts.dir == nil and (place and "." or os.getenv("TMPDIR") or "/tmp")
    or check.path(opts.dir, where, "dir")
  return dir == "/" and dir or dir .. "/", {
    path = dir == "" and "." or dir,
    to = check.name(opts.prefix, "lua-", where, "prefix"),
    data = check.name(opts.suffix, "", where, "suffix"),
    mode = mode,
  }
end

-- -- Contents -----------------------------------------------------------------

--- All of a FIFO or a terminal, up to its end.
local function read_special(one, path, most)
  local stream, err = opened(one, WAITS, path, true, false)
  if not stream then
    return nil, err
  end
  local text
  text, err = stream:read_all(most)
  stream:close()
  return text, err
end

--- All that is in a file. Parks.
-- @function fs.read_file
-- @tparam string path
-- @tparam[opt] table opts `max`: bytes (2^31 - 2)
-- @treturn string or nil, err: ENOENT, EACCES, EISDIR, ETOOBIG
function M.read_file(place, path, opts)
  check.path(path, "fs.read_file")
  opts = check.options(opts, { max = "size" }, "fs.read_file")
  local most = min(opts.max or MOST, MOST)
  local n, one = job.run(place, LOAD, "read_file", { path = path, size = most })
  if not n then
    return nil, one
  elseif n == WAITS then
    return read_special(one, path, most)
  end
  return job.take_text(one)
end

--- Pieces as one string.
local function text_of(value, where)
  if type(value) == "table" then
    args.list(value, where, "data", "strings and numbers")
    for i, piece in ipairs(value) do
      if type(piece) ~= "string" and type(piece) ~= "number" then
        args.wrong(where, ("data[%d]"):format(i), "a string or a number", piece)
      end
    end
    return table.concat(value)
  elseif type(value) == "number" then
    return tostring(value)
  end
  return type(value) == "string" and value
    or args.wrong(where, "data", "a string or a list of strings", value)
end

--- Where a link leads, so that it stays; a path that leads to nothing is itself. A link of /proc
-- may lead to what has no path (/dev/stdout, to a pipe): that is not nothing.
local function behind_links(place, path)
  local st = names.lstat(place, path)
  if not st or st.type ~= "link" then
    return path
  end
  local real, err = names.realpath(place, path)
  if not real and err.number ~= ENOENT then
    return nil, err
  elseif not real and names.stat(place, path) then
    return job.failure(core.codes.EOPNOTSUPP, "write_file", path)
  end
  return real or path
end

local write_options = { sync = "boolean", mode = "mode", replace = "boolean" }

--- Put a file with these bytes in the place of what is there, whole or not at all: who opens
-- it finds the old bytes or the new, whatever stops the program or the machine. They are
-- written to a temporary file in the same folder, which then takes the name; permissions and
-- owner are handed on (of what else there is, as ACLs, nothing), a link stays and what it leads
-- to is replaced. Parks. A write that is killed has been made or not, never in part.
-- @function fs.write_file
-- @tparam string path
-- @param data a string, or a list of strings
-- @tparam[opt] table opts `sync` false: do not wait for the disk (then a machine that loses
-- power may have an empty file); `mode`: permissions of a new file, "0666", without the bits of
-- umask; `replace` false: EEXIST when something is there
-- @return true; or nil, err: ENOENT, EACCES, EISDIR, ENOSPC, EFBIG, EIO, EEXIST, EOPNOTSUPP (a
-- device, a FIFO or a socket is there: open it)
function M.write_file(place, path, data, opts)
  check.path(path, "fs.write_file")
  data = text_of(data, "fs.write_file")
  opts = check.options(opts, write_options, "fs.write_file")
  local how = (opts.sync == false and 0 or SYNCED) + (opts.replace == false and NOREPLACE or 0)
  local rights = check.mode(opts.mode, 438, "fs.write_file")
  local target, err = behind_links(place, path)
  if not target then
    return nil, err
  end
  return job.act(place, SAVE, "write_file", { path = target, data = data, size = #data,
    how = how, mode = rights, shown = path })
end

--- Write behind the end of a file, which is made if it is not there. What several write at the
-- same time does not mix, if each of it is not very long. Parks. One that is killed may have
-- been made.
-- @function fs.append_file
-- @tparam string path
-- @param data a string, or a list of strings
-- @tparam[opt] table opts `sync` true: wait for the disk; `mode` as of write_file
-- @return true; or nil, err: as write_file
function M.append_file(place, path, data, opts)
  check.path(path, "fs.append_file")
  data = text_of(data, "fs.append_file")
  opts = check.options(opts, { sync = "boolean", mode = "mode" }, "fs.append_file")
  return job.act(place, APPEND, "append_file", { path = path, data = data, size = #data,
    how = opts.sync and SYNCED or 0, mode = check.mode(opts.mode, 438, "fs.append_file") })
end

-- -- Copies -------------------------------------------------------------------

-- Copy one file.
function M._copy_file(place, from, to, how)
  return job.act(place, COPY, "copy", { path = from, to = to, how = how, two = true })
end

function M._copy_how(opts)
  return (opts.replace == false and NOREPLACE or 0) + (opts.sync and SYNCED or 0)
    + (opts.preserve and PRESERVE or 0)
end

return M
