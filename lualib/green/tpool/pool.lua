--- Pools of native threads that run Lua: the class behind green.tpool. Private to it.
--
-- A pool's root has the threads and what runs there; views of it (`with`) have options of
-- their own.
-- @module green.tpool.pool

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local ends = require "green.tpool.ends"
local errors = require "green.error"
local job = require "green.tpool.job"
local map = require "green.tpool.map"
local move = require "green.tpool.move"
local natives = require "green.tpool.natives"
local options = require "green.args.options"
local show = require "green.args.show"
local thread = require "green.thread"

local ffi = require "ffi"
local api = require "green.ffi.tpool"

-- Scripts may put their own in their places.
local error, format, floor, package, pairs, setmetatable, type =
  error, string.format, math.floor, package, pairs, setmetatable, type

local inside = core.inside() -- this state is a native thread's own

local GRACE = 1 -- seconds
local STEP = 0.01

local M = {}

local methods = {}
local mt = show.kind({ __name = "green.tpool.pool", __index = methods }, function(self)
  local stats = self:stats()
  return format("%d threads, %d jobs", stats.threads, stats.pending)
end)

-- -- What is greenc's ---------------------------------------------------------

local pool_t, stats_t = ffi.typeof("green_tpool **"), ffi.typeof("green_tpool_stats")

--- greenc's pool, or nil: it is closed.
local function native(self)
  local p = ffi.cast(pool_t, self.root.core)[0]
  return p ~= nil and p or nil
end

local function must_be_open(self, op)
  local p = native(self)
  if not p then
    error(errors.new("ECLOSED", op, "the pool is closed"), 0)
  end
  return p
end

local function new_core()
  local object, code = core.object("tpool", 1)
  if not object then
    error(errors.new(code, "tpool"), 0)
  end
  return object
end

--- What the states of its threads are set up with: where they look for modules, and what
-- they run first. Made anew when package.path changes.
function M.setup(root)
  local path, cpath = package.path, package.cpath
  if root.path ~= path or root.cpath ~= cpath then
    local setup = core.object("setup")
    local code, text = core.setup(setup, path, cpath, root.init)
    if code ~= 0 then
      args.misuse("tpool.pool: init: %s", text)
    end
    root.setup, root.path, root.cpath = setup, path, cpath
  end
  return root.setup
end

--- Let a pool's jobs go on for so many seconds, while this thread stands still.
local function stand_still(root, seconds)
  local p = native(root)
  if p then
    api.stop_until(p, ffi.cast("int64_t", (core.now() + seconds) * 1e9))
  end
end

-- -- Making -------------------------------------------------------------------

--- A pool with threads of its own, or (size nil) one that shares the process's.
-- @tparam ?number size
-- @tparam table opts checked
function M.new(size, opts)
  local root = setmetatable({
    core = natives.add(new_core(), size and "tpool.pool" or "tpool"),
    size = size,
    active = {}, -- calls under way, and false (tpool/job.lua)
    holes = {},
    hole = false,
    init = opts.init,
    killable = opts.killable or false,
    affinity = opts.affinity or false,
    grace = opts.grace or GRACE,
    -- patient(pin) gives what gets what comes late: no job is told to stop
    patient = opts.patient or false,
    pins = setmetatable({}, { __mode = "k" }), -- green thread -> its pin
  }, mt)
  root.root = root
  if size then
    api.set_threads(native(root), size)
  end
  ends.watch(root, stand_still)
  return root
end

M.options = { killable = true, affinity = true, grace = true }
M.pool_options = { killable = true, affinity = true, grace = true, threads = true, init = true }

--- Check options; those of M.options, and others that the caller knows.
function M.check(opts, known, where)
  opts = options.check(opts, known, where)
  args.optional(opts.killable, "boolean", where, "killable")
  args.optional(opts.affinity, "boolean", where, "affinity")
  if opts.grace ~= nil then
    args.number(opts.grace, 0, where, "grace")
  end
  return opts
end

--- The same threads with other options. Does not park.
-- @tparam table opts `killable`, `affinity`, `grace`
function methods:with(opts)
  opts = M.check(opts, M.options, "with")
  local view = setmetatable({ root = self.root }, mt)
  for name in pairs(M.options) do
    view[name] = self[name]
    if opts[name] ~= nil then
      view[name] = opts[name]
    end
  end
  return view
