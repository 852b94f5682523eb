--- How the workers of an HTTP server wait for clients that send or read slowly.
--
-- A worker that waits for its client does not count against max_size: clients that
-- send or read slowly must not keep others out. Nor are there any number of them,
-- as each has a buffer.
-- @module green.wsgi.conn

local core = require "green.core"
local exits = require "green.thread.exits"
local thread = require "green.thread"

local conn_sock, core_park = core.conn_sock, core.park
local READ, WRITE = core.READ, core.WRITE -- modes of core.park
local SLOW_MOST = 10 -- times max_size

local function leave(held)
  held.server.slow = held.server.slow - 1
end

--- The running worker does not count for a while, until take_room or its end.
-- @return what take_room takes
local function leave_room(server)
  local held = { _exit = leave, server = server }
  core.waiter() -- where that raises, nobody is counted
  exits.hold(held)
  server.slow, server.httpd.full = server.slow + 1, false
  return held
end

local function take_room(held)
  exits.release(held)
  leave(held)
end

--- Wait until the connection can be read or written, mode READ or WRITE. Parks.
-- @return status as core.park
local function wait(server, conn, mode, deadline)
  local sock = conn_sock(conn) -- raises when the request is over
  local held = leave_room(server)
  local status = core_park(sock, deadline, mode)
  take_room(held)
  return status
end

--- The same for writing, as long as write_timeout says. Parks.
local function wait_to_write(server, conn)
  return wait(server, conn, WRITE, thread.deadline(server.options.write_timeout))
end

--- How many workers more there may be.
local function room(server)
  local most = server.max_workers
  return most + math.min(server.slow, SLOW_MOST * most) - server.workers
end

return {
  wait = wait, wait_to_write = wait_to_write, leave_room = leave_room, take_room = take_room,
  room = room, READ = READ,
}
