--- Finished spans on their way out: a bounded queue, and a green thread that sends it in
-- batches while there is something in it.
-- @module green.tracing.recorder

local core = require "green.core"
local errors = require "green.error"
local otlp = require "green.tracing.otlp"
local thread = require "green.thread"
local timeout = require "green.timeout"

-- Scripts may put their own in their places.
local error, pcall, setmetatable, type, xpcall = error, pcall, setmetatable, type, xpcall
local concat = table.concat

local STEP = 32 -- spans that are written before others may run

local methods = {}
local mt = { __index = methods }

--- A recorder. `target`: send(text, n) returns how many of n spans were lost, and may park;
-- hurry() says that the end is near; close().
local function new(o, target)
  return setmetatable({
    sample = o.sample, trust = o.trust, baggage = o.baggage, queries = o.queries,
    propagate = o.propagate, most = o.queue, batch = o.batch, delay = o.delay,
    head = otlp.head(o.resource), target = target,
    queue = {}, first = 1, last = 0, -- of those that wait
    waiter = core.waitq(), done = core.waitq(),
    worker = false, is_over = false, pid = core.getpid(),
    in_hand = 0, exported = 0, dropped = 0,
    flushing = 0, -- how many wait for that
  }, mt)
end

--- How many wait.
function methods:waiting()
  return self.last - self.first + 1
end

--- The text of the next batch, whose spans are in hand. Parks now and then.
local function next_batch(self)
  local parts, n = {}, 0
  while n < self.batch and self.first <= self.last do
    local span = self.queue[self.first]
    self.queue[self.first], self.first = nil, self.first + 1
    local ok, text = true, span
    if type(span) ~= "string" then
      ok, text = pcall(otlp.span, span)
    end
    if ok then
      n = n + 1
      parts[n], self.in_hand = text, n
    else
      self.dropped = self.dropped + 1
    end
    if n % STEP == 0 and not self.is_over then
      thread.sleep(0)
    end
  end
  return self.head .. concat(parts, ",") .. otlp.tail
end

local function send_all(self)
  core.set_context({ is_mute = true }) -- what sends spans makes none
  while self.first <= self.last do
    if self:waiting() < self.batch and not self.is_over and self.flushing == 0 then
      core.park(self.waiter, core.now() + self.delay)
    end
    local text = next_batch(self)
    local n = self.in_hand
    if n > 0 then
      local lost = self.target.send(text, n)
      self.in_hand = 0
      self.exported, self.dropped = self.exported + n - lost, self.dropped + lost
    end
  end
end

--- The worker's life: as long as there is something to send. What goes wrong is counted.
local function work(self)
  local ok, err
  repeat
    ok, err = xpcall(send_all, thread.note_traceback, self)
    if not ok then
      self.dropped, self.in_hand = self.dropped + self.in_hand, 0
    end
  until ok or errors.is_error(err, "ECANCELED")
  self.worker = false
  core.wake_all(self.done)
end

--- In a child of a fork: what waited there is the parent's.
local function check_fork(self)
  if self.pid ~= core.getpid() then
    self.pid, self.queue, self.first, self.last, self.worker = core.getpid(), {}, 1, 0, false
    self.in_hand, self.flushing = 0, 0
  end
end

--- A span has ended; it comes as a text if it did so in a native thread. Does not park.
function methods:take(span)
  check_fork(self)
  if self.is_over or self:waiting() >= self.most then
    self.dropped = self.dropped + 1
    return
  end
  self.last = self.last + 1
  self.queue[self.last] = span
  if not self.worker then
    self.worker = core.spawn(work, self)
  elseif self:waiting() >= self.batch then
    core.wake(self.waiter)
  end
end

--- Wait until all are sent, or lost. Parks.
local function wait_for_worker(self)
  while self.worker do
    core.wake(self.waiter)
    if core.park(self.done) == core.codes.ECANCELED then
      thread.raise()
    end
  end
  return true
end

--- Send what waits, in that time at most; what is left is dropped, also where the caller is
-- cancelled meanwhile, which raises behind that. Parks.
-- @treturn boolean whether all was sent
function methods:finish(seconds)
  self.is_over = true
  check_fork(self)
  local ok, err = true, nil
  if self.worker then
    core.wake(self.waiter)
    self.target.hurry()
    ok, err = pcall(timeout.timeout, seconds, wait_for_worker, self)
  end
  local left = self:waiting() + self.in_hand
  if self.worker then
    self.in_hand = 0
    self.worker:kill_soon()
    self.worker = false
    self.queue, self.first, self.last = {}, 1, 0
  end
  self.dropped = self.dropped + left
  self.target.close()
  if not ok then
    error(err, 0)
  end
  return left == 0 and self.dropped == 0
end

--- Send what waits now, without an end. Parks.
function methods:flush(seconds)
  check_fork(self)
  self.flushing = self.flushing + 1
  local ok, result = pcall(timeout.timeout, seconds, wait_for_worker, self)
  self.flushing = self.flushing - 1
  if not ok then
    error(result, 0)
  end
  return result or false
end

return { new = new }
