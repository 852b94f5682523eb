--- Connections that are kept for the next request, and how many there may be.
-- Private to green.http.
--
-- Connections belong to an origin: scheme, host, port, proxy and TLS options, as one
-- text. Who needs one gets the connection that was used last, or the right to open one,
-- or stands in line behind those who came before. A connection that nobody refers to any
-- more gives its place back when it is collected.
--
-- A connection is a table that green.http.conn fills. The fields that are ours: `origin`;
-- `ticket`, whose `live` says that it counts; `born` and `since`: when it was opened and put
-- back; `used`: answers that it brought; `guard`: tells of its collection.
-- @module green.http.pool

local core = require "green.core"
local errors = require "green.error"
local keeper = require "green.net.keeper"
local places = require "green.http.places"
local purging = require "green.http.purge"

-- Scripts may put their own in their places.
local collectgarbage, pairs, remove = collectgarbage, pairs, table.remove
local max, min = math.max, math.min

local now_of, getpid = core.now, core.getpid
local origin_of, has_room, take_place = places.origin_of, places.has_room, places.take_place
local new_conn, drop, hand = places.new_conn, places.drop, places.hand
local is_good = purging.is_good
local word = require("green.ffi.fork").word() -- differs in a child from what it was

local SWEEP_MOST = 60 -- seconds between calls of the collector that find nothing

local M = { drop = drop, give_away = places.give_away, purge = purging.purge,
  is_good = purging.is_good }

local function forget_parent(self)
  self.mark = word[0]
  if self.pid == getpid() then
    return
  end
  local old = self.origins
  self.origins, self.hungry, self.count, self.waiting, self.idle = {}, {}, 0, 0, 0
  self.keeper = false -- it is not in this process
  self.pid = getpid()
  for _, origin in pairs(old) do
    for i = 1, origin.n do
      local conn = origin.idle[i]
      conn.ticket.live = false
      places.close_number(conn.stream)
    end
    origin.pool = { count = 0, waiting = 0, hungry = {}, origins = {}, per_origin = 0, total = 0,
      put = drop }
    origin.n = 0
  end
end

-- -- Taking and putting back ----------------------------------------------------

--- The last one that was put back and is good, or nil.
local function take_idle(self, origin, now)
  local idle = origin.idle
  while origin.n > 0 do
    local n = origin.n
    local conn = idle[n]
    idle[n], origin.n = nil, n - 1
    self.idle = self.idle - 1
    if is_good(self, conn, now) then
      return conn
    end
    drop(conn)
  end
end

--- The connection that has been unused for longest, or nil.
local function oldest_of(origins)
  local oldest
  for _, origin in pairs(origins) do
    local first = origin.n > 0 and origin.idle[1]
    if first and (not oldest or first.since < oldest.since) then
      oldest = first
    end
  end
  return oldest
end

--- All places are taken, some by connections that nobody uses: one that helps goes.
local function make_room(self, origin)
  local is_full = origin.count >= self.per_origin
  local oldest = oldest_of(is_full and { origin } or self.origins)
  if oldest then
    local other = oldest.origin
    remove(other.idle, 1)
    other.n, self.idle = other.n - 1, self.idle - 1
    drop(oldest)
  end
end

--- Ask the collector for places of responses that nobody refers to any more: while all that
-- could make garbage waits for a place, it does not come by itself. The more seldom the less
-- it finds.
local function sweep(self, now)
  if now < self.sweep_at then
    return
  end
  local count = self.count
  collectgarbage()
  self.sweep_every = self.count == count and min(max(1, self.sweep_every * 2), SWEEP_MOST) or 0
  self.sweep_at = now + self.sweep_every
end

