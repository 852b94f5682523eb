--- Who looks after connections that are kept while nobody asks for anything. For clients of
-- the library's own.
--
-- As long as a pool keeps connections it has a green thread that looks now and then for those
-- that are too old, or were ended by their servers, and closes them: no descriptor stays for
-- ever. It ends when there are none. green.wait does not wait for it, it keeps no pool alive, and
-- what it waits for delays no report of a deadlock.
--
-- A pool has `idle`, how many it keeps; `idle_timeout`; `purge(pool, now)`, which closes those
-- that are not to be kept; `whose` they are, in words; and `keeper`, false at first, which is
-- this module's.
-- @module green.net.keeper

local background = require "green.thread.background"
local core = require "green.core"
local exits = require "green.thread.exits"

-- Scripts may put their own in their places.
local pcall, setmetatable = pcall, setmetatable
local max, min = math.max, math.min

local core_park, now_of = core.park, core.now
local ETIMEDOUT = core.codes.ETIMEDOUT

local MOST, LEAST = 5, 0.1 -- seconds between two looks

local M = {}

local weak = { __mode = "v" }

local function has_some(keeper)
  local pool = keeper.of.pool
  return pool and pool.idle > 0
end

--- Close what is to be closed. It holds the pool no longer than that.
local function look(keeper)
  local pool = keeper.of.pool
  if pool then
    pool.purge(pool, now_of())
  end
end

local function keep(keeper)
  local status = 0
  while (status == 0 or status == ETIMEDOUT) and has_some(keeper) do
    status = core_park(keeper.queue, now_of() + keeper.every)
    look(keeper)
  end
end

local function ends(keeper)
  local pool = keeper.of.pool
  if pool and pool.keeper == keeper then
    pool.keeper = false
  end
end

local function start(pool)
  local keeper = { of = setmetatable({ pool = pool }, weak), queue = core.waitq(), _exit = ends,
    every = max(LEAST, min(MOST, pool.idle_timeout)) }
  local thread = exits.make(2, keeper, true, keep, keeper)
  background[thread] = true
  core.retire(thread)
  core.data(thread).name = "keeper of " .. pool.whose .. " connections"
  pool.keeper = keeper
  core.start(thread)
end

--- Look after a pool that keeps a connection and has no keeper. Does not park.
function M.start(pool)
  pcall(start, pool) -- without memory there is none this time
end

--- The pool keeps none any more. Does not park.
function M.stop(pool)
  if pool.keeper then
    core.wake_all(pool.keeper.queue)
  end
end

return M
