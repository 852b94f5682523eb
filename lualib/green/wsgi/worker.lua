--- Workers of HTTP servers: green threads that take requests and have them answered.
--
-- A worker takes whatever request is complete, and stays with its connection as
-- long as that has more at hand.
--
-- To a handler its green thread is its request's alone. So a worker goes on with
-- another only if no script has got hold of the thread or its coroutine meanwhile
-- (core.expose); else it ends with the request, as the request ended.
-- @module green.wsgi.worker

local conns = require "green.wsgi.conn"
local core = require "green.core"
local exchange = require "green.wsgi.exchange"
local requests = require "green.wsgi.request"
local states = require "green.wsgi.state"
local thread = require "green.thread"

local error, xpcall = error, xpcall -- scripts may put their own there

local httpd_next, conn_finish = core.httpd_next, core.conn_finish
local core_park, core_now = core.park, core.now
local handle, is_cancel = requests.handle, requests.is_cancel
local note_traceback, path_of, turn = thread.note_traceback, exchange.path, thread.turn

local ECANCELED = core.codes.ECANCELED
local QUEUE = core.QUEUE
-- What was found in a connection; one of any other kind has nothing but its finish.
local REQUEST, REFUSED, CHOICE = core.FOUND_REQUEST, core.FOUND_REFUSED, core.FOUND_CHOICE
-- What has become of a request.
local ANSWERED, SLOW, DONE = exchange.ANSWERED, exchange.SLOW, exchange.DONE
local NEXT, TAKEN = exchange.NEXT, requests.TAKEN
local WORKER_IDLE = 10 -- seconds until a worker that is not needed ends

--- The client does not read: wait for it as long as write_timeout says, anew
-- whenever it has taken something. Returns the next connection, as httpd_next.
local function finish_slowly(server, state, conn, unlogged)
  local next_conn, path
  state.unlogged = unlogged
  repeat
    state.conn = conn
    local status = conns.wait_to_write(server, conn)
    if state.unlogged then
      state.unlogged = not server.log:late(conn, status)
    end
    if status == ECANCELED then
      thread.raise() -- run's caller closes the connection
    elseif status ~= 0 then
      core.conn_close(conn)
      return httpd_next(server.httpd_pointer)
    end
    next_conn, conn, path = conn_finish(conn, server.httpd_pointer)
  until next_conn ~= false
  return next_conn, conn, path
end

--- The request is over. Returns the next connection, as httpd_next.
local function finish(server, state, conn, httpd, log)
  local next_conn, found, path = conn_finish(conn, httpd, log)
  if next_conn == true then
    state.unlogged = false
    server.log.access:tell()
    next_conn, found, path = conn_finish(conn, httpd)
  end
  if next_conn == false then
    return finish_slowly(server, state, found, path)
  end
  return next_conn, found, path
end

--- More workers than max_size? They came while others waited for slow clients.
local function is_surplus(server)
  return server.workers > server.max_workers and conns.room(server) < 0
end

--- What stands before the first request of a connection: a handshake that asks.
local function choose(server, state, conn)
  server.tls.choose(server, conn)
  if turn.touched ~= 0 then
    states.unwind(state) -- locks that the function has not released
    core.reset()
  end
end

--- After a request that has come farther than its answer. Returns the next connection,
-- as httpd_next.
local function go_on(server, state, conn, code, httpd)
  if code == DONE then
    return httpd_next(httpd)
  elseif code == SLOW then
    return finish_slowly(server, state, server.exchange.conn, false)
  end
  state.unlogged = false -- LOGGED
  server.log.access:tell()
  return finish(server, state, conn, httpd)
end

--- Serve requests until there are none at hand. Returns whether this worker is to
-- be one no more: a handler took its connection over, or knows its thread.
local function serve(server, state, conn, found, path)
  local httpd, log, x = server.httpd_pointer, server.log.pointer, server.exchange
  while conn do
    local code = ANSWERED
    state.conn, state.unlogged = conn, found == REQUEST
    if found == REQUEST then
      code = handle(server, state, conn, path)
    elseif found == REFUSED then
      server.log:refused(conn)
    elseif found == CHOICE then
      choose(server, state, conn)
    end
    if code == NEXT then
      conn, found = x.conn, x.found
      -- At once: whatever happens, it goes with the worker, and without a line in the log.
      state.conn, state.unlogged = conn, false
      path = path_of(server)
    elseif code == ANSWERED then
      conn, found, path = finish(server, state, conn, not is_surplus(server) and httpd or nil,
        state.unlogged and log)
    elseif code == TAKEN then
      return true
    else
      conn, found, path = go_on(server, state, conn, code, httpd)
    end
  end
  state.conn = false
  return found == true
end

--- Wait until there may be something to do. Returns whether somebody wanted this
-- worker in time.
local function wait(server)
  -- The only worker stays: it saves the clock and a deadline a request.
  local deadline = server.workers > 1 and core_now() + server.worker_idle or nil
  local status = core_park(server.queue, deadline, QUEUE)
  if status == ECANCELED then
    thread.raise()
  end
  return status == 0
end

local function work(server, state)
  local httpd, is_wanted, is_first = server.httpd_pointer, server.worker_idle > 0, true
  while not (server.stopped or is_surplus(server))
    and not serve(server, state, httpd_next(httpd, is_first))
    and is_wanted and not server.stopped do
    is_wanted, is_first = wait(server), false -- if not wanted, one more look
  end
end

--- A worker's life, in a green thread of its own. Where its handler has forked, the
-- child's request is over, and with it the worker.
local function run(server, state)
  local ok, err = xpcall(work, note_traceback, server, state)
  if server.pid ~= core.getpid() then
    return
  elseif not ok and not is_cancel(err) then
    server.log:failure(nil, err)
  end
  if not ok or state.failure then
    error(state.failure and state.failure.error or err, 0) -- heard: see attach
  end
end

return { run = run, WORKER_IDLE = WORKER_IDLE }
