--- The writing half of green.stdio.
-- @module green.patch.stdio.output

local core = require "green.core"
local args = require "green.args"
local thread = require "green.thread"

-- Scripts may put their own in their places; print's tostring is theirs.
local _G, error, ipairs, pairs, pcall, require, select, type =
  _G, error, ipairs, pairs, pcall, require, select, type
local concat, format = table.concat, string.format

local codes = core.codes
local EAGAIN, ECANCELED, ENOBUFS = codes.EAGAIN, codes.ECANCELED, codes.ENOBUFS
local EPIPE = codes.EPIPE
local ROOM = core.QUEUE -- core.park's mode for a queue inside a C struct

local stdout, stderr = io.stdout, io.stderr
local file_methods = core.class_of(stdout).__index
local io_output = io.output

-- Lua's own, for all other files.
local raw = {
  print = print,
  write = file_methods.write,
  flush = file_methods.flush,
  setvbuf = file_methods.setvbuf,
}

local M = {}

local settings = { limit = 2 ^ 20, linger = 5, patience = 5 }

-- -- Opening ------------------------------------------------------------------

local api -- the C side, when first needed
local streams = {} -- file -> its stream; false: C's stdio is right for it

--- Is it there? Not when it is first needed after the script has spoilt require.
local function have_api()
  if not api then
    local ok, loaded = pcall(require, "green.ffi.stdfd")
    api = ok and loaded or nil
  end
  return api ~= nil
end

--- The C object of a descriptor, closed (and flushed) when the state is: others
-- may print in their finalizers after that.
-- @return it; nil when C's stdio will do, or the runtime has ended
local function open(number, for_write)
  local ok, s = pcall(core.object, "stdfd", number, for_write)
  if not (ok and s and have_api()) then
    return nil
  end
  api.set(s, settings.limit, settings.linger)
  return s
end
M.open = open

local numbers = { [stdout] = 1, [stderr] = 2 }

--- The stream of a file at its first use; false if it needs none.
local function opened(file)
  local number = numbers[file]
  if not number then
    return false
  end
  streams[file] = false
  raw.flush(file) -- what was written before comes first
  local s = open(number, 1)
  if s then
    local is_tty = api.is_tty(s) ~= 0
    streams[file] = {
      s = s,
      room = api.room(s),
      is_tty = is_tty,
      lazy = (file == stdout and not is_tty) and 1 or 0,
      parks = file == stdout,
      broken = false, -- the last that was heard of its reader is that he has gone
    }
  elseif file == stdout then
    -- A regular file: a server's log is to be there when one looks.
    raw.setvbuf(file, "line")
  end
  return streams[file]
end

local function stream_of(file)
  local stream = streams[file]
  if stream == nil then
    return opened(file)
  end
  return stream
end

-- -- Writing ------------------------------------------------------------------

--- As the io library reports what failed.
local function failure(stream, code)
  local _, text = core.errtext(code)
  stream.broken = code == EPIPE
  return nil, text, -code
end

--- Park until there is room. Returns whether another try is worth it: not where
-- nobody can wait (a finalizer, a sort), nor when the reader has stopped.
local function wait_for_room(stream)
  local queued = api.queued(stream.s)
  local ok, status = pcall(core.park, stream.room, core.now() + settings.patience, ROOM)
  if ok and status == ECANCELED then
    thread.raise()
  end
  if ok and status == codes.ETIMEDOUT and api.queued(stream.s) >= queued then
    api.give_up(stream.s)
    return false
  end
  return ok and (status == 0 or status == codes.ETIMEDOUT)
end

