--- How HTTP servers stop. One green thread does it, whoever asked and however often.
-- @module green.wsgi.stop

local core = require "green.core"
local args = require "green.args"
local errors = require "green.error"
local gone = require "green.wsgi.gone"
local guests = require "green.wsgi.guests"
local options = require "green.args.options"
local states = require "green.wsgi.state"
local signals = require "green.net.signals"
local thread = require "green.thread"
local C = require "green.ffi.httpd"

local FORCE_AFTER = 5
local GUESTS_LOOK = 0.02 -- seconds between looks at what they still have
local LOG_SECONDS = 1 -- for logs to take their last lines

local M = {}

local QUEUE = core.QUEUE

--- Something has changed that a stop, if there is one, should look at: a worker has
-- ended, or has given up what held the stop up. Does not park.
function M.look(self)
  if self.stopping then
    core.wake_cdata(self.departures)
  end
end

local function is_over(plan)
  return plan.forced or core.now() >= plan.deadline
end

--- Take the connections that wait in the listener's queue: closing it would reset
-- them. More may come as fast as they are taken: the grace is for them, too.
-- Returns whether some are left there, because max_connections are open. Parks.
local function take_waiting(self, plan)
  local n
  repeat
    n = C.accept(self.httpd, self.listener._s, 64)
    thread.checkpoint()
  until n <= 0 or is_over(plan)
  return n == core.codes.EBUSY
end

--- Take who has connected, close who has nothing to ask, which may make room for
-- more. Then refuse the others. Parks.
local function stop_accepting(self, plan)
  local httpd = self.httpd
  local are_left
  repeat
    are_left = take_waiting(self, plan)
    thread.sleep(0) -- what has arrived is looked at first
    thread.sleep(0)
    C.close_idle(httpd, false)
    local has_room = httpd.connections < httpd.max_connections
  until not (are_left and has_room) or is_over(plan)
  self.listener:close()
  M.look(self) -- who waits for room to accept has nothing to wait for
end

--- Kill a worker; join abandons it when it has not ended in time.
local function kill(state, plan)
  if not state.due then
    state.due = core.now() + plan.force_after
    states.thread_of(state):kill_soon()
  end
end

--- Those who have their connection for themselves, and workers whose handler said
-- that it does not hold up a stop. Either may come about at any time of a stop.
local function kill_idle_ones(self, plan)
  for state in pairs(self.detached) do
    if not state.guest or is_over(plan) then
      kill(state, plan)
    end
  end
  for state in pairs(self.active) do
    if state.idle then
      kill(state, plan)
    end
  end
end

local function kill_all(self, plan)
  kill_idle_ones(self, plan)
  for state in pairs(self.active) do
    if state.conn then
      kill(state, plan)
    end
  end
end

--- Wait until a connection has gone, somebody has called look, or it is due. Parks.
local function wait(self, due)
  if core.park(self.departures, due, QUEUE) == core.codes.ECANCELED then
    thread.raise()
  end
end

--- Wait until there are no connections. Parks.
local function drain(self, plan)
  kill_idle_ones(self, plan)
  guests.leave(self)
  local has_guests = guests.are_there(self)
  while (self.httpd.connections > 0 or has_guests) and not is_over(plan) do
    wait(self, has_guests and math.min(plan.deadline, core.now() + GUESTS_LOOK) or plan.deadline)
    C.close_idle(self.httpd, false)
    kill_idle_ones(self, plan)
    guests.leave(self) -- who has come meanwhile
    has_guests = guests.are_there(self)
  end
  guests.throw_out(self, plan.force_after)
end

--- Those who do not end in time are abandoned. Returns when the next one will be, or
-- due if that is sooner.
local function bury(set, due)
  for state in pairs(set) do
    if state.due and core.now() >= state.due then
      state.due = math.huge
      states.thread_of(state):kill_soon({ force_after = 0 })
    end
    due = math.min(due, state.due or due)
  end
  return due
