--- Runtimes in native threads: n of them run one module, each with a Lua state and a loop
-- of its own, and share listeners.
-- @module green.workers

local core = require "green.core"
local args = require "green.args"
local carry = require "green.thread.carry"
local class = require "green.args.class"
local ending = require "green.ending"
local errors = require "green.error"
local exits = require "green.thread.exits"
local keeper = require "green.workers.keeper"
local listeners = require "green.workers.listeners"
local options = require "green.args.options"
local plan = require "green.workers.plan"
local show = require "green.args.show"
local signals = require "green.net.signals"
local socket = require "green.socket"
local thread = require "green.thread"

local GRACE, FORCE_AFTER = 30, 5 -- seconds
local AT_EXIT = { grace = 3, force_after = 1 }

local methods = {}
local mt = { __name = "green.workers", __index = methods }

show.kind(mt, function(self)
  return ("%d of %s, %d alive"):format(self.count, self.name, self.left)
end)

-- -- Their ends ---------------------------------------------------------------

local function close(self)
  for _, worker in ipairs(self) do
    worker.ours:close()
    worker.theirs:close()
  end
  listeners.close(self.listeners)
  if self.at_exit then
    self.at_exit:cancel()
  end
  if self.unwatch then
    self.unwatch()
  end
end

--- The exit record of a keeper.
local function keeper_gone(record)
  local self = record.workers
  record.worker.keeper = nil
  self.left = self.left - 1
  if self.left == 0 then
    close(self)
  end
  core.wake_all(self.ends)
end

--- Wait until all have ended: true, or false when the deadline comes first. Parks.
local function wait_for_all(self, deadline)
  while self.left > 0 do
    if thread.stand(self.ends, deadline) ~= 0 then
      return false
    end
  end
  return true
end

--- The same while there is patience, which a second signal ends. Parks.
local function wait_with_patience(self)
  while self.left > 0 and core.now() < self.patience do
    thread.stand(self.ends, self.patience)
  end
end

local function outcome(self)
  if self.failure then
    return nil, self.failure
  end
  return true
end

--- Wait until all workers have ended. Parks.
-- @tparam[opt] number timeout seconds
-- @return true; or nil, err: EWORKER (the first that ended with an error: `worker` is its
-- number, `traceback` the whole text), ETIMEDOUT
function methods:wait(timeout)
  args.timeout(timeout, "wait")
  thread.checkpoint()
  if not wait_for_all(self, thread.deadline(timeout)) then
    return nil, errors.new("ETIMEDOUT", "wait for workers")
  end
  return outcome(self)
end

local function ask(self)
  self.is_stopping = true
  core.wake_all(self.stops)
  for _, worker in ipairs(self) do
    worker.ours:close()
  end
end

local function interrupt(self)
  for _, worker in ipairs(self) do
    if worker.native then
      core.native_interrupt(worker.native)
    end
  end
end

--- Nobody waits any more for those that are left.
local function abandon(self)
  local n = 0
  for _, worker in ipairs(self) do
    if worker.keeper then
      if keeper.runs(worker) then
        n = n + 1
        keeper.tell(self, worker, "has not ended, and is left to itself")
      end
      worker.keeper:kill_soon()
    end
  end
  wait_for_all(self)
  if n == 0 then
    return outcome(self)
  end
  local op = ("stop: %d of %d workers have not ended"):format(n, self.count)
  return nil, errors.new("ETIMEDOUT", op)
end

--- Ask all of them to stop, as SIGTERM asks a process: servers with `signals = true` finish
-- what they have in hand, `worker:wait()` returns, and where there is neither, the main green
-- thread of the worker is killed. After the grace it is killed everywhere. Those that have not
-- ended `force_after` seconds later are left to themselves, which is told on stderr. Parks.
-- @tparam[opt] table opts `grace` (seconds, 30), `force_after` (seconds, 5)
-- @return true; or nil, err: ETIMEDOUT when some were left to themselves, else as wait's
function methods:stop(opts)
  opts = options.check(opts, AT_EXIT, "stop")
  local grace, force_after = opts.grace or GRACE, opts.force_after or FORCE_AFTER
  args.number(grace, 0, "stop", "grace")
  args.number(force_after, 0, "stop", "force_after")
  thread.checkpoint()
  self.patience = thread.deadline(grace)
  ask(self)
  wait_with_patience(self)
  interrupt(self)
  if wait_for_all(self, thread.deadline(force_after)) then
    return outcome(self)
  end
  return abandon(self)
