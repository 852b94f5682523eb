--- How HTTP servers get their workers: as many as there are connections with bytes, and no
-- more than max_size.
-- @module green.wsgi.spawn

local accept = require "green.wsgi.accept"
local conns = require "green.wsgi.conn"
local core = require "green.core"
local greenpool = require "green.greenpool"
local states = require "green.wsgi.state"
local stop = require "green.wsgi.stop"
local thread = require "green.thread"
local workers = require "green.wsgi.worker"

local min = math.min -- scripts may put their own there

local QUEUE = core.QUEUE

local function close(conn)
  if conn and core.conn_is_open(conn) then
    core.conn_close(conn)
  end
end

--- A worker that was killed, abandoned or ran out of memory while it had a request.
local function log_request(self, state)
  local conn = state.conn
  if state.unlogged and self.log.access and conn and core.conn_is_open(conn) then
    pcall(self.log.request, self.log, conn, true)
  end
end

--- A worker's green thread has ended, in whatever way.
local function worker_ends(state)
  local self = state.server
  stop.look(self)
  if self.detached[state] then
    self.detached[state] = nil
    return
  end
  self.active[state] = nil
  self.workers = self.workers - 1
  log_request(self, state)
  close(state.conn)
  close(core.conn_offered())
  state.conn = false
  self.httpd.full = false
end

local function enter(self, state, t)
  states.attach(state, t, worker_ends)
  self.workers = self.workers + 1
  self.active[state] = true
end

--- A worker in a thread of a pool's, which may run before pool:spawn returns, or be the
-- one that calls it. A pool of another kind may keep its threads: each serves one
-- request then, and may be used for something else afterwards.
local function run_in_pool(self, state)
  local t = core.current()
  enter(self, state, greenpool.is_pool(self.options.custom_pool) and t or core.expose(t))
  local ok, err = pcall(workers.run, self, state)
  states.leave(state)
  if not ok then
    error(err, 0)
  end
end

local function spawn_worker(self)
  local pool, state = self.options.custom_pool, states.new(self)
  if pool then
    pool:spawn(run_in_pool, self, state) -- parks while the pool is full
    return
  end
  local t = core.make(1, false, workers.run, self, state)
  local ok, err = pcall(enter, self, state, t)
  if not ok then -- no memory
    core.drop(t)
    error(err, 0)
  end
  core.start(t)
end

--- Makes workers when connections have bytes and nobody is free for them.
-- A stop kills it.
local function spawn_workers(self)
  local httpd, status = self.httpd, 0
  while status == 0 do
    for _ = 1, min(httpd.wanted, conns.room(self)) do
      spawn_worker(self)
    end
    httpd.full = conns.room(self) <= 0
    status = core.park(self.shortage, nil, QUEUE)
  end
end

local function spawner(self)
  core.set_context(nil) -- a handler begins without one, the first as all others
  accept.persist(spawn_workers, self)
end

--- Start the green thread that makes a server's workers, and return it.
local function start(self)
  return thread.spawn(spawner, self)
end

return { start = start }