--- A connection for that origin: one that was kept, or one without a stream that is to be
-- opened now. It goes back with M.put, or with M.drop. Parks while there are too many.
-- @tparam string key
-- @tparam number now
-- @tparam ?number deadline absolute
-- @tparam boolean is_fresh none that was kept
-- @return the connection; or nil, err: ETIMEDOUT, EBUSY (too many wait), ECLOSED
function M.take(self, key, now, deadline, is_fresh)
  if word[0] ~= self.mark then
    forget_parent(self)
  end
  if self.closed then
    return nil, errors.new("ECLOSED", nil, "the session was closed")
  elseif now >= self.purge_at then
    M.purge(self, now)
  end
  local origin = origin_of(self, key)
  local conn = not is_fresh and take_idle(self, origin, now)
  if conn then
    return conn
  end
  origin = origin_of(self, key) -- one of which all was dropped is forgotten
  if origin.waiting == 0 and not has_room(origin) then
    if self.idle > 0 then
      make_room(self, origin)
    else
      sweep(self, now)
    end
    origin = origin_of(self, key)
  end
  if origin.waiting == 0 and has_room(origin) then
    take_place(origin)
    return new_conn(origin)
  end
  return places.stand_in_line(self, origin, deadline)
end

--- The connection for an origin that M.take would give, if there is one and it can be told
-- without a further look; else nil. For plain sockets alone. Does not park.
function M.take_quick(self, key, now)
  local origin = self.origins[key]
  if not origin or origin.n == 0 or now >= self.purge_at or word[0] ~= self.mark then
    return nil
  end
  local idle, n = origin.idle, origin.n
  local conn = idle[n]
  if not conn.sock or now - conn.since >= self.idle_timeout or now - conn.born >= self.max_age
    or now >= conn.until_ or not conn:is_silent() then
    return nil
  end
  idle[n], origin.n = nil, n - 1
  self.idle = self.idle - 1
  return conn
end

--- Give a connection back that may be used again, at that time. Does not park.
function M.put(conn, now)
  local origin = conn.origin
  local self = origin.pool
  if not conn.ticket.live or self.closed or conn.pid ~= self.pid then
    return drop(conn)
  end
  now = now or now_of()
  conn.since = now
  if origin.waiting > 0 then
    if not is_good(self, conn, now) then
      return drop(conn)
    elseif hand(origin, conn) then
      return
    end
  end
  if places.is_wanted(self) then
    return drop(conn) -- another origin waits for the place
  end
  local n = origin.n + 1
  origin.idle[n], origin.n = conn, n
  self.idle = self.idle + 1
  if not self.keeper then
    keeper.start(self)
  end
end

--- Close all connections that are kept. Does not park.
function M.close_idle(self)
  if word[0] ~= self.mark then
    forget_parent(self)
  end
  local all = {}
  for _, origin in pairs(self.origins) do
    for i = 1, origin.n do
      all[#all + 1] = origin.idle[i]
      origin.idle[i] = nil
    end
    origin.n = 0
  end
  self.idle = 0
  keeper.stop(self)
  for i = 1, #all do
    drop(all[i])
  end
end

--- No more connections: who waits gets ECLOSED. Idempotent. Does not park.
function M.close(self)
  self.closed = true
  for _, origin in pairs(self.origins) do
    origin.waiting = 0
    core.wake_all(origin.queue)
  end
  self.waiting, self.hungry = 0, {}
  M.close_idle(self)
end

--- A pool with these limits, all of them numbers.
-- @tparam table class the metatable of its connections, with a method `is_quiet`
function M.new(limits, class)
  return {
    class = class,
    put = M.put, -- for green.http.places
    purge = M.purge, -- for green.net.keeper
    whose = "a session's",
    keeper = false,
    origins = {},
    hungry = {}, -- origins with waiters whom the total alone keeps from a place, in their order
    count = 0, -- connections that are used, kept, or being opened
    idle = 0, -- of these: kept
    waiting = 0,
    closed = false,
    purge_at = 0,
    sweep_at = 0,
    sweep_every = 0, -- seconds
    pid = getpid(),
    mark = word[0],
    per_origin = limits.per_origin,
    total = limits.total,
    most_waiting = limits.waiting,
    idle_timeout = limits.idle_timeout,
    max_age = limits.max_age,
  }
end

return M
