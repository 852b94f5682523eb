--- DAGPool: green threads whose inputs are the results of others.
--
-- Each result has a key. A call names the keys it depends on and gets them as
-- they arrive; it may run before they do.
-- @module green.dagpool

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"
local exits = require "green.thread.exits"
local results = require "green.dagpool.results"
local show = require "green.args.show"
local thread = require "green.thread"

local check_key, check_keys = results.check_key, results.check_keys
local arrived, emit, next_arrival = results.arrived, results.emit, results.next_arrival

local methods = setmetatable({}, { __index = results.methods })
local pool_mt = { __name = "green.DAGPool", __index = methods }

show.kind(pool_mt, function(self)
  local running = 0
  for _ in pairs(self._calls) do
    running = running + 1
  end
  return ("%d results, %d running"):format(#self._order, running)
end)

--- A pool. Does not park.
-- @tparam[opt] table preload results that are there from the start: key -> value
local function DAGPool(preload)
  args.optional(preload, "table", "DAGPool", "preload")
  local self = setmetatable({
    _results = {}, -- key -> result
    _order = {}, -- keys in the order of arrival
    _calls = {}, -- key -> { thread, pending = keys it still waits for }
    _queue = core.waitq(), -- who waits for some result
  }, pool_mt)
  for key, value in pairs(preload or {}) do
    arrived(self, key, { true, value, n = 2 })
  end
  return self
end

-- -- Calls --------------------------------------------------------------------

local function collision(key, what)
  return errors.new("EEXIST", "DAGPool", ("the key %s %s"):format(args.shown(key), what),
    { key = key })
end

--- The error that stands for a call's error, and travels down to dependents.
local function propagate_error(key, cause)
  local text = ("%s failed: %s"):format(args.shown(key), thread.text_of(cause))
  return errors.new("EPROPAGATED", nil, text, { key = key, cause = cause })
end

--- What fn gets to iterate over: its dependencies as they arrive.
local function inputs_of(self, call)
  local state = { missing = call.pending, at = 1 }
  return function()
    thread.checkpoint()
    local key = next_arrival(self, state)
    if key ~= nil then
      return emit(key, self._results[key])
    end
  end
end

--- The call has ended; what it posted for itself goes before what it returned.
local function call_ended(self, key, call, ok, ...)
  if self._calls[key] ~= call then
    return
  end
  self._calls[key] = nil
  if ok then
    arrived(self, key, { true, n = select("#", ...) + 1, ... })
  else
    arrived(self, key, { false, propagate_error(key, (...)), n = 2 })
  end
end

local function run(self, key, call, fn, ...)
  call_ended(self, key, call, xpcall(fn, thread.note_traceback, key, inputs_of(self, call), ...))
end

--- One that never ran, or was abandoned, failed too.
local function thread_ends(call, t)
  call_ended(call.pool, call.key, call, false, core.data(t).error)
end

--- Start fn(key, inputs, ...) in a green thread; what it returns is the result of
-- that key. `inputs` iterates over `key, values...` of its dependencies, in the
-- order of arrival, waiting for each; it raises when one failed. Raises EEXIST
-- for a key that is taken. Does not park.
-- @param key anything but nil
-- @tparam ?table depends a list of keys
-- @tparam function fn
function methods:spawn(key, depends, fn, ...)
  check_key(key, "DAGPool:spawn")
  depends = depends == nil and {} or check_keys(depends, "DAGPool:spawn", "depends")
  args.callable(fn, "DAGPool:spawn", "fn")
  if self._calls[key] or self._results[key] then
    error(collision(key, "is taken"), 0)
  end
  local call = { _exit = thread_ends, pool = self, key = key, thread = nil,
    pending = results.new_state(depends).missing }
  call.thread = exits.make(2, call, false, run, self, key, call, fn, ...)
  self._calls[key] = call
  core.start(call.thread)
end

--- spawn for several keys. Does not park.
-- @tparam table depends key -> list of keys it depends on
-- @tparam function fn
-- @param ... its arguments after key and inputs
function methods:spawn_many(depends, fn, ...)
  args.type(depends, "table", "DAGPool:spawn_many", "depends")
  args.callable(fn, "DAGPool:spawn_many", "fn")
  for _, list in pairs(depends) do
    if type(list) ~= "table" then
      args.misuse("DAGPool:spawn_many: depends must be a table of lists, but it has %s",
        args.shown(list))
    end
    check_keys(list, "DAGPool:spawn_many", "each list in depends")
  end
  for key, list in pairs(depends) do
    methods.spawn(self, key, list, fn, ...)
  end
end

--- Set a result from outside, or, in a call, one's own: then what the call
-- returns is dropped. Raises EEXIST for the key of another call that runs, and
-- for one that has a result. Does not park.
-- @param key
-- @param value
-- @tparam[opt] boolean replace an existing result
function methods:post(key, value, replace)
  check_key(key, "DAGPool:post")
  local call = self._calls[key]
  if call and call.thread ~= core.current() then
    error(collision(key, "belongs to a call that runs"), 0)
  elseif self._results[key] and not replace then
    error(collision(key, "has a result"), 0)
  end
  self._calls[key] = nil
  arrived(self, key, { true, value, n = 2 })
end

--- Kill the call of that key; the key is free again, and who depends on it goes
-- on waiting. Raises if no such call runs. Parks.
function methods:kill(key)
  local call = self._calls[key]
  if not call then
    args.misuse("DAGPool:kill: no call runs for the key %s", args.shown(key))
  end
  core.waiter() -- where that raises, nobody is killed
  self._calls[key] = nil
  call.thread:kill()
end

-- -- Asking -------------------------------------------------------------------

--- The result for a key, if it is there. Raises its PropagateError. Does not park.
-- @return its values; else default
function methods:get(key, default)
  local result = self._results[key]
  if result then
    return select(2, emit(key, result))
  end
  return default
end

--- Keys that have a result, in the order of arrival.
function methods:keys()
  local keys = {}
  for i, key in ipairs(self._order) do
    keys[i] = key
  end
  return keys
end

--- key -> (first) value of the results that are there; a failed one raises.
function methods:items()
  local values = {}
  for key, result in pairs(self._results) do
    values[key] = select(2, emit(key, result))
  end
  return values
end

--- How many calls run, those that wait for their dependencies too.
function methods:running()
  return #self:running_keys()
end

function methods:running_keys()
  local keys = {}
  for key in pairs(self._calls) do
    keys[#keys + 1] = key
  end
  return keys
end

local function pending_of(self, call)
  local keys = {}
  for key in pairs(call.pending) do
    if not self._results[key] then
      keys[#keys + 1] = key
    end
  end
  return keys
end

--- How many calls have dependencies that did not arrive yet.
function methods:waiting()
  local n = 0
  for _, call in pairs(self._calls) do
    if #pending_of(self, call) > 0 then
      n = n + 1
    end
  end
  return n
end

--- What is missing: a circle of calls shows here. Does not park.
-- @param[opt] key of one call
-- @treturn table the keys it waits for; without a key: key -> such a list, of
-- those that wait
function methods:waiting_for(key)
  if key ~= nil then
    local call = self._calls[key]
    return call and pending_of(self, call) or {}
  end
  local all = {}
  for name, call in pairs(self._calls) do
    local keys = pending_of(self, call)
    if #keys > 0 then
      all[name] = keys
    end
  end
  return all
end

class.seal(pool_mt)

return { DAGPool = DAGPool }
