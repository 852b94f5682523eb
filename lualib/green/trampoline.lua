--- Waiting on descriptors that belong to somebody else.
-- @module green.trampoline

local core = require "green.core"
local args = require "green.args"
local errors = require "green.error"
local exits = require "green.thread.exits"
local options = require "green.args.options"
local thread = require "green.thread"

local READ, WRITE = core.READ, core.WRITE -- modes of core.park

--- The green thread that waited has ended.
local function release_watch(held)
  core.release(held.watch)
end

local known = { read = true, write = true, timeout = true }

-- How others' objects tell their descriptor: ours and LuaPosix's, LuaSocket's,
-- cqueues'.
local askers = { "fileno", "getfd", "pollfd" }

local function get_field(object, name)
  return object[name]
end

--- The method of an object that tells its descriptor. Indexing what cannot be
-- indexed (or hides the name behind an error) is no answer.
local function asker_of(object)
  for _, name in ipairs(askers) do
    local ok, method = pcall(get_field, object, name)
    if ok and args.is_callable(method) then
      return method
    end
  end
end

--- The number of a descriptor, or of whoever has one; nil: none (it is closed).
local function number_of(fd)
  if type(fd) == "number" then
    return fd
  end
  local method = asker_of(fd)
  if not method then
    args.wrong("trampoline", "fd", "a descriptor or an object with fileno, getfd or pollfd", fd)
  end
  local number = method(fd)
  return type(number) == "number" and number or -1
end

--- Wait until a descriptor is ready. It is watched through a private dup: its
-- flags stay, and its owner may close it meanwhile. Readable includes the end of
-- the stream and errors. Parks.
-- @param fd a number, or an object with a method `fileno`, `getfd` (LuaSocket's) or
-- `pollfd` (cqueues') that gives one
-- @tparam[opt] table opts `read` (the default) or `write`, not both; `timeout`
-- in seconds
-- @return true; or nil, err: ETIMEDOUT, EBADF (not open: each time it is tried)
local function trampoline(fd, opts)
  opts = options.check(opts, known, "trampoline")
  if opts.read and opts.write then
    args.misuse("trampoline: read or write, not both")
  end
  args.timeout(opts.timeout, "trampoline")
  local number = number_of(fd)
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
