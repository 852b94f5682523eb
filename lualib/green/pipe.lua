--- Pipes, FIFOs, terminals and devices as streams.
--
-- What green.stream says about reading, writing, errors and timeouts holds here. Regular
-- files never wait and are refused: green.fs reads them.
-- @module green.pipe

local core = require "green.core"
local args = require "green.args"
local errors = require "green.error"
local options = require "green.args.options"
local show = require "green.args.show"
local stream = require "green.stream"

local ffi = require "ffi"
local api = require "green.ffi.pipe"

local READ, WRITE = stream.READ, stream.WRITE
local BOTH = READ + WRITE
local EOPNOTSUPP = core.codes.EOPNOTSUPP
local FD_MOST = 2 ^ 31 - 1

local M = {}
local methods = {}

-- -- Primitives ---------------------------------------------------------------

function methods:_fill(want)
  return api.fill(self._p, want)
end

function methods:_send(ptr, n)
  return api.send(self._p, ptr, n)
end

function methods:_wait(mode, deadline)
  local status = core.park(self._p, deadline, mode)
  return status -- no tail call: self must stay reachable meanwhile
end

--- A direction ends when its descriptor is closed: one that serves both has no half end.
function methods:_shutdown(mode)
  local own = api.mode(self._p)
  if own == BOTH and mode ~= BOTH then
    return EOPNOTSUPP
  elseif own == mode or mode == BOTH then
    api.close(self._p)
  end
  return 0
end

function methods:_close()
  api.close(self._p)
end

-- -- The descriptor -----------------------------------------------------------

--- The descriptor's number; it stays the pipe's. Does not park.
-- @treturn number or nil, err: ECLOSED
function methods:fileno()
  local fd = api.fileno(self._p)
  if fd < 0 then
    return nil, errors.new(fd, "fileno")
  end
  return fd
end

--- Hand the descriptor over: the pipe is closed from here on, the number stays open and is
-- the caller's. Does not park.
-- @treturn number the descriptor
-- @treturn string input that was read and not taken; or nil, err: ECLOSED
function methods:detach()
  local buf = self._in
  local rest = buf.tail > buf.head and ffi.string(buf.data + buf.head, buf.tail - buf.head) or ""
  local fd = api.detach(self._p)
  if fd < 0 then
    return nil, errors.new(fd, "detach")
  end
  return fd, rest
end

--- Is it a terminal, or the master of one? Does not park.
-- @treturn boolean false also when it is closed
function methods:isatty()
  return api.is_tty(self._p) == 1
end

--- How many bytes the system keeps between writer and reader; with an argument, change
-- that. Does not park.
-- @tparam[opt] number bytes
-- @treturn number what it is now, which may be more than was asked for; or nil, err:
-- EOPNOTSUPP (it is no pipe), EPERM (more than the system allows), EBUSY (more are in it),
-- ECLOSED
function methods:room(bytes)
  local n
  if bytes == nil then
    n = api.room(self._p)
  else
    n = api.set_room(self._p, args.integer(bytes, 1, "room", "bytes", FD_MOST))
  end
  if n < 0 then
    return nil, errors.new(n, "room")
  end
  return n
end

local size = ffi.new("int32_t[2]")

--- Rows and columns of a terminal's window. Does not park.
-- @treturn number
-- @treturn number or nil, err: EOPNOTSUPP (it is no terminal), ECLOSED
function methods:window()
  local status = api.window(self._p, size)
  if status < 0 then
    return nil, errors.new(status, "window")
  end
  return size[0], size[1]
end

--- Say how large the terminal's window is: those in its foreground get SIGWINCH. Does not
-- park.
-- @tparam number rows
-- @tparam number cols
-- @return true; or nil, err: EOPNOTSUPP, ECLOSED
function methods:resize(rows, cols)
  args.integer(rows, 0, "resize", "rows", 65535)
  args.integer(cols, 0, "resize", "cols", 65535)
  local status = api.set_window(self._p, rows, cols)
  if status < 0 then
    return nil, errors.new(status, "resize")
  end
  return true
