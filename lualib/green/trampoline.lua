--- Waiting on descriptors that belong to somebody else.
-- @module green.trampoline

local core = require "green.core"
local check = require "green.check"
local errors = require "green.error"
local exits = require "green.thread.exits"
local options = require "green.options"
local thread = require "green.thread"

local READ, WRITE = 1, 2 -- modes of core.park

--- The green thread that waited has ended.
local function release_watch(held)
  core.release(held.watch)
end

local known = { read = true, write = true, timeout = true }

--- Wait until a descriptor is ready. It is watched through a private dup: its
-- flags stay, and its owner may close it meanwhile. Readable includes the end of
-- the stream and errors. Parks.
-- @param fd a number, or an object with a method `fileno`
-- @tparam[opt] table opts `read` (the default) or `write`, not both; `timeout`
-- in seconds
-- @return true; or nil, err: ETIMEDOUT, EBADF (not open: each time it is tried)
local function trampoline(fd, opts)
  opts = options.check(opts, known, "trampoline")
  if opts.read and opts.write then
    check.misuse("trampoline: read or write, not both")
  end
  check.timeout(opts.timeout, "trampoline")
  local number = type(fd) == "number" and fd or fd:fileno()
  thread.checkpoint()
  core.waiter() -- where that raises, nothing is watched
  local watch, code = core.watch(number)
  if not watch then
    return nil, errors.new(code, "trampoline")
  end
  local held = { _exit = release_watch, watch = watch }
  exits.hold(held)
  local status = core.park(watch, thread.deadline(opts.timeout), opts.write and WRITE or READ)
  exits.release(held)
  core.release(watch)
  if status ~= 0 then
    return thread.failed(status, "trampoline")
  end
  return true
end

return { trampoline = trampoline }
