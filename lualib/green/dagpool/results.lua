--- The results of a DAGPool: those that have arrived, and how to wait for more. Private
-- to green.dagpool.
-- @module green.dagpool.results

local core = require "green.core"
local args = require "green.args"
local thread = require "green.thread"

local methods = {}

-- -- Results ------------------------------------------------------------------

-- A result is { ok, ... }, n counts; a failed one holds the PropagateError.

local function arrived(self, key, result)
  if not self._results[key] then
    self._order[#self._order + 1] = key
  end
  self._results[key] = result
  core.wake_all(self._queue)
end

local function emit(key, result)
  if not result[1] then
    error(result[2], 0)
  end
  return key, unpack(result, 2, result.n)
end

local function stand(self, deadline)
  local status = core.park(self._queue, deadline)
  if status ~= 0 then
    return thread.failed(status, "DAGPool:wait")
  end
  return true
end

-- -- Waiting ------------------------------------------------------------------

local function all_keys(self)
  local keys = {}
  for key in pairs(self._results) do
    keys[#keys + 1] = key
  end
  for key in pairs(self._calls) do
    keys[#keys + 1] = key
  end
  return keys
end

--- The next of the keys in `missing` to arrive, which it leaves; nil: none is
-- missing; nil, err. `at` counts through the order of arrival. Parks, and leaves
-- the checkpoint to its callers.
local function next_arrival(self, state, deadline)
  while next(state.missing) ~= nil do
    local key = self._order[state.at]
    if key == nil then
      local ok, err = stand(self, deadline)
      if not ok then
        return nil, err
      end
    else
      state.at = state.at + 1
      if state.missing[key] then
        state.missing[key] = nil
        return key
      end
    end
  end
end

local function new_state(keys)
  local missing = {}
  for _, key in ipairs(keys) do
    missing[key] = true
  end
  return { missing = missing, at = 1 }
end

--- nil and NaN can be no key of a table.
local function check_key(key, where)
  if key == nil or key ~= key then
    args.misuse("%s: key must not be %s", where, args.shown(key))
  end
end

--- A list of keys; a hole in it would hide what stands behind.
local function check_keys(keys, where, name)
  for _, key in ipairs(args.list(keys, where, name, "keys")) do
    check_key(key, where)
  end
  return keys
end

local function keys_or_all(self, keys, where)
  return keys == nil and all_keys(self) or check_keys(keys, where, "keys")
end

--- For a loop over `key, values...` in the order of arrival. A failed call's
-- PropagateError is raised in its turn. The loop parks.
-- @tparam[opt] table keys a list; default: all that there are or run now
function methods:wait_each(keys)
  local state = new_state(keys_or_all(self, keys, "wait_each"))
  return function()
    thread.checkpoint()
    local key = next_arrival(self, state)
    if key ~= nil then
      return emit(key, self._results[key])
    end
  end
end

--- For a loop over `key, values...` of the calls that did not fail. The loop parks.
function methods:wait_each_success(keys)
  local state = new_state(keys_or_all(self, keys, "wait_each_success"))
  return function()
    thread.checkpoint()
    local key
    repeat
      key = next_arrival(self, state)
    until key == nil or self._results[key][1]
    if key ~= nil then
      return emit(key, self._results[key])
    end
  end
end

--- For a loop over `key, PropagateError` of the calls that failed. The loop parks.
function methods:wait_each_exception(keys)
  local state = new_state(keys_or_all(self, keys, "wait_each_exception"))
  return function()
    thread.checkpoint()
    local key
    repeat
      key = next_arrival(self, state)
    until key == nil or not self._results[key][1]
    if key ~= nil then
      return key, self._results[key][2]
    end
  end
end

--- Wait for results. Raises the PropagateError of the first that failed. Parks.
-- @tparam[opt] table keys a list; default: all that there are or run now
-- @tparam[opt] number timeout seconds
-- @treturn table key -> (first) value; or nil, ETIMEDOUT
function methods:wait(keys, timeout)
  args.timeout(timeout, "DAGPool:wait")
  local state = new_state(keys_or_all(self, keys, "wait"))
  local values, deadline = {}, thread.deadline(timeout)
  thread.checkpoint()
  local key, err = next_arrival(self, state, deadline)
  while key ~= nil do
    values[key] = select(2, emit(key, self._results[key]))
    key, err = next_arrival(self, state, deadline)
  end
  if err then
    return nil, err
  end
  return values
end
methods.waitall = methods.wait

--- Wait for one result. Raises its PropagateError. Parks.
-- @param key
-- @tparam[opt] number timeout seconds
-- @return its values; or nil, ETIMEDOUT
function methods:wait_for(key, timeout)
  args.timeout(timeout, "DAGPool:wait_for")
  check_key(key, "DAGPool:wait_for")
  thread.checkpoint()
  local found, err = next_arrival(self, new_state({ key }), thread.deadline(timeout))
  if found == nil then
    return nil, err
  end
  return select(2, emit(key, self._results[key]))
end

return {
  methods = methods,
  arrived = arrived,
  emit = emit,
  check_key = check_key,
  check_keys = check_keys,
  next_arrival = next_arrival,
  new_state = new_state,
}
