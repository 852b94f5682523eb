--- Locks of files, which other processes see: flock(2). Private to green.fs.
--
-- The system wakes nobody of ours when a lock comes free: to wait for it would have a native
-- thread until then, which nothing could end. So it is asked for now and then, ever less often.
-- @module green.fs.lock

local core = require "green.core"
local check = require "green.fs.check"
local errors = require "green.error"
local job = require "green.fs.job"
local options = require "green.args.options"
local thread = require "green.thread"

local ffi = require "ffi"

local min, max, tonumber = math.min, math.max, tonumber
local LOCK = tonumber(ffi.C.GREEN_DISK_LOCK)
local HERE = {}
local kinds = { shared = 1, exclusive = 2 }
local UNLOCK = 8

local FIRST, LAST = 0.001, 0.05 -- seconds between two tries

local methods = {}

local function begin(self, kind)
  local one, err = job.new()
  if not one then
    return nil, err
  end
  local status = job.begin(one, HERE, LOCK, { file = self._desc, flags = kind })
  if status < 0 then
    return job.failed(one, status, "lock", self.path)
  end
  return one
end

--- Whoever tried was killed: what the try has got is given back. Parks.
local function give_up(self, one)
  job.wait(one)
  local got = job.result(one) == 0
  job.done(one)
  if got and self._desc then
    local undo = begin(self, UNLOCK)
    if undo then
      job.wait(undo)
      job.done(undo)
    end
  end
  self._tries = false
end

--- One try. 0: got; 1: another has it; nil, err. Parks.
local function try(self, kind)
  local one, err = begin(self, kind)
  if not one then
    return nil, err
  end
  self._tries = true
  local status = job.wait(one)
  if status ~= 0 then
    thread.spawn_n(give_up, self, one)
    return thread.failed(status, "lock")
  end
  self._tries = false
  local n = job.result(one)
  if n < 0 then
    return job.failed(one, n, "lock", self.path)
  end
  job.done(one)
  return n
end

--- A try, unless one is on its way back.
local function attempt(self, kind)
  if not self._desc then
    return nil, errors.new("ECLOSED", "lock")
  end
  return self._tries and 1 or try(self, kind)
end

--- Lock all of the file against other openings of it, here and in other processes: those who
-- ask for a lock, too, wait; nobody else is kept out. It is the open file's, not the green
-- thread's, and ends with unlock or close. Another lock that the file has becomes this one,
-- and is free for a moment in between. Parks.
-- @tparam[opt="exclusive"] string kind or "shared": with others who share it
-- @tparam[opt] table opts `timeout` in seconds; 0: one try
-- @return true; or nil, err: ETIMEDOUT (another has it), ENOLCK, ECLOSED
function methods:lock(kind, opts)
  local number = kinds[kind == nil and "exclusive" or kind]
  if not number then
    options.unknown("lock", kind, kinds, "lock")
  end
  opts = check.options(opts, { timeout = "seconds" }, "lock")
  thread.checkpoint()
  core.waiter()
  local deadline, nap = thread.deadline(opts.timeout), FIRST
  while true do
    local n, err = attempt(self, number)
    if n ~= 1 then
      return n and true or nil, err
    end
    local left = deadline and deadline - core.now()
    if left and left <= 0 then
      return nil, errors.new("ETIMEDOUT", "lock " .. job.printable(self.path),
        "another has it", { path = self.path })
    end
    thread.sleep(left and max(0, min(nap, left)) or nap)
    nap = min(2 * nap, LAST)
  end
end

--- Give the lock back; one that the file has not is none. Parks.
-- @return true; or nil, err: ECLOSED
function methods:unlock()
  if not self._desc then
    return nil, errors.new("ECLOSED", "unlock")
  end
  return job.act(HERE, LOCK, "unlock",
    { file = self._desc, flags = UNLOCK, shown = self.path })
end

return { methods = methods }
