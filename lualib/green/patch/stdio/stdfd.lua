--- Standard output and error as queues of bytes in C (green_stdfd): opened at their first
-- use, written to, and looked after. Lua's own functions stand on them in
-- green.patch.stdio.output.
-- @module green.patch.stdio.stdfd

local core = require "green.core"
local args = require "green.args"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local ipairs, pairs, pcall, require = ipairs, pairs, pcall, require

local codes = core.codes
local EAGAIN, ECANCELED, ENOBUFS = codes.EAGAIN, codes.ECANCELED, codes.ENOBUFS
local EPIPE = codes.EPIPE
local ROOM = core.QUEUE -- core.park's mode for a queue inside a C struct

local stdout, stderr = io.stdout, io.stderr
local file_methods = core.class_of(stdout).__index
local raw_flush, raw_setvbuf = file_methods.flush, file_methods.setvbuf

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
  raw_flush(file) -- what was written before comes first
  local s = open(number, 1)
  if s then
    local is_tty = api.is_tty(s) ~= 0
    streams[file] = {
      s = s,
      room = api.room(s),
      is_tty = is_tty,
      lazy = (file == stdout and not is_tty) and 1 or 0,
      parks = file == stdout,
      broken = false, -- at the last write its reader had gone
    }
  elseif file == stdout then
    -- A regular file: a server's log is to be there when one looks.
    raw_setvbuf(file, "line")
  end
  return streams[file]
end

--- The stream of a file; false if it needs none, or is no file of ours.
local function stream_of(file)
  local stream = streams[file]
  if stream == nil then
    return opened(file)
  end
  return stream
end
M.stream_of = stream_of

--- The same, but false or nil for one that nothing was written to.
function M.known(file)
  return streams[file]
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

--- Write a text. Parks while the queue of standard output is full.
-- @return true; or nil, text, number, as the io library
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
M.put = put

--- Has the reader of a print gone? Who failed before may have been the one who was told.
function M.is_broken(stream, was_taken)
  stream.broken = not was_taken or api.flush(stream.s) == EPIPE
  return stream.broken
end

--- Parks until the reader has taken all, a few seconds without progress at most.
function M.flush(stream)
  local result = api.flush(stream.s)
  while result == EAGAIN and stream.parks and wait_for_room(stream) do
    result = api.flush(stream.s)
  end
  if result == 0 or result == EAGAIN and not stream.parks then
    return true
  end
  return failure(stream, result == EAGAIN and codes.ETIMEDOUT or result)
end

--- For long reports to a file whose writers do not park: parks while more than half of its
-- queue is taken. Returns whether it is worth going on: not when the reader has stopped.
function M.ease(file)
  local stream, goes_on = streams[file], true
  while stream and goes_on and api.queued(stream.s) > settings.limit / 2 do
    goes_on = wait_for_room(stream)
  end
  return goes_on
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

return M
