--- The connections of a client: who gets one, and what becomes of it. Private to green.redis.
--
-- There are two pools of them: for commands, and for those that wait in the server, which must
-- not keep the others waiting. A connection in a pool need not be open.
-- @module green.redis.supply

local conns = require "green.redis.conn"
local core = require "green.core"
local errors = require "green.error"
local exits = require "green.thread.exits"
local keeper = require "green.net.keeper"
local opening = require "green.redis.open"
local pools = require "green.pools"
local thread = require "green.thread"
local timeouts = require "green.timeout"

-- Scripts may put their own in their places.
local error, max, pairs, pcall, xpcall = error, math.max, pairs, pcall, xpcall

local now_of, left = core.now, thread.left
local word = require("green.ffi.fork").word() -- differs in a child from what it was

local M = {}

--- Close connections that are not in use and were not for long, or were ended by the server.
local function purge(state, now)
  local open = 0
  for conn in pairs(state.conns) do
    if conn.user or conn.stream and conn:is_good(now - state.idle_timeout) then
      open = open + 1
    end
  end
  state.idle = state.closed and 0 or open -- those in use come back
end

--- What the clients share that share connections. Does not park.
function M.new(settings)
  local state = {
    settings = settings,
    conns = {}, -- all of them -> true
    failures = 0, -- in a row, to connect
    not_before = 0, -- when the next attempt may begin
    connects = 0, -- that worked
    lost = 0, -- connections that commands lost
    closed = false,
    -- of green.net.keeper
    idle = 0, -- roughly: it is counted by purge
    idle_timeout = settings.idle_timeout,
    purge = purge,
    whose = "a Redis client's",
    keeper = false,
    mark = word[0],
  }
  local function create()
    local conn = conns.new(settings.limits)
    state.conns[conn] = true
    return conn
  end
  state.pool = pools.Pool { create = create, max_size = settings.max_size, order_as_stack = true }
  state.apart = pools.Pool { create = create, max_size = settings.max_blocking,
    order_as_stack = true }
  return state
end

--- An open connection is not used: somebody must look after it.
local function keep(state)
  if state.mark ~= word[0] then
    state.mark, state.keeper = word[0], false -- that thread is the parent's
  end
  state.idle = max(state.idle, 1)
  if not state.keeper then
    keeper.start(state)
  end
end

--- Give it back. One with replies to come, or with something left in it, is no good for another.
local function give_back(held)
  local conn, state = held.conn, held.state
  if conn.owed ~= 0 or conn.is_marked or state.closed then
    conn:close()
  end
  conn.since = now_of()
  conn.user = false
  held.pool:put(conn)
  if conn.stream then
    keep(state)
  end
end

--- The coroutine that stood in a use was dropped there, or has long left it.
local function drop(held)
  if exits.release(held) then
    give_back(held)
  end
end

local function after(held, _guard, ok, value, err)
  exits.release(held)
  give_back(held)
  if ok then
    return value, err
  end
  error(value, 0)
end

local function refused(state, err, op)
  if state.closed then
    return nil, errors.new("ECLOSED", op, "the client was closed")
  elseif err then
    return nil, errors.new(err.code, op, "no connection became free in time", { sent = false })
  end
  return nil, errors.new("EBUSY", op, "too many green threads wait for a connection",
    { sent = false })
end

--- fn(conn, state, deadline, a, b, c) with a connection, open or not, that nobody else uses
-- meanwhile. The two values that fn returns; nil, err: ECLOSED, EBUSY, ETIMEDOUT. Parks.
-- @tparam table state
-- @tparam green.Pool pool of state's
-- @tparam ?number deadline
-- @tparam string op
function M.use(state, pool, deadline, op, fn, a, b, c)
  if state.closed or pool:waiting() >= state.settings.max_waiting and pool:free() == 0 then
    return refused(state, nil, op)
  end
  local conn, err = pool:get(left(deadline))
  if not conn then
    return refused(state, err, op)
  end
  local held = { _exit = give_back, pool = pool, conn = conn, state = state }
  local ok
  ok, err = pcall(exits.hold, held)
  if not ok then -- no memory
    pool:put(conn)
    error(err, 0)
  end
  conn.user = held
  if state.closed then
    return after(held, nil, true, refused(state, nil, op))
  end
  return after(held, timeouts.guard_of(drop, held),
    xpcall(fn, thread.note_traceback, conn, state, deadline, a, b, c))
end

--- The connection is to be used now: open it if it is not, or no good any more. true, and whether
-- it was open; nil, err. Parks.
function M.ready(conn, state, deadline)
  if conn.stream and conn:is_good(now_of() - state.idle_timeout) then
    return true, true
  end
  local ok, err = opening.open(conn, state.settings, state, deadline)
  return ok, not ok and err or false
end

--- Is it the answer of a server that has only just started? What was asked was not done, and may
-- be asked again once this returns true: false is there no time left. Parks.
-- @tparam table state
-- @tparam ?green.error err
-- @tparam ?number deadline
function M.await_loading(state, err, deadline)
  local pause = state.settings.backoff
  if not err or err.kind ~= "LOADING" or deadline and now_of() + pause >= deadline then
    return false
  end
  thread.sleep(pause)
  return true
end

--- No connection is used for another command. Those in use are closed when they come back.
-- Idempotent, does not park.
function M.close(state)
  state.closed = true
  for conn in pairs(state.conns) do
    if not conn.user then
      conn:close()
    end
  end
  state.idle = 0
  keeper.stop(state)
  state.pool:resize(math.huge) -- who stands in line learns of it at once
  state.apart:resize(math.huge)
end

--- Numbers for people. Does not park.
function M.stats(state)
  local open, busy = 0, 0
  for conn in pairs(state.conns) do
    open = open + (conn.stream and 1 or 0)
    busy = busy + (conn.user and 1 or 0)
  end
  return { open = open, busy = busy, waiting = state.pool:waiting() + state.apart:waiting(),
    connects = state.connects, failures = state.failures }
end

return M