end

-- -- The class ----------------------------------------------------------------

local words = { [READ] = "read", [WRITE] = "write", [BOTH] = "read and write" }

local function state_of(self)
  local fd = api.fileno(self._p)
  return fd < 0 and "closed" or ("%d, %s"):format(fd, words[api.mode(self._p)])
end

local mt = show.kind(stream.class("green.pipe", methods), state_of)

--- The object around a handle.
local function wrap(p)
  return setmetatable({
    _p = p,
    _in = api.input(p),
    _timeout = false,
    _reader = false,
    _writer = false,
  }, mt)
end

-- -- Making -------------------------------------------------------------------

local modes = { r = READ, w = WRITE, rw = BOTH, ["r+"] = BOTH }

local function mode_of(name, default, where)
  if name == nil then
    return default
  end
  args.type(name, "string", where, "mode")
  return modes[name] or options.unknown("mode", name, modes, where)
end

local function opened(p, status, op)
  if status == 0 then
    return wrap(p)
  end
  local text = status == EOPNOTSUPP
    and "a regular file, a folder or a disk: nothing to wait for, green.fs reads it" or nil
  return nil, errors.new(status, op, text)
end

--- A pipe: what is written into one end comes out of the other. Does not park.
-- @return the reader
-- @return the writer; or nil, err: EMFILE, ENFILE
function M.new()
  local reader, writer = core.object("pipe"), core.object("pipe")
  local status = api.pair(reader, writer)
  if status < 0 then
    return nil, errors.new(status, "pipe")
  end
  return wrap(reader), wrap(writer)
end

--- A stream over a descriptor that can be waited for: a pipe's end, a FIFO, a terminal, a
-- device, a socket. It is the stream's from here on: closing the stream closes it. Of the
-- numbers 0, 1 and 2, and of a file of Lua's, it takes a copy, and they stay as they are.
-- Other processes that have the same pipe or terminal do not notice. Does not park.
-- @param fd a number, or a file of Lua's; what that has buffered is not seen
-- @tparam[opt] string mode "r", "w" or "rw"; unasked what the descriptor was opened for
-- @return the stream; or nil, err: EOPNOTSUPP (a regular file), EBADF (it is not open, or
-- not for that direction), EMFILE; then the number stays the caller's
function M.from_fd(fd, mode)
  local is_file = io.type(fd)
  if is_file == "closed file" then
    return nil, errors.new("EBADF", "pipe.from_fd", "the file is closed")
  elseif not is_file then
    args.integer(fd, 0, "pipe.from_fd", "fd", FD_MOST)
  end
  local number = is_file and core.file_number(fd) or fd
  local take = (is_file or fd <= 2) and api.copy or api.adopt
  local p = core.object("pipe")
  return opened(p, take(p, number, mode_of(mode, 0, "pipe.from_fd")), "pipe.from_fd")
end

--- Open a FIFO, a terminal or a device. It does not become the controlling terminal. A FIFO
-- that is read waits for its first writer, and ends when the last one has gone. Does not
-- park.
-- @tparam string path
-- @tparam[opt="r"] string mode "r", "w" or "rw"
-- @return the stream; or nil, err: EOPNOTSUPP (a regular file), ENOENT, EACCES, ENXIO
-- (nobody reads the FIFO yet)
function M.open(path, mode)
  args.type(path, "string", "pipe.open", "path")
  if path:find("\0", 1, true) then
    args.misuse("pipe.open: path must not contain a NUL")
  end
  local p = core.object("pipe")
  return opened(p, api.open(p, path, mode_of(mode, READ, "pipe.open")), "open " .. path)
end

--- For other modules of the library: a closed handle, the object around one, and the
-- class of these.
M._handle = function()
  return core.object("pipe")
end
M._wrap, M._class = wrap, mt

return M
