--- Clients that go while their request is in hand: env["green.gone"], and the option
-- cancel_on_disconnect.
--
-- A server whose handlers ask has one green thread that hears of it. Who does not
-- ask pays nothing.
-- @module green.wsgi.gone

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"
local event = require "green.event"
local exits = require "green.thread.exits"
local show = require "green.args.show"
local states = require "green.wsgi.state"
local thread = require "green.thread"

local READ = core.READ -- a mode of core.park
local ECANCELED = core.codes.ECANCELED

local M = {}

-- -- Who hears of it ----------------------------------------------------------

--- Their handlers end at their next wait.
local function cancel(server, gone)
  for state in pairs(server.active) do
    if gone[state.conn] then
      states.thread_of(state):kill_soon { error = errors.new("EGONE", "request") }
    end
  end
end

local function tell_all(server)
  local gone = {}
  local conn = core.httpd_gone(server.httpd_pointer)
  while conn do
    gone[conn] = true
    local object = server.gone_objects[conn]
    if object and not object._kind then
      object:send(true)
    end
    conn = core.httpd_gone(server.httpd_pointer)
  end
  if server.options.cancel_on_disconnect then
    cancel(server, gone)
  end
end

--- A child that inherits its green threads has another descriptor than its parent.
local function listen(server)
  local fd = core.httpd_gone_fd(server.httpd_pointer)
  while fd do
    if core.park(fd, nil, READ) == ECANCELED then
      thread.raise()
    end
    tell_all(server)
    fd = core.httpd_gone_fd(server.httpd_pointer)
  end
end

--- Watch a connection in hand. Returns a negative code where that cannot be.
local function watch(server, conn)
  local code = core.conn_watch(conn)
  local listener = server.gone_listener
  if code == 0 and (not listener or listener:dead()) then
    server.gone_listener = thread.spawn(listen, server)
  end
  return code
end

--- Nobody hears any more. Does not park.
function M.stop(server)
  if server.gone_listener then
    server.gone_listener:kill_soon()
  end
end

-- -- env["green.gone"] --------------------------------------------------------

-- An Event that is sent true when the client has gone, or nil, ECLOSED when the
-- request ends otherwise. It watches only when somebody asks it.
local event_methods = event.methods
local methods = setmetatable({}, { __index = event_methods })
local mt = { __name = "green.wsgi.gone", __index = methods }

show.kind(mt, function(self)
  return self._kind and (self._values[1] and "gone" or "request over") or "not gone"
end)

--- Who has gone by now has gone: the handler may have heard of it by other means, and
-- before us.
local function over(record)
  local self, conn = record.gone, record.gone._conn
  self._server.gone_objects[conn] = nil
  if self._kind then
    return
  elseif core.conn_is_open(conn) and core.conn_has_gone(conn) then
    self:send(true)
  else
    self:send(nil, errors.new("ECLOSED", "green.gone"))
  end
end

--- At the request's end, whatever that is, those who wait are told. The record that
-- does it knows the request's thread: the object does not lead there.
local function begin(self)
  local server, conn = self._server, self._conn
  local state = states.of(server, conn)
  if self._kind or self._watches then
    return
  elseif not state then
    return over { gone = self }
  end
  local code = watch(server, conn)
  if code ~= 0 then
    error(errors.new(code, "green.gone"), 0)
  end
  exits.hold({ _exit = over, gone = self }, states.thread_of(state))
  self._watches = true
end

--- Has the client gone, or is the request over? Asks the system. Does not park.
function methods:ready()
  if not self._kind and not core.conn_is_open(self._conn) then
    over { gone = self }
  elseif not self._kind and core.conn_has_gone(self._conn) then
    self:send(true)
  end
  return self._kind ~= nil
end
methods._ready = methods.ready

--- Wait until the client has gone. Parks.
-- @tparam[opt] number timeout seconds
-- @return true; nil, ECLOSED: the request is over; nil, ETIMEDOUT. Raises EMFILE and
-- the like when it cannot be watched
function methods:wait(timeout)
  args.timeout(timeout, "green.gone:wait")
  thread.checkpoint()
  core.waiter() -- where that raises, nothing is watched
  begin(self)
  return event_methods.wait(self, timeout)
end

function methods:_watch(fn)
  begin(self)
  event_methods._watch(self, fn)
end

class.seal(mt)

--- Of a connection in hand: the same object as long as somebody has it.
function M.of(server, conn)
  local self = server.gone_objects[conn]
  if not self then
    self = setmetatable(event.Event(), mt)
    self._server, self._conn, self._watches = server, conn, false
    server.gone_objects[conn] = self
  end
  return self
end

--- The connection was taken over: nothing more is heard of it.
function M.ends(server, conn)
  local self = server.gone_objects[conn]
  if self then
    over { gone = self }
  end
end

-- -- cancel_on_disconnect -----------------------------------------------------

--- The app, whose requests are watched from their beginning. What cannot be watched
-- is served all the same.
function M.watched(server, app, conn_key)
  return function(env)
    local code = watch(server, env[conn_key])
    if code ~= 0 then
      server.log:debug("a client is not watched: %s", tostring(errors.new(code)))
    end
    return app(env)
  end
end

return M
