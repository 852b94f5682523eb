--- How HTTP servers accept connections: the green thread that does it, and its pauses when
-- there is no room.
-- @module green.wsgi.accept

local core = require "green.core"
local errors = require "green.error"
local exits = require "green.thread.exits"
local stop = require "green.wsgi.stop"
local thread = require "green.thread"
local C = require "green.ffi.httpd"

local min = math.min -- scripts may put their own there

local codes = core.codes
local READ, QUEUE = core.READ, core.QUEUE -- modes of core.park
local BATCH = 64
local BACKOFF_FIRST, BACKOFF_MOST = 0.01, 1
local FULL_PAUSE = 60 -- seconds between looks where nobody goes
local TELL_PAUSE = 60 -- seconds between lines in the log about the same trouble

--- Wait for what stands in the way of the next accept: 0, or why there is none. A
-- connection that goes makes room, and leaves a descriptor; a stop wakes, too.
local function wait_to_accept(self, n, pause)
  if n == codes.EAGAIN then
    local status = core.park(self.listener._s, nil, READ)
    return status -- no tail call: the socket must stay reachable meanwhile
  elseif n == codes.ECLOSED or n == codes.EBADF then
    return n
  elseif n ~= codes.EBUSY then
    self.log:error("accept: %s", tostring(errors.new(n)))
    if n == codes.EINVAL then
      return n -- the socket does not listen
    end
  end
  -- The handlers of a full server may wait for what only a next request brings: with a
  -- deadline that is no deadlock, which would end the program.
  local deadline = core.now() + (n == codes.EBUSY and FULL_PAUSE or pause)
  local status = core.park(self.departures, deadline, QUEUE)
  return status == codes.ETIMEDOUT and 0 or status
end

--- Abandoned, as in a child of a fork: connections that nobody takes must not wait
-- in a queue of ours.
local function accept_ends(record, t)
  if core.state(t) == "killed" then
    record.server.listener:close()
  end
end

--- Call fn(self) until it returns. A server goes on when memory was short for a
-- moment: that is a string, cancels are none. Parks.
local function persist(fn, self)
  local ok, err
  repeat
    ok, err = pcall(fn, self)
    if not ok and type(err) ~= "string" then
      error(err, 0)
    elseif not ok then
      pcall(self.log.error, self.log, "%s", err)
      thread.sleep(BACKOFF_FIRST)
    end
  until ok or self.stopping
end

--- Connections between requests have made room. Being out of
-- descriptors is for the operator to mend; max_connections may be meant.
local function tell_evicted(self, evicted)
  local log, now = self.log, core.now()
  self.evicted = evicted
  if now < self.evicted_told + TELL_PAUSE then
    return
  end
  self.evicted_told = now
  local is_full = self.httpd.connections >= self.httpd.max_connections
  local tell, why = log.info, "max_connections are open"
  if not is_full then
    tell, why = log.error, tostring(errors.new "EMFILE")
  end
  tell(log, "accept: %s: %d idle connections closed to make room", why, tonumber(evicted))
end

--- There were more handshakes than there may be: under way, in native threads, or waiting
-- for a function.
local function tell_crowded(self, refused)
  local now = core.now()
  self.crowded = refused
  if now < self.crowded_told + TELL_PAUSE then
    return
  end
  self.crowded_told = now
  self.log:error("accept: more TLS handshakes at once than there may be (max_handshakes, "
    .. "max_handshakes_per_address, tls.pool, or a function that chooses): %d refused",
    tonumber(refused))
end

local function accept_all(self)
  local sock, httpd = self.listener._s, self.httpd
  local pause, status = BACKOFF_FIRST, 0
  while status == 0 and not self.stopping do
    if self.tls then
      self.tls.look(self.tls_context)
    end
    local n = C.accept(httpd, sock, BATCH)
    if httpd.evicted ~= self.evicted then
      tell_evicted(self, httpd.evicted)
    end
    if httpd.handshakes_refused ~= self.crowded then
      tell_crowded(self, httpd.handshakes_refused)
    end
    if n >= 0 then
      pause = BACKOFF_FIRST
      thread.checkpoint()
    else
      status = wait_to_accept(self, n, pause)
      pause = min(pause * 2, BACKOFF_MOST)
    end
  end
end

--- Take connections until the listener is closed, which stops the server, or the
-- server is stopped.
local function accept_loop(self)
  persist(accept_all, self)
  stop.begin(self) -- the listener was closed
end

--- Start the green thread that accepts for a server.
local function start(self)
  core.start(exits.make(1, { _exit = accept_ends, server = self }, false, accept_loop, self))
end

return { start = start, persist = persist }