end

-- -- Calls --------------------------------------------------------------------

local function warn(root)
  if not root.is_warned then
    root.is_warned = true
    core.complain("greenlua: tpool: with 0 native threads jobs run on the loop's own, "
      .. "which stands still meanwhile\n")
  end
end

--- The claim of the running green thread on one native thread.
local function pin_of(root)
  local me = core.current()
  local pin = root.pins[me]
  if not pin then
    pin = core.pin(root.core)
    root.pins[me] = pin
  end
  return pin
end

--- fn(...) in the thread of a pin; with 0 threads straight on. Parks.
function M.execute_pinned(self, pin, fn, ...)
  local root = self.root
  if root.size == 0 then
    warn(root)
    return fn(...)
  end
  return job.run(self, M.setup(root), pin, fn, ...)
end

--- A claim on one of its threads. Does not park.
function M.new_pin(self)
  must_be_open(self, "Proxy")
  return core.pin(self.root.core)
end

--- As methods:execute, of a pool for sure.
local function execute(self, fn, ...)
  args.callable(fn, "execute", "fn")
  local root = self.root
  if inside then
    return move.call(fn, ...)
  elseif root.size == 0 then
    warn(root)
    thread.checkpoint()
    return move.call(fn, ...)
  end
  return job.run(self, M.setup(root), self.affinity and pin_of(root) or nil, fn, ...)
end
M.execute = execute

--- Call fn(...) in a native thread; there, or with 0 threads, straight on. Parks.
-- @tparam function fn it crosses with its upvalues
-- @param ... what it gets
-- @return what it returned; what it raised is raised here
function methods:execute(fn, ...)
  return execute(self, fn, ...)
end

--- fn of each element, in native threads: an iterator over `index, results...`, in the order
-- of the list. Does not park; the loop does.
-- @tparam function fn
-- @param list or a function that gives the next element and nil at the end
-- @tparam[opt] table opts `size`: calls at once, at most (8)
function methods:imap(fn, list, opts)
  return map.start(execute, self, fn, list, opts, "imap")
end

--- The same, as a list of the first results. Parks.
function methods:map(fn, list, opts)
  local results = {}
  for i, value in map.start(execute, self, fn, list, opts, "map") do
    results[i] = value
  end
  return results
end

-- -- Sizes and ends -----------------------------------------------------------

--- Run at most that many threads, of this pool alone from now on. Before its first job, or
-- after killall. Does not park.
-- @tparam number n 0: jobs run on the loop's own thread; a negative one is an error of the
-- first job
function methods:set_num_threads(n)
  if type(n) ~= "number" or n ~= floor(n) then
    args.wrong("set_num_threads", "n", "a whole number", n)
  end
  local status = api.set_threads(must_be_open(self, "set_num_threads"), n < 0 and -1 or n)
  if status ~= 0 then
    args.misuse("set_num_threads: there are native threads already; killall() ends them")
  end
  self.root.size = n
end

--- What there is: `threads`, `idle`, `queued` (jobs in line), `pending` (under way in all).
function methods:stats()
  local p = native(self)
  local s = stats_t()
  if p then
    api.stats_get(p, s)
  end
  return { threads = s.threads, idle = s.idle, queued = s.queued, pending = s.pending }
end

--- Let all jobs be done and their results be delivered, and end the threads. The pool can be
-- used again. Parks.
function methods:killall()
  local p = must_be_open(self, "killall")
  thread.checkpoint()
  while self:stats().pending > 0 do
    local call = job.active(self.root)()
    if call then
      local status = core.park(core.call_waiters(call), nil, core.QUEUE)
      if status ~= 0 then
        thread.failed(status, "killall")
      end
    else
      thread.sleep(STEP) -- somebody has left a job that still runs
    end
    p = must_be_open(self, "killall")
  end
  api.stop(p)
end

--- No more jobs: what is under way is told to stop, and its callers get ECLOSED. Does not
-- park. Idempotent.
function methods:close()
  local root = self.root
  job.close(root)
  core.release(root.core)
end

class.seal(mt, "pool")

return M