end

--- Wait until all workers have ended. None is spared here: the last connection has
-- gone, or the grace has. Parks.
local function join(self, plan)
  self.stopped = true
  self.spawner:kill_soon()
  if self.teller then
    self.teller:kill_soon()
  end
  gone.stop(self)
  core.wake_cdata(self.queue)
  local last = core.now() + plan.force_after + GUESTS_LOOK -- for guests, whose own affair it is
  local has_guests = guests.are_there(self)
  while next(self.active) or next(self.detached) or has_guests and core.now() < last do
    kill_all(self, plan)
    local due = has_guests and core.now() + GUESTS_LOOK or math.huge
    wait(self, bury(self.detached, bury(self.active, due)))
    has_guests = guests.are_there(self)
  end
end

--- The pool may have others than our workers: they have the grace, too. Parks.
local function wait_for_pool(self, plan)
  local pool = self.options.custom_pool
  if not pool then
    return
  end
  local all = thread.spawn(function()
    pool:waitall()
    M.look(self)
  end)
  while not all:dead() and not is_over(plan) do
    wait(self, plan.deadline)
  end
  all:kill_soon()
end

local function stop_all(self, plan)
  stop_accepting(self, plan)
  drain(self, plan)
  C.close_idle(self.httpd, true)
  join(self, plan)
  C.close_idle(self.httpd, true)
  wait_for_pool(self, plan)
end

local function run(self, plan)
  local ok, err = true, nil
  if self.started then
    ok, err = xpcall(stop_all, thread.note_traceback, self, plan)
  end
  self.listener:close()
  self.stopped = true
  if not ok and not errors.is_error(err, "ECANCELED") then
    self.log:failure(nil, err)
  end
  self.log:info("stopped %s", self.url)
  pcall(self.log.close, self.log, LOG_SECONDS)
  self.ended = true
  core.wake_all(self.end_queue)
end

--- Begin to stop, unless that was done. Does not park.
function M.begin(self, opts)
  if self.stopping then
    return
  end
  local grace = opts and opts.grace
  if grace == nil then
    grace = self.options.stop_grace
  end
  self.stopping = true
  self.httpd.closing = true
  self.plan = {
    forced = false,
    deadline = grace and core.now() + grace or math.huge,
    force_after = opts and opts.force_after or FORCE_AFTER,
  }
  thread.spawn_n(run, self, self.plan)
end

local function force(self)
  self.plan.forced = true
  M.look(self)
end

local known = { grace = true, force_after = true }

local function refuse_caller()
  args.misuse("stop: a handler cannot wait for its own end; green.spawn(server.stop, server)")
end

local function check_caller(self)
  local current = core.current()
  if guests.have(self, current) then
    refuse_caller()
  end
  for _, set in ipairs { self.active, self.detached } do
    for state in pairs(set) do
      if states.thread_of(state) == current then
        refuse_caller()
      end
    end
  end
end

--- See green.wsgi.server. Parks.
function M.stop(self, opts)
  check_caller(self)
  opts = options.check(opts, known, "stop")
  if opts.grace then
    args.number(opts.grace, 0, "stop", "grace")
  end
  if opts.force_after then
    args.number(opts.force_after, 0, "stop", "force_after")
  end
  if not self.ended then
    core.waiter() -- where that raises, nothing stops
  end
  if self.stopping and not self.ended then
    force(self)
  end
  M.begin(self, opts)
  while not self.ended do
    local status = core.park(self.end_queue)
    if status ~= 0 then
      return thread.failed(status, "stop")
    end
  end
  return true
end

--- The first SIGINT or SIGTERM stops the server, one more does not wait. Returns what
-- ends that.
function M.watch_signals(self)
  return signals.watch(function()
    if not self.stopping then
      M.begin(self)
      return true
    elseif not self.ended then
      force(self)
    end
  end)
end

return M