end

--- Have all of them ended, each within so many seconds? This thread stands still meanwhile.
local function wait_in_place(self, seconds)
  for _, worker in ipairs(self) do
    if worker.native and not core.native_wait(worker.native, seconds) then
      return false
    end
  end
  return true
end

--- The end of the program. Under a plain luajit that is a finalizer, which cannot park.
local function stop_at_exit(self)
  if pcall(core.waiter) then
    methods.stop(self, AT_EXIT)
    return
  end
  ask(self)
  if not wait_in_place(self, AT_EXIT.grace) then
    interrupt(self)
    wait_in_place(self, AT_EXIT.force_after)
  end
end

--- A signal has come: the first stops the workers, one more ends the patience with them.
-- Returns whether it was the first.
local function on_signal(self)
  local is_first = not self.is_stopping
  if is_first then
    thread.spawn_n(methods.stop, self)
  else
    self.patience = 0
    core.wake_all(self.ends)
  end
  return is_first
end

--- How many have not ended. Does not park.
-- @treturn number
function methods:alive()
  return self.left
end

class.seal(mt)

-- -- Their beginning ----------------------------------------------------------

--- What each worker needs beside the listeners: a pair of sockets; the worker stops when ours
-- is closed. Or nil, err.
local function open_pairs(self)
  for i = 1, self.count do
    local ours, theirs = socket.pair()
    if not ours then
      close(self)
      return nil, theirs
    end
    self[i] = { index = i, ours = ours, theirs = theirs }
  end
  return true
end

local function start(self, watches)
  for _, worker in ipairs(self) do
    local record = { _exit = keeper_gone, workers = self, worker = worker }
    worker.keeper = exits.make(2, record, false, keeper.keep, self, worker)
  end
  for _, worker in ipairs(self) do
    core.start(worker.keeper)
  end
  self.at_exit = ending.at_exit(stop_at_exit, self)
  self.unwatch = watches and signals.watch(function()
    return on_signal(self)
  end)
  return self
end

--- Start n runtimes in native threads. Each calls a function of its own, `app`, or what the
-- module of that name returns, with a table: `index` (1 to n), `count`, `args`, `listeners` and the
-- first of them, `listener`; its `wait()` parks until the worker is to stop. Parks for names.
-- @tparam number n 1 to 1024
-- @param app a module's name, found as the caller's `package.path` says; or a function, which
-- crosses as green.tpool says
-- @tparam[opt] table opts `listen`: an address as green.listen takes it, a listener, or a list
-- of these; `reuse_port` (false): each worker gets a listener of its own at the address, and the
-- system deals out the connections; `args`: a value that crosses; `signals` (false): SIGINT and
-- SIGTERM stop the workers, and a second one ends the grace; `restart`: seconds after which a
-- worker that ended with an error is started again
-- @return the workers; or nil, err as green.listen's, EMFILE, ENFILE
local function workers(n, app, opts)
  opts = plan.check(n, app, opts)
  local rows, err = listeners.open(opts.listen, n, opts.reuse_port)
  if not rows then
    return nil, err
  end
  local self = {
    app = app,
    name = plan.name_of(app),
    args = opts.args,
    carried = carry.pack(),
    count = n,
    left = n,
    listeners = rows,
    restart = opts.restart,
    is_stopping = false,
    failure = nil, -- the first error of a worker
    ends = core.waitq(), -- who waits for workers to end,
    stops = core.waitq(), -- and for the stop
  }
  local ok
  ok, err = open_pairs(self)
  if not ok then
    return nil, err
  end
  return start(setmetatable(self, mt), opts.signals)
end

return { workers = workers }