local function put_slowly(stream, text, result)
  while result == EAGAIN and stream.parks and wait_for_room(stream) do
    result = api.put(stream.s, text, #text, 0)
  end
  if result == EAGAIN then
    api.drop(stream.s, #text)
    result = ENOBUFS
  end
  if result ~= 0 then
    return failure(stream, result)
  end
  return true
end

local before -- called before text goes to a terminal (green.cmd.repl)

local function put(stream, text)
  if before and stream.is_tty then
    before(text)
  end
  local result = api.put(stream.s, text, #text, stream.lazy)
  if result ~= 0 then
    return put_slowly(stream, text, result)
  end
  return true
end

local function check_strings(...)
  for i = 1, select("#", ...) do
    local kind = type((select(i, ...)))
    if kind ~= "string" and kind ~= "number" then
      error(format("bad argument #%d to 'write' (string expected, got %s)", i, kind), 4)
    end
  end
end

--- Write strings and numbers; all of one call stays together.
local function write_to(stream, first, ...)
  check_strings(first, ...)
  if select("#", ...) > 0 then
    first = concat({ first, ... })
  end
  return put(stream, type(first) == "number" and first .. "" or first)
end

local function write(file, ...)
  local stream = stream_of(file)
  if stream and select("#", ...) > 0 then
    return write_to(stream, ...)
  end
  return raw.write(file, ...)
end

local function io_write(...)
  local file = io_output()
  local stream = stream_of(file)
  if stream and select("#", ...) > 0 then
    return write_to(stream, ...)
  end
  return raw.write(file, ...)
end

--- Has the reader of a print gone? Who failed before may have been the one who was told.
local function is_broken(stream, was_taken)
  stream.broken = not was_taken or api.flush(stream.s) == EPIPE
  return stream.broken
end

--- As Lua's, through the global tostring. `M.on_broken` is called when nobody reads it.
local function green_print(...)
  local stream = stream_of(stdout)
  if not stream then
    return raw.print(...)
  end
  local n, parts = select("#", ...), { ... }
  local text_of = _G.tostring
  for i = 1, n do
    parts[i] = text_of(parts[i])
    if type(parts[i]) ~= "string" and type(parts[i]) ~= "number" then
      error("'tostring' must return a string to 'print'", 2)
    end
  end
  local was_taken = put(stream, concat(parts, "\t", 1, n) .. "\n")
  if stream.broken and is_broken(stream, was_taken) and M.on_broken then
    M.on_broken()
  end
end

--- Parks until the reader has taken all, a few seconds without progress at most.
local function flush_stream(stream)
  local result = api.flush(stream.s)
  while result == EAGAIN and stream.parks and wait_for_room(stream) do
    result = api.flush(stream.s)
  end
  if result == 0 or result == EAGAIN and not stream.parks then
    return true
  end
  return failure(stream, result == EAGAIN and codes.ETIMEDOUT or result)
end

local function flush(file)
  local stream = streams[file]
  if stream then
    return flush_stream(stream)
  end
  return raw.flush(file)
end

local function setvbuf(file, mode, ...)
  local stream = stream_of(file)
  if stream and (mode == "no" or mode == "line" or mode == "full") then
    stream.lazy = mode == "full" and 1 or 0
    return true
  end
  return raw.setvbuf(file, mode, ...)
end

-- -- Looking after it ---------------------------------------------------------

--- The C streams that there are.
local function opened_streams()
  local all = {}
  for _, stream in pairs(streams) do
    all[#all + 1] = stream and stream.s or nil
  end
  return all
end
M.opened_streams = opened_streams

--- Bytes queued and dropped so far.
-- @treturn table `{ stdout = { queued=, dropped= }, stderr = ... }`; a file that
-- needs no queue, or was not written to, has zeros
function M.stats()
  local all = {}
  for name, file in pairs { stdout = stdout, stderr = stderr } do
    local stream = streams[file]
    all[name] = {
      queued = stream and api.queued(stream.s) or 0,
      dropped = stream and api.dropped(stream.s) or 0,
    }
  end
  return all
end

--- Change the settings of this runtime.
-- @tparam table opts `limit` bytes in each queue (1 MiB); `patience` seconds a
-- writer of standard output waits for a reader that takes nothing (5); `linger`
-- seconds that the end of the program does (5)
function M.configure(opts)
  local options = require "green.args.options"
  for name, value in pairs(options.check(opts, settings, "stdio.configure")) do
    settings[name] = args.number(value, 0, "stdio.configure", name)
  end
  for _, s in ipairs(opened_streams()) do
    api.set(s, settings.limit, settings.linger)
  end
end

--- For green.cmd.repl: fn(text) is called before text goes to a terminal; nil: none.
function M.set_before(fn)
  before = fn
end

--- Write what can be written at once. Does not park.
function M.flush_now()
  for _, s in ipairs(opened_streams()) do
    api.flush(s)
  end
end

--- Write what is queued and let go.
function M.finish()
  for _, s in ipairs(opened_streams()) do
    api.deinit(s)
  end
end

local function complain(text)
  write(stderr, text)
end

--- What the runtime has to say goes this way, too. Idempotent.
-- @tparam function fn called when something is printed that nobody reads
function M.install(fn)
  M.on_broken = fn
  core.on_complain(complain)
end

M.print, M.io_write, M.write, M.flush, M.setvbuf = green_print, io_write, write, flush, setvbuf

return M
