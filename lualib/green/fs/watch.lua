--- Being told what happens to files and folders: `fs.watch`. Private to green.fs.
--
-- Who asks for the next event does the work: takes what the kernel has, and follows new folders.
-- In between the kernel keeps it, up to a limit of its own.
-- @module green.fs.watch

local args = require "green.args"
local check = require "green.fs.check"
local class = require "green.args.class"
local core = require "green.core"
local errors = require "green.error"
local job = require "green.fs.job"
local show = require "green.args.show"
local thread = require "green.thread"
local tell = require "green.fs.watch_tell"
local folders = require "green.fs.watch_folders"

local ffi = require "ffi"
local api = require "green.ffi.fswatch"

local park, READ, now = core.park, core.READ, core.now
local EAGAIN, ECLOSED, ETIMEDOUT = core.codes.EAGAIN, core.codes.ECLOSED, core.codes.ETIMEDOUT
local error, pcall, tonumber = error, pcall, tonumber

local PAIR = 0.02 -- seconds that the other end of a move is waited for
local BATCH = 4096 -- events of the kernel's that are taken at once

local methods = {}

-- -- Taking -------------------------------------------------------------------

local event = ffi.new("green_fswatch_event")

--- Take what the kernel has into `_raw`. 0: all of it; 1: there may be more; or a negative
-- status.
local function take(self)
  local raw, n = self._raw, 0
  local begins_move = false -- its end is the next: they stay together
  while n < BATCH or begins_move and n < 2 * BATCH do
    if not self._w then
      return ECLOSED
    end
    local status = api.next(self._w, event)
    if status == EAGAIN then
      return 0
    elseif status < 0 then
      return status
    end
    raw[#raw + 1] = { watch = event.watch, mask = tonumber(event.mask),
      cookie = tonumber(event.cookie), name = ffi.string(event.name, event.len) }
    n, begins_move = n + 1, tell.begins_move(raw[#raw])
  end
  return 1
end

--- Wait for events of the kernel. 0 or a negative status. Parks.
local function wait(self, deadline)
  if not self._w then
    return ECLOSED
  end
  local status = park(self._w, deadline, READ)
  return status -- no tail call: self must stay reachable meanwhile
end

--- Does a move begin here whose end has not been seen? It is waited for a moment.
local function settle_moves(self)
  if tell.has_open_move(self._raw) and take(self) == 0 and tell.has_open_move(self._raw) then
    local due = now() + PAIR
    repeat
      local status = wait(self, due)
      if status ~= 0 then
        return status ~= ETIMEDOUT and status or 0
      end
      take(self)
    until not tell.has_open_move(self._raw)
  end
  return 0
end

--- Fill `_ready`, or find nothing. 0 or a negative status. Parks.
local function gather(self, deadline)
  local status = take(self)
  if status == 0 and #self._raw == 0 then
    status = wait(self, deadline)
    if status == 0 and self._delay > 0 then
      thread.sleep(self._delay)
    end
    status = status == 0 and take(self) or status
  end
  if status < 0 then
    return status
  end
  local is_all = status == 0
  status = settle_moves(self)
  if status == 0 then
    tell.digest(self, is_all)
  end
  return status
end

-- -- For programs -------------------------------------------------------------

local function is_read_by_another(self)
  local reader = self._reader
  return reader and reader ~= core.current() and not core.is_dead(reader)
end

local function leave(self, ok, ...)
  self._reader = false
  if not ok then
    error((...), 0)
  end
  return ...
end

local function next_event(self, deadline)
  while #self._ready < self._at do
    if self._gone then
      self:close()
      return nil
    end
    self._ready, self._at = {}, 1
    local status = gather(self, deadline)
    if status == ECLOSED then
      return nil
    elseif status < 0 then
      return thread.failed(status, "watch " .. job.printable(self.path))
    end
  end
  local first = self._ready[self._at]
  self._at = self._at + 1
  return first
end

--- The next event: a table with
--
--   * `type`: "created", "modified", "written" (closed by one who had it open for writing),
--     "deleted", "moved" (`from` is its former path), "changed" (permissions, owner, times,
--     links); "overflow": events were lost, look yourself; "error": a new folder cannot be
--     watched (`error`); "gone": what is watched was removed, moved or unmounted, and this is
--     the last event
--   * `path`: it begins with the path that is watched
--   * `folder`: true, of a folder
--
-- Parks.
-- @tparam[opt] table opts `timeout` in seconds
-- @treturn ?table nil: it was closed, or has ended; or nil, err: ETIMEDOUT, EBUSY (another green
-- thread reads)
function methods:next(opts)
  opts = check.options(opts, { timeout = "seconds" }, "next")
  thread.checkpoint()
  if is_read_by_another(self) then
    return nil, errors.new("EBUSY", "watch " .. job.printable(self.path))
  elseif self._at > #self._ready then
    core.waiter()
  end
  self._reader = core.current()
  return leave(self, pcall(next_event, self, thread.deadline(opts.timeout)))
end

--- For a loop over next(): ends with the watch, raises errors. The loop parks.
-- @treturn function
function methods:events()
  return function()
    local one, err = self:next()
    if err then
      error(err, 0)
    end
    return one
  end
end

--- Watch no more: who waits for an event gets nil. Idempotent, does not park.
function methods:close()
  local w = self._w
  if w then
    self._w = false
    core.release(w)
    job.close_desc(self._desc)
    self._desc = nil
  end
end

--- How many folders, or files, are watched.
function methods:count()
  return self._n
end

local function state_of(self)
  return self._w and ("%s, %d watched"):format(job.printable(self.path), self._n) or "closed"
end

local mt = class.seal(show.kind({ __name = "green.fs.watch", __index = methods }, state_of))

-- -- Making -------------------------------------------------------------------

local watch_options = { recursive = "boolean", delay = "number", ignore = true, most = "number" }

local M = {}

--- Be told what happens to a file, or to what is in a folder. Changes are told in their order;
-- what happens to a file again and again before it is asked for is told once. Parks.
-- @function fs.watch
-- @tparam string path
-- @tparam[opt] table opts `recursive` true: and in all folders below, new ones, too: what is
-- found in a new one was created, and is told so once. `delay`: seconds between the first event
-- and when it is told, so that more of the same becomes one; `ignore`: a function of a path that
-- returns true where nothing is told, and no folder watched; `most`: events kept (65536), beyond
-- which is an "overflow"
-- @return the watch: `for event in watch:events()`; or nil, err: ENOENT, EACCES, ENOSPC (the
-- system allows no more watches: /proc/sys/fs/inotify/max_user_watches), EMFILE
function M.watch(place, path, opts)
  check.path(path, "fs.watch")
  opts = check.options(opts, watch_options, "fs.watch")
  args.number(opts.delay or 0, 0, "fs.watch", "delay")
  args.integer(opts.most or 1, 1, "fs.watch", "most")
  if opts.ignore ~= nil then
    args.callable(opts.ignore, "fs.watch", "ignore")
  end
  thread.checkpoint()
  core.waiter()
  local w, code = core.object("fswatch")
  if not w then
    return job.failure(code, "watch", path)
  end
  local desc = api.desc(w)
  if desc == nil then
    core.release(w)
    return job.failure(core.codes.EMFILE, "watch", path)
  end
  local self = setmetatable({ path = path, _w = w, _desc = job.hold(desc),
    _place = place, _recursive = opts.recursive, _ignore = opts.ignore, _delay = opts.delay or 0,
    _most = opts.most or 65536, _raw = {}, _ready = {}, _at = 1, _paths = {}, _watches = {},
    _n = 0, _known = {}, _older = {}, _adding = {}, _reader = false, _gone = false }, mt)
  local ok, err = folders.begin(self)
  if not ok then
    self:close()
    return nil, err
  end
  return self
end

return M
