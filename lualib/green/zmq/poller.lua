--- zmq.Poller: waiting for the events of several things at once.
-- @module green.zmq.poller

local args = require "green.args"
local class = require "green.args.class"
local core = require "green.core"
local exits = require "green.thread.exits"
local poll = require "green.zmq.poll"
local show = require "green.args.show"
local source = require "green.zmq.source"
local thread = require "green.thread"

local band, bor = bit.band, bit.bor
local ETIMEDOUT = core.codes.ETIMEDOUT

local methods = {}
local mt = { __name = "green.zmq.poller", __index = methods }

show.kind(mt, function(self)
  return ("%d registered"):format(#self._entries)
end)

-- -- Registering --------------------------------------------------------------

local function index_of(self, what)
  for i, entry in ipairs(self._entries) do
    if rawequal(entry.what, what) then
      return i
    end
  end
end

local function checked(what, events, where)
  local kind = source.kind_of(what)
  if not kind then
    args.wrong(where, "what", "a socket, a stream, a descriptor, a queue or the like", what)
  end
  local bits = poll.bits(events, where)
  if band(bits, kind.events) ~= bits then
    args.misuse('%s: %s can be waited for with "in" alone', where, args.shown(what))
  end
  return { what = what, kind = kind, bits = bits }
end

-- A poll that is under way goes on with the list that it began with.
local function copied(entries)
  local list = {}
  for i, entry in ipairs(entries) do
    list[i] = entry
  end
  return list
end

--- Wait for that from the next poll on; who is there already has its events changed.
-- Does not park.
-- @param what a ZeroMQ socket, a green socket or stream, a number of a descriptor; or a
-- queue, event, green thread and what else green.wait takes, for "in" alone
-- @tparam[opt="in"] string events "in", "out", "inout"
function methods:register(what, events)
  local entry, list = checked(what, events, "register"), copied(self._entries)
  list[index_of(self, what) or #list + 1] = entry
  self._entries = list
end

--- Change the events of what is there. Does not park.
-- @param what
-- @tparam string events "in", "out", "inout"
function methods:modify(what, events)
  local i = index_of(self, what)
  if not i then
    args.wrong("modify", "what", "registered", what)
  end
  local list = copied(self._entries)
  list[i] = checked(what, events, "modify")
  self._entries = list
end

--- Forget it. Does not park.
-- @return whether it was there
function methods:unregister(what)
  local i = index_of(self, what)
  if not i then
    return false
  end
  local list = copied(self._entries)
  table.remove(list, i)
  self._entries = list
  return true
end

-- -- Polling ------------------------------------------------------------------

local function close(set)
  exits.release(set)
  set.closed = true
  for i, stop in ipairs(set.stops) do
    set.stops[i] = false
    if stop then
      stop()
    end
  end
end

local function watch_bit(set, i, entry, one)
  if band(entry.bits, one) == 0 then
    return
  end
  local at = #set.stops + 1
  set.stops[at] = false -- room for what ends it
  set.stops[at] = entry.kind.watch(entry.what, one, function()
    if not set.closed then
      set.got[i] = bor(set.got[i], one)
      set.n = set.n + 1
      core.wake_all(set.queue)
    end
  end)
end

--- got: what has been seen already.
local function watch_all(entries, got)
  local set = { got = got, n = 0, stops = {}, queue = core.waitq(), _exit = close }
  exits.hold(set)
  for i, entry in ipairs(entries) do
    watch_bit(set, i, entry, poll.IN)
    watch_bit(set, i, entry, poll.OUT)
  end
  return set
end

--- The bits that are there now, by entry, as far as they are known; and whether there are any.
local function look(entries)
  local got, any = {}, false
  for i, entry in ipairs(entries) do
    got[i] = entry.kind.look and entry.kind.look(entry.what, entry.bits) or 0
    any = any or got[i] ~= 0
  end
  return got, any
end

--- What a poll gives.
local function listed(entries, got)
  local ready = {}
  for i, entry in ipairs(entries) do
    if got[i] ~= 0 then
      ready[#ready + 1] = { entry.what, poll.name(got[i]) }
    end
  end
  return ready
end

--- Is there a thing that only the loop can tell of?
local function has_blind(entries)
  for _, entry in ipairs(entries) do
    if not entry.kind.look then
      return true
    end
  end
end

--- Let the loop tell of what is ready: the first turn begins the watches, in the second
-- they are told before the time is up. A status. Parks.
local function wait_turns(set)
  for _ = 1, 2 do
    local status = core.park(set.queue, core.now())
    if status ~= 0 and status ~= ETIMEDOUT then
      return status
    end
  end
  return 0
end

--- Wait until some of got is set. is_short: for no longer than the loop takes to tell. Parks.
local function await(entries, got, deadline, is_short)
  local set = watch_all(entries, got)
  local status = has_blind(entries) and wait_turns(set) or 0
  while status == 0 and set.n == 0 and not is_short do
    status = core.park(set.queue, deadline)
  end
  close(set)
  if status ~= 0 and status ~= ETIMEDOUT then
    thread.failed(status)
  end
end

--- Wait until something is ready. Nothing is taken. Parks.
-- @tparam[opt] number timeout seconds; 0: as it is now
-- @treturn table a list of `{ what, events }` in the order of registering, events "in", "out"
-- or "inout"; and as a second result ETIMEDOUT if the time was up: the list is empty then
function methods:poll(timeout)
  args.timeout(timeout, "poll")
  thread.checkpoint()
  local entries = self._entries
  local got, any = look(entries)
  local is_short = any or timeout == 0
  if not is_short or has_blind(entries) then
    core.waiter() -- where that raises, nothing is watched
    await(entries, got, thread.deadline(timeout), is_short)
  end
  local ready = listed(entries, got)
  if #ready > 0 then
    return ready
  end
  return ready, select(2, thread.failed(ETIMEDOUT, "poll"))
end

class.seal(mt)

--- An empty poller. Does not park.
local function Poller()
  return setmetatable({ _entries = {} }, mt)
end

return { Poller = Poller }
